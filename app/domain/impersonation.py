"""May this user become this service account? The question the product exists for.

Five rules, one pure function, every door. Values in, a decision with reasons out: both halves
are always worked out in full, so that the answer takes the same path whichever half says no.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from app.domain.conditions import Condition, Context, outcome_of
from app.domain.limits import NO_LIMITS, TokenLimits
from app.domain.names import Vrn, service_account_vrn
from app.domain.policy import (
    IMPERSONATE,
    AttachedPolicy,
    Match,
    PolicyDecision,
    accounts_named,
    evaluate,
)
from app.domain.principals import IamUser, Principal, ServiceAccount


class Reason(StrEnum):
    """Why a half refuses: first the reasons of a caller's half, then those of an owner's."""

    NOT_AN_IAM_USER = "not-an-iam-user"
    USER_DISABLED = "user-disabled"
    USER_ACCOUNT_DISABLED = "user-account-disabled"
    TOKEN_NOT_LIVE = "token-not-live"
    NOT_ALLOWED = "no-statement-allows"
    CONDITION_NOT_MET = "condition-not-met"
    DENIED = "denied-by-statement"
    OUTSIDE_TOKEN = "outside-the-token"
    TOO_MANY_ACCOUNTS = "named-by-id-alone"

    NO_SUCH_SERVICE_ACCOUNT = "no-such-service-account"
    SERVICE_ACCOUNT_DISABLED = "service-account-disabled"
    OWNER_ACCOUNT_DISABLED = "owner-account-disabled"
    NOT_TRUSTED = "not-trusted"
    TRUST_EXPIRED = "trust-expired"
    TRUST_CONDITION_NOT_MET = "trust-condition-not-met"


#: Comparisons for one question, over which a service account has to be named in full.
MOST_COMPARISONS = 1_000_000


@dataclass(frozen=True, slots=True)
class TrustedRelationship:
    """On a service account: the root account whose users may ask. `expires_at` in epoch seconds."""

    id: str
    version: int
    trusted_account_id: str
    condition: Condition | None = None
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The service account as it was asked for: `account_id` is None where only its id was given."""

    service_account_id: str
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the decision rests on.

    `service_account` is None where there is none of that name; `trust` is the relationship of
    the service account with the caller's account, if it has one. `now` is in epoch seconds.
    """

    caller: Principal
    target: Target
    service_account: ServiceAccount | None
    trust: TrustedRelationship | None
    policies: tuple[AttachedPolicy, ...]
    context: Context
    now: float
    limits: TokenLimits = NO_LIMITS
    token_live: bool = True


@dataclass(frozen=True, slots=True)
class TrustEvidence:
    """The trusted relationship that an owner's half rests on, or that failed it."""

    id: str
    version: int
    condition: bool | None
    undecided_keys: tuple[str, ...]
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class OwnerHalf:
    """What the service account's account says."""

    allowed: bool
    reasons: tuple[Reason, ...]
    same_account: bool = False
    trust: TrustEvidence | None = None


@dataclass(frozen=True, slots=True)
class CallerHalf:
    """What the user's account says. `accounts` are those for which its policies say it."""

    allowed: bool
    reasons: tuple[Reason, ...]
    policy: PolicyDecision
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes only where both halves say yes and speak of the same service account."""

    allowed: bool
    owner_half: OwnerHalf
    caller_half: CallerHalf


def may_impersonate(facts: Facts) -> Decision:
    """Decide by the five rules of `docs/concepts.md`; never raises, never guesses."""
    owner = _owner_half(facts)
    caller = _caller_half(facts)
    target = facts.service_account
    named = target is not None and target.account.id in caller.accounts
    return Decision(owner.allowed and caller.allowed and named, owner, caller)


def _owner_half(facts: Facts) -> OwnerHalf:
    """Rules 2 and 3: the service account is there and enabled, and its account trusts ours."""
    account = facts.service_account
    if account is None or not _is_target(account, facts.target):
        return OwnerHalf(False, (Reason.NO_SUCH_SERVICE_ACCOUNT,))
    reasons = []
    if not account.enabled:
        reasons.append(Reason.SERVICE_ACCOUNT_DISABLED)
    if not account.account.enabled:
        reasons.append(Reason.OWNER_ACCOUNT_DISABLED)
    same_account = account.account.id == facts.caller.account.id
    evidence = None
    if not same_account:
        reasons.extend(_distrust(facts))
        evidence = _trust_evidence(facts)
    return OwnerHalf(not reasons, tuple(reasons), same_account, evidence)


def _is_target(account: ServiceAccount, target: Target) -> bool:
    """Letter by letter: the caller's policies are asked about the name as it was asked for."""
    return account.id == target.service_account_id and target.account_id in (
        None,
        account.account.id,
    )


