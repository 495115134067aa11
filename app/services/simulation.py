"""What would be decided, and why: the token endpoint's own functions, asked without a token.

Inside an account the answer is whole. Across accounts it is one's own half: no where it refuses,
and otherwise unknown, whatever the other half says, for the other half is never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from sqlalchemy import Connection

from app.domain import conditions
from app.domain.advice import Advice, Question, advise
from app.domain.circumstances import Circumstances, context_of
from app.domain.conditions import Context, Value
from app.domain.halves import callers_half, owners_half
from app.domain.impersonation import (
    Decision,
    Facts,
    Reason,
    Target,
    TrustEvidence,
    may_impersonate,
    why_not,
)
from app.domain.limits import NO_LIMITS
from app.domain.names import MalformedName, Vrn
from app.domain.policy import IMPERSONATE, AttachedPolicy, PolicyDecision, evaluate
from app.domain.principals import (
    IamUser,
    Principal,
    PrincipalType,
    RootAccount,
    is_account_id,
)
from app.services import authority, drafts, impersonation, principals, replay
from app.services.administration import Invalid, require
from app.services.authority import Caller
from app.services.drafts import Draft
from app.services.replay import Replay
from app.services.runtime import Runtime

#: The users of another root account, whichever they are.
ROOT_ACCOUNT = "root-account"

HalfName = Literal["caller", "owner", "both"]


@dataclass(frozen=True, slots=True)
class Asked:
    """May this principal do this? `context` has condition keys; what is not in it is not known.

    `replay_days` asks for the real exchanges of as many days under the draft.
    """

    principal_type: str
    principal_id: str
    action: str
    resource: str
    context: Mapping[str, Value] = field(default_factory=dict)
    draft: Draft = field(default_factory=Draft)
    replay_days: int | None = None


@dataclass(frozen=True, slots=True)
class Simulated:
    """The answer; `allowed` is None where it hangs on another account's half.

    `half` is the half that refused.
    """

    allowed: bool | None
    half: HalfName | None
    reasons: tuple[str, ...]
    decision: PolicyDecision
    trust: TrustEvidence | None = None
    missing: Advice | None = None
    replay: Replay | None = None


def simulate(runtime: Runtime, by: Caller, asked: Asked) -> Simulated:
    """Answer, and write down that it was asked. Raises `AdministrationError`."""
    by.require("iam:Simulate", asked.principal_type, asked.principal_id)
    with runtime.database.read() as connection:
        resource = _resource(runtime, connection, by, asked)
        if asked.principal_type == ROOT_ACCOUNT:
            answer = _for_strangers(runtime, connection, by, asked, resource)
        else:
            answer = _for_own(runtime, connection, by, asked, resource)
    authority.record_read(runtime, by)
    return answer


def _resource(runtime: Runtime, connection: Connection, by: Caller, asked: Asked) -> Vrn:
    """The resource, where the question makes sense. Raises `Invalid`."""
    try:
        resource = Vrn.parse(asked.resource)
    except MalformedName as error:
        raise Invalid(str(error), "/resource") from None
    catalogue = runtime.catalogue(connection, by.epoch)
    require(catalogue.has_action(asked.action), "there is no such action", "/action")
    product = asked.action.partition(":")[0]
    require(
        product == resource.product, f"{asked.action} concerns resources of {product}", "/resource"
    )
    require(
        asked.action != IMPERSONATE or resource.type == PrincipalType.SERVICE_ACCOUNT.value,
        f"{IMPERSONATE} concerns a service account",
        "/resource",
    )
    return resource


def _for_own(
    runtime: Runtime, connection: Connection, by: Caller, asked: Asked, resource: Vrn
) -> Simulated:
    """A principal of the caller's account."""
    missing = f"there is no {asked.principal_type} {asked.principal_id}"
    principal = principals.find(connection, asked.principal_type, asked.principal_id)
    by.confine(None if principal is None else principal.account.id, missing)
    assert principal is not None  # noqa: S101 - `confine` has refused it
    for key in (conditions.PRINCIPAL_ID, conditions.PRINCIPAL_NAME):
        require(key not in asked.context, f"{key} is that of the principal", f"/context/{key}")
    catalogue = runtime.catalogue(connection, by.epoch)
    held = principals.policies_of(connection, principal)
    policies = drafts.policies_with(connection, catalogue, by.account_id, held, asked.draft)
    require(
        not asked.draft.changes_trust,
        f"trust concerns users of another account: ask about a principal of type {ROOT_ACCOUNT}",
        "/draft",
    )
    now = _now(runtime, asked)
    context = _context(context_of(principal, Circumstances(now)), asked)
    question = Question(by.account_id, asked.action, resource)
    if asked.action != IMPERSONATE:
        answer = _evaluated(principal, question, resource, policies, context)
    elif resource.account_id == by.account_id:
        answer = of_both(
            question, _gathered(connection, principal, resource, policies, context, now)
        )
    else:
        # Not gathered: nothing of another account is read.
        target = Target(resource.id, resource.account_id)
        answer = of_caller(question, Facts(principal, target, None, None, policies, context, now))
    if asked.replay_days is not None:
        begin = replay.since(runtime.clock(), asked.replay_days)
        again = replay.of_user(connection, principal, policies, begin)
        answer = replace(answer, replay=again)
    return answer


