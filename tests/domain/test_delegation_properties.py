"""The rule against brute force: what it lets pass, the caller could have done itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.catalogue import ActionPattern
from app.domain.conditions import PRINCIPAL_NAME, Context
from app.domain.delegation import Grantor, find_excess
from app.domain.limits import NO_LIMITS, TokenLimits
from app.domain.names import Vrn
from app.domain.policy import AttachedPolicy, evaluate, root_user_policies
from tests.domain import strategies
from tests.support.policies import CATALOGUE

Rows = list[dict[str, Any]]
Policies = tuple[AttachedPolicy, ...]

VRNS = tuple(vrn for vrn in strategies.VRNS if vrn.account_id != "12")
# Circumstances under which each condition of the strategies holds, fails, and is unknown. Who
# asks is added: it is what differs between the caller and the other one.
CIRCUMSTANCES: tuple[Context, ...] = (
    {},
    {"iam:MfaPresent": True, "iam:AuthAge": 0, "iam:SourceIp": "192.0.2.1"},
    {"iam:MfaPresent": True, "iam:AuthAge": 99, "iam:SourceIp": "10.1.2.3"},
    {"iam:MfaPresent": False, "iam:AuthAge": 0, "iam:SourceIp": "10.1.2.3"},
    {"iam:MfaPresent": False, "iam:AuthAge": 99, "iam:SourceIp": "192.0.2.1"},
)
WIDE = ("*", "*::*:*/*", "*::1*:*/*")
TO_PRODUCTS = TokenLimits(
    (ActionPattern("vserver:*"), ActionPattern("iam:*")),
    (strategies.compiled([{"effect": "allow", "actions": ["*"], "resources": ["*"]}]),),
)
NAMES = ("System1", "System2", "Other")


class Change:
    """A caller, and what somebody else holds before and after."""

    def __init__(
        self, holds: Rows, before: Rows, after: Rows, limits: TokenLimits, account_id: str
    ) -> None:
        self.caller = Grantor("1", strategies.attach(holds), limits)
        self.before = strategies.attach(before)
        self.after = strategies.attach(after)
        self.account_id = account_id

    def __repr__(self) -> str:
        return f"{self.caller}\n{self.account_id}: {self.before}\n -> {self.after}"

    def is_covered(self) -> bool:
        return not excess(self.caller, self.before, self.after, self.account_id)

    def gains(self, action: str, resource: Vrn, context: Context) -> bool:
        """Whether the change lets the other one do it."""
        rights = (self.before, self.after)
        return [
            evaluate(self.account_id, action, resource, context, held).allowed for held in rights
        ] == [False, True]

    def caller_may(self, action: str, resource: Vrn, context: Context) -> bool:
        caller = self.caller
        decision = evaluate(caller.account_id, action, resource, context, caller.policies)
        return decision.allowed and caller.limits.cover(
            caller.account_id, action, resource, context
        )


def excess(caller: Grantor, before: Policies, after: Policies, account_id: str = "1") -> bool:
    return bool(find_excess(caller, account_id, before, after, CATALOGUE))


def narrowed(rows: Rows) -> st.SearchStrategy[dict[str, Any]]:
    """One of these statements, or the same about something else."""
    changed = st.fixed_dictionaries(
        {},
        optional={
            "actions": st.lists(st.sampled_from(strategies.ACTIONS), min_size=1, max_size=2),
            "resources": strategies.few(strategies.RESOURCE_PATTERNS),
            "condition": st.sampled_from(strategies.CONDITIONS),
        },
    )
    return st.builds(lambda row, change: row | change, st.sampled_from(rows), changed)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Mostly of what the caller holds, so that enough of them are covered."""
    wide = draw(strategies.statements("allow")) | {"resources": [draw(st.sampled_from(WIDE))]}
    holds = [wide, *draw(st.lists(strategies.statements(), max_size=2))]
    others = draw(st.lists(strategies.statements(), max_size=2))
    before = draw(st.lists(st.sampled_from(holds + others), max_size=2))
    kept = [row for row in before if draw(st.booleans())]
    new = strategies.often(narrowed(holds), strategies.statements())
    after = [*kept, *draw(st.lists(new, min_size=1, max_size=3))]
    limits = draw(strategies.often(st.sampled_from((NO_LIMITS, TO_PRODUCTS)), strategies.limits()))
    return Change(holds, before, after, limits, draw(st.sampled_from(("1", "1", "1", "1", "2"))))


