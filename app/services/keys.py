"""Signing keys: who made which, for the audit log. The keys themselves are `app.tokens.keyring`."""

from __future__ import annotations

from app.domain.events import Event
from app.services import audit as audit_service
from app.services.runtime import Runtime
from app.tokens.keyring import SigningKey


def record_generated(runtime: Runtime, key: SigningKey) -> None:
    """Write down that the operator made a key."""
    runtime.database.write(
        lambda connection: audit_service.write_by_operator(
            runtime,
            connection,
            Event.KEY_GENERATE,
            None,
            f"signing-key/{key.kid}",
            alg=key.alg,
            state=key.state,
        )
    )
