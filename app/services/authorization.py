"""The authorization code: what a person agreed to, redeemed once by one client (RFC 6749 4.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from app.domain.catalogue import ActionPattern
from app.domain.clients import Client, ClientKind
from app.domain.events import Event, Outcome
from app.domain.limits import TokenLimits
from app.domain.principals import IamUser, RootUser
from app.domain.scopes import RequestedScope
from app.services import account_settings, client_limits, principals, refresh, sign_in
from app.services import audit as audit_service
from app.services.apis import products_named, reach_of
from app.services.issuing import Grantable, IdTokenRequest
from app.services.refusals import Refusal, Refused
from app.services.runtime import Runtime
from app.services.sign_in import SignedIn
from app.storage import audit, grants, refresh_tokens, sessions, tokens
from app.storage.audit import AuditEvent
from app.storage.grants import AuthorizationCode
from app.storage.refresh_tokens import RefreshFamily

__all__ = ["AuthorizationCode", "AuthorizationRequest", "CodeAlreadyUsed"]

_CODE = "authorization-code"
_BAD_CODE = "the authorization code is not valid here: it is unknown, used, expired, or not yours"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A validated request of the authorization endpoint. `resources` name APIs (RFC 8707)."""

    redirect_uri: str
    redirect_uri_sent: bool
    scope: RequestedScope
    resources: tuple[str, ...] = ()
    nonce: str | None = None
    code_challenge: str | None = None


def audience_of(runtime: Runtime, resources: tuple[str, ...]) -> tuple[str, ...]:
    """The audience of a user's token: the APIs named, or the issuer alone. Raises `Refused`."""
    if not resources:
        return (runtime.settings.issuer,)
    with runtime.database.read() as connection:
        catalogue = runtime.catalogue(connection)
    named = products_named(resources, catalogue)
    return tuple(catalogue.products[name].identifier for name in named)


def require_allowed(
    runtime: Runtime, client: Client, scope: RequestedScope, resources: tuple[str, ...]
) -> None:
    """Raises `Refused` for an unknown API, and for what the client may not ask for."""
    audience = audience_of(runtime, resources)
    if not client_limits.is_limited(client):
        return
    with runtime.database.read() as connection:
        catalogue = runtime.catalogue(connection)
    client_limits.require_within(client, scope.identity, scope.patterns, audience, catalogue)


def may_sign_in_to(client: Client, user: RootUser | IamUser) -> bool:
    """A tenant's client serves the users of its own account, the others serve everybody."""
    return client.kind is not ClientKind.TENANT or client.account_id == user.account.id


def needs_approval(client: Client) -> bool:
    """The operator vouches for a product's client; for others the person does, each time.

    A public client on loopback can be anybody on the machine (RFC 8252 section 8.6).
    """
    return client.kind is not ClientKind.PRODUCT


def grant_code(
    runtime: Runtime,
    client: Client,
    signed_in: SignedIn,
    request: AuthorizationRequest,
    source_ip: str | None,
) -> str:
    """Issue a code for what the person agreed to. Returns the code; only its hash is kept."""
    code = runtime.new_secret()
    patterns: tuple[str, ...] | None = tuple(each.text for each in request.scope.patterns)
    if not patterns and client.kind is ClientKind.SHIPPED:
        patterns = None
    kept = AuthorizationCode(
        grant_id=runtime.new_id(),
        client_id=client.id,
        session_id=signed_in.session.id,
        redirect_uri=request.redirect_uri,
        redirect_uri_sent=request.redirect_uri_sent,
        identity_scopes=request.scope.identity,
        patterns=patterns,
        audience=audience_of(runtime, request.resources),
        nonce=request.nonce,
        code_challenge=request.code_challenge,
        expires_at=runtime.now() + runtime.settings.code_lifetime,
    )
    event = _event(runtime, Event.CODE_ISSUE, client, signed_in.user, source_ip, kept.grant_id)

    def write(connection: Connection) -> None:
        grants.add_code(connection, kept, runtime.secrets.hash(code, _CODE))
        audit.add(connection, event)

    runtime.database.write(write)
    return code


def record_denial(
    runtime: Runtime, client: Client, signed_in: SignedIn, source_ip: str | None
) -> None:
    """The person said no at the approval page."""
    event = _event(runtime, Event.AUTHORIZATION_DENY, client, signed_in.user, source_ip, None)
    audit_service.record(runtime, replace(event, outcome=Outcome.DENIED))


def find_code(runtime: Runtime, client: Client, code: str) -> AuthorizationCode | None:
    """The code if it is this client's and live. A used one ends what came of it, first."""
    digest = runtime.secrets.hash(code, _CODE)
    with runtime.database.read() as connection:
        found = grants.find_code(connection, digest)
    if found is None or found.client_id != client.id:
        return None
    if found.used_at is not None:
        _end_reused(runtime, client, found)
        return None
    return found if runtime.clock() < found.expires_at else None


