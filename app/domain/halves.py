"""One half of a decision by itself, as its account may ask for it, then or later.

Each half is what `may_impersonate` says, with everything of the other half left out: an account
that asks for its own can learn nothing of the other, for nothing of it goes in.

Asked again later, not all circumstances of a request are known any more (an external id is never
written down). `Doubt` says what comes out at worst and at best; where both are the same, that is
the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.domain.conditions import Condition, Context
from app.domain.impersonation import (
    CallerHalf,
    Facts,
    OwnerHalf,
    TrustedRelationship,
    may_impersonate,
)
from app.domain.limits import NO_LIMITS, TokenLimits
from app.domain.policy import AttachedPolicy, Effect, PolicyDocument, Statement

#: A statement by policy id, version and place, or a trusted relationship by id and version.
Place = tuple[str, int, int]


def callers_half(facts: Facts) -> CallerHalf:
    """What the caller's account says, without a look at the service account or its trust."""
    return may_impersonate(replace(facts, service_account=None, trust=None)).caller_half


def owners_half(facts: Facts) -> OwnerHalf:
    """What the owner's account says, without a look at the caller's policies or token."""
    return may_impersonate(replace(facts, policies=(), limits=NO_LIMITS)).owner_half


def place_of_trust(trust_id: str, version: int) -> Place:
    """How a trusted relationship is named among the places of a `Doubt`."""
    return (trust_id, version, -1)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is not known any more of a request.

    `forgotten` are keys that it may have told; `context` has the others. `held` are the places
    whose conditions are known to have held in that request, forgotten keys included.
    """

    context: Context
    forgotten: frozenset[str]
    held: frozenset[Place] = frozenset()

    def ask(self, facts: Facts, answer: Callable[[Facts], bool]) -> bool | None:
        """The answer about the request; None where it hangs on what is forgotten."""
        at_worst = answer(self._bent(facts, favourable=False))
        at_best = answer(self._bent(facts, favourable=True))
        return at_worst if at_worst == at_best else None

    def _bent(self, facts: Facts, *, favourable: bool) -> Facts:
        return replace(
            facts,
            policies=self.policies(facts.policies, favourable=favourable),
            trust=self._trust(facts.trust, favourable=favourable),
            limits=self.limits(facts.limits, favourable=favourable),
        )

    def policies(
        self, policies: tuple[AttachedPolicy, ...], *, favourable: bool
    ) -> tuple[AttachedPolicy, ...]:
        """The policies, their doubtful conditions settled for or against the caller."""
        return tuple(
            replace(each, document=self._document(each.document, each.id, each.version, favourable))
            for each in policies
        )

    def limits(self, limits: TokenLimits, *, favourable: bool) -> TokenLimits:
        """The limits of a token, with its inline policies settled likewise."""
        inline = tuple(self._document(each, "inline", 1, favourable) for each in limits.inline)
        return replace(limits, inline=inline)

    def _document(
        self, document: PolicyDocument, policy_id: str, version: int, favourable: bool
    ) -> PolicyDocument:
        statements = enumerate(document.statements)
        return PolicyDocument(
            tuple(
                self._statement(each, (policy_id, version, index), favourable)
                for index, each in statements
            )
        )

    def _statement(self, statement: Statement, place: Place, favourable: bool) -> Statement:
        if statement.condition is None or not self._is_doubtful(statement.condition):
            return statement
        if statement.effect is Effect.DENY:
            # Left as it is it takes effect: what cannot be known counts as a deny.
            rests = favourable and place not in self.held
            return replace(statement, actions=()) if rests else statement
        if self._may_hold(statement.condition) and (favourable or place in self.held):
            return replace(statement, condition=None)
        return statement

    def _trust(
        self, trust: TrustedRelationship | None, *, favourable: bool
    ) -> TrustedRelationship | None:
        if trust is None or trust.condition is None:
            return trust
        held = place_of_trust(trust.id, trust.version) in self.held
        if self._may_hold(trust.condition) and (favourable or held):
            return replace(trust, condition=None)
        return trust

    def _is_doubtful(self, condition: Condition) -> bool:
        """Whether it does not hold for want of what is forgotten, if for nothing else.

        One that is false is so for a key that is known: settled or not, it stays false.
        """
        return not self.forgotten.isdisjoint(condition.undecided_keys(self.context))

    def _may_hold(self, condition: Condition) -> bool:
        """Whether nothing but what is forgotten keeps it from holding."""
        return self.forgotten.issuperset(condition.undecided_keys(self.context))
