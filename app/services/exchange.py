"""Token exchange (RFC 8693): becoming a service account, or narrowing a token.

What the protocol's parameters mean is settled here, once for every door; the yes or no of
becoming someone is `app.domain.impersonation`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from app.domain.catalogue import IAM, ActionPattern, Catalogue
from app.domain.circumstances import Circumstances
from app.domain.clients import Client
from app.domain.events import Event
from app.domain.impersonation import Decision, Facts, Target
from app.domain.limits import TokenLimits
from app.domain.policy import AttachedPolicy, PolicyDocument
from app.domain.principals import Actor, IamUser, ServiceAccount
from app.services import (
    account_settings,
    client_limits,
    impersonation,
    remembered,
    subject_tokens,
)
from app.services.apis import Reach, products_named, reach_of, require_held
from app.services.issuing import Grantable
from app.services.refusals import Refusal, Refused
from app.services.runtime import Runtime
from app.services.subject_tokens import LiveToken
from app.storage.tokens import TokenRecord

_BAD_SUBJECT_TOKEN = (
    "the subject token is not valid here: it must be a live access token of this issuer that was "
    "issued to this client or is for its API"
)
_NOT_A_USER = (
    "the subject token must be that of an IAM user: root users and service accounts "
    "cannot become a service account"
)

#: Each narrowing copies those before it.
_MOST_INLINE_POLICIES = 32


@dataclass(frozen=True, slots=True)
class ExchangeRequest:
    """The parameters of RFC 8693 section 2.1 and our own, read and well-formed.

    `target` is None where the token is only narrowed. `patterns` is None where no scope was
    sent. `expires_in` is in seconds. `policy` is the inline policy as sent, beside its
    compiled form.
    """

    subject_token: str
    target: Target | None = None
    apis: tuple[str, ...] = ()
    patterns: tuple[ActionPattern, ...] | None = None
    expires_in: int | None = None
    display_name: str | None = None
    reason: str | None = None
    external_id: str | None = None
    policy_source: dict[str, Any] | None = None
    policy: PolicyDocument | None = None
    source_ip: str | None = None


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What was read. `rights` are the policies of the subject token's principal.

    `now` is from before the reading: whatever was valid then lasts beyond its whole second.
    """

    now: float
    subject: LiveToken
    catalogue: Catalogue
    facts: Facts | None = None
    rights: tuple[AttachedPolicy, ...] = ()


def validate(runtime: Runtime, client: Client, request: ExchangeRequest) -> Grantable:
    """What the exchange would authorize (RFC 8693 section 2.2).

    Raises `Refused`: for the subject token first, then for the service account, one message
    whatever the cause, and only then for a scope or audience that would widen.
    """
    loaded = _load(runtime, client, request)
    if loaded.facts is None:
        return _narrowed(runtime, client, loaded, request)
    return _impersonating(runtime, client, loaded, loaded.facts, request)


def _load(runtime: Runtime, client: Client, request: ExchangeRequest) -> _Loaded:
    """Read what the decision needs, the same whether or not the target exists."""
    now, token = runtime.clock(), request.subject_token
    with runtime.database.glance() as connection:
        catalogue = runtime.catalogue(connection, client.epoch)
        subject = subject_tokens.find_live(runtime, connection, token, client.epoch)
        if subject is None or not subject_tokens.may_be_presented_by(
            subject.record, client, _identifiers(client, catalogue)
        ):
            raise Refused(Refusal.SUBJECT_TOKEN, _BAD_SUBJECT_TOKEN)
        rights = remembered.policies_of(runtime, connection, client.epoch, subject.principal)
        if request.target is None:
            return _Loaded(now, subject, catalogue, rights=rights)
        if not isinstance(subject.principal, IamUser):
            raise Refused(Refusal.SUBJECT_TOKEN, _NOT_A_USER, subject=subject.principal)
        facts = impersonation.gather(
            connection,
            caller=subject.principal,
            policies=rights,
            target=request.target,
            limits=subject.record.limits,
            circumstances=Circumstances(
                now=now,
                source_ip=request.source_ip,
                auth_time=subject.record.auth_time,
                amr=subject.record.amr,
                external_id=request.external_id,
                reason=request.reason,
            ),
        )
        return _Loaded(now, subject, catalogue, facts, rights)


def _impersonating(
    runtime: Runtime, client: Client, loaded: _Loaded, facts: Facts, request: ExchangeRequest
) -> Grantable:
    """The service account will act, and the token says through whom (RFC 8693 section 4.1)."""
    decision_id = runtime.new_id()
    accepted = impersonation.decide(
        runtime,
        facts,
        impersonation.Attempt(
            decision_id=decision_id,
            client_id=client.id,
            source_ip=request.source_ip,
            display_name=request.display_name,
            reason=request.reason,
            parent_id=loaded.subject.record.id,
        ),
    )
    try:
        return _as_service_account(runtime, client, loaded, request, facts, accepted, decision_id)
    except Refused as refused:
        refused.decision_id, refused.subject = decision_id, facts.caller
        refused.accepted = accepted
        raise


