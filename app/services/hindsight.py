"""A recorded decision asked again: its facts, put together from the log and from what is now.

What the log has no note of (the external id, which is never kept) stays in doubt, and an answer
that hangs on it is None.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from app.domain import conditions
from app.domain.advice import NOT_ALLOWED_HERE
from app.domain.circumstances import Circumstances, context_of
from app.domain.conditions import Context
from app.domain.events import Event
from app.domain.halves import Doubt, Place, callers_half, owners_half, place_of_trust
from app.domain.impersonation import Facts, Target, TrustedRelationship, effort_of
from app.domain.limits import NO_LIMITS, TokenLimits
from app.domain.names import MalformedName, Vrn
from app.domain.policy import AttachedPolicy, Match, PolicyDecision, evaluate
from app.domain.principals import IamUser, Principal, RootAccount, ServiceAccount
from app.storage.audit import AuditEvent
from app.storage.tokens import TokenRecord

_OF_A_SIGN_IN = frozenset({conditions.MFA_PRESENT, conditions.AUTH_AGE})


@dataclass(frozen=True, slots=True)
class Recorded:
    """An exchange as it was recorded. `token` is the subject token that spoke for the user."""

    row: AuditEvent
    token: TokenRecord | None

    @property
    def target(self) -> Target:
        """The service account as it was asked for."""
        name = self.row.resource or ""
        try:
            vrn = Vrn.parse(name)
        except MalformedName:
            return Target(name)
        return Target(vrn.id, vrn.account_id)

    def user(self) -> IamUser:
        """The user as it was then, enabled: for the owner's half, which asks no more of it."""
        row = self.row
        account = RootAccount(row.actor_account_id or "")
        return IamUser(row.actor_id or "", row.actor_name or "", account)

    def context(self, now: float) -> Context:
        """The circumstances of then; only the time is `now`."""
        row, token = self.row, self.token
        circumstances = Circumstances(
            now=row.at,
            source_ip=row.source_ip,
            auth_time=None if token is None else token.auth_time,
            amr=() if token is None else token.amr,
            reason=row.stated_reason,
        )
        return {**context_of(self.user(), circumstances), conditions.CURRENT_TIME: now}

    def _forgotten(self) -> frozenset[str]:
        keys = {conditions.EXTERNAL_ID}
        if self.token is None:
            keys |= _OF_A_SIGN_IN
        if self.row.event is not Event.IMPERSONATE:
            keys.add(conditions.REASON)
        return frozenset(keys)

    def callers_half_again(
        self, caller: Principal | None, policies: tuple[AttachedPolicy, ...], now: float
    ) -> bool | None:
        """Whether the caller's half would allow it at `now`; None where that cannot be told.

        `caller` is the user as it is now, None where there is none any more.
        """
        if caller is None:
            return False
        facts = self._facts(caller, policies, None, None, now)
        held = _held((self.row.caller_half or {}).get("allows", ()))
        doubt = Doubt(facts.context, self._forgotten(), held)
        answer = doubt.ask(facts, lambda bent: callers_half(bent).allowed)
        # Limits can only take away: without the token a no is certain, a yes is not.
        return None if answer and self.token is None else answer

    def owners_half_again(
        self, account: ServiceAccount | None, trust: TrustedRelationship | None, now: float
    ) -> bool | None:
        """Whether the owner's half would allow it at `now`, by the service account and the trust
        given; None where that cannot be told."""
        facts = self._facts(self.user(), (), account, trust, now)
        evidence = (self.row.owner_half or {}).get("trust")
        held: frozenset[Place] = frozenset()
        if evidence is not None and evidence["condition"] is True:
            held = frozenset({place_of_trust(evidence["id"], evidence["version"])})
        doubt = Doubt(facts.context, self._forgotten(), held)
        return doubt.ask(facts, lambda bent: owners_half(bent).allowed)

    def effort(self, policies: tuple[AttachedPolicy, ...]) -> int:
        """How often something is compared to ask the caller's half again."""
        return effort_of(self._facts(self.user(), policies, None, None, self.row.at))

    def _facts(
        self,
        caller: Principal,
        policies: tuple[AttachedPolicy, ...],
        account: ServiceAccount | None,
        trust: TrustedRelationship | None,
        now: float,
    ) -> Facts:
        return Facts(
            caller=caller,
            target=self.target,
            service_account=account,
            trust=trust,
            policies=policies,
            context=self.context(now),
            now=now,
            limits=NO_LIMITS if self.token is None else self.token.limits,
        )


def call_again(
    row: AuditEvent,
    token: TokenRecord | None,
    principal: Principal | None,
    policies: tuple[AttachedPolicy, ...],
    now: float,
) -> bool | None:
    """Whether a refused call of the management API would be allowed at `now`.

    `principal` is whose policies were asked, as it is now. `token` is the one that was used.
    """
    if principal is None:
        return False
    if NOT_ALLOWED_HERE not in ((row.caller_half or row.owner_half) or {}).get("reasons", ()):
        return None  # it hung on the change itself, which is not kept
    auth_time = None if token is None else token.auth_time
    amr = () if token is None else token.amr
    circumstances = Circumstances(row.at, row.source_ip, auth_time, amr)
    context = {**context_of(principal, circumstances), conditions.CURRENT_TIME: now}
    forgotten = _OF_A_SIGN_IN if token is None else frozenset()
    doubt = Doubt(context, forgotten, _held((row.caller_half or {}).get("allows", ())))
    limits = NO_LIMITS if token is None else token.limits
    action, resource = str(row.detail["action"]), Vrn.parse(str(row.resource))

    def answer(*, favourable: bool) -> bool:
        return _allows(
            principal,
            doubt.policies(policies, favourable=favourable),
            doubt.limits(limits, favourable=favourable),
            action,
            resource,
            context,
        )

    at_worst, at_best = answer(favourable=False), answer(favourable=True)
    return at_worst if at_worst == at_best else None


def _allows(
    principal: Principal,
    policies: tuple[AttachedPolicy, ...],
    limits: TokenLimits,
    action: str,
    resource: Vrn,
    context: Context,
) -> bool:
    account_id = principal.account.id
    decision = evaluate(account_id, action, resource, context, policies)
    return decision.allowed and limits.cover(account_id, action, resource, context)


def policy_decision_of(half: dict[str, Any]) -> PolicyDecision:
    """The statements of a half as the log has them."""
    allows, denies, withheld, spared = (
        tuple(
            Match(
                each["policy_id"],
                each["policy_name"],
                each["version"],
                each["statement"],
                each["condition"],
                tuple(each["undecided_keys"]),
            )
            for each in half.get(kind, ())
        )
        for kind in ("allows", "denies", "withheld", "spared")
    )
    return PolicyDecision(bool(half["allowed"]), allows, denies, withheld, spared)


def _held(matches: Iterable[dict[str, Any]]) -> frozenset[Place]:
    return frozenset((each["policy_id"], each["version"], each["statement"]) for each in matches)
