"""The secrets of clients: keeping their hashes, and the one check for every endpoint that asks."""

from __future__ import annotations

from sqlalchemy import Connection

from app.domain.clients import Client
from app.domain.principals import is_active
from app.services import remembered
from app.services.runtime import Runtime
from app.storage import clients

CLIENT_SECRET = "client-secret"
#: Compared against where there is nothing to compare with, so that the work is the same.
_NO_DIGEST = "0" * 64


def add_secret(runtime: Runtime, connection: Connection, client_id: str, secret: str) -> str:
    """Keep the keyed hash of a client's new secret. Returns the id that it is retired by."""
    secret_id = runtime.new_id()
    digest = runtime.secrets.hash(secret, CLIENT_SECRET)
    clients.add_secret(connection, secret_id, client_id, digest, runtime.now())
    return secret_id


def check(runtime: Runtime, client_id: str, secret: str | None) -> Client | None:
    """The enabled client of that id, if the secret is one of its live ones; else None.

    A public client has no secret to show, and must show none.
    """
    with runtime.database.glance() as connection:
        client = remembered.client(runtime, connection, client_id)
    digests = (_NO_DIGEST,) if client is None else client.secret_digests or (_NO_DIGEST,)
    matches = [runtime.secrets.matches(secret or "", digest, CLIENT_SECRET) for digest in digests]
    if client is None or not is_enabled(client):
        return None
    if client.is_public:
        return client if secret is None else None
    if client.auth_method not in ("client_secret", "none"):
        return None
    return client if secret is not None and any(matches) else None


def find_enabled(runtime: Runtime, client_id: str) -> Client | None:
    """A client by id alone, where nothing has to be proved (the authorization endpoint)."""
    with runtime.database.read() as connection:
        client = clients.find(connection, client_id)
    return client if client is not None and is_enabled(client) else None


def is_enabled(client: Client) -> bool:
    """A service account's client is as disabled as its service account."""
    account = client.service_account
    return client.enabled and (account is None or is_active(account))
