"""A tenant's own clients as their account sees them: pages of them, changes, taking one away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from app.domain.clients import Client, ClientKind
from app.storage.clients import ClientRow, ClientSecretRow, as_list, as_tuple
from app.storage.grants import AuthorizationCodeRow
from app.storage.paging import has_in_name, page
from app.storage.refresh_tokens import RefreshFamilyRow, RefreshTokenRow


@dataclass(frozen=True, slots=True)
class ClientDetails:
    """A client without its secrets. `created_at` in epoch seconds."""

    client: Client
    created_at: int


#: The clients of the shipped programs, of products and of service accounts are not among them.
_ALL = select(*ClientRow.__table__.columns).where(ClientRow.kind == ClientKind.TENANT.value)
_ONE = _ALL.where(ClientRow.id == bindparam("id"))
_NAME = func.lower(ClientRow.name)


def list_page(
    connection: Connection, account_id: str, number: int, size: int, name: str | None
) -> tuple[list[ClientDetails], int]:
    """One page of an account's clients in order of their names, and how many there are."""
    statement = _ALL.where(ClientRow.account_id == account_id)
    if name is not None:
        statement = statement.where(has_in_name(_NAME, name))
    rows, total = page(connection, statement, (_NAME, ClientRow.id), number, size)
    return [_details(row) for row in rows], total


def find(connection: Connection, client_id: str) -> ClientDetails | None:
    row = connection.execute(_ONE, {"id": client_id}).first()
    return None if row is None else _details(row)


def save(connection: Connection, client: Client) -> None:
    """Write what of a client's registration can change."""
    connection.execute(
        update(ClientRow)
        .where(ClientRow.id == client.id)
        .values(
            name=client.name,
            grant_types=list(client.grant_types),
            redirect_uris=list(client.redirect_uris),
            require_pkce=client.require_pkce,
            jwks=client.jwks,
            jwks_uri=client.jwks_uri,
            post_logout_redirect_uris=list(client.post_logout_redirect_uris),
            allowed_scopes=as_list(client.allowed_scopes),
            allowed_audiences=as_list(client.allowed_audiences),
            enabled=client.enabled,
        )
    )


def end_grants(connection: Connection, client_id: str, now: int) -> None:
    """What people agreed to for this client is good for no token any more."""
    connection.execute(
        update(AuthorizationCodeRow)
        .where(
            AuthorizationCodeRow.client_id == client_id,
            AuthorizationCodeRow.used_at.is_(None),
            AuthorizationCodeRow.expires_at > now,
        )
        .values(expires_at=now)
    )
    connection.execute(
        update(RefreshFamilyRow)
        .where(RefreshFamilyRow.client_id == client_id, RefreshFamilyRow.ended_at.is_(None))
        .values(ended_at=now)
    )


def remove(connection: Connection, client_id: str) -> None:
    """Take a client away with all that refers to it; its tokens have ended before."""
    families = select(RefreshFamilyRow.grant_id).where(RefreshFamilyRow.client_id == client_id)
    connection.execute(delete(RefreshTokenRow).where(RefreshTokenRow.grant_id.in_(families)))
    for table in (RefreshFamilyRow, AuthorizationCodeRow, ClientSecretRow):
        connection.execute(delete(table).where(table.client_id == client_id))
    connection.execute(delete(ClientRow).where(ClientRow.id == client_id))


def _details(row: Any) -> ClientDetails:
    client = Client(
        id=row.id,
        kind=ClientKind(row.kind),
        name=row.name,
        account_id=row.account_id,
        auth_method=row.auth_method,
        grant_types=tuple(row.grant_types),
        redirect_uris=tuple(row.redirect_uris),
        require_pkce=row.require_pkce,
        id_token_alg=row.id_token_alg,
        jwks=row.jwks,
        jwks_uri=row.jwks_uri,
        post_logout_redirect_uris=tuple(row.post_logout_redirect_uris or ()),
        allowed_scopes=as_tuple(row.allowed_scopes),
        allowed_audiences=as_tuple(row.allowed_audiences),
        enabled=row.enabled,
    )
    return ClientDetails(client, row.created_at)