def gained(change: Change, circumstances: Context, name: str) -> Iterator[tuple[str, Vrn]]:
    context = {**circumstances, PRINCIPAL_NAME: name}
    for action in strategies.ACTIONS:
        for resource in VRNS:
            if change.gains(action, resource, context):
                yield action, resource


@settings(max_examples=400)
@given(changes(), st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_what_is_covered_the_caller_could_have_done_itself(
    change: Change, name: str, callers_name: str
) -> None:
    if not change.is_covered():
        return
    for circumstances in CIRCUMSTANCES:
        context = {**circumstances, PRINCIPAL_NAME: callers_name}
        for action, resource in gained(change, circumstances, name):
            assert change.caller_may(action, resource, context), (action, resource, context)


def test_the_changes_tried_come_out_both_ways_and_refusals_are_seldom_for_nothing() -> None:
    """Otherwise the property above would say little, and the rule would be of little use."""
    seen: Counter[str] = Counter()

    @settings(max_examples=300)
    @given(changes())
    def look(change: Change) -> None:
        new = [
            (action, resource, circumstances)
            for circumstances in CIRCUMSTANCES
            for action, resource in gained(change, circumstances, "System1")
        ]
        if change.is_covered():
            seen["covered"] += 1
            seen["covered, with rights that are new"] += bool(new)
            seen["covered, by a limited token"] += bool(new) and change.caller.limits != NO_LIMITS
            seen["covered, with denies"] += bool(new) and "deny" in repr(change)
            seen["covered, with a condition"] += bool(new) and "Test(" in repr(change)
        else:
            beyond = any(
                not change.caller_may(action, resource, {**context, PRINCIPAL_NAME: "Other"})
                for action, resource, context in new
            )
            seen["refused, for a reason" if beyond else "refused, without one here"] += 1

    look()

    assert seen["covered, with rights that are new"] >= 40, seen
    assert min(seen.values()) >= 5, seen
    assert seen["refused, for a reason"] > 3 * seen["refused, without one here"], seen


# --- What must be covered, whatever the policies


UNNAMED = [source for source in strategies.CONDITIONS if PRINCIPAL_NAME not in str(source)]


def unnamed(rows: Rows) -> Rows:
    """Without conditions on the principal, which hold for nobody else."""
    return [
        {key: value for key, value in row.items() if key != "condition" or value in UNNAMED}
        for row in rows
    ]


rows = st.lists(strategies.statements(), max_size=4)


@given(rows.map(unnamed), rows)
def test_all_that_one_holds_may_be_handed_over_together(holds: Rows, before: Rows) -> None:
    own = strategies.attach(holds)

    assert not excess(Grantor("1", own), strategies.attach(before), own)


@given(strategies.policies(), strategies.policies())
def test_no_change_gives_nothing(holds: Policies, same: Policies) -> None:
    assert not excess(Grantor("1", holds), same, same)


@given(strategies.policies(), strategies.policies())
def test_a_root_user_may_hand_over_all_that_stays_in_its_account(
    before: Policies, after: Policies
) -> None:
    abroad = any(
        statement.spells_out("iam:ImpersonateServiceAccount")
        for policy in after
        for statement in policy.document.statements
    )

    assert abroad or not excess(Grantor("1", root_user_policies()), before, after)


# --- What only helps


@given(changes(), strategies.statements("deny"), st.data())
def test_a_deny_more_or_an_allow_less_gives_nothing(
    change: Change, row: dict[str, Any], data: st.DataObject
) -> None:
    if change.is_covered():
        more = (*change.after, *strategies.attach([row]))
        assert not excess(change.caller, change.before, more, change.account_id)
        fewer = tuple(
            policy for policy in change.after if "DENY" in repr(policy) or data.draw(st.booleans())
        )
        assert not excess(change.caller, change.before, fewer, change.account_id)


@given(changes(), strategies.statements("allow"))
def test_to_hold_more_or_to_be_less_limited_never_forbids(
    change: Change, row: dict[str, Any]
) -> None:
    if change.is_covered():
        held = (*change.caller.policies, *strategies.attach([row]))
        for wider in (Grantor("1", held, change.caller.limits), Grantor("1", held)):
            assert not excess(wider, change.before, change.after, change.account_id)
