"""Signing keys: the steps of their life by the operator's hand, each with its audit row.

The keys themselves are `app.tokens.keyring`, the rules of each step `app.tokens.rotation`.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from app.domain.events import Event
from app.domain.principals import MAX_TOKEN_LIFETIME
from app.services import audit as audit_service
from app.services.administration import change
from app.services.runtime import Runtime, StoreUnavailable
from app.settings import Settings
from app.tokens import rotation
from app.tokens.keyring import KeyRing, SigningKey

#: Seconds on top of a token's life, for clocks that differ and a server that looks once a second.
_MARGIN = 60


class NotRecorded(RuntimeError):
    """The step was made and the store did not take its audit row. The message says so."""


def record_generated(runtime: Runtime, key: SigningKey) -> None:
    """Write down that the operator made a key."""
    runtime.database.write(
        lambda connection: _write_event(runtime, connection, Event.KEY_GENERATE, key, key.state)
    )


def promote(runtime: Runtime, kid: str, *, force: bool = False) -> SigningKey:
    """Let a published key sign. Raises as `rotation.promote`, `StoreUnavailable`, `NotRecorded`."""
    directory = runtime.settings.keys_dir
    return _step(
        runtime,
        Event.KEY_PROMOTE,
        kid,
        "active",
        lambda: rotation.promote(directory, kid, runtime.clock(), force=force),
    )


def retire(runtime: Runtime, kid: str) -> SigningKey:
    """Take its private half away.

    Raises as `rotation.retire`, `StoreUnavailable`, `NotRecorded`.
    """
    directory = runtime.settings.keys_dir
    return _step(runtime, Event.KEY_RETIRE, kid, "retired", lambda: rotation.retire(directory, kid))


def revoke(runtime: Runtime, kid: str) -> SigningKey:
    """Remove a key; returns it as it was.

    Raises as `rotation.revoke`, `StoreUnavailable`, `NotRecorded`.
    """
    directory = runtime.settings.keys_dir
    return _step(runtime, Event.KEY_REVOKE, kid, "revoked", lambda: rotation.revoke(directory, kid))


def require_revocable(runtime: Runtime, kid: str) -> SigningKey:
    """The key as it is now. Raises `KeyRingError` where `revoke` would refuse it."""
    return rotation.require_revocable(runtime.settings.keys_dir, kid)


def may_sign_from(key: SigningKey) -> int:
    """When a key in `next/` will be known to everybody who keeps our key set. Epoch seconds."""
    return key.created_at + rotation.PUBLISHED_BEFORE_SIGNING


def last_token_ends(settings: Settings, key: SigningKey) -> int:
    """By when the last token that a retired key signed has ended, at the latest. Epoch seconds.

    Counted from the time of its file: a copy that was put back can only make it later.
    """
    file = settings.keys_dir / "retired" / f"{key.kid}.pub.pem"
    longest = max(MAX_TOKEN_LIFETIME, settings.user_token_lifetime, settings.id_token_lifetime)
    return int(file.stat().st_mtime) + longest + _MARGIN


def _step(
    runtime: Runtime, event: Event, kid: str, becomes: str, make: Callable[[], SigningKey]
) -> SigningKey:
    """Make one step and write it down, one operator at a time.

    The row is in the store before the files are touched, and is taken back where the step is
    refused. Where two operators act at once, the second sees what the first did, so that they
    cannot each retire the key that was to sign in the other's place.
    """
    made: list[SigningKey] = []

    def write(connection: Connection) -> SigningKey:
        # The store may run this twice (`app.storage.group_commit`); the files are touched once.
        key = made[0] if made else KeyRing.load(runtime.settings.keys_dir).verification_key(kid)
        if key is not None:
            _write_event(runtime, connection, event, key, becomes)
        if not made:
            made.append(make())
        return made[0]

    try:
        return change(runtime, write)
    except StoreUnavailable as error:
        if not made:
            raise
        raise NotRecorded(
            f"key {kid} is {becomes} now, but the store did not take the audit row ({error})"
        ) from error


def _write_event(
    runtime: Runtime, connection: Connection, event: Event, key: SigningKey, state: str
) -> None:
    audit_service.write_by_operator(
        runtime, connection, event, None, f"signing-key/{key.kid}", alg=key.alg, state=state
    )
