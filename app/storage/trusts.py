"""Trusted relationships of service accounts: which other root accounts' users may ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    ForeignKey,
    String,
    UniqueConstraint,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.conditions import Condition, parse_condition
from app.domain.impersonation import TrustedRelationship
from app.domain.problems import InvalidDocument, Problem
from app.storage import trusts_history
from app.storage.database import Base
from app.storage.paging import has_in_name, page


class TrustRow(Base):
    """One trusted relationship. A change of it counts `version` up."""

    __tablename__ = "trusted_relationships"
    __table_args__ = (UniqueConstraint("service_account_id", "trusted_account_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    service_account_id: Mapped[str] = mapped_column(ForeignKey("service_accounts.id"))
    trusted_account_id: Mapped[str] = mapped_column(String(20), index=True)
    version: Mapped[int]
    condition: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    expires_at: Mapped[int | None]
    created_at: Mapped[int]


@dataclass(frozen=True, slots=True)
class TrustDetails:
    """A trusted relationship as its owner sees it. `created_at` in epoch seconds."""

    trust: TrustedRelationship
    created_at: int


_ALL = select(
    TrustRow.id.label("trust_id"),
    TrustRow.version,
    TrustRow.trusted_account_id,
    TrustRow.condition,
    TrustRow.expires_at,
    TrustRow.created_at,
)
_ONE = _ALL.where(
    TrustRow.id == bindparam("id"), TrustRow.service_account_id == bindparam("service_account")
)


def trust_of(row: Any) -> TrustedRelationship:
    """The value behind a row. Raises `InvalidDocument`."""
    problems: list[Problem] = []
    condition = None
    if row.condition is not None:
        condition = parse_condition(row.condition, "condition", problems)
    if problems:
        # A condition that cannot be read must not be taken for one that is not there.
        raise InvalidDocument(problems)
    return TrustedRelationship(
        row.trust_id, row.version, row.trusted_account_id, condition, row.expires_at
    )


def list_page(
    connection: Connection, service_account_id: str, number: int, size: int, name: str | None
) -> tuple[list[TrustDetails], int]:
    """One page of a service account's relationships in order of the trusted accounts' ids, and
    how many there are. `name` keeps those whose trusted account's id has it in it."""
    statement = _ALL.where(TrustRow.service_account_id == service_account_id)
    if name is not None:
        statement = statement.where(has_in_name(TrustRow.trusted_account_id, name))
    order = (TrustRow.trusted_account_id, TrustRow.id)
    rows, total = page(connection, statement, order, number, size)
    return [_details(row) for row in rows], total


def find(connection: Connection, service_account_id: str, trust_id: str) -> TrustDetails | None:
    values = {"service_account": service_account_id, "id": trust_id}
    row = connection.execute(_ONE, values).first()
    return None if row is None else _details(row)


def add(
    connection: Connection,
    service_account_id: str,
    trust: TrustedRelationship,
    created_at: int,
) -> None:
    connection.execute(
        insert(TrustRow).values(
            id=trust.id,
            service_account_id=service_account_id,
            trusted_account_id=trust.trusted_account_id,
            version=trust.version,
            condition=_source(trust.condition),
            expires_at=trust.expires_at,
            created_at=created_at,
        )
    )
    trusts_history.keep(connection, trust)


def replace(connection: Connection, trust: TrustedRelationship) -> None:
    """Write another version of a relationship: its condition and its end."""
    connection.execute(
        update(TrustRow)
        .where(TrustRow.id == trust.id)
        .values(
            version=trust.version,
            condition=_source(trust.condition),
            expires_at=trust.expires_at,
        )
    )
    trusts_history.keep(connection, trust)


def remove(connection: Connection, service_account_id: str, trusted_account_id: str) -> str | None:
    """Returns the id of the relationship that was removed."""
    removed = connection.execute(
        delete(TrustRow)
        .where(
            TrustRow.service_account_id == service_account_id,
            TrustRow.trusted_account_id == trusted_account_id,
        )
        .returning(TrustRow.id)
    ).scalar_one_or_none()
    return None if removed is None else str(removed)


def remove_all(connection: Connection, service_account_id: str) -> None:
    connection.execute(delete(TrustRow).where(TrustRow.service_account_id == service_account_id))


def trusted_accounts_of(connection: Connection, service_account_id: str) -> list[str]:
    """The ids of the root accounts that are trusted, expired relationships included."""
    found = connection.execute(
        select(TrustRow.trusted_account_id)
        .where(TrustRow.service_account_id == service_account_id)
        .order_by(TrustRow.trusted_account_id)
    )
    return [str(row.trusted_account_id) for row in found]


def _source(condition: Condition | None) -> dict[str, Any] | None:
    return None if condition is None else dict(condition.source)


def _details(row: Any) -> TrustDetails:
    return TrustDetails(trust_of(row), row.created_at)
