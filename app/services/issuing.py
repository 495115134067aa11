"""Issuing: from what a grant would authorize to a signed token whose row is durable.

The order matters and is the same for every grant: sign, then commit the token's record
together with the audit row and whatever the grant uses up, then answer. If the commit fails,
no token goes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.domain.catalogue import ActionPattern
from app.domain.clients import Client
from app.domain.events import Event
from app.domain.impersonation import Decision
from app.domain.principals import Actor, Principal, ServiceAccount
from app.domain.scopes import GrantedScope
from app.services import audit as audit_service
from app.services import client_limits
from app.services.refusals import Refusal, Refused
from app.services.runtime import Runtime, StaleFacts
from app.storage import audit, epoch, tokens
from app.storage.audit import AuditEvent
from app.storage.tokens import TokenRecord
from app.tokens.claims import access_token_claims, id_token_claims
from app.tokens.issuer import TokenTooLarge


@dataclass(frozen=True, slots=True)
class IdTokenRequest:
    """An ID token goes along (OpenID Connect Core section 3.1.3.3); `alg` signs it."""

    alg: str
    nonce: str | None
    claims: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Grantable:
    """What a grant would authorize. Times in epoch seconds.

    `patterns` and `inline_policies` are the limits that the token keeps; `consume` uses up what
    was redeemed, in the transaction that records the token; `epoch` is the state of the store
    that all of this was read in. `caller` is who asked, where the token speaks for another.
    """

    event: Event
    client: Client
    subject: Principal
    audience: tuple[str, ...]
    granted: GrantedScope
    issued_at: int
    expires_at: int
    epoch: int
    patterns: tuple[str, ...] | None = None
    inline_policies: tuple[dict[str, Any], ...] = ()
    identity_scopes: tuple[str, ...] = ()
    caller: Principal | None = None
    actor: Actor | None = None
    decision: Decision | None = None
    decision_id: str | None = None
    parent_id: str | None = None
    grant_id: str | None = None
    session_id: str | None = None
    auth_time: int | None = None
    amr: tuple[str, ...] = ()
    consume: Callable[[Connection], None] | None = None
    id_token: IdTokenRequest | None = None
    refresh_token: str | None = None
    source_ip: str | None = None
    stated_reason: str | None = None

    @property
    def scope(self) -> str | None:
        """What the client is told that it got: identity scopes, then action patterns."""
        words = (*self.identity_scopes, *(pattern.text for pattern in self.granted.patterns))
        return " ".join(words) or None

    def scope_at(self, issuer: str) -> str | None:
        """The `scope` of the token: what its audience has a use for (RFC 9068 section 2.2.3).

        Identity scopes mean something to the issuer alone, at userinfo.
        """
        if issuer in self.audience:
            return self.scope
        return " ".join(pattern.text for pattern in self.granted.patterns) or None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What the client gets. `expires_in` in seconds."""

    access_token: str
    expires_in: int
    scope: str | None
    id_token: str | None = None
    refresh_token: str | None = None


def issue(runtime: Runtime, grantable: Grantable) -> IssuedToken:
    """Sign and record. Raises `StaleFacts`, `Refused` or `StoreUnavailable`; then none is out."""
    if client_limits.is_limited(grantable.client):
        _require_within_client(runtime, grantable)
    token = _record_of(runtime, grantable)
    try:
        access_token = _sign_access_token(runtime, token)
    except TokenTooLarge:
        message = "the token would be too long for a header: ask for fewer scopes or APIs"
        raise _refused(grantable, Refusal.MALFORMED_SCOPE, message) from None
    id_token = _sign_id_token(runtime, grantable, access_token)
    event = _audit_event(runtime, grantable, token)
    runtime.reached("issue:signed")

    def commit(connection: Connection) -> None:
        if epoch.held(connection) != grantable.epoch:
            raise StaleFacts
        runtime.reached("issue:checked")
        if token.parent_id is not None and tokens.is_revoked(connection, token.parent_id):
            message = "the subject token is not valid here"
            raise _refused(grantable, Refusal.SUBJECT_TOKEN, message)
        if grantable.consume is not None:
            grantable.consume(connection)
        runtime.reached("issue:consumed")
        tokens.add(connection, token)
        runtime.reached("issue:recorded")
        audit.add(connection, event)
        runtime.reached("issue:audited")

    runtime.database.write_before_answer(commit, lambda: runtime.reached("issue:committed"))
    return IssuedToken(
        access_token,
        token.expires_at - token.issued_at,
        grantable.scope,
        id_token,
        grantable.refresh_token,
    )


