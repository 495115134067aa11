"""OAuth clients of an account's own, as those who manage the account see and change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from app.domain.events import Event
from app.services import clients as client_service
from app.services.administration import Conflict, change
from app.services.authority import Caller
from app.services.client_secrets import add_secret
from app.services.clients import ClientRegistration, RegisteredClient
from app.services.runtime import Runtime
from app.storage import clients, oauth_clients, tokens
from app.storage.oauth_clients import ClientDetails

__all__ = ["ClientDetails"]

_KIND = "oauth-client"


def list_page(
    runtime: Runtime, by: Caller, number: int, size: int, name: str | None
) -> tuple[list[ClientDetails], int]:
    """One page of the account's clients, and how many there are. Raises `Forbidden`."""
    by.require("iam:ListOAuthClient", _KIND)
    with runtime.database.read() as connection:
        return oauth_clients.list_page(connection, by.account_id, number, size, name)


def get(runtime: Runtime, by: Caller, client_id: str) -> ClientDetails:
    """Raises `Forbidden` or `NotFound`."""
    by.require("iam:GetOAuthClient", _KIND, client_id)
    with runtime.database.read() as connection:
        return load(connection, by, client_id)


def load(connection: Connection, by: Caller, client_id: str) -> ClientDetails:
    """A client that the caller's account registered. Raises `NotFound`."""
    found = oauth_clients.find(connection, client_id)
    account_id = None if found is None else found.client.account_id
    by.confine(account_id, f"there is no OAuth client {client_id}")
    assert found is not None  # noqa: S101 - `confine` has refused it
    return found


def create(runtime: Runtime, by: Caller, registration: ClientRegistration) -> RegisteredClient:
    """Register a client. It may do nothing by itself: whoever signs in through it may.

    Raises `AdministrationError`.
    """
    by.require("iam:CreateOAuthClient", _KIND)
    return client_service.register(runtime, by.account_id, registration, by)


def update(
    runtime: Runtime, by: Caller, client_id: str, changes: Mapping[str, Any]
) -> ClientDetails:
    """Change members of a `Client` by their names; the whole has to be registrable as a new one.

    Disabling ends for good what was issued through the client. Narrower limits hold for what it
    asks for from now on. Raises `AdministrationError`.
    """
    by.require("iam:UpdateOAuthClient", _KIND, client_id)

    def write(connection: Connection) -> ClientDetails:
        before = load(connection, by, client_id)
        after = replace(before.client, **_with_one_key_set(changes))
        catalogue = runtime.catalogue(connection, by.epoch)
        client_service.require_registrable(runtime, after, catalogue)
        oauth_clients.save(connection, after)
        detail: dict[str, Any] = {
            "changed": sorted(
                name for name in changes if getattr(after, name) != getattr(before.client, name)
            )
        }
        if before.client.enabled and not after.enabled:
            detail["tokens_ended"] = _end_everything(runtime, connection, client_id)
        _write_down(runtime, connection, by, Event.CLIENT_UPDATE, client_id, **detail)
        return replace(before, client=after)

    return change(runtime, write, by)


def _with_one_key_set(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """New keys, in whichever way they are given, take the place of what was there."""
    given = {"jwks", "jwks_uri"} & changes.keys()
    return changes if len(given) != 1 else {"jwks": None, "jwks_uri": None, **changes}


def delete(runtime: Runtime, by: Caller, client_id: str) -> None:
    """Take a client away; codes, refresh tokens and tokens of it end. Raises `Forbidden` or
    `NotFound`."""
    by.require("iam:DeleteOAuthClient", _KIND, client_id)

    def write(connection: Connection) -> None:
        found = load(connection, by, client_id)
        ended = _end_everything(runtime, connection, client_id)
        oauth_clients.remove(connection, client_id)
        _write_down(
            runtime,
            connection,
            by,
            Event.CLIENT_DELETE,
            client_id,
            name=found.client.name,
            tokens_ended=ended,
        )

    change(runtime, write, by)


def reset_secret(runtime: Runtime, by: Caller, client_id: str) -> str:
    """Replace a client's secret by a new one, which is returned this once.

    Raises `AdministrationError`: `Conflict` for a client that has none.
    """
    by.require("iam:UpdateOAuthClient", _KIND, client_id)
    secret = runtime.new_secret()

    def write(connection: Connection) -> str:
        client = load(connection, by, client_id).client
        if client.auth_method != "client_secret":
            raise Conflict(f"a client that authenticates by {client.auth_method} has no secret")
        clients.remove_secrets(connection, client_id)
        add_secret(runtime, connection, client_id, secret)
        _write_down(runtime, connection, by, Event.CLIENT_SECRET_CREATE, client_id)
        return secret

    return change(runtime, write, by)


def _end_everything(runtime: Runtime, connection: Connection, client_id: str) -> int:
    """Codes, refresh tokens, tokens and what was exchanged from them; returns how many tokens."""
    now = runtime.now()
    oauth_clients.end_grants(connection, client_id, now)
    return tokens.revoke_client(connection, client_id, now)


def _write_down(
    runtime: Runtime,
    connection: Connection,
    by: Caller,
    event: Event,
    client_id: str,
    **detail: Any,
) -> None:
    by.write(runtime, connection, event, by.account_id, f"{_KIND}/{client_id}", **detail)
