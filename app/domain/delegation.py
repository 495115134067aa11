"""Nobody hands over more than they hold.

A change (a policy attached or edited, a group joined, a secret made, trust added) may give
somebody rights. `find_excess` says which of those the caller lacks, with the token it speaks
with. It is sound for the actions of the catalogue: where it finds nothing, the caller may do, in
like circumstances, all that the change newly lets the other one do. It is not complete: a right
that only several of the caller's statements hold together is found lacking, and so is one whose
condition holds as often as the caller's but is not written in a way that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.catalogue import Catalogue
from app.domain.conditions import Condition
from app.domain.containment import Region, entails, entails_for_another, reach_of
from app.domain.limits import NO_LIMITS, TokenLimits
from app.domain.names import VrnPattern
from app.domain.policy import AttachedPolicy, Effect, PolicyDocument, Statement

#: Whoever may do this may hand over what it lacks: an administrator by another name.
GRANT_BEYOND_OWN = "iam:GrantBeyondOwn"

#: How often rights are compared before the answer is no: the rule is asked inside a transaction.
MOST_COMPARISONS = 250_000

#: How many rights an answer names before it stops looking.
MOST_NAMED = 3


class Lack(StrEnum):
    """Why a right is not the caller's to hand over, as told to the caller."""

    NOT_ALLOWED = "no statement of yours allows all of it"
    CONDITIONAL = "you have it only under a condition; this gives it under a wider or another one"
    DENIED = "a statement of yours denies some of it"
    OUTSIDE_TOKEN = "the token that you use does not reach it"
    TOO_MANY = "there are too many statements to compare with yours"


@dataclass(frozen=True, slots=True)
class Grantor:
    """Who makes the change: its account, all policies that apply to it, its token's limits."""

    account_id: str
    policies: tuple[AttachedPolicy, ...]
    limits: TokenLimits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class Missing:
    """A right beyond the caller's, and the statement that gives it.

    `action` and `resource` are as the statement has them, or what of them the caller lacks:
    single actions, or the resources that a deny kept back until now.
    """

    policy_id: str
    policy_name: str
    statement: int
    action: str
    resource: str
    lack: Lack

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}: {self.lack.value}"


def find_excess(
    caller: Grantor,
    account_id: str,
    before: Sequence[AttachedPolicy],
    after: Sequence[AttachedPolicy],
    catalogue: Catalogue,
    most_comparisons: int = MOST_COMPARISONS,
) -> tuple[Missing, ...]:
    """The first few rights that a change gives and the caller lacks; empty: it may hand them over.

    `before` and `after` are all policies of a principal of `account_id`, its groups' included: a
    deny that goes away gives what another policy allows. `before` is empty where the caller takes
    hold of the whole principal (its secret, key, password) or lends it out (trust).

    `iam:GrantBeyondOwn` lifts the rule; whether the caller has it is not asked here. Where it would
    take more than `most_comparisons` to answer, everything counts as lacking.
    """
    cases = _cases(caller, account_id, before, after, catalogue)
    if sum(case.comparisons for case in cases) > most_comparisons:
        return (Missing("", "", 0, "*", "*", Lack.TOO_MANY),)
    missing: list[Missing] = []
    for policy in after:
        for index, statement in enumerate(policy.document.statements):
            if statement.effect is Effect.ALLOW:
                for action, resource, lack in _beyond(statement, account_id, cases, catalogue):
                    missing.append(Missing(policy.id, policy.name, index, action, resource, lack))
                    if len(missing) == MOST_NAMED:
                        return tuple(missing)
    return tuple(missing)


@dataclass(frozen=True, slots=True)
class _Right:
    """What one statement allows or denies of one action, on the resources of one pattern."""

    where: VrnPattern
    condition: Condition | None

    def takes_in(
        self,
        region: Region,
        condition: Condition | None,
        entailed: Callable[[Condition | None, Condition | None], bool] = entails,
    ) -> bool:
        """Whether it is in effect on all of the region wherever the condition is."""
        return region.is_within(self.where) and entailed(condition, self.condition)