def _require_within_client(runtime: Runtime, grantable: Grantable) -> None:
    """Raises `Refused` where the client may not ask for as much, be it by a limit set since."""
    with runtime.database.glance() as connection:
        catalogue = runtime.catalogue(connection, grantable.epoch)
    patterns = grantable.patterns
    try:
        client_limits.require_within(
            grantable.client,
            grantable.identity_scopes,
            None if patterns is None else tuple(ActionPattern(each) for each in patterns),
            grantable.audience,
            catalogue,
        )
    except Refused as refused:
        raise _refused(grantable, refused.refusal, refused.message) from None


def _refused(grantable: Grantable, refusal: Refusal, message: str) -> Refused:
    """A refusal after the decision: it carries the decision's id, and its row who asked."""
    refused = Refused(refusal, message, subject=grantable.caller or grantable.subject)
    if grantable.decision is not None and isinstance(grantable.subject, ServiceAccount):
        refused.decision_id = grantable.decision_id
        refused.accepted = (grantable.subject, grantable.decision)
    return refused


def _record_of(runtime: Runtime, grantable: Grantable) -> TokenRecord:
    return TokenRecord(
        id=runtime.new_id(),
        client_id=grantable.client.id,
        subject_type=grantable.subject.type.value,
        subject_id=grantable.subject.id,
        account_id=grantable.subject.account.id,
        audience=grantable.audience,
        issued_at=grantable.issued_at,
        expires_at=grantable.expires_at,
        scope=grantable.scope_at(runtime.settings.issuer),
        evaluate=grantable.granted.evaluate,
        patterns=grantable.patterns,
        inline_policies=grantable.inline_policies,
        actor=grantable.actor,
        decision_id=grantable.decision_id,
        parent_id=grantable.parent_id,
        grant_id=grantable.grant_id,
        session_id=grantable.session_id,
        auth_time=grantable.auth_time,
        amr=grantable.amr,
    )


def _sign_access_token(runtime: Runtime, token: TokenRecord) -> str:
    return runtime.issuer.sign_access_token(
        access_token_claims(
            issuer=runtime.settings.issuer,
            subject=token.subject_id,
            audience=token.audience,
            client_id=token.client_id,
            account_id=token.account_id,
            user_type=token.subject_type,
            issued_at=token.issued_at,
            expires_at=token.expires_at,
            token_id=token.id,
            scope=token.scope,
            evaluate=token.evaluate,
            actor=None if token.actor is None else token.actor.claim(),
            decision_id=token.decision_id,
            auth_time=token.auth_time,
            amr=token.amr,
        )
    )


def _sign_id_token(runtime: Runtime, grantable: Grantable, access_token: str) -> str | None:
    request = grantable.id_token
    if request is None:
        return None
    claims = id_token_claims(
        issuer=runtime.settings.issuer,
        subject=grantable.subject.id,
        client_id=grantable.client.id,
        issued_at=grantable.issued_at,
        expires_at=grantable.issued_at + runtime.settings.id_token_lifetime,
        alg=request.alg,
        auth_time=grantable.auth_time,
        nonce=request.nonce,
        amr=grantable.amr,
        access_token=access_token,
        extra=request.claims,
    )
    return runtime.issuer.sign_id_token(claims, request.alg)


def _audit_event(runtime: Runtime, grantable: Grantable, token: TokenRecord) -> AuditEvent:
    """Who acted, through whom: in the rows of both accounts where there are two."""
    actor, subject, decision = grantable.actor, grantable.subject, grantable.decision
    if actor is None:
        who = audit_service.by_principal(subject)
        acting_as, owner = None, None
    else:
        who = {
            "actor_type": actor.user_type,
            "actor_id": actor.subject,
            "actor_name": actor.username,
            "actor_account_id": actor.account_id,
        }
        acting_as, owner = subject.id, subject.account.id
    # The id of a decision is that of its row; a token that only carries it along has its own.
    is_decision = decision is not None and grantable.decision_id is not None
    return AuditEvent(
        id=str(grantable.decision_id) if is_decision else runtime.new_id(),
        at=runtime.clock(),
        event=grantable.event,
        acting_as=acting_as,
        owner_account_id=owner,
        resource=None if acting_as is None else f"iam::{owner}:service-account/{acting_as}",
        client_id=token.client_id,
        token_id=token.id,
        source_ip=grantable.source_ip,
        display_name=None if actor is None else actor.name,
        stated_reason=grantable.stated_reason,
        caller_half=None if decision is None else audit_service.caller_half_of(decision),
        owner_half=None if decision is None else audit_service.owner_half_of(decision),
        detail={
            "audience": list(token.audience),
            "scope": token.scope,
            "evaluate": token.evaluate,
            "expires_at": token.expires_at,
            "parent_token_id": token.parent_id,
        },
        **who,
    )
