"""Simulations: `/policies-api/v1/simulations`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from app.management.decisions import (
    MissingShown,
    OrUnknown,
    ReasonShown,
    StatementShown,
    TrustEvidenceShown,
    missing_shown,
    or_unknown,
    reasons_shown,
    statements_shown,
    trust_fields,
)
from app.management.models import Model, Timestamp, timestamp
from app.management.operations import Call, Operation
from app.management.policies import Statements
from app.management.trusted_relationships import NewTrustedRelationship, wanted
from app.services import replay, simulation
from app.services.drafts import Draft, DraftPolicy
from app.services.replay import Replay
from app.services.simulation import Asked, Simulated

#: As long as a draft may be.
_MOST = 20
_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,128}$")]
_Seconds = Annotated[int | float, Field(ge=0, le=253_402_300_799, allow_inf_nan=False)]
_Word = Annotated[str, Field(max_length=256)]


class SimulatedPrincipal(Model):
    """Who would ask. `root-account` stands for the users of another root account, whichever they
    are: then the answer is the half of your service account alone."""

    type: Literal["iam-user", "service-account", "root-user", "root-account"]
    id: _Id


class SimulatedContext(Model):
    """The circumstances. What is left out is not known, except that the time is now.

    `iam:PrincipalId` and `iam:PrincipalName` are for a `root-account` only; of other principals
    they are known.
    """

    current_time: _Seconds | None = Field(None, alias="iam:CurrentTime")
    source_ip: _Word | None = Field(None, alias="iam:SourceIp")
    mfa_present: bool | None = Field(None, alias="iam:MfaPresent")
    auth_age: _Seconds | None = Field(None, alias="iam:AuthAge")
    external_id: _Word | None = Field(None, alias="iam:ExternalId")
    reason: _Word | None = Field(None, alias="iam:Reason")
    principal_id: _Word | None = Field(None, alias="iam:PrincipalId")
    principal_name: _Word | None = Field(None, alias="iam:PrincipalName")


class DraftedPolicy(Model):
    """Either the statements of a policy that is not written yet, or the id of one that is."""

    statements: Statements | None = None
    policy_id: _Id | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> DraftedPolicy:
        if (self.statements is None) is (self.policy_id is None):
            raise ValueError("expected either statements or policyId")
        return self


class SimulatedDraft(Model):
    """With these changes: policies of the principal, or trust of the service account."""

    attach_policies: list[DraftedPolicy] = Field([], max_length=_MOST)
    detach_policies: list[_Id] = Field([], max_length=_MOST)
    add_trusts: list[NewTrustedRelationship] = Field([], max_length=_MOST)
    remove_trusts: list[_Id] = Field(
        [], max_length=_MOST, description="Ids of relationships, or of the accounts trusted."
    )


class ReplayAsked(Model):
    """Ask the real exchanges of the last days again, under the draft."""

    days: int = Field(ge=1, le=30)


class NewSimulation(Model):
    """May this principal do this on that resource? Nothing is changed."""

    principal: SimulatedPrincipal
    action: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,31}:[A-Za-z0-9]{1,64}$",
        examples=["iam:ImpersonateServiceAccount"],
    )
    resource: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,31}::[0-9]{1,20}:[a-z][a-z0-9-]{0,63}/([A-Za-z0-9._-]{1,128}|\*)$",
        description="A name in full; `*` as its id where a call concerns all of a type.",
        examples=["iam::60108:service-account/sa-1f2e"],
    )
    context: SimulatedContext = Field(default_factory=lambda: SimulatedContext())
    draft: SimulatedDraft = Field(default_factory=lambda: SimulatedDraft())
    replay: ReplayAsked | None = None


class ReplayedExchange(Model):
    """An exchange whose own half would have come out differently."""

    decision_id: str
    at: Timestamp
    was_allowed: bool
    would_be_allowed: bool


class ReplayShown(Model):
    """Real exchanges under the draft and the policies of now, as far as one's own half goes.

    `unknown` are those that hang on what is never kept, such as an external id. `isCut` says that
    there were more than were looked at, which are the newest: up to 1,000, fewer where many
    policies apply.
    """

    considered: int = Field(ge=0, le=replay.MOST_EXCHANGES)
    same: int = Field(ge=0)
    differently: int = Field(ge=0)
    unknown: int = Field(ge=0)
    is_cut: bool
    examples: list[ReplayedExchange] = Field(max_length=replay.MOST_EXAMPLES)


class SimulationShown(Model):
    """The answer. Across accounts it is `false` where your own half refuses, else `unknown`."""

    allowed: OrUnknown
    half: Literal["caller", "owner", "both"] | None = Field(
        None, description="The half that refused."
    )
    reasons: list[ReasonShown]
    statements: list[StatementShown]
    trusted_relationship: TrustEvidenceShown | None = None
    condition_keys: list[str] = Field(
        description="The keys whose tests did not hold.", examples=[["iam:MfaPresent"]]
    )
    missing: MissingShown | None = None
    replay: ReplayShown | None = None


def shown(answer: Simulated) -> SimulationShown:
    decision, trust = answer.decision, answer.trust
    matches = (*decision.denies, *decision.withheld, *decision.spared)
    keys = {key for each in matches for key in each.undecided_keys}
    keys.update(() if trust is None else trust.undecided_keys)
    return SimulationShown(
        allowed=or_unknown(answer.allowed),
        half=answer.half,
        reasons=reasons_shown(answer.reasons),
        statements=statements_shown(decision),
        trusted_relationship=None if trust is None else TrustEvidenceShown(**trust_fields(trust)),
        condition_keys=sorted(keys),
        missing=missing_shown(answer.missing),
        replay=None if answer.replay is None else _replay(answer.replay),
    )


def _replay(found: Replay) -> ReplayShown:
    return ReplayShown(
        considered=found.considered,
        same=found.same,
        differently=found.differently,
        unknown=found.unknown,
        is_cut=found.is_cut,
        examples=[
            ReplayedExchange(
                decision_id=each.decision_id,
                at=timestamp(each.at),
                was_allowed=each.was_allowed,
                would_be_allowed=each.would_be_allowed,
            )
            for each in found.examples
        ],
    )


def _simulate(call: Call) -> Simulated:
    body: NewSimulation = call.body
    context: dict[str, Any] = body.context.model_dump(by_alias=True, exclude_none=True)
    asked = Asked(
        body.principal.type,
        body.principal.id,
        body.action,
        body.resource,
        context,
        _draft(body.draft),
        None if body.replay is None else body.replay.days,
    )
    return simulation.simulate(call.runtime, call.caller, asked)


def _draft(body: SimulatedDraft) -> Draft:
    return Draft(
        tuple(
            DraftPolicy(
                None if each.statements is None else {"statements": each.statements},
                each.policy_id,
            )
            for each in body.attach_policies
        ),
        tuple(body.detach_policies),
        tuple(wanted(each) for each in body.add_trusts),
        tuple(body.remove_trusts),
    )


OPERATIONS = (
    Operation(
        "POST",
        "/policies-api/v1/simulations",
        "simulate",
        "What would be decided, why, and what is missing",
        "iam:Simulate",
        _simulate,
        shown,
        answer=SimulationShown,
        body=NewSimulation,
        errors=(404,),
    ),
)
