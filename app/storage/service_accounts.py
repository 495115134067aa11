"""Service accounts, each found together with the trust in one other account."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Connection,
    ForeignKey,
    String,
    UniqueConstraint,
    and_,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.impersonation import TrustedRelationship
from app.domain.principals import RootAccount, ServiceAccount
from app.storage.accounts import AccountRow
from app.storage.database import Base
from app.storage.prepared import PreparedRow
from app.storage.trusts import TrustRow, trust_of


class ServiceAccountRow(Base):
    """A machine identity. `max_token_lifetime` is in seconds."""

    __tablename__ = "service_accounts"
    __table_args__ = (UniqueConstraint("account_id", "name_key"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str] = mapped_column(String(50))
    name_key: Mapped[str] = mapped_column(String(50))
    description: Mapped[str] = mapped_column(String(256))
    enabled: Mapped[bool]
    max_token_lifetime: Mapped[int]
    created_at: Mapped[int]


_ONE = PreparedRow(
    select(
        ServiceAccountRow.id,
        ServiceAccountRow.name,
        ServiceAccountRow.enabled,
        ServiceAccountRow.max_token_lifetime,
        AccountRow.id.label("account_id"),
        AccountRow.enabled.label("account_enabled"),
        TrustRow.id.label("trust_id"),
        TrustRow.version,
        TrustRow.trusted_account_id,
        TrustRow.condition,
        TrustRow.expires_at,
    )
    .join(AccountRow, AccountRow.id == ServiceAccountRow.account_id)
    .outerjoin(
        TrustRow,
        and_(
            TrustRow.service_account_id == ServiceAccountRow.id,
            TrustRow.trusted_account_id == bindparam("trusted"),
        ),
    )
    .where(ServiceAccountRow.id == bindparam("id"))
)


def find_with_trust(
    connection: Connection, service_account_id: str, trusted_account_id: str
) -> tuple[ServiceAccount | None, TrustedRelationship | None]:
    """A service account and its relationship with one account: always one statement."""
    row = _ONE.find(connection, id=service_account_id, trusted=trusted_account_id)
    if row is None:
        return None, None
    trust = None if row.trust_id is None else trust_of(row)
    return service_account_of(row), trust


def find(connection: Connection, service_account_id: str) -> ServiceAccount | None:
    return find_with_trust(connection, service_account_id, "")[0]


def service_account_of(row: Any) -> ServiceAccount:
    """The value behind a row that has a service account's columns and its account's."""
    return ServiceAccount(
        row.id,
        row.name,
        RootAccount(row.account_id, row.account_enabled),
        row.enabled,
        row.max_token_lifetime,
    )


def add(
    connection: Connection, account: ServiceAccount, created_at: int, description: str = ""
) -> None:
    connection.execute(
        insert(ServiceAccountRow).values(
            id=account.id,
            account_id=account.account.id,
            name=account.name,
            name_key=account.name.lower(),
            description=description,
            enabled=account.enabled,
            max_token_lifetime=account.max_token_lifetime,
            created_at=created_at,
        )
    )


def find_id_by_name(connection: Connection, account_id: str, name: str) -> str | None:
    found = connection.execute(
        select(ServiceAccountRow.id).where(
            ServiceAccountRow.account_id == account_id,
            ServiceAccountRow.name_key == name.lower(),
        )
    ).scalar_one_or_none()
    return None if found is None else str(found)


def list_of_account(connection: Connection, account_id: str) -> list[ServiceAccount]:
    """The service accounts of a root account, in order of their names."""
    rows = connection.execute(
        select(
            ServiceAccountRow.id,
            ServiceAccountRow.name,
            ServiceAccountRow.enabled,
            ServiceAccountRow.max_token_lifetime,
            AccountRow.id.label("account_id"),
            AccountRow.enabled.label("account_enabled"),
        )
        .join(AccountRow, AccountRow.id == ServiceAccountRow.account_id)
        .where(ServiceAccountRow.account_id == account_id)
        .order_by(ServiceAccountRow.name_key)
    )
    return [service_account_of(row) for row in rows]


def set_enabled(connection: Connection, service_account_id: str, enabled: bool) -> bool:
    """Returns whether there is such a service account."""
    result = connection.execute(
        update(ServiceAccountRow)
        .where(ServiceAccountRow.id == service_account_id)
        .values(enabled=enabled)
    )
    return bool(result.rowcount)
