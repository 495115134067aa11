"""Recorded decisions, read by the accounts that they concern: each its own half alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.domain.advice import Advice, Question, advise
from app.domain.events import Event
from app.domain.impersonation import TrustEvidence
from app.domain.names import MalformedName, Vrn
from app.domain.policy import IMPERSONATE, AttachedPolicy, PolicyDecision
from app.domain.principals import Principal, PrincipalType
from app.services import hindsight, principals
from app.services.administration import NotFound
from app.services.authority import Caller
from app.services.hindsight import Recorded
from app.services.runtime import Runtime
from app.storage import audit, policy_history, service_accounts, tokens, trusts_history
from app.storage.audit import AuditEvent
from app.storage.tokens import TokenRecord
from app.storage.trusts_history import TrustVersion

__all__ = ["TrustVersion"]


@dataclass(frozen=True, slots=True)
class PolicyThen:
    """A policy as it was when it was asked; `document` is None for what nobody wrote."""

    id: str
    name: str
    version: int
    document: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class TrustThen:
    """The trusted relationship as it was; `said` is None where its versions were not kept yet."""

    evidence: TrustEvidence
    said: TrustVersion | None


@dataclass(frozen=True, slots=True)
class Half:
    """What one account may read of a decision.

    `same_now` is whether it would come out the same now, None where that cannot be told.
    """

    allowed: bool
    reasons: tuple[str, ...]
    decision: PolicyDecision
    policies: tuple[PolicyThen, ...]
    same_now: bool | None
    trust: TrustThen | None
    missing: Advice | None


@dataclass(frozen=True, slots=True)
class DecisionDetails:
    """A decision as one account sees it."""

    row: AuditEvent
    action: str
    callers: Half | None
    owners: Half | None


#: Whether a half would allow it at a moment, in epoch seconds.
_Again = Callable[[Connection, AuditEvent, float], "bool | None"]


def get(runtime: Runtime, by: Caller, decision_id: str) -> DecisionDetails:
    """Raises `Forbidden`, or `NotFound` for what is no decision that concerns the account."""
    by.require("iam:GetDecision", "decision", decision_id)
    with runtime.database.read() as connection:
        row = audit.find(connection, decision_id)
        if row is None or not _concerns(row, by.account_id):
            raise NotFound(f"there is no decision {decision_id}")
        is_call = row.event is Event.API_REFUSE
        action = str(row.detail["action"]) if is_call else IMPERSONATE
        now = runtime.clock()

        def half(source: dict[str, Any] | None, of: str | None, again: _Again) -> Half | None:
            if source is None or of != by.account_id:
                return None
            then = bool(source["allowed"])
            would_be = again(connection, row, now)
            same = None if would_be is None else would_be == then
            return _half(connection, row, source, action, of, same)

        return DecisionDetails(
            row,
            action,
            half(
                row.caller_half,
                row.actor_account_id,
                _call_again if is_call else _callers_half_again,
            ),
            half(
                row.owner_half, row.owner_account_id, _call_again if is_call else _owners_half_again
            ),
        )


def _concerns(row: AuditEvent, account_id: str) -> bool:
    if row.caller_half is None and row.owner_half is None:
        return False
    return account_id in (row.actor_account_id, row.owner_account_id)


def _half(
    connection: Connection,
    row: AuditEvent,
    source: dict[str, Any],
    action: str,
    account_id: str,
    same_now: bool | None,
) -> Half:
    decision = hindsight.policy_decision_of(source)
    trust = _trust(connection, source.get("trust"))
    reasons = tuple(source["reasons"])
    missing = None
    if not source["allowed"]:
        # An owner is told whom to trust, a caller which of its own names to spell out.
        asking = row.actor_account_id if "trust" in source else account_id
        question = Question(str(asking), action, _resource(row))
        missing = advise(question, reasons, decision, None if trust is None else trust.evidence)
    return Half(
        bool(source["allowed"]),
        reasons,
        decision,
        _policies(connection, account_id, decision),
        same_now,
        trust,
        missing,
    )


def _resource(row: AuditEvent) -> Vrn | None:
    """What was asked about; None where a service account was named by its id alone."""
    try:
        return Vrn.parse(row.resource or "")
    except MalformedName:
        return None


def _policies(
    connection: Connection, account_id: str, decision: PolicyDecision
) -> tuple[PolicyThen, ...]:
    matches = (*decision.allows, *decision.denies, *decision.withheld, *decision.spared)
    named = {(each.policy_id, each.version): each.policy_name for each in matches}
    return tuple(
        PolicyThen(
            id_,
            name,
            version,
            policy_history.find_document(connection, account_id, id_, version),
        )
        for (id_, version), name in sorted(named.items())
    )


def _trust(connection: Connection, source: dict[str, Any] | None) -> TrustThen | None:
    if source is None:
        return None
    evidence = TrustEvidence(
        source["id"],
        source["version"],
        source["condition"],
        tuple(source["undecided_keys"]),
        source["expires_at"],
    )
    return TrustThen(evidence, trusts_history.find(connection, evidence.id, evidence.version))


def _callers_half_again(connection: Connection, row: AuditEvent, now: float) -> bool | None:
    recorded = Recorded(row, _token(connection, row.detail.get("parent_token_id")))
    caller, policies = _principal(connection, row.actor_type, row.actor_id)
    return recorded.callers_half_again(caller, policies, now)


def _owners_half_again(connection: Connection, row: AuditEvent, now: float) -> bool | None:
    recorded = Recorded(row, _token(connection, row.detail.get("parent_token_id")))
    account, trust = service_accounts.find_with_trust(
        connection, str(row.acting_as), str(row.actor_account_id)
    )
    return recorded.owners_half_again(account, trust, now)


def _call_again(connection: Connection, row: AuditEvent, now: float) -> bool | None:
    """Of a call, the policies of the service account were asked where one was acted through."""
    if row.acting_as is None:
        principal, policies = _principal(connection, row.actor_type, row.actor_id)
    else:
        principal, policies = _principal(connection, PrincipalType.SERVICE_ACCOUNT, row.acting_as)
    return hindsight.call_again(row, _token(connection, row.token_id), principal, policies, now)


def _principal(
    connection: Connection, kind: str | None, principal_id: str | None
) -> tuple[Principal | None, tuple[AttachedPolicy, ...]]:
    if kind is None or principal_id is None:
        return None, ()
    found = principals.find(connection, kind, principal_id)
    return found, () if found is None else principals.policies_of(connection, found)


def _token(connection: Connection, token_id: str | None) -> TokenRecord | None:
    return None if token_id is None else tokens.find(connection, token_id)
