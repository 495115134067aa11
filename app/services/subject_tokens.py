"""A token of ours that somebody presents: is it live, whose is it, what may it be used for?"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from app.domain.catalogue import Catalogue
from app.domain.clients import Client, ClientKind
from app.domain.limits import TokenLimits
from app.domain.principals import Actor, Principal, is_active
from app.domain.scopes import parse_scope
from app.services import remembered, standing
from app.services.runtime import Runtime
from app.storage import epoch, tokens
from app.storage.tokens import TokenRecord
from app.tokens.checker import TokenRejected


@dataclass(frozen=True, slots=True)
class LiveToken:
    """A token that holds at this moment, with the principal that it speaks for."""

    record: TokenRecord
    principal: Principal

    @property
    def actor(self) -> Actor | None:
        return self.record.actor


def find_live(
    runtime: Runtime,
    connection: Connection,
    token: str,
    known_epoch: int | None = None,
) -> LiveToken | None:
    """The token behind a string, or None: forged, expired, revoked, or of somebody disabled.

    A token that is acted through ends with its actor as well as with its subject, and with the
    trust and the policies that it rests on.
    """
    try:
        claims = runtime.checker.check_access_token(token, runtime.clock())
    except TokenRejected:
        return None
    record = tokens.find(connection, claims["jti"])
    if record is None or record.revoked_at is not None:
        return None
    # Our own clock wrote the expiry: no leeway is owed here.
    if record.expires_at <= runtime.clock():
        return None
    at = epoch.current(connection) if known_epoch is None else known_epoch
    principal = remembered.principal(
        runtime, connection, at, record.subject_type, record.subject_id
    )
    if principal is None or not is_active(principal):
        return None
    if not standing.still_stands(runtime, connection, at, record):
        return None
    return LiveToken(record, principal)


def may_be_presented_by(token: TokenRecord, client: Client, identifiers: frozenset[str]) -> bool:
    """Whether this client may hand the token in.

    It is the client that the token was issued to, or a confidential client registered for a
    product that the token is for; `identifiers` are those of the client's product.
    """
    if token.client_id == client.id:
        return True
    return (
        client.kind is ClientKind.PRODUCT
        and not client.is_public
        and not identifiers.isdisjoint(token.audience)
    )


def is_for_issuer(runtime: Runtime, token: TokenRecord) -> bool:
    return runtime.settings.issuer in token.audience


def products_within(
    runtime: Runtime, token: TokenRecord, catalogue: Catalogue
) -> tuple[str, ...] | None:
    """The products that the token confines what comes of it to; None for the issuer's own."""
    if is_for_issuer(runtime, token):
        return None
    return tuple(
        product.name
        for product in catalogue.products.values()
        if product.identifier in token.audience
    )


def limits_as_read(runtime: Runtime, token: TokenRecord) -> TokenLimits:
    """The limits of the token, as those read it whom it is for.

    An API reads `scope`, and where the token does not say `evaluate` that is all: rights that
    its subject got afterwards are not in it, and not in what comes of it.
    """
    limits = token.limits
    if is_for_issuer(runtime, token) or token.evaluate:
        return limits
    return TokenLimits(parse_scope(token.scope or "").patterns, limits.inline)