def _for_strangers(
    runtime: Runtime, connection: Connection, by: Caller, asked: Asked, resource: Vrn
) -> Simulated:
    """Users of another account who ask for a service account of the caller's: its half alone.

    Whether there is such an account, or such a user in it, does not matter and is not looked at.
    """
    require(
        is_account_id(asked.principal_id) and asked.principal_id != by.account_id,
        "expected the id of another root account; of your own, name a user",
        "/principal/id",
    )
    require(
        asked.action == IMPERSONATE and resource.account_id == by.account_id,
        "users of another account can only become a service account of yours",
        "/resource",
    )
    require(not asked.draft.changes_policies, "their policies are not yours to draft", "/draft")
    stranger = IamUser("", "", RootAccount(asked.principal_id))
    now = _now(runtime, asked)
    known = dict(context_of(stranger, Circumstances(now)))
    del known[conditions.PRINCIPAL_ID], known[conditions.PRINCIPAL_NAME]
    facts = _gathered(connection, stranger, resource, (), _context(known, asked), now)
    trust = drafts.trust_with(runtime, facts.trust, asked.principal_id, asked.draft)
    facts = replace(facts, trust=trust)
    answer = of_owner(Question(asked.principal_id, asked.action, resource), facts)
    if asked.replay_days is not None and facts.service_account is not None:
        begin = replay.since(runtime.clock(), asked.replay_days)
        again = replay.into(connection, facts.service_account, asked.principal_id, trust, begin)
        answer = replace(answer, replay=again)
    return answer


def _now(runtime: Runtime, asked: Asked) -> float:
    given = asked.context.get(conditions.CURRENT_TIME)
    return runtime.clock() if given is None else float(given)


def _context(known: Context, asked: Asked) -> Context:
    """What is known of the principal and the time, and what the question tells besides."""
    given = dict(asked.context)
    address = given.get(conditions.SOURCE_IP)
    if isinstance(address, str):
        given[conditions.SOURCE_IP] = conditions.canonical_address(address)
    return {**known, **given}


def _gathered(
    connection: Connection,
    caller: Principal,
    resource: Vrn,
    policies: tuple[AttachedPolicy, ...],
    context: Context,
    now: float,
) -> Facts:
    """Facts about a service account of the account that asks; `resource` is in that account."""
    facts = impersonation.gather(
        connection,
        caller=caller,
        target=Target(resource.id, resource.account_id),
        policies=policies,
        limits=NO_LIMITS,
        circumstances=Circumstances(now),
    )
    account = facts.service_account
    if account is not None and account.account.id != resource.account_id:
        # Another account's, whose id somebody knows: to them it is not there.
        facts = replace(facts, service_account=None, trust=None)
    return replace(facts, context=context)


def _evaluated(
    principal: Principal,
    question: Question,
    resource: Vrn,
    policies: tuple[AttachedPolicy, ...],
    context: Context,
) -> Simulated:
    """Any action but the one that crosses accounts."""
    account_id = principal.account.id
    decision = evaluate(account_id, question.action, resource, context, policies)
    reasons: tuple[str, ...] = () if decision.allowed else (why_not(decision),)
    if not principal.enabled:
        disabled = isinstance(principal, IamUser)
        reason = Reason.USER_DISABLED if disabled else Reason.SERVICE_ACCOUNT_DISABLED
        reasons = (reason, *reasons)
    missing = advise(question, reasons, decision) if reasons else None
    return Simulated(not reasons, "caller" if reasons else None, reasons, decision, missing=missing)


def of_both(question: Question, facts: Facts) -> Simulated:
    """Both halves, of one account."""
    decision = may_impersonate(facts)
    caller, owner = decision.caller_half, decision.owner_half
    reasons = (*caller.reasons, *owner.reasons)
    return Simulated(
        decision.allowed,
        _half_of(decision),
        reasons,
        caller.policy,
        owner.trust,
        None if decision.allowed else advise(question, reasons, caller.policy, owner.trust),
    )


def _half_of(decision: Decision) -> HalfName | None:
    if decision.caller_half.allowed:
        return None if decision.owner_half.allowed else "owner"
    return "caller" if decision.owner_half.allowed else "both"


def of_caller(question: Question, facts: Facts) -> Simulated:
    """The caller's half, about another account's service account or one that is not there."""
    half = callers_half(facts)
    return Simulated(
        None if half.allowed else False,
        None if half.allowed else "caller",
        half.reasons,
        half.policy,
        missing=None if half.allowed else advise(question, half.reasons, half.policy),
    )


def of_owner(question: Question, facts: Facts) -> Simulated:
    """The owner's half, about users of another account, whoever they are."""
    half = owners_half(facts)
    return Simulated(
        None if half.allowed else False,
        None if half.allowed else "owner",
        half.reasons,
        PolicyDecision(False),
        half.trust,
        None if half.allowed else advise(question, half.reasons, trust=half.trust),
    )
