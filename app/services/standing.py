"""Does what an impersonation token rests on still stand?

The token was issued for one decision: the service account's account trusted the user's, and the
user's policies allowed it. Both can be taken back while the token lives. The decision itself
cannot simply be made anew, for some of what it knew is gone: the external id, the reason, how the
person had signed in. So the row of the audit log that has the decision speaks for those:

* the trusted relationship is the one of the decision, has not expired, and is the same version,
  or its condition is not false now;
* the service account and the user are enabled, and so are their accounts;
* the user's policies allow it now. An allow whose condition cannot be known any more counts if
  it was among the allows of the decision; a deny whose condition cannot be known counts unless it
  was there at the decision, in the same version, and its condition was false.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.domain.circumstances import Circumstances, context_of
from app.domain.conditions import Context, outcome_of
from app.domain.impersonation import TrustedRelationship
from app.domain.policy import IMPERSONATE, AttachedPolicy, Match, evaluate
from app.domain.principals import IamUser, ServiceAccount, is_active
from app.services import remembered
from app.services.runtime import Runtime
from app.storage import audit, service_accounts
from app.storage.tokens import TokenRecord

#: A statement of one version of a policy: policy id, version, place in the document.
_Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class _Basis:
    """What the decision recorded, and what there is now: only administrative writes change it.

    `trust` is the relationship as it is now; `policies` are the user's that speak of it.
    """

    same_account: bool
    trust_id: str | None
    trust_version: int | None
    allows: frozenset[_Place]
    spared: frozenset[_Place]
    trust: TrustedRelationship | None
    policies: tuple[AttachedPolicy, ...]


def still_stands(
    runtime: Runtime, connection: Connection, known_epoch: int, token: TokenRecord
) -> bool:
    """Whether the trust and the policies behind a token would still carry it.

    True for a token that nobody else acts through. The token's own end is not looked at.
    """
    if token.actor is None:
        return True
    actor = token.actor
    service_account, user = (
        remembered.principal(runtime, connection, known_epoch, kind, who)
        for kind, who in (
            (token.subject_type, token.subject_id),
            (actor.user_type, actor.subject),
        )
    )
    if not isinstance(service_account, ServiceAccount) or not isinstance(user, IamUser):
        return False
    if not (is_active(service_account) and is_active(user)):
        return False
    basis = runtime.facts.get(
        known_epoch,
        ("standing", token.decision_id),
        lambda: _load(runtime, connection, known_epoch, token, service_account, user),
    )
    if basis is None:
        return False
    now = runtime.clock()
    context = context_of(user, Circumstances(now))
    return _owner_stands(basis, service_account, user, context, now) and _caller_stands(
        basis, service_account, user, context
    )


def _load(
    runtime: Runtime,
    connection: Connection,
    known_epoch: int,
    token: TokenRecord,
    service_account: ServiceAccount,
    user: IamUser,
) -> _Basis | None:
    """None where the decision is in no row: then nothing is known to carry the token."""
    decision = audit.find(connection, token.decision_id or "")
    if decision is None or decision.owner_half is None or decision.caller_half is None:
        return None
    trusted = decision.owner_half.get("trust") or {}
    account_id = user.account.id
    policies = remembered.policies_of(runtime, connection, known_epoch, user)
    return _Basis(
        same_account=decision.owner_half.get("same_account") is True,
        trust_id=trusted.get("id"),
        trust_version=trusted.get("version"),
        allows=_places(decision.caller_half.get("allows", ())),
        spared=_places(decision.caller_half.get("spared", ())),
        trust=service_accounts.find_with_trust(connection, service_account.id, account_id)[1],
        policies=tuple(
            policy
            for policy in policies
            if any(each.speaks_of(IMPERSONATE) for each in policy.document.statements)
        ),
    )


def _owner_stands(
    basis: _Basis, service_account: ServiceAccount, user: IamUser, context: Context, now: float
) -> bool:
    if basis.same_account:
        return service_account.account.id == user.account.id
    trust = basis.trust
    if trust is None or trust.id != basis.trust_id:
        return False
    if trust.expires_at is not None and now >= trust.expires_at:
        return False
    unchanged = trust.version == basis.trust_version
    return unchanged or outcome_of(trust.condition, context) is not False


def _caller_stands(
    basis: _Basis, service_account: ServiceAccount, user: IamUser, context: Context
) -> bool:
    decision = evaluate(user.account.id, IMPERSONATE, service_account.vrn, context, basis.policies)
    allowed = bool(decision.allows) or any(
        _is_unknown(each) and _place(each) in basis.allows for each in decision.withheld
    )
    denied = any(
        not (_is_unknown(each) and _place(each) in basis.spared) for each in decision.denies
    )
    return allowed and not denied


def _is_unknown(match: Match) -> bool:
    return match.condition is None


def _place(match: Match) -> _Place:
    return match.policy_id, match.version, match.statement


def _places(recorded: Iterable[Mapping[str, Any]]) -> frozenset[_Place]:
    return frozenset((each["policy_id"], each["version"], each["statement"]) for each in recorded)
