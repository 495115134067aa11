"""When one right lies inside another: resources inside resources, conditions inside conditions.

The answers err in one direction: "inside" is said only where it is certain, and "meets" wherever
it is possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from app.domain import conditions
from app.domain.conditions import OPERATORS, Condition, Network, Test
from app.domain.names import Glob, VrnPattern
from app.domain.policy import Effect, Statement

#: What differs from principal to principal in one and the same request.
PRINCIPAL_KEYS = frozenset(
    {
        conditions.PRINCIPAL_ID,
        conditions.PRINCIPAL_NAME,
        conditions.PRINCIPAL_ACCOUNT,
        conditions.PRINCIPAL_TYPE,
    }
)

_ANY = Glob("*")
_EVERYTHING = (_ANY, _ANY, _ANY, _ANY)


@dataclass(frozen=True, slots=True)
class Region:
    """The resources that match every one of some patterns. `text` names them for people."""

    text: str
    patterns: tuple[VrnPattern, ...]

    @classmethod
    def of(cls, pattern: VrnPattern) -> Region:
        return cls(pattern.text, (pattern,))

    def is_within(self, pattern: VrnPattern) -> bool:
        """Whether the pattern matches all of the region.

        Part by part: what matches all of our patterns matches the one that is inside theirs.
        """
        product, account, type_, id_ = _parts(pattern)
        # Ids tell most patterns apart: they come first, for there may be thousands to compare.
        return (
            any(id_.covers(own[3]) for own in map(_parts, self.patterns))
            and any(type_.covers(own[2]) for own in map(_parts, self.patterns))
            and any(account.covers(own[1]) for own in map(_parts, self.patterns))
            and any(product.covers(own[0]) for own in map(_parts, self.patterns))
        )

    def meets(self, pattern: VrnPattern) -> bool:
        """Whether the pattern may match something of the region."""
        theirs = _parts(pattern)
        return all(
            part.overlaps(other)
            for own in self.patterns
            for part, other in zip(_parts(own), theirs, strict=True)
        )

    def cut(self, pattern: VrnPattern) -> Region:
        """What the pattern matches of the region."""
        smaller = all(Region.of(pattern).is_within(own) for own in self.patterns)
        return Region(pattern.text if smaller else self.text, (*self.patterns, pattern))


def reach_of(statement: Statement, action: str, account_id: str) -> Iterator[VrnPattern]:
    """Where a statement of a principal of `account_id` that speaks of the action reaches.

    It is `Statement.reaches` for all resources at once: the patterns of an allow come with the
    account that they reach spelled out, so that two of them compare.
    """
    for pattern in statement.resources:
        if statement.effect is Effect.DENY:
            yield pattern
        elif pattern.touches_account(account_id):
            product, _, type_, id_ = _parts(pattern)
            yield VrnPattern(pattern.text, (product, Glob(account_id), type_, id_))
        elif pattern.literal_account is not None and statement.spells_out(action):
            yield pattern


def _parts(pattern: VrnPattern) -> tuple[Glob, Glob, Glob, Glob]:
    return _EVERYTHING if pattern.parts is None else pattern.parts


def entails(strong: Condition | None, weak: Condition | None) -> bool:
    """Whether `weak` is at least as true as `strong` under every context.

    True where `strong` is true, and not false where `strong` is not false. It is worked out
    test by test: two tests that only together say what a third one says are not seen.
    """
    if weak is None:
        return True
    return strong is not None and all(
        any(_test_entails(given, wanted) for given in strong.tests) for wanted in weak.tests
    )


def entails_for_another(strong: Condition | None, weak: Condition | None) -> bool:
    """The same where `weak` is tested for another principal than `strong`, in like circumstances.

    Address, time, second factor, external id and reason are then taken to be alike. What a
    condition says of the principal is not: no other principal's truth tells anything about it.
    """
    if weak is not None and any(test.key in PRINCIPAL_KEYS for test in weak.tests):
        return False
    return entails(strong, weak)


def _test_entails(strong: Test, weak: Test) -> bool:
    """Both read a value alike, being of one operator: what one can't read, the other can't."""
    if (strong.operator, strong.key) != (weak.operator, weak.key):
        return False
    inside = _INSIDE.get(strong.operator, _is_same)
    if OPERATORS[strong.operator].negated:
        # The operands are what must not be: the strong test has to shut out as much or more.
        strong, weak = weak, strong
    return all(any(inside(own, other) for other in weak.operands) for own in strong.operands)


def _is_same(narrow: Any, wide: Any) -> bool:
    return bool(narrow == wide)


def _is_part(narrow: Network, wide: Network) -> bool:
    # `subnet_of` refuses to compare versions; what is compared here is written in one.
    return narrow.version == wide.version and narrow.subnet_of(wide)  # type: ignore[arg-type]


#: For which operators an operand may lie inside another without being the same.
_INSIDE: dict[str, Callable[[Any, Any], bool]] = {
    "stringLike": lambda narrow, wide: bool(wide.covers(narrow)),
    "numberLessThan": lambda narrow, wide: bool(narrow <= wide),
    "numberLessThanEquals": lambda narrow, wide: bool(narrow <= wide),
    "numberGreaterThan": lambda narrow, wide: bool(narrow >= wide),
    "numberGreaterThanEquals": lambda narrow, wide: bool(narrow >= wide),
    "ipAddress": _is_part,
    "notIpAddress": _is_part,
}
