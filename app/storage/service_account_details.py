"""Service accounts as their account sees them: pages of them, changes, and taking one away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from app.domain.principals import ServiceAccount
from app.storage import clients, policy_attachments, trusts
from app.storage.accounts import AccountRow
from app.storage.clients import ClientRow
from app.storage.paging import has_in_name, page
from app.storage.policies import PolicyRow, usable_by
from app.storage.service_accounts import ServiceAccountRow, service_account_of


@dataclass(frozen=True, slots=True)
class ServiceAccountDetails:
    """A service account with its client, and what only its account is shown.

    `jwks` are the public keys of its client. `created_at` in epoch seconds.
    """

    account: ServiceAccount
    description: str
    client_id: str
    jwks: dict[str, Any] | None
    created_at: int


_ALL = (
    select(
        ServiceAccountRow.id,
        ServiceAccountRow.name,
        ServiceAccountRow.description,
        ServiceAccountRow.enabled,
        ServiceAccountRow.max_token_lifetime,
        ServiceAccountRow.created_at,
        AccountRow.id.label("account_id"),
        AccountRow.enabled.label("account_enabled"),
        ClientRow.id.label("client_id"),
        ClientRow.jwks,
    )
    .join(AccountRow, AccountRow.id == ServiceAccountRow.account_id)
    .join(ClientRow, ClientRow.service_account_id == ServiceAccountRow.id)
)
_ONE = _ALL.where(ServiceAccountRow.id == bindparam("id"))


def list_page(
    connection: Connection, account_id: str, number: int, size: int, name: str | None
) -> tuple[list[ServiceAccountDetails], int]:
    """One page of an account's service accounts in order of their names, and how many there are."""
    statement = _ALL.where(ServiceAccountRow.account_id == account_id)
    if name is not None:
        statement = statement.where(has_in_name(ServiceAccountRow.name_key, name))
    order = (ServiceAccountRow.name_key, ServiceAccountRow.id)
    rows, total = page(connection, statement, order, number, size)
    return [_details(row) for row in rows], total


def find(connection: Connection, service_account_id: str) -> ServiceAccountDetails | None:
    row = connection.execute(_ONE, {"id": service_account_id}).first()
    return None if row is None else _details(row)


def change(connection: Connection, details: ServiceAccountDetails) -> None:
    """Write name, description and lifetime; its client has the same name."""
    account = details.account
    connection.execute(
        update(ServiceAccountRow)
        .where(ServiceAccountRow.id == account.id)
        .values(
            name=account.name,
            name_key=account.name.lower(),
            description=details.description,
            max_token_lifetime=account.max_token_lifetime,
        )
    )
    renamed = update(ClientRow).where(ClientRow.id == details.client_id).values(name=account.name)
    connection.execute(renamed)


def usable_policies(connection: Connection, account_id: str, policy_ids: list[str]) -> set[str]:
    """Those of the ids that are of a policy which the account may attach."""
    found = connection.execute(
        select(PolicyRow.id).where(PolicyRow.id.in_(policy_ids), *usable_by(account_id))
    )
    return {str(row.id) for row in found}


def remove(connection: Connection, details: ServiceAccountDetails) -> None:
    """Take a service account away, with all that hangs on it; its tokens have ended before."""
    which = details.account.id
    policy_attachments.remove_all_of(connection, details.account.type.value, which)
    trusts.remove_all(connection, which)
    clients.remove_secrets(connection, details.client_id)
    connection.execute(delete(ClientRow).where(ClientRow.id == details.client_id))
    connection.execute(delete(ServiceAccountRow).where(ServiceAccountRow.id == which))


def _details(row: Any) -> ServiceAccountDetails:
    return ServiceAccountDetails(
        service_account_of(row), row.description, row.client_id, row.jwks, row.created_at
    )
