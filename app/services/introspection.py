"""What is told of a token, and to whom (RFC 7662)."""

from __future__ import annotations

from typing import Any

from app.domain.clients import Client
from app.domain.principals import Principal
from app.services import subject_tokens
from app.services.runtime import Runtime
from app.services.subject_tokens import LiveToken


def introspect(runtime: Runtime, token: str, asker: Client | Principal) -> dict[str, Any] | None:
    """The token's state for someone who may know it; None for everybody else, and if it ended.

    May know: its subject, the client that it was issued to, and products in its audience.
    """
    with runtime.database.read() as connection:
        catalogue = runtime.catalogue(connection)
        live = subject_tokens.find_live(runtime, connection, token)
    if live is None:
        return None
    if isinstance(asker, Client):
        product = catalogue.products.get(asker.product or "")
        identifiers = frozenset() if product is None else frozenset({product.identifier})
        account = asker.service_account
        may_know = subject_tokens.may_be_presented_by(live.record, asker, identifiers) or (
            account is not None and account.id == live.record.subject_id
        )
    else:
        may_know = asker.id == live.record.subject_id
    return _state(runtime, live) if may_know else None


def bearer_of(runtime: Runtime, bearer: str, token: str) -> Principal | None:
    """The subject of a live bearer token (RFC 6750) that may ask about `token`, else None.

    It has to be for the issuer, or ask about itself: an API must not get further here by the
    tokens that it is shown.
    """
    with runtime.database.read() as connection:
        live = subject_tokens.find_live(runtime, connection, bearer)
    if live is None:
        return None
    may_ask = bearer == token or subject_tokens.is_for_issuer(runtime, live.record)
    return live.principal if may_ask else None


def _state(runtime: Runtime, live: LiveToken) -> dict[str, Any]:
    record = live.record
    state: dict[str, Any] = {
        "active": True,
        "iss": runtime.settings.issuer,
        "sub": record.subject_id,
        "aud": list(record.audience),
        "client_id": record.client_id,
        "username": live.principal.name,
        "token_type": "Bearer",
        "account_id": record.account_id,
        "user_type": record.subject_type,
        "iat": record.issued_at,
        "exp": record.expires_at,
        "jti": record.id,
    }
    optional = {
        "scope": record.scope,
        "evaluate": record.evaluate or None,
        "act": None if record.actor is None else record.actor.claim(),
        "decision_id": record.decision_id,
        "auth_time": record.auth_time,
        "amr": list(record.amr) or None,
    }
    return {**state, **{name: value for name, value in optional.items() if value is not None}}
