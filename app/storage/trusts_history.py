"""What trusted relationships said in each of their versions, removed ones included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Connection, String, bindparam, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.impersonation import TrustedRelationship
from app.storage.database import Base


class TrustVersionRow(Base):
    """One version; never changed once written. It outlives the relationship."""

    __tablename__ = "trust_versions"

    trust_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    trusted_account_id: Mapped[str] = mapped_column(String(20))
    condition: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    expires_at: Mapped[int | None]


@dataclass(frozen=True, slots=True)
class TrustVersion:
    """What a relationship said. `condition` is as written; `expires_at` in epoch seconds."""

    trusted_account_id: str
    condition: dict[str, Any] | None
    expires_at: int | None


_ONE = select(
    TrustVersionRow.trusted_account_id, TrustVersionRow.condition, TrustVersionRow.expires_at
).where(
    TrustVersionRow.trust_id == bindparam("id"), TrustVersionRow.version == bindparam("version")
)


def keep(connection: Connection, trust: TrustedRelationship) -> None:
    """Keep what a relationship says from now on; called with each version that is written."""
    condition = None if trust.condition is None else dict(trust.condition.source)
    connection.execute(
        insert(TrustVersionRow).values(
            trust_id=trust.id,
            version=trust.version,
            trusted_account_id=trust.trusted_account_id,
            condition=condition,
            expires_at=trust.expires_at,
        )
    )


def find(connection: Connection, trust_id: str, version: int) -> TrustVersion | None:
    row = connection.execute(_ONE, {"id": trust_id, "version": version}).first()
    if row is None:
        return None
    return TrustVersion(row.trusted_account_id, row.condition, row.expires_at)
