"""When one right lies inside another: regions of resources, and conditions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.conditions import Condition, Value
from app.domain.containment import (
    Region,
    entails,
    entails_for_another,
    reach_of,
)
from app.domain.documents import compile_stored
from app.domain.names import Vrn, VrnPattern
from app.domain.policy import Statement
from tests.domain import strategies
from tests.domain.strategies import parsed_condition
from tests.support.policies import allow, deny

SERVERS = "vserver::1:server/*"
WEB = "vserver::1:server/web-*"
IMPERSONATE = "iam:ImpersonateServiceAccount"


def region(*texts: str) -> Region:
    first, *others = (VrnPattern.parse(text) for text in texts)
    whole = Region.of(first)
    for other in others:
        whole = whole.cut(other)
    return whole


def statement(row: dict[str, Any]) -> Statement:
    return compile_stored({"statements": [row]}).statements[0]


def reaches(row: dict[str, Any], action: str = IMPERSONATE) -> list[str]:
    """The patterns that are reached, every part spelled out but for the lone star of a deny."""
    return [
        "*" if pattern.parts is None else "{}::{}:{}/{}".format(*(p.text for p in pattern.parts))
        for pattern in reach_of(statement(row), action, "1")
    ]


# --- Regions


@pytest.mark.parametrize(
    ("texts", "pattern", "within"),
    [
        ([SERVERS], SERVERS, True),
        ([SERVERS], "*", True),
        ([SERVERS], "*::*:*/*", True),
        ([SERVERS], "vserver::1:*/*", True),
        ([WEB], SERVERS, True),
        ([SERVERS], WEB, False),
        (["*"], SERVERS, False),
        (["*"], "*", True),
        (["*::*:*/*"], "*", True),
        (["*"], "*::*:*/*", True),
        ([SERVERS], "iam::1:server/*", False),
        ([SERVERS], "vserver::2:server/*", False),
        ([SERVERS], "vserver::1:volume/*", False),
        # One part is inside by the one pattern, another part by the other.
        (["*::1:server/*", "*::*:*/web-*"], "*::1:*/web-*", True),
        (["*::1:server/*", "*::*:*/web-*"], "*::1:volume/web-*", False),
        (["*::1:server/*", "*::*:*/web-*"], "*::1:*/db-*", False),
    ],
)
def test_a_region_is_within_a_pattern_that_matches_all_of_it(
    texts: list[str], pattern: str, within: bool
) -> None:
    assert region(*texts).is_within(VrnPattern.parse(pattern)) is within


@pytest.mark.parametrize(
    ("texts", "pattern", "met"),
    [
        ([SERVERS], "*", True),
        (["*"], SERVERS, True),
        ([WEB], "vserver::*:*/*-1", True),
        ([WEB], "vserver::1:server/db-1", False),
        ([SERVERS], "vserver::2:server/*", False),
        ([SERVERS], "iam::1:server/*", False),
        ([SERVERS], "vserver::1:volume/*", False),
        ([SERVERS, WEB], "vserver::1:server/db-1", False),
        ([SERVERS, WEB], "vserver::1:server/web-1", True),
    ],
)
def test_a_region_meets_a_pattern_that_may_match_some_of_it(
    texts: list[str], pattern: str, met: bool
) -> None:
    assert region(*texts).meets(VrnPattern.parse(pattern)) is met


def test_what_is_cut_out_goes_by_the_smaller_name() -> None:
    assert region(SERVERS, WEB).text == WEB
    assert region(WEB, SERVERS).text == WEB
    assert region("*", "vserver::1:*/*", WEB).text == WEB
    assert region(WEB, "vserver::1:server/*-1").text == WEB
    assert region(SERVERS, WEB, "vserver::1:server/w*").text == WEB


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(strategies.RESOURCE_PATTERNS), min_size=1, max_size=3),
    st.sampled_from(strategies.RESOURCE_PATTERNS),
    st.sampled_from(strategies.VRNS),
)
def test_within_and_meets_err_in_one_direction(texts: list[str], other: str, vrn: Vrn) -> None:
    pattern = VrnPattern.parse(other)
    inside = all(VrnPattern.parse(text).matches(vrn) for text in texts)

    if inside and region(*texts).is_within(pattern):
        assert pattern.matches(vrn)
    if inside and pattern.matches(vrn):
        assert region(*texts).meets(pattern)


# --- Reach


def test_an_allow_reaches_its_own_account_which_is_spelled_out() -> None:
    assert reaches(allow("*", ["*", "*::1*:*/x", "vserver::1:*/*"])) == [
        "*::1:*/*",
        "*::1:*/x",
        "vserver::1:*/*",
    ]


def test_an_allow_reaches_abroad_by_action_and_account_spelled_out() -> None:
    abroad = ["iam::2:service-account/*", "iam::2*:service-account/*"]

    assert reaches(allow(IMPERSONATE, abroad)) == ["iam::2:service-account/*"]
    assert reaches(allow("iam:*", abroad)) == []
    assert reaches(allow([IMPERSONATE, "iam:GetPolicy"], abroad), "iam:GetPolicy") == []


def test_a_deny_reaches_whatever_it_matches() -> None:
    assert reaches(deny("*", ["*", "*::2*:*/x"])) == ["*", "*::2*:*/x"]


@settings(max_examples=200)
@given(
    strategies.statements().map(statement),
    st.sampled_from(strategies.ACTIONS),
    st.sampled_from(strategies.VRNS),
)
def test_reach_is_what_the_evaluator_reaches(rule: Statement, action: str, vrn: Vrn) -> None:
    if rule.speaks_of(action):
        found = any(pattern.matches(vrn) for pattern in reach_of(rule, action, "1"))

        assert found is rule.reaches(action, vrn, "1")


# --- Conditions

MFA = {"bool": {"iam:MfaPresent": [True]}}
FRESH = {"numberLessThan": {"iam:AuthAge": [60]}}


def condition(source: dict[str, Any] | None) -> Condition | None:
    return None if source is None else parsed_condition(source)


def one(operator: str, key: str, *values: Value) -> dict[str, Any]:
    return {operator: {key: list(values)}}


Pairs = list[tuple[dict[str, Any] | None, dict[str, Any] | None]]

ENTAILED: Pairs = [
    (None, None),
    (MFA, None),
    (MFA, MFA),
    (MFA | FRESH, MFA),
    (FRESH | MFA, MFA | FRESH),
    (one("bool", "iam:MfaPresent", True), one("bool", "iam:MfaPresent", False, True)),
    (one("stringEquals", "iam:Reason", "a"), one("stringEquals", "iam:Reason", "b", "a")),
    (
        one("stringNotEquals", "iam:Reason", "a", "b"),
        one("stringNotEquals", "iam:Reason", "b"),
    ),
    (one("stringLike", "iam:Reason", "ticket-1*"), one("stringLike", "iam:Reason", "x", "ticket*")),
    (one("numberLessThan", "iam:AuthAge", 60), one("numberLessThan", "iam:AuthAge", 60.0)),
    (one("numberLessThan", "iam:AuthAge", 59), one("numberLessThan", "iam:AuthAge", 60)),
    (
        one("numberLessThanEquals", "iam:AuthAge", 59),
        one("numberLessThanEquals", "iam:AuthAge", 60),
    ),
    (
        one("numberLessThanEquals", "iam:AuthAge", 60),
        one("numberLessThanEquals", "iam:AuthAge", 60),
    ),
    (one("numberGreaterThan", "iam:AuthAge", 60), one("numberGreaterThan", "iam:AuthAge", 60)),
    (
        one("numberGreaterThanEquals", "iam:AuthAge", 60),
        one("numberGreaterThanEquals", "iam:AuthAge", 60),
    ),
    (one("numberGreaterThan", "iam:AuthAge", 61), one("numberGreaterThan", "iam:AuthAge", 60)),
    (
        one("numberGreaterThanEquals", "iam:AuthAge", 61),
        one("numberGreaterThanEquals", "iam:AuthAge", 60),
    ),
    (
        one("ipAddress", "iam:SourceIp", "10.1.0.0/16", "2001:db8::1"),
        one("ipAddress", "iam:SourceIp", "2001:db8::/32", "10.0.0.0/8"),
    ),
    (
        one("notIpAddress", "iam:SourceIp", "10.0.0.0/8", "192.0.2.0/24"),
        one("notIpAddress", "iam:SourceIp", "10.1.0.0/16"),
    ),
]
NOT_ENTAILED: Pairs = [
    (None, MFA),
    (MFA, FRESH),
    (MFA, MFA | FRESH),
    (one("bool", "iam:MfaPresent", True), one("bool", "iam:MfaPresent", False)),
    (one("bool", "iam:MfaPresent", False, True), one("bool", "iam:MfaPresent", True)),
    (one("stringEquals", "iam:Reason", "a"), one("stringEquals", "iam:ExternalId", "a")),
    (one("stringEquals", "iam:Reason", "a"), one("stringLike", "iam:Reason", "a")),
    (one("stringEquals", "iam:Reason", "b", "a"), one("stringEquals", "iam:Reason", "a")),
    (
        one("stringNotEquals", "iam:Reason", "b"),
        one("stringNotEquals", "iam:Reason", "a", "b"),
    ),
    (one("stringLike", "iam:Reason", "ticket*"), one("stringLike", "iam:Reason", "ticket-1*")),
    (one("stringEquals", "iam:Reason", "a"), one("stringEquals", "iam:Reason", "*")),
    (one("numberLessThan", "iam:AuthAge", 61), one("numberLessThan", "iam:AuthAge", 60)),
    (
        one("numberLessThanEquals", "iam:AuthAge", 61),
        one("numberLessThanEquals", "iam:AuthAge", 60),
    ),
    (one("numberGreaterThan", "iam:AuthAge", 59), one("numberGreaterThan", "iam:AuthAge", 60)),
    (
        one("numberGreaterThanEquals", "iam:AuthAge", 59),
        one("numberGreaterThanEquals", "iam:AuthAge", 60),
    ),
    (
        one("ipAddress", "iam:SourceIp", "10.0.0.0/8"),
        one("ipAddress", "iam:SourceIp", "10.1.0.0/16"),
    ),
    (one("ipAddress", "iam:SourceIp", "10.0.0.1"), one("ipAddress", "iam:SourceIp", "::/0")),
    (
        one("notIpAddress", "iam:SourceIp", "10.1.0.0/16"),
        one("notIpAddress", "iam:SourceIp", "10.0.0.0/8"),
    ),
]


@pytest.mark.parametrize(("strong", "weak"), ENTAILED)
def test_a_condition_entails_a_weaker_one(
    strong: dict[str, Any] | None, weak: dict[str, Any] | None
) -> None:
    assert entails(condition(strong), condition(weak))
    assert entails_for_another(condition(strong), condition(weak))


@pytest.mark.parametrize(("strong", "weak"), NOT_ENTAILED)
def test_a_condition_does_not_entail_a_stronger_or_another_one(
    strong: dict[str, Any] | None, weak: dict[str, Any] | None
) -> None:
    assert not entails(condition(strong), condition(weak))
    assert not entails_for_another(condition(strong), condition(weak))


@pytest.mark.parametrize(
    "key", ["iam:PrincipalId", "iam:PrincipalName", "iam:PrincipalAccount", "iam:PrincipalType"]
)
def test_what_is_said_of_a_principal_tells_nothing_about_another(key: str) -> None:
    named = condition(one("stringEquals", key, "x"))

    assert entails(named, named)
    assert entails_for_another(named, named) is False
    both = condition(one("stringEquals", key, "x") | MFA)
    assert entails_for_another(both, both) is False
    assert entails_for_another(named, None)
    # What the stronger one says on top of it does no harm.
    assert entails_for_another(both, condition(MFA))


SOURCES = [
    *map(parsed_condition, strategies.CONDITIONS),
    *(parsed_condition(each) for pair in (*ENTAILED, *NOT_ENTAILED) for each in pair if each),
]
PAIRS = [(strong, weak) for strong in SOURCES for weak in SOURCES if entails(strong, weak)]


@settings(max_examples=300)
@given(strategies.contexts(), st.sampled_from((None, "a", "b", "ticket-1", "x")))
def test_what_is_entailed_is_at_least_as_true(
    context: dict[str, Value], reason: str | None
) -> None:
    known = context if reason is None else context | {"iam:Reason": reason}
    order = {False: 0, None: 1, True: 2}

    for strong, weak in PAIRS:
        assert order[strong.outcome(known)] <= order[weak.outcome(known)]
