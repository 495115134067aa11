"""Asking the question of `app.domain.impersonation`: facts in, the answer written down.

Token endpoint, console and simulator all come through here, so that they cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from app.domain.circumstances import Circumstances, context_of
from app.domain.events import Event, Outcome
from app.domain.impersonation import Decision, Facts, Target, TrustedRelationship, may_impersonate
from app.domain.limits import TokenLimits
from app.domain.policy import AttachedPolicy
from app.domain.principals import Principal, RootAccount, ServiceAccount
from app.services import audit as audit_service
from app.services.refusals import Refusal, Refused
from app.services.runtime import Runtime
from app.storage import audit, service_accounts
from app.storage.audit import AuditEvent

#: One message, whatever the cause: a caller learns nothing of the service account.
NOT_PERMITTED = "this service account cannot be impersonated by the subject of this token"


@dataclass(frozen=True, slots=True)
class Attempt:
    """How somebody tried: for the audit, not for the decision."""

    decision_id: str
    client_id: str | None = None
    source_ip: str | None = None
    display_name: str | None = None
    reason: str | None = None
    parent_id: str | None = None


def gather(
    connection: Connection,
    *,
    caller: Principal,
    target: Target,
    policies: tuple[AttachedPolicy, ...],
    limits: TokenLimits,
    circumstances: Circumstances,
    token_live: bool = True,
) -> Facts:
    """Load what the decision rests on: always the same one statement, found or not.

    `policies` are the caller's; they are known from the caller alone.
    """
    account, trust = service_accounts.find_with_trust(
        connection, target.service_account_id, caller.account.id
    )
    return Facts(
        caller=caller,
        target=target,
        service_account=account,
        trust=trust,
        policies=policies,
        context=context_of(caller, circumstances),
        now=circumstances.now,
        limits=limits,
        token_live=token_live,
    )


def decide(runtime: Runtime, facts: Facts, attempt: Attempt) -> tuple[ServiceAccount, Decision]:
    """Decide. A yes is recorded with its token; a no is recorded here, then raised as `Refused`."""
    decision = may_impersonate(facts)
    if audit_service.is_unknown_target(decision):
        # A target that is not there leaves less to do, and the time of the answer would tell.
        audit_service.owner_half_of(may_impersonate(_about_a_stand_in(facts)))
    if decision.allowed and facts.service_account is not None:
        return facts.service_account, decision
    _record_denial(runtime, facts, decision, attempt)
    raise Refused(Refusal.TARGET, NOT_PERMITTED, decision_id=attempt.decision_id, recorded=True)


def _about_a_stand_in(facts: Facts) -> Facts:
    """The question of an owner's half, about a service account that nobody has."""
    account = RootAccount(facts.target.account_id or "0")
    return replace(
        facts,
        service_account=ServiceAccount(facts.target.service_account_id, "nobody", account),
        trust=TrustedRelationship("", 1, facts.caller.account.id),
        policies=(),
    )


def _record_denial(runtime: Runtime, facts: Facts, decision: Decision, attempt: Attempt) -> None:
    """One row and one count, whichever half refused and whether or not the target exists."""
    unknown = audit_service.is_unknown_target(decision)
    account = None if unknown else facts.service_account
    owner = None if account is None else account.account.id
    refused_by_owner = not decision.owner_half.allowed
    event = AuditEvent(
        id=attempt.decision_id,
        at=runtime.clock(),
        event=Event.IMPERSONATE,
        outcome=Outcome.DENIED,
        acting_as=facts.target.service_account_id,
        owner_account_id=owner,
        # The owner's list gets the count below instead, whatever the caller's half said.
        owner_listed=not refused_by_owner,
        resource=_as_asked(facts.target),
        client_id=attempt.client_id,
        source_ip=attempt.source_ip,
        display_name=attempt.display_name,
        stated_reason=attempt.reason,
        caller_half=audit_service.caller_half_of(decision),
        owner_half=audit_service.owner_half_of(decision),
        detail={"parent_token_id": attempt.parent_id},
        **audit_service.by_principal(facts.caller),
    )
    counted_for = owner if refused_by_owner and owner is not None else ""

    def write(connection: Connection) -> None:
        audit.add(connection, event)
        audit.count_refusal(connection, counted_for, facts.caller.account.id, event.at)

    runtime.database.write_before_answer(write)


def _as_asked(target: Target) -> str:
    """The name as the caller wrote it, so that its own log tells it nothing more."""
    if target.account_id is None:
        return target.service_account_id
    return f"iam::{target.account_id}:service-account/{target.service_account_id}"