def _as_service_account(
    runtime: Runtime,
    client: Client,
    loaded: _Loaded,
    request: ExchangeRequest,
    facts: Facts,
    accepted: tuple[ServiceAccount, Decision],
    decision_id: str,
) -> Grantable:
    account, decision = accepted
    user, record = facts.caller, loaded.subject.record
    with runtime.database.glance() as connection:
        rights = remembered.policies_of(runtime, connection, client.epoch, account)
        longest = account_settings.machine_token_lifetime_of(
            runtime, connection, client.epoch, account
        )
    patterns = client_limits.narrowed(client, request.patterns)
    limits = TokenLimits(patterns, _inline(request))
    asked = request.patterns or ()
    # Read after the yes, for the time of a no must not tell how much there is to read. That
    # nothing changed since the first reading is what the epoch sees to.
    within = subject_tokens.products_within(runtime, record, loaded.catalogue)

    def work_out() -> Reach:
        require_held(asked, rights, TokenLimits())
        named = products_named(request.apis, loaded.catalogue)
        return reach_of(account.account.id, rights, limits, asked, named, loaded.catalogue, within)

    if request.policy is None:
        # The same in every request of an epoch.
        key = ("reach", account.id, patterns, asked, request.apis, within)
        reach = runtime.facts.get(client.epoch, key, work_out)
    else:
        reach = work_out()
    now = int(loaded.now)
    lifetime = min(request.expires_in or longest, longest)
    trust = None if facts.trust is None else facts.trust.expires_at
    return Grantable(
        event=Event.IMPERSONATE,
        client=client,
        subject=account,
        audience=reach.audience,
        granted=reach.granted,
        issued_at=now,
        expires_at=now + lifetime if trust is None else min(now + lifetime, trust),
        epoch=client.epoch,
        patterns=_texts(patterns),
        inline_policies=() if request.policy_source is None else (request.policy_source,),
        caller=user,
        actor=Actor(user.id, user.account.id, user.type.value, user.name, request.display_name),
        decision=decision,
        decision_id=decision_id,
        parent_id=record.id,
        grant_id=record.grant_id,
        session_id=record.session_id,
        source_ip=request.source_ip,
        stated_reason=request.reason,
    )


def _narrowed(
    runtime: Runtime, client: Client, loaded: _Loaded, request: ExchangeRequest
) -> Grantable:
    """The same subject with less: fewer actions, fewer APIs, never a later end."""
    record, principal = loaded.subject.record, loaded.subject.principal
    before = subject_tokens.limits_as_read(runtime, record)
    before = replace(before, patterns=client_limits.narrowed(client, before.patterns))
    asked = request.patterns or ()
    try:
        require_held(asked, loaded.rights, before)
        after = before.narrowed(request.patterns, request.policy)
        inline = _inline_kept(record, request)
        reach = reach_of(
            principal.account.id,
            loaded.rights,
            after,
            asked,
            _named_or_kept(request, loaded, runtime),
            loaded.catalogue,
            subject_tokens.products_within(runtime, record, loaded.catalogue),
        )
    except Refused as refused:
        refused.subject = principal
        raise
    now = int(loaded.now)
    expires_at = record.expires_at
    if request.expires_in is not None:
        expires_at = min(expires_at, now + request.expires_in)
    return Grantable(
        event=Event.TOKEN_NARROW,
        client=client,
        subject=principal,
        audience=reach.audience,
        granted=reach.granted,
        issued_at=now,
        expires_at=expires_at,
        epoch=client.epoch,
        patterns=_texts(after.patterns),
        inline_policies=inline,
        actor=record.actor,
        decision_id=record.decision_id,
        parent_id=record.id,
        grant_id=record.grant_id,
        session_id=record.session_id,
        auth_time=record.auth_time,
        amr=record.amr,
        source_ip=request.source_ip,
        stated_reason=request.reason,
    )


def _inline_kept(record: TokenRecord, request: ExchangeRequest) -> tuple[dict[str, Any], ...]:
    """All inline policies of the subject token, and the new one. Raises `Refused`."""
    kept, new = record.inline_policies, request.policy_source
    if new is None or new in kept:
        return kept
    if len(kept) >= _MOST_INLINE_POLICIES:
        raise Refused(
            Refusal.MALFORMED_REQUEST,
            f"the subject token has {_MOST_INLINE_POLICIES} inline policies, which is the most",
        )
    return (*kept, new)


def _named_or_kept(request: ExchangeRequest, loaded: _Loaded, runtime: Runtime) -> tuple[str, ...]:
    """The APIs named; where none is, a token for the issuer stays one."""
    named = products_named(request.apis, loaded.catalogue)
    return named or ((IAM,) if subject_tokens.is_for_issuer(runtime, loaded.subject.record) else ())


def _identifiers(client: Client, catalogue: Catalogue) -> frozenset[str]:
    product = catalogue.products.get(client.product or "")
    return frozenset() if product is None else frozenset({product.identifier})


def _inline(request: ExchangeRequest) -> tuple[PolicyDocument, ...]:
    return () if request.policy is None else (request.policy,)


def _texts(patterns: tuple[ActionPattern, ...] | None) -> tuple[str, ...] | None:
    return None if patterns is None else tuple(pattern.text for pattern in patterns)
