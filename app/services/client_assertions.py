"""private_key_jwt: a client proves who it is by its own key, each proof good once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from app.domain.clients import Client
from app.domain.events import Event
from app.services import audit as audit_service
from app.services.administration import Invalid, NotFound, change, require
from app.services.client_secrets import is_enabled
from app.services.runtime import Runtime
from app.storage import clients, once
from app.tokens.assertions import (
    Assertion,
    InvalidKeySet,
    check_assertion,
    check_key_set,
    claimed_client,
)
from app.tokens.checker import LEEWAY_SECONDS, TokenRejected
from app.tokens.compact import Rejection

_PURPOSE = "client-assertion"
#: What an assertion by a key looks like that the client has published since.
_MAYBE_ROTATED = (Rejection.KEY, Rejection.SIGNATURE)


def check(
    runtime: Runtime, assertion: str, client_id: str | None, *, again: bool = False
) -> Client | None:
    """The enabled client that signed the assertion, if it was not used before; else None.

    `client_id` is the parameter of that name: sent along, it has to be the same client (RFC
    7521 section 4.2). `again` is for a request that is done over: it has used the assertion up
    itself, but keys and client are looked at as they are now.
    """
    claimed = claimed_client(assertion)
    if claimed is None or client_id not in (None, claimed):
        return None
    with runtime.database.read() as connection:
        client = clients.find(connection, claimed)
    if client is None:
        return None
    now = runtime.clock()
    try:
        proof = _proof_of(runtime, client, assertion, now)
    except TokenRejected:
        return None
    if not again and not _is_fresh(runtime, client, proof, int(now)):
        return None
    return client if is_enabled(client) else None


def _proof_of(runtime: Runtime, client: Client, assertion: str, now: float) -> Assertion:
    """The assertion, good by the client's keys as they are known. Raises `TokenRejected`.

    No connection to the store is held while a key set is fetched.
    """
    issuer, uri = runtime.settings.issuer, client.jwks_uri
    if uri is None or not is_enabled(client):
        return check_assertion(assertion, client.jwks or {}, client.id, issuer, now)
    try:
        keys = runtime.key_sets.get(uri, owner=client.account_id)
        return check_assertion(assertion, keys or {}, client.id, issuer, now)
    except TokenRejected as rejected:
        if rejected.reason not in _MAYBE_ROTATED:
            raise
    keys = runtime.key_sets.get(uri, anew=True, owner=client.account_id)
    return check_assertion(assertion, keys or {}, client.id, issuer, now)


def _is_fresh(runtime: Runtime, client: Client, proof: Assertion, now: int) -> bool:
    """Whether this is the first use, which is noted for as long as anybody may believe it: until
    it expires by a slow clock, and that is not forgotten sooner by a fast one."""
    digest = runtime.secrets.hash(f"{client.id}\0{proof.token_id}", _PURPOSE)
    until = proof.expires_at + 2 * LEEWAY_SECONDS + 1
    return runtime.database.write(
        lambda connection: once.use_assertion(connection, digest, until, now)
    )


def set_keys(runtime: Runtime, client_id: str, jwks: dict[str, Any] | None) -> None:
    """Register the public keys of a client, or take them away. Raises `AdministrationError`."""
    if jwks is not None:
        try:
            check_key_set(jwks)
        except InvalidKeySet as error:
            raise Invalid(f"the key set is not valid: {error}") from None

    def write(connection: Connection) -> None:
        client = clients.find(connection, client_id)
        if client is None:
            raise NotFound(f"there is no client {client_id}")
        require(not client.is_public, "a public client cannot keep a key to itself")
        clients.set_keys(connection, client_id, jwks)
        audit_service.write_by_operator(
            runtime,
            connection,
            Event.CLIENT_KEYS_SET,
            client.account_id,
            f"oauth-client/{client_id}",
            keys=0 if jwks is None else len(jwks["keys"]),
        )

    change(runtime, write)
