"""Policies: default deny, a matching deny wins, and what cannot be known counts as no.

`evaluate` answers for one principal, one action and one resource, and says which statements
made the answer. Two rules of reach hold for every allow:

* it reaches only resources of its principal's own root account;
* except `iam:ImpersonateServiceAccount`, and then only by a statement that spells out both the
  action and the foreign account id.

A deny reaches whatever it matches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.domain.catalogue import ActionPattern
from app.domain.conditions import Condition, Context, outcome_of
from app.domain.names import Vrn, VrnPattern

IMPERSONATE = "iam:ImpersonateServiceAccount"


class Effect(StrEnum):
    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Statement:
    """One compiled statement. No condition is a condition that always holds."""

    effect: Effect
    actions: tuple[ActionPattern, ...]
    resources: tuple[VrnPattern, ...]
    condition: Condition | None = None

    def speaks_of(self, action: str) -> bool:
        return any(pattern.matches(action) for pattern in self.actions)

    def reaches(self, action: str, resource: Vrn, account_id: str) -> bool:
        """Whether the statement of a principal of `account_id` reaches the resource."""
        if self.effect is Effect.DENY or resource.account_id == account_id:
            return any(pattern.matches(resource) for pattern in self.resources)
        return self.spells_out(action) and any(
            pattern.literal_account == resource.account_id and pattern.matches(resource)
            for pattern in self.resources
        )

    def spells_out(self, action: str) -> bool:
        """Whether this is the one action that may cross accounts, written without a star."""
        return action == IMPERSONATE and any(pattern.text == action for pattern in self.actions)


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """The statements of a document, in its order."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class AttachedPolicy:
    """A policy that applies to a principal. `via` is the group that brought it, if one did."""

    id: str
    name: str
    version: int
    document: PolicyDocument
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A statement that had a say. `condition` is how its condition came out (None: unknown)."""

    policy_id: str
    policy_name: str
    version: int
    statement: int
    condition: bool | None
    undecided_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """The answer, and the statements that made it.

    `withheld` are allows that match but whose condition does not hold: the first place to look
    when something is refused. `spared` are denies that match but whose condition is false.
    """

    allowed: bool
    allows: tuple[Match, ...] = ()
    denies: tuple[Match, ...] = ()
    withheld: tuple[Match, ...] = ()
    spared: tuple[Match, ...] = ()


def evaluate(
    account_id: str,
    action: str,
    resource: Vrn,
    context: Context,
    policies: Sequence[AttachedPolicy],
) -> PolicyDecision:
    """Decide whether the policies let a principal of `account_id` do `action` on `resource`."""
    allows: list[Match] = []
    denies: list[Match] = []
    withheld: list[Match] = []
    spared: list[Match] = []
    for policy in policies:
        for index, statement in enumerate(policy.document.statements):
            if not statement.speaks_of(action):
                continue
            if not statement.reaches(action, resource, account_id):
                continue
            outcome = outcome_of(statement.condition, context)
            match = _match(policy, index, statement, outcome, context)
            if statement.effect is Effect.DENY:
                # Fail closed: only a condition that is known to be false lets a deny rest.
                (spared if outcome is False else denies).append(match)
            elif outcome is True:
                allows.append(match)
            else:
                withheld.append(match)
    return PolicyDecision(
        bool(allows) and not denies,
        tuple(allows),
        tuple(denies),
        tuple(withheld),
        tuple(spared),
    )


def _match(
    policy: AttachedPolicy,
    index: int,
    statement: Statement,
    outcome: bool | None,
    context: Context,
) -> Match:
    keys: tuple[str, ...] = ()
    if statement.condition is not None and outcome is not True:
        keys = statement.condition.undecided_keys(context)
    return Match(policy.id, policy.name, policy.version, index, outcome, keys)


def accounts_named(action: str, policies: Iterable[AttachedPolicy]) -> frozenset[str]:
    """The foreign accounts that the allows for `action` spell out."""
    return frozenset(
        pattern.literal_account
        for policy in policies
        for statement in policy.document.statements
        if statement.effect is Effect.ALLOW and statement.spells_out(action)
        for pattern in statement.resources
        if pattern.literal_account is not None
    )


def root_user_policies() -> tuple[AttachedPolicy, ...]:
    """A root user may do everything in its account: the one policy that nobody wrote."""
    everything = Statement(Effect.ALLOW, (ActionPattern("*"),), (VrnPattern.parse("*"),))
    return (AttachedPolicy("root-user", "root user", 1, PolicyDocument((everything,))),)