def redeem(
    runtime: Runtime,
    client: Client,
    code: str,
    found: AuthorizationCode,
    resources: tuple[str, ...],
    source_ip: str | None,
) -> Grantable:
    """What the code authorizes. `resources` may narrow its audience (RFC 8707 section 2.2).

    Raises `Refused` where the session has ended, the user is disabled, or an API is named that
    the person did not agree to.
    """
    audience = audience_of(runtime, resources) if resources else found.audience
    if not set(audience) <= set(found.audience):
        raise Refused(Refusal.API_WIDENS, "the authorization does not cover the API named")
    with runtime.database.read() as connection:
        session = sessions.find_by_id(connection, found.session_id)
        signed_in = sign_in.signed_in(runtime, connection, session)
        if signed_in is None or not may_sign_in_to(client, signed_in.user):
            raise Refused(Refusal.GRANT, _BAD_CODE)
        rights = principals.policies_of(connection, signed_in.user)
        catalogue = runtime.catalogue(connection, client.epoch)
        lifetime = account_settings.user_token_lifetime_of(
            runtime, connection, client.epoch, signed_in.user.account.id
        )
    patterns = found.patterns
    limits = TokenLimits(
        None if patterns is None else tuple(ActionPattern(pattern) for pattern in patterns)
    )
    named = products_named(audience, catalogue)
    reach = reach_of(signed_in.user.account.id, rights, limits, (), named, catalogue)
    now = runtime.now()
    consume, refresh_token = _redemption(runtime, client, code, found)
    return Grantable(
        event=Event.TOKEN_ISSUE,
        client=client,
        subject=signed_in.user,
        audience=reach.audience,
        granted=reach.granted,
        issued_at=now,
        expires_at=now + lifetime,
        epoch=client.epoch,
        patterns=patterns,
        identity_scopes=found.identity_scopes,
        grant_id=found.grant_id,
        session_id=signed_in.session.id,
        auth_time=signed_in.session.auth_time,
        amr=signed_in.session.amr,
        consume=consume,
        refresh_token=refresh_token,
        id_token=_id_token(client, found, signed_in, runtime),
        source_ip=source_ip,
    )


def _redemption(
    runtime: Runtime, client: Client, code: str, found: AuthorizationCode
) -> tuple[Callable[[Connection], None], str | None]:
    """Using the code up, and the refresh token that comes of it where the client may have one."""
    use_up = _consume(runtime, code, found.session_id)
    wanted = client.kind is ClientKind.SHIPPED or "offline_access" in found.identity_scopes
    if not (wanted and client.may_use("refresh_token")):
        return use_up, None
    token, start = refresh.starts_family(
        runtime,
        RefreshFamily(
            grant_id=found.grant_id,
            client_id=found.client_id,
            session_id=found.session_id,
            identity_scopes=found.identity_scopes,
            patterns=found.patterns,
            audience=found.audience,
            expires_at=runtime.now() + runtime.settings.refresh_lifetime,
        ),
    )

    def use_up_and_start(connection: Connection) -> None:
        use_up(connection)
        start(connection)

    return use_up_and_start, token


class CodeAlreadyUsed(RuntimeError):
    """Another redemption of the same code was faster."""


def _consume(runtime: Runtime, code: str, session_id: str) -> Callable[[Connection], None]:
    digest, now = runtime.secrets.hash(code, _CODE), runtime.now()

    def use_up(connection: Connection) -> None:
        # A sign-out ends the tokens that there are; one that is about to be is ended here.
        if not sessions.hold(connection, session_id):
            raise Refused(Refusal.GRANT, _BAD_CODE)
        if not grants.use_code(connection, digest, now):
            raise CodeAlreadyUsed

    return use_up


def refuse_reused(runtime: Runtime, client: Client, code: str) -> Refused:
    """End what came of a code that two redemptions raced for; the refusal for the slower."""
    find_code(runtime, client, code)
    return Refused(Refusal.GRANT, _BAD_CODE)


def _end_reused(runtime: Runtime, client: Client, code: AuthorizationCode) -> None:
    """A code that comes twice was stolen once (RFC 6749 section 4.1.2): end what came of it."""
    now = runtime.now()
    with runtime.database.read() as connection:
        session = sessions.find_by_id(connection, code.session_id)
        user = None
        if session is not None:
            user = principals.find(connection, session.user_type, session.user_id)
    event = _event(runtime, Event.CODE_REUSE, client, user, None, code.grant_id)

    def write(connection: Connection) -> None:
        was_alive = refresh_tokens.end(connection, code.grant_id, now)
        if tokens.revoke_grant(connection, code.grant_id, now) or was_alive:
            audit.add(connection, replace(event, outcome=Outcome.DENIED))

    runtime.database.write(write)


def _id_token(
    client: Client, code: AuthorizationCode, signed_in: SignedIn, runtime: Runtime
) -> IdTokenRequest | None:
    if "openid" not in code.identity_scopes:
        return None
    alg = client.id_token_alg or runtime.settings.signing_algorithm
    return IdTokenRequest(alg, code.nonce, identity_claims(signed_in.user, code.identity_scopes))


def identity_claims(user: RootUser | IamUser, scopes: tuple[str, ...]) -> dict[str, Any]:
    """Profile claims for the scopes granted (OpenID Connect Core section 5.4)."""
    claims: dict[str, Any] = {"account_id": user.account.id, "user_type": user.type.value}
    if "profile" in scopes:
        claims["preferred_username"] = user.name
    if "email" in scopes and isinstance(user, RootUser):
        claims["email"] = user.email
    return claims


def _event(
    runtime: Runtime,
    event: Event,
    client: Client,
    user: object,
    source_ip: str | None,
    grant_id: str | None,
) -> AuditEvent:
    who = audit_service.by_principal(user) if isinstance(user, RootUser | IamUser) else {}
    return AuditEvent(
        id=runtime.new_id(),
        at=runtime.clock(),
        event=event,
        client_id=client.id,
        source_ip=source_ip,
        detail={} if grant_id is None else {"grant_id": grant_id},
        **who,
    )