@dataclass(frozen=True, slots=True)
class _Layer:
    """Policies as they speak of one action; an inline policy of a token is a layer of its own.

    `lack` is what to say where the layer does not let something through, whatever the reason.
    """

    allows: tuple[_Right, ...]
    denies: tuple[_Right, ...]
    lack: Lack | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """Actions that all statements treat alike: what is true of one is true of each."""

    before: _Layer
    after: _Layer
    callers: tuple[_Layer, ...]
    admitted: bool
    actions: list[str] = field(default_factory=list)

    @property
    def comparisons(self) -> int:
        """How often rights are compared at most."""
        held = (self.before, *self.callers)
        denied = 1 + len(self.after.denies)
        each = denied + sum(len(one.allows) + len(one.denies) * denied for one in held)
        return len(self.after.allows) * each

    def beyond(self, right: _Right) -> Iterator[tuple[str, Lack]]:
        """What of an allow is new and the caller's not."""
        for region in self._new(right):
            lack = self._lack(region, right.condition)
            if lack is not None:
                yield region.text, lack

    def _new(self, right: _Right) -> Iterator[Region]:
        """The regions of an allow that it did not give before."""
        region = Region.of(right.where)
        if any(deny.takes_in(region, right.condition) for deny in self.after.denies):
            return
        if not any(own.takes_in(region, right.condition) for own in self.before.allows):
            yield region
            return
        for deny in self.before.denies:
            if region.meets(deny.where):
                kept_back = region.cut(deny.where)
                if not self._is_denied(kept_back, deny.condition, entails):
                    yield kept_back

    def _lack(self, region: Region, condition: Condition | None) -> Lack | None:
        if not self.admitted:
            return Lack.OUTSIDE_TOKEN
        for layer in self.callers:
            if not any(
                own.takes_in(region, condition, entails_for_another) for own in layer.allows
            ):
                conditional = any(region.is_within(own.where) for own in layer.allows)
                return layer.lack or (Lack.CONDITIONAL if conditional else Lack.NOT_ALLOWED)
            for deny in layer.denies:
                if region.meets(deny.where) and not self._is_denied(
                    region.cut(deny.where), deny.condition, entails_for_another
                ):
                    return layer.lack or Lack.DENIED
        return None

    def _is_denied(
        self,
        region: Region,
        condition: Condition | None,
        entailed: Callable[[Condition | None, Condition | None], bool],
    ) -> bool:
        """Whether the principal is denied the region after the change, wherever somebody is
        denied it under the condition."""
        return any(deny.takes_in(region, condition, entailed) for deny in self.after.denies)


def _beyond(
    statement: Statement, account_id: str, cases: Iterable[_Case], catalogue: Catalogue
) -> Iterator[tuple[str, str, Lack]]:
    """What an allow gives beyond the caller's rights, as (action, resource, lack)."""
    found: dict[tuple[str, Lack], list[str]] = {}
    for case in cases:
        action = case.actions[0]
        if statement.speaks_of(action):
            for where in reach_of(statement, action, account_id):
                for what in case.beyond(_Right(where, statement.condition)):
                    found.setdefault(what, []).extend(case.actions)
    for (resource, lack), actions in found.items():
        for name in _named(statement, actions, catalogue):
            yield name, resource, lack


def _named(statement: Statement, actions: Iterable[str], catalogue: Catalogue) -> Iterator[str]:
    """The actions by the patterns that the statement has for them, or else one by one."""
    missing = dict.fromkeys(actions)
    rest = dict(missing)
    for pattern in statement.actions:
        matched = {action for action in rest if pattern.matches(action)}
        whole = all(action in missing for action in _actions(catalogue) if pattern.matches(action))
        if matched and whole:
            yield pattern.text
            rest = {action: None for action in rest if action not in matched}
    yield from rest


def _cases(
    caller: Grantor,
    account_id: str,
    before: Sequence[AttachedPolicy],
    after: Sequence[AttachedPolicy],
    catalogue: Catalogue,
) -> tuple[_Case, ...]:
    held, given, own = _documents(before), _documents(after), _documents(caller.policies)
    inline = caller.limits.inline
    statements = [one for each in (*held, *given, *own, *inline) for one in each.statements]
    cases: dict[tuple[bool, ...], _Case] = {}
    for action in _actions(catalogue):
        admitted = caller.limits.admit_action(action)
        likeness = (
            admitted,
            any(one.spells_out(action) for one in statements),
            *(one.speaks_of(action) for one in statements),
        )
        if likeness not in cases:
            callers = [_layer(own, action, caller.account_id)]
            callers += [
                _layer([each], action, caller.account_id, Lack.OUTSIDE_TOKEN) for each in inline
            ]
            cases[likeness] = _Case(
                _layer(held, action, account_id),
                _layer(given, action, account_id),
                tuple(callers),
                admitted,
            )
        cases[likeness].actions.append(action)
    return tuple(cases.values())


def _layer(
    documents: Iterable[PolicyDocument],
    action: str,
    account_id: str,
    lack: Lack | None = None,
) -> _Layer:
    rights: dict[Effect, list[_Right]] = {Effect.ALLOW: [], Effect.DENY: []}
    for document in documents:
        for statement in document.statements:
            if statement.speaks_of(action):
                rights[statement.effect] += [
                    _Right(where, statement.condition)
                    for where in reach_of(statement, action, account_id)
                ]
    return _Layer(tuple(rights[Effect.ALLOW]), tuple(rights[Effect.DENY]), lack)


def _documents(policies: Iterable[AttachedPolicy]) -> list[PolicyDocument]:
    return [policy.document for policy in policies]


def _actions(catalogue: Catalogue) -> list[str]:
    return [
        f"{name}:{action.name}"
        for name, product in catalogue.products.items()
        for action in product.actions
    ]
