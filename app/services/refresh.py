"""Refresh tokens (RFC 6749 section 6): rotated at each use, dead as a family at the first reuse."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from app.domain.catalogue import ActionPattern
from app.domain.clients import Client
from app.domain.events import Event, Outcome
from app.domain.limits import TokenLimits
from app.domain.principals import IamUser, RootUser
from app.domain.scopes import RequestedScope
from app.services import account_settings, principals, sign_in
from app.services import audit as audit_service
from app.services.apis import products_named, reach_of
from app.services.issuing import Grantable
from app.services.refusals import Refusal, Refused
from app.services.runtime import Runtime
from app.storage import audit, refresh_tokens, sessions, tokens
from app.storage.audit import AuditEvent
from app.storage.refresh_tokens import RefreshFamily, RefreshToken

REFRESH_TOKEN = "refresh-token"
_BAD = "the refresh token is not valid here: it is unknown, used, expired, ended, or not yours"


class RefreshAlreadyUsed(RuntimeError):
    """Another use of the same refresh token was faster."""


def starts_family(
    runtime: Runtime, family: RefreshFamily
) -> tuple[str, Callable[[Connection], None]]:
    """A first refresh token, and what has to be written with the tokens it goes along with."""
    token, now = runtime.new_secret(), runtime.now()
    digest = runtime.secrets.hash(token, REFRESH_TOKEN)
    return token, lambda connection: refresh_tokens.start(connection, family, digest, now)


def validate(
    runtime: Runtime,
    client: Client,
    token: str,
    scope: RequestedScope | None,
    apis: tuple[str, ...],
    source_ip: str | None,
) -> Grantable:
    """What the refresh token authorizes. `scope` and `apis` may narrow this one access token.

    Raises `Refused`. A token that was used before ends its family first: one of its two users
    is not the client (RFC 9700 section 4.14.2).
    """
    digest = runtime.secrets.hash(token, REFRESH_TOKEN)
    with runtime.database.read() as connection:
        found = refresh_tokens.find(connection, digest)
        session = user = None
        if found is not None:
            session = sessions.find_by_id(connection, found.family.session_id)
            user = sign_in.user_of(connection, session)
    if found is None or found.family.client_id != client.id:
        raise Refused(Refusal.GRANT, _BAD)
    family = found.family
    # These refusals name no subject: a dead token proves nothing about who sends it.
    if found.used_at is not None:
        _end_reused(runtime, client, found, user)
        raise Refused(Refusal.GRANT, _BAD)
    if family.ended_at is not None or family.expires_at <= runtime.clock():
        raise Refused(Refusal.GRANT, _BAD)
    if session is None or session.ended_at is not None or user is None:
        raise Refused(Refusal.GRANT, _BAD)
    return _grantable(runtime, client, family, user, digest, scope, apis, source_ip)


def _grantable(
    runtime: Runtime,
    client: Client,
    family: RefreshFamily,
    user: RootUser | IamUser,
    digest: str,
    scope: RequestedScope | None,
    apis: tuple[str, ...],
    source_ip: str | None,
) -> Grantable:
    identity, patterns = _narrowed_scope(family, scope, user)
    with runtime.database.read() as connection:
        session = sessions.find_by_id(connection, family.session_id)
        rights = principals.policies_of(connection, user)
        catalogue = runtime.catalogue(connection, client.epoch)
        lifetime = account_settings.user_token_lifetime_of(
            runtime, connection, client.epoch, user.account.id
        )
    named = products_named(apis or family.audience, catalogue)
    audience = {catalogue.products[name].identifier for name in named}
    if not audience <= set(family.audience):
        raise Refused(
            Refusal.API_WIDENS, "the authorization does not cover the API named", subject=user
        )
    limits = TokenLimits(
        None if patterns is None else tuple(ActionPattern(pattern) for pattern in patterns)
    )
    reach = reach_of(user.account.id, rights, limits, (), named, catalogue)
    now = runtime.now()
    new = runtime.new_secret()
    return Grantable(
        event=Event.TOKEN_REFRESH,
        client=client,
        subject=user,
        audience=reach.audience,
        granted=reach.granted,
        issued_at=now,
        expires_at=now + lifetime,
        epoch=client.epoch,
        patterns=patterns,
        identity_scopes=identity,
        grant_id=family.grant_id,
        session_id=family.session_id,
        auth_time=None if session is None else session.auth_time,
        amr=() if session is None else session.amr,
        consume=_rotation(runtime, family, digest, new),
        refresh_token=new,
        source_ip=source_ip,
    )


def _narrowed_scope(
    family: RefreshFamily, scope: RequestedScope | None, user: RootUser | IamUser
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Identity scopes and patterns of this access token; never more than was agreed to."""
    if scope is None:
        return family.identity_scopes, family.patterns
    agreed = TokenLimits(
        None
        if family.patterns is None
        else tuple(ActionPattern(pattern) for pattern in family.patterns)
    )
    beyond = [name for name in scope.identity if name not in family.identity_scopes]
    beyond += [each.text for each in scope.patterns if not agreed.admit_pattern(each)]
    if beyond:
        raise Refused(
            Refusal.SCOPE_WIDENS, f"'{beyond[0]}' goes beyond what was agreed to", subject=user
        )
    if family.patterns is None and not scope.patterns:
        # The scope that it was agreed to in names no pattern either: sent again it is the same.
        return scope.identity, None
    return scope.identity, tuple(each.text for each in scope.patterns)


def _rotation(
    runtime: Runtime, family: RefreshFamily, digest: str, new: str
) -> Callable[[Connection], None]:
    new_digest, now = runtime.secrets.hash(new, REFRESH_TOKEN), runtime.now()

    def rotate(connection: Connection) -> None:
        if not refresh_tokens.rotate(connection, family.grant_id, digest, new_digest, now):
            raise RefreshAlreadyUsed

    return rotate


def refuse_reused(runtime: Runtime, client: Client, token: str) -> Refused:
    """End the family that two uses raced for; the refusal for the slower."""
    digest = runtime.secrets.hash(token, REFRESH_TOKEN)
    with runtime.database.read() as connection:
        found = refresh_tokens.find(connection, digest)
        user = None
        if found is not None:
            session = sessions.find_by_id(connection, found.family.session_id)
            user = sign_in.user_of(connection, session)
    if found is not None and found.used_at is not None:
        _end_reused(runtime, client, found, user)
    return Refused(Refusal.GRANT, _BAD)


def _end_reused(
    runtime: Runtime, client: Client, found: RefreshToken, user: RootUser | IamUser | None
) -> None:
    now, grant_id = runtime.now(), found.family.grant_id
    event = AuditEvent(
        id=runtime.new_id(),
        at=runtime.clock(),
        event=Event.REFRESH_REUSE,
        outcome=Outcome.DENIED,
        client_id=client.id,
        detail={"grant_id": grant_id},
        **({} if user is None else audit_service.by_principal(user)),
    )

    def write(connection: Connection) -> None:
        if refresh_tokens.end(connection, grant_id, now):
            tokens.revoke_grant(connection, grant_id, now)
            audit.add(connection, event)

    runtime.database.write(write)
