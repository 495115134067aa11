"""Decisions, explained: `/audit-api/v1/decisions/{decisionId}`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from app.domain.advice import Advice, in_words
from app.domain.impersonation import TrustEvidence
from app.domain.policy import Match, PolicyDecision
from app.management.models import AccountId, Model, Timestamp, timestamp
from app.management.operations import Call, Operation
from app.services import decisions
from app.services.decisions import DecisionDetails, Half, PolicyThen, TrustThen

#: Not everything can be told.
OrUnknown = bool | Literal["unknown"]


class ReasonShown(Model):
    """Why a half refused: a word for programs, and a sentence for people."""

    code: str = Field(examples=["no-statement-allows"])
    text: str


class StatementShown(Model):
    """A statement that had a say.

    `outcome` is `applies` for an allow or a deny in effect and `rests` for one whose condition
    kept it out; `undecidedKeys` are the keys whose tests did not hold.
    """

    policy_id: str
    policy_name: str
    version: int
    statement: int = Field(ge=0, description="Its place in the policy, from 0.")
    effect: Literal["allow", "deny"]
    outcome: Literal["applies", "rests"]
    condition: OrUnknown = Field(description="Whether its condition held; true if it has none.")
    undecided_keys: list[str] = Field(examples=[["iam:MfaPresent"]])


class TrustEvidenceShown(Model):
    """The trusted relationship that the owner's half rested on, or that failed it."""

    id: str
    version: int
    condition: OrUnknown = Field(description="Whether its condition held; true if it has none.")
    undecided_keys: list[str]
    expires_at: Timestamp | None = None


class MissingShown(Model):
    """The smallest change after which this half would not refuse any more.

    `statement` is ready to paste into a policy of the principal, `trustedRelationship` is what to
    add to the service account. Without either, `text` says what to change.
    """

    text: str
    statement: dict[str, Any] | None = None
    trusted_relationship: dict[str, Any] | None = None


class PolicyThenShown(Model):
    """A policy in the version that was asked; without `statements` where nobody wrote them."""

    id: str
    name: str
    version: int
    statements: list[dict[str, Any]] | None = None


class TrustThenShown(TrustEvidenceShown):
    """The trusted relationship as it was then."""

    trusted_root_user_id: AccountId | None = None
    document: dict[str, Any] | None = Field(None, description="Its condition, as it was written.")


class HalfShown(Model):
    """What one account's half said, and what it rested on."""

    allowed: bool
    reasons: list[ReasonShown]
    statements: list[StatementShown]
    policies: list[PolicyThenShown]
    trusted_relationship: TrustThenShown | None = None
    would_be_decided_the_same_now: OrUnknown = Field(
        description="The same request, with the circumstances of then, at the time of now. "
        "Unknown where it hangs on what is never kept, such as an external id."
    )
    missing: MissingShown | None = None


class ActorShown(Model):
    """Who acted."""

    type: str | None = None
    id: str | None = None
    name: str | None = None
    account_id: AccountId | None = None


class DecisionShown(Model):
    """A decision, as the account that reads it may know it: its own half alone."""

    id: str
    at: Timestamp
    event: str = Field(examples=["service-account:impersonate"])
    action: str = Field(examples=["iam:ImpersonateServiceAccount"])
    resource: str | None = None
    outcome: Literal["allowed", "denied"]
    actor: ActorShown
    acting_as: str | None = None
    caller_half: HalfShown | None = None
    owner_half: HalfShown | None = None


def reasons_shown(reasons: tuple[str, ...]) -> list[ReasonShown]:
    return [ReasonShown(code=str(each), text=in_words(each)) for each in reasons]


def statements_shown(decision: PolicyDecision) -> list[StatementShown]:
    """First what refused, then what allowed, then what had no effect."""
    return [
        *(_statement(each, "deny", "applies") for each in decision.denies),
        *(_statement(each, "allow", "applies") for each in decision.allows),
        *(_statement(each, "allow", "rests") for each in decision.withheld),
        *(_statement(each, "deny", "rests") for each in decision.spared),
    ]


def _statement(
    match: Match, effect: Literal["allow", "deny"], outcome: Literal["applies", "rests"]
) -> StatementShown:
    return StatementShown(
        policy_id=match.policy_id,
        policy_name=match.policy_name,
        version=match.version,
        statement=match.statement,
        effect=effect,
        outcome=outcome,
        condition=or_unknown(match.condition),
        undecided_keys=list(match.undecided_keys),
    )


def or_unknown(value: bool | None) -> OrUnknown:
    return "unknown" if value is None else value


def trust_fields(trust: TrustEvidence) -> dict[str, Any]:
    """The fields that a simulation and a recorded decision have in common."""
    return {
        "id": trust.id,
        "version": trust.version,
        "condition": or_unknown(trust.condition),
        "undecided_keys": list(trust.undecided_keys),
        "expires_at": None if trust.expires_at is None else timestamp(trust.expires_at),
    }


def missing_shown(advice: Advice | None) -> MissingShown | None:
    if advice is None:
        return None
    trusted = advice.trusted_account_id
    return MissingShown(
        text=advice.text,
        statement=advice.statement,
        trusted_relationship=None if trusted is None else {"trustedRootUserId": trusted},
    )


def shown(details: DecisionDetails) -> DecisionShown:
    row = details.row
    return DecisionShown(
        id=row.id,
        at=timestamp(row.at),
        event=row.event.value,
        action=details.action,
        resource=row.resource,
        outcome=row.outcome.value,
        actor=ActorShown(
            type=row.actor_type,
            id=row.actor_id,
            name=row.actor_name,
            account_id=row.actor_account_id,
        ),
        acting_as=row.acting_as,
        caller_half=_half(details.callers),
        owner_half=_half(details.owners),
    )


def _half(half: Half | None) -> HalfShown | None:
    if half is None:
        return None
    return HalfShown(
        allowed=half.allowed,
        reasons=reasons_shown(half.reasons),
        statements=statements_shown(half.decision),
        policies=[_policy(each) for each in half.policies],
        trusted_relationship=None if half.trust is None else _trust(half.trust),
        would_be_decided_the_same_now=or_unknown(half.same_now),
        missing=missing_shown(half.missing),
    )


def _policy(policy: PolicyThen) -> PolicyThenShown:
    document = policy.document
    return PolicyThenShown(
        id=policy.id,
        name=policy.name,
        version=policy.version,
        statements=None if document is None else document["statements"],
    )


def _trust(trust: TrustThen) -> TrustThenShown:
    said = trust.said
    return TrustThenShown(
        trusted_root_user_id=None if said is None else said.trusted_account_id,
        document=None if said is None else said.condition,
        **trust_fields(trust.evidence),
    )


def _get(call: Call) -> DecisionDetails:
    return decisions.get(call.runtime, call.caller, call.ids["decisionId"])


OPERATIONS = (
    Operation(
        "GET",
        "/audit-api/v1/decisions/{decisionId}",
        "getDecision",
        "Why something was allowed or refused: the half of it that is your account's",
        "iam:GetDecision",
        _get,
        shown,
        answer=DecisionShown,
    ),
)
