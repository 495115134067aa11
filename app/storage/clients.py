"""OAuth clients and their secrets: products', tenants', the shipped ones, service accounts'."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    ForeignKey,
    String,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.clients import Client, ClientKind
from app.storage.accounts import AccountRow
from app.storage.database import Base
from app.storage.epoch import CURRENT_EPOCH
from app.storage.service_accounts import ServiceAccountRow, service_account_of


class ClientRow(Base):
    """A registered client. `auth_method` is `client_secret` (Basic or post) or `none`."""

    __tablename__ = "oauth_clients"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(64))
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    service_account_id: Mapped[str | None] = mapped_column(
        ForeignKey("service_accounts.id"), unique=True
    )
    product: Mapped[str | None] = mapped_column(String(32), index=True)
    auth_method: Mapped[str] = mapped_column(String(32))
    grant_types: Mapped[list[str]] = mapped_column(JSON)
    redirect_uris: Mapped[list[str]] = mapped_column(JSON)
    require_pkce: Mapped[bool]
    id_token_alg: Mapped[str | None] = mapped_column(String(16))
    enabled: Mapped[bool]
    created_at: Mapped[int]
    jwks: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    post_logout_redirect_uris: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    jwks_uri: Mapped[str | None] = mapped_column(String(2048))
    allowed_scopes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    allowed_audiences: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))


class ClientSecretRow(Base):
    """A live secret, as its keyed hash. Retiring one deletes the row."""

    __tablename__ = "client_secrets"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("oauth_clients.id"), index=True)
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[int]


_ONE = (
    select(
        ClientRow.id.label("client_id"),
        ClientRow.kind,
        ClientRow.name.label("client_name"),
        ClientRow.account_id.label("client_account_id"),
        ClientRow.product,
        ClientRow.auth_method,
        ClientRow.grant_types,
        ClientRow.redirect_uris,
        ClientRow.require_pkce,
        ClientRow.id_token_alg,
        ClientRow.jwks,
        ClientRow.jwks_uri,
        ClientRow.post_logout_redirect_uris,
        ClientRow.allowed_scopes,
        ClientRow.allowed_audiences,
        ClientRow.enabled.label("client_enabled"),
        ClientSecretRow.digest,
        ServiceAccountRow.id,
        ServiceAccountRow.name,
        ServiceAccountRow.enabled,
        ServiceAccountRow.max_token_lifetime,
        AccountRow.id.label("account_id"),
        AccountRow.enabled.label("account_enabled"),
        CURRENT_EPOCH.label("epoch"),
    )
    .outerjoin(ClientSecretRow, ClientSecretRow.client_id == ClientRow.id)
    .outerjoin(ServiceAccountRow, ServiceAccountRow.id == ClientRow.service_account_id)
    .outerjoin(AccountRow, AccountRow.id == ClientRow.account_id)
    .where(ClientRow.id == bindparam("id"))
)


def find(connection: Connection, client_id: str) -> Client | None:
    """A client with its live secrets and the service account behind it: one statement."""
    rows = connection.execute(_ONE, {"id": client_id}).all()
    if not rows:
        return None
    row = rows[0]
    return Client(
        id=row.client_id,
        kind=ClientKind(row.kind),
        name=row.client_name,
        account_id=row.client_account_id,
        product=row.product,
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
        # A tenant's client goes with its account; the others have none.
        enabled=row.client_enabled and row.account_enabled is not False,
        secret_digests=tuple(each.digest for each in rows if each.digest is not None),
        service_account=None if row.id is None else service_account_of(row),
        epoch=row.epoch,
    )


def add(connection: Connection, client: Client, created_at: int) -> None:
    """Register a client; its secrets are added beside it."""
    account = client.service_account
    connection.execute(
        insert(ClientRow).values(
            id=client.id,
            kind=client.kind.value,
            name=client.name,
            account_id=client.account_id,
            service_account_id=None if account is None else account.id,
            product=client.product,
            auth_method=client.auth_method,
            grant_types=list(client.grant_types),
            redirect_uris=list(client.redirect_uris),
            require_pkce=client.require_pkce,
            id_token_alg=client.id_token_alg,
            jwks=client.jwks,
            jwks_uri=client.jwks_uri,
            post_logout_redirect_uris=list(client.post_logout_redirect_uris),
            allowed_scopes=as_list(client.allowed_scopes),
            allowed_audiences=as_list(client.allowed_audiences),
            enabled=client.enabled,
            created_at=created_at,
        )
    )


def as_list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def as_tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def exists(connection: Connection, client_id: str) -> bool:
    return (
        connection.execute(select(ClientRow.id).where(ClientRow.id == client_id)).first()
        is not None
    )


def find_id_of_service_account(connection: Connection, service_account_id: str) -> str | None:
    found = connection.execute(
        select(ClientRow.id).where(ClientRow.service_account_id == service_account_id)
    ).scalar_one_or_none()
    return None if found is None else str(found)


def find_id_of_product(connection: Connection, product: str) -> str | None:
    """The oldest client that is registered for a product."""
    found = connection.execute(
        select(ClientRow.id)
        .where(ClientRow.product == product)
        .order_by(ClientRow.created_at, ClientRow.id)
        .limit(1)
    ).scalar_one_or_none()
    return None if found is None else str(found)


def add_secret(
    connection: Connection, secret_id: str, client_id: str, digest: str, created_at: int
) -> None:
    connection.execute(
        insert(ClientSecretRow).values(
            id=secret_id, client_id=client_id, digest=digest, created_at=created_at
        )
    )


def list_secrets(connection: Connection, client_id: str) -> list[tuple[str, int]]:
    """The live secrets of a client, oldest first, as their ids and when they were made."""
    rows = connection.execute(
        select(ClientSecretRow.id, ClientSecretRow.created_at)
        .where(ClientSecretRow.client_id == client_id)
        .order_by(ClientSecretRow.created_at, ClientSecretRow.id)
    )
    return [(str(row.id), int(row.created_at)) for row in rows]


def remove_secret(connection: Connection, client_id: str, secret_id: str) -> bool:
    """Returns whether the client had a live secret of that id."""
    removed = delete(ClientSecretRow).where(
        ClientSecretRow.client_id == client_id, ClientSecretRow.id == secret_id
    )
    return bool(connection.execute(removed).rowcount)


def remove_secrets(connection: Connection, client_id: str) -> int:
    """Returns how many live secrets the client had."""
    return connection.execute(
        delete(ClientSecretRow).where(ClientSecretRow.client_id == client_id)
    ).rowcount


def set_keys(connection: Connection, client_id: str, jwks: dict[str, Any] | None) -> None:
    connection.execute(update(ClientRow).where(ClientRow.id == client_id).values(jwks=jwks))


def update_grants(connection: Connection, client: Client) -> None:
    """Bring a shipped client's registration up to date."""
    connection.execute(
        update(ClientRow)
        .where(ClientRow.id == client.id)
        .values(grant_types=list(client.grant_types), redirect_uris=list(client.redirect_uris))
    )