def _distrust(facts: Facts) -> Iterator[Reason]:
    trust = facts.trust
    if trust is None or trust.trusted_account_id != facts.caller.account.id:
        yield Reason.NOT_TRUSTED
        return
    if trust.expires_at is not None and facts.now >= trust.expires_at:
        yield Reason.TRUST_EXPIRED
    if outcome_of(trust.condition, facts.context) is not True:
        yield Reason.TRUST_CONDITION_NOT_MET


def _trust_evidence(facts: Facts) -> TrustEvidence | None:
    trust = facts.trust
    if trust is None:
        return None
    outcome = outcome_of(trust.condition, facts.context)
    keys: tuple[str, ...] = ()
    if trust.condition is not None:
        keys = trust.condition.undecided_keys(facts.context)
    return TrustEvidence(trust.id, trust.version, outcome, keys, trust.expires_at)


def _caller_half(facts: Facts) -> CallerHalf:
    """Rules 1, 4 and 5: a live IAM user whose policies allow it, with a token that covers it."""
    reasons = list(_unfit(facts))
    answers = {account: _policy_answer(facts, account) for account in _candidates(facts)}
    accounts = tuple(account for account, answer in answers.items() if answer.allowed)
    policy = _merged(answers[account] for account in (accounts or answers))
    if not answers:
        reasons.append(Reason.TOO_MANY_ACCOUNTS)
    elif not accounts:
        reasons.append(why_not(policy))
    covered = tuple(account for account in accounts if _token_covers(facts, account))
    if accounts and not covered:
        reasons.append(Reason.OUTSIDE_TOKEN)
    return CallerHalf(not reasons, tuple(reasons), policy, covered)


def _unfit(facts: Facts) -> Iterator[Reason]:
    if not isinstance(facts.caller, IamUser):
        yield Reason.NOT_AN_IAM_USER
    if not facts.caller.enabled:
        yield Reason.USER_DISABLED
    if not facts.caller.account.enabled:
        yield Reason.USER_ACCOUNT_DISABLED
    if not facts.token_live:
        yield Reason.TOKEN_NOT_LIVE


def _candidates(facts: Facts) -> tuple[str, ...]:
    """The accounts in which the caller's policies are asked about the service account.

    Where only an id was given, these are the caller's own and those that its policies spell
    out, never the one in which the id happens to exist: the caller's account may read this half,
    and must not learn from it whose the service account is, or whether there is one. All policies
    are asked about each of them: where that is too much work, there are none.
    """
    if facts.target.account_id is not None:
        return (facts.target.account_id,)
    found = accounts_named(IMPERSONATE, facts.policies) | {facts.caller.account.id}
    is_too_much = len(found) * _comparisons(facts.policies) > MOST_COMPARISONS
    return () if is_too_much else tuple(sorted(found))


def effort_of(facts: Facts) -> int:
    """How often something is compared at most to answer for the caller's policies."""
    return max(1, len(_candidates(facts))) * _comparisons(facts.policies)


def _comparisons(policies: tuple[AttachedPolicy, ...]) -> int:
    return sum(
        1 + len(statement.resources) + _operands(statement.condition)
        for policy in policies
        for statement in policy.document.statements
    )


def _operands(condition: Condition | None) -> int:
    return 0 if condition is None else sum(len(test.operands) for test in condition.tests)


def _resource(facts: Facts, account_id: str) -> Vrn:
    return service_account_vrn(account_id, facts.target.service_account_id)


def _policy_answer(facts: Facts, account_id: str) -> PolicyDecision:
    return evaluate(
        facts.caller.account.id,
        IMPERSONATE,
        _resource(facts, account_id),
        facts.context,
        facts.policies,
    )


def _token_covers(facts: Facts, account_id: str) -> bool:
    return facts.limits.cover(
        facts.caller.account.id, IMPERSONATE, _resource(facts, account_id), facts.context
    )


def _merged(answers: Iterator[PolicyDecision]) -> PolicyDecision:
    """One answer out of several, each statement named once."""
    parts = tuple(answers)
    return PolicyDecision(
        any(part.allowed for part in parts),
        _once(match for part in parts for match in part.allows),
        _once(match for part in parts for match in part.denies),
        _once(match for part in parts for match in part.withheld),
        _once(match for part in parts for match in part.spared),
    )


def _once(matches: Iterator[Match]) -> tuple[Match, ...]:
    return tuple(dict.fromkeys(matches))


def why_not(policy: PolicyDecision) -> Reason:
    """The first thing to look at where policies do not allow something."""
    if policy.denies:
        return Reason.DENIED
    return Reason.CONDITION_NOT_MET if policy.withheld else Reason.NOT_ALLOWED
