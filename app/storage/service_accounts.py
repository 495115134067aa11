"""Service accounts and their trusted relationships."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    ForeignKey,
    String,
    UniqueConstraint,
    and_,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.conditions import parse_condition
from app.domain.impersonation import TrustedRelationship
from app.domain.principals import RootAccount, ServiceAccount
from app.domain.problems import InvalidDocument, Problem
from app.storage.accounts import AccountRow
from app.storage.database import Base
from app.storage.prepared import PreparedRow


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
    return service_account_of(row), _trust(row)


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


def _trust(row: Any) -> TrustedRelationship | None:
    if row.trust_id is None:
        return None
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


def add_trust(
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
            condition=None if trust.condition is None else dict(trust.condition.source),
            expires_at=trust.expires_at,
            created_at=created_at,
        )
    )


def remove_trust(
    connection: Connection, service_account_id: str, trusted_account_id: str
) -> str | None:
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
