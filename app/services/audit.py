"""Writing down what happened, before the answer leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from app.domain.clients import Client
from app.domain.events import Event, Outcome
from app.domain.impersonation import Decision, Reason, TrustEvidence
from app.domain.policy import Match, PolicyDecision
from app.domain.principals import Principal
from app.services.refusals import Refused
from app.services.runtime import Runtime
from app.storage import audit
from app.storage.audit import AuditEvent

#: Statements of one kind in a row.
MOST_STATEMENTS = 100


def caller_half_of(decision: Decision) -> dict[str, Any]:
    """The caller's half as the audit keeps it: for the caller's account alone."""
    half = decision.caller_half
    return {
        "allowed": half.allowed,
        "reasons": [str(reason) for reason in half.reasons],
        "accounts": list(half.accounts),
        **policy_of(half.policy),
    }


def policy_of(decision: PolicyDecision | None) -> dict[str, Any]:
    """The statements that had a say, with the versions of their policies as they were then.

    Of each kind the first `MOST_STATEMENTS`: a row is written for each refusal, however many
    statements somebody writes to make it long.
    """
    decision = decision or PolicyDecision(False)
    return {
        "allows": _matches(decision.allows),
        "denies": _matches(decision.denies),
        "withheld": _matches(decision.withheld),
        "spared": _matches(decision.spared),
    }


def _matches(found: Sequence[Match]) -> list[dict[str, Any]]:
    return [_match(each) for each in found[:MOST_STATEMENTS]]


def owner_half_of(decision: Decision) -> dict[str, Any]:
    """The owner's half as the audit keeps it: for the service account's account alone."""
    half = decision.owner_half
    return {
        "allowed": half.allowed,
        "reasons": [str(reason) for reason in half.reasons],
        "same_account": half.same_account,
        "trust": None if half.trust is None else _trust(half.trust),
    }


def _match(match: Match) -> dict[str, Any]:
    return {
        "policy_id": match.policy_id,
        "policy_name": match.policy_name,
        "version": match.version,
        "statement": match.statement,
        "condition": match.condition,
        "undecided_keys": match.undecided_keys,
    }


def _trust(trust: TrustEvidence) -> dict[str, Any]:
    return {
        "id": trust.id,
        "version": trust.version,
        "condition": trust.condition,
        "undecided_keys": trust.undecided_keys,
        "expires_at": trust.expires_at,
    }


def is_unknown_target(decision: Decision) -> bool:
    return Reason.NO_SUCH_SERVICE_ACCOUNT in decision.owner_half.reasons


def record(runtime: Runtime, event: AuditEvent) -> None:
    """Write one row, durable before the answer leaves."""
    runtime.database.write_before_answer(lambda connection: audit.add(connection, event))


def record_refused_request(
    runtime: Runtime, client: Client, refused: Refused, source_ip: str | None
) -> None:
    """A row for a token that was refused to a caller who proved who it is.

    The message of the refusal is left out: it may quote the request.
    """
    decided: dict[str, Any] = {}
    if refused.accepted is not None:
        account, decision = refused.accepted
        decided = {
            "acting_as": account.id,
            "owner_account_id": account.account.id,
            "resource": str(account.vrn),
            "caller_half": caller_half_of(decision),
            "owner_half": owner_half_of(decision),
        }
    subject = refused.subject or client.service_account
    who = by_client(client) if subject is None else by_principal(subject)
    event = AuditEvent(
        id=refused.decision_id or runtime.new_id(),
        at=runtime.clock(),
        event=Event.TOKEN_REFUSE,
        outcome=Outcome.DENIED,
        reason=str(refused.refusal),
        client_id=client.id,
        source_ip=source_ip,
        **who,
        **decided,
    )
    record(runtime, event)


def count_failure(runtime: Runtime, kind: str) -> None:
    """Count a failure of a caller that nobody could name."""
    at = runtime.clock()
    runtime.database.write_before_answer(
        lambda connection: audit.count_failure(connection, kind, at)
    )


def by_principal(principal: Principal) -> dict[str, Any]:
    """The fields of a row that say who acted."""
    return {
        "actor_type": principal.type.value,
        "actor_id": principal.id,
        "actor_name": principal.name,
        "actor_account_id": principal.account.id,
    }


def by_client(client: Client) -> dict[str, Any]:
    """The fields of a row for a client that speaks for nobody but itself."""
    return {
        "actor_type": "client",
        "actor_id": client.id,
        "actor_name": client.name,
        "actor_account_id": client.account_id,
    }


def by_operator() -> dict[str, Any]:
    """The fields of a row for what was done on the host."""
    return {"actor_type": "operator", "actor_id": "operator", "actor_name": "operator"}


def write_by_operator(
    runtime: Runtime,
    connection: Connection,
    event: Event,
    account_id: str | None,
    resource: str,
    **detail: Any,
) -> None:
    """The row of an administrative write by the operator, in the write's own transaction."""
    audit.add(
        connection,
        AuditEvent(
            id=runtime.new_id(),
            at=runtime.clock(),
            event=event,
            owner_account_id=account_id,
            resource=resource,
            detail=detail,
            **by_operator(),
        ),
    )
