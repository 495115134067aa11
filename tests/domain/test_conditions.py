"""Conditions: how they are read, what is refused with which path, and their three values.

Each operator, true, false and unknown, is in ``cases/operators.toml``.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from app.domain import conditions
from app.domain.conditions import Condition, outcome_of, parse_condition
from app.domain.problems import Problem

IP, AGE, MFA, NAME = "iam:SourceIp", "iam:AuthAge", "iam:MfaPresent", "iam:PrincipalName"


def condition(source: dict[str, Any]) -> Condition:
    problems: list[Problem] = []
    parsed = parse_condition(source, "condition", problems)
    assert parsed is not None, problems
    return parsed


def problems_of(source: Any) -> list[str]:
    problems: list[Problem] = []
    assert parse_condition(source, "condition", problems) is None
    return [str(problem) for problem in problems]


def outcome(operator: str, key: str, values: list[Any], value: Any) -> bool | None:
    return condition({operator: {key: values}}).outcome({key: value})


# --- Reading


@pytest.mark.parametrize("source", [None, [], {}, "bool", 1, [{"bool": {MFA: [True]}}]])
def test_a_condition_is_an_object_of_operators(source: Any) -> None:
    assert problems_of(source) == [
        "condition: expected an object of operators, or no condition at all"
    ]


def test_an_unknown_operator_is_refused_and_the_known_are_listed() -> None:
    assert problems_of({"stringequals": {NAME: ["x"]}}) == [
        "condition.stringequals: unknown operator; expected one of stringEquals, "
        "stringNotEquals, stringLike, numberLessThan, numberLessThanEquals, numberGreaterThan, "
        "numberGreaterThanEquals, bool, ipAddress, notIpAddress"
    ]


@pytest.mark.parametrize("keys", [None, {}, [], "iam:MfaPresent", True])
def test_an_operator_has_an_object_of_keys(keys: Any) -> None:
    assert problems_of({"bool": keys}) == ["condition.bool: expected an object of condition keys"]


@pytest.mark.parametrize("key", ["iam:mfapresent", "MfaPresent", "aws:MfaPresent", ""])
def test_an_unknown_key_is_refused_and_the_known_are_listed(key: str) -> None:
    assert problems_of({"bool": {key: [True]}}) == [
        f"condition.bool.{key}: unknown condition key; expected one of iam:CurrentTime, "
        "iam:SourceIp, iam:MfaPresent, iam:AuthAge, iam:PrincipalId, iam:PrincipalName, "
        "iam:PrincipalAccount, iam:PrincipalType, iam:ExternalId, iam:Reason"
    ]


def test_what_a_condition_may_ask_about() -> None:
    assert conditions.KEYS == {
        "iam:CurrentTime": "a number",
        "iam:SourceIp": "an IP address",
        "iam:MfaPresent": "true or false",
        "iam:AuthAge": "a number",
        "iam:PrincipalId": "text",
        "iam:PrincipalName": "text",
        "iam:PrincipalAccount": "text",
        "iam:PrincipalType": "text",
        "iam:ExternalId": "text",
        "iam:Reason": "text",
    }


@pytest.mark.parametrize("values", [None, [], True, "x", {}, {"0": True}])
def test_a_key_has_a_list_of_values_that_is_not_empty(values: Any) -> None:
    assert problems_of({"bool": {MFA: values}}) == [
        f"condition.bool.{MFA}: expected a list with at least one value"
    ]


NUMBERS = (
    "numberLessThan",
    "numberLessThanEquals",
    "numberGreaterThan",
    "numberGreaterThanEquals",
)
KINDS = {
    "text": ("stringEquals", "stringNotEquals", "stringLike"),
    "a number": NUMBERS,
    "true or false": ("bool",),
    "an IP address": ("ipAddress", "notIpAddress", "stringEquals", "stringNotEquals", "stringLike"),
}
GOOD = {"string": ["x"], "number": [1], "bool": [True], "ipAddr": ["10.0.0.1"], "notIpA": ["::1"]}


@pytest.mark.parametrize("key", conditions.KEYS)
@pytest.mark.parametrize("operator", conditions.OPERATORS)
def test_an_operator_applies_to_keys_of_its_kind_only(operator: str, key: str) -> None:
    kind = conditions.KEYS[key]
    values = next(good for prefix, good in GOOD.items() if operator.startswith(prefix))

    if operator in KINDS[kind]:
        assert condition({operator: {key: values}}).tests[0].key == key
    else:
        assert problems_of({operator: {key: values}}) == [
            f"condition.{operator}.{key}: this operator does not apply to a key that holds {kind}"
        ]


def test_values_of_an_operator_that_does_not_apply_are_no_faults_beside() -> None:
    assert problems_of({"bool": {NAME: ["x", 1]}}) == [
        f"condition.bool.{NAME}: this operator does not apply to a key that holds text"
    ]


@pytest.mark.parametrize("value", [None, 1, True, ["x"], {}])
@pytest.mark.parametrize("operator", ["stringEquals", "stringNotEquals", "stringLike"])
def test_text_is_compared_with_text_only(operator: str, value: Any) -> None:
    assert problems_of({operator: {NAME: ["x", value]}}) == [
        f"condition.{operator}.{NAME}[1]: expected text"
    ]


@pytest.mark.parametrize("value", [None, "1", True, False, [1], math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("operator", NUMBERS)
def test_numbers_are_compared_with_finite_numbers_only(operator: str, value: Any) -> None:
    assert problems_of({operator: {AGE: [value]}}) == [
        f"condition.{operator}.{AGE}[0]: expected a number"
    ]


@pytest.mark.parametrize("value", [None, 0, 1, "true", "", [True]])
def test_a_flag_is_compared_with_true_or_false_only(value: Any) -> None:
    assert problems_of({"bool": {MFA: [value]}}) == [
        f"condition.bool.{MFA}[0]: expected true or false"
    ]


NO_NETWORKS = {
    "nothing": None,
    "a number, which Python would take for an address": 167772160,
    "empty": "",
    "a name": "localhost",
    "a host bit set": "10.0.0.1/8",
    "a host bit set, IPv6": "2001:db8::1/32",
    "a prefix of 33": "10.0.0.0/33",
    "a prefix of 129": "::/129",
    "a part above 255": "10.0.0.256",
    "a leading zero": "010.0.0.1",
    "three parts": "10.0.0",
    "a star": "10.*",
    "two at once": "10.0.0.1,10.0.0.2",
    "a space": " 10.0.0.1",
    "a port": "10.0.0.1:80",
    "brackets": "[::1]",
}


@pytest.mark.parametrize("operator", ["ipAddress", "notIpAddress"])
@pytest.mark.parametrize("value", NO_NETWORKS.values(), ids=NO_NETWORKS.keys())
def test_an_address_is_compared_with_addresses_and_networks_only(operator: str, value: Any) -> None:
    assert problems_of({operator: {IP: [value]}}) == [
        f"condition.{operator}.{IP}[0]: expected an address or a network such as 10.0.0.0/8, "
        "host bits zero"
    ]


def test_every_fault_is_found_at_once() -> None:
    paths = [
        problem.partition(": ")[0]
        for problem in problems_of(
            {
                "like": {},
                "bool": {MFA: [1, True, 0], "iam:Mood": [True]},
                "numberLessThan": [],
                "ipAddress": {IP: []},
            }
        )
    ]

    assert paths == [
        "condition.like",
        f"condition.bool.{MFA}[0]",
        f"condition.bool.{MFA}[2]",
        "condition.bool.iam:Mood",
        "condition.numberLessThan",
        f"condition.ipAddress.{IP}",
    ]


def test_the_condition_keeps_its_source_for_people_to_read() -> None:
    source = {"bool": {MFA: [True]}}

    assert condition(source).source == source


# --- Addresses


@pytest.mark.parametrize(
    ("networks", "address", "inside"),
    [
        (["10.0.0.0/8"], "10.255.255.255", True),
        (["10.0.0.0/8"], "11.0.0.0", False),
        (["10.0.0.7"], "10.0.0.7", True),
        (["10.0.0.7/32"], "10.0.0.8", False),
        (["0.0.0.0/0"], "203.0.113.9", True),
        (["2001:db8::/32"], "2001:db8:ffff::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["2001:DB8::"], "2001:db8:0:0::0", True),
        # Versions do not mix: all of IPv4 is no IPv6 address, and the reverse.
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["::/0"], "10.0.0.1", False),
        (["::/0"], "2001:db8::1", True),
        # An IPv4 address or network in IPv6 clothes is the IPv4 one, on either side.
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8"], "::ffff:a01:203", True),
        (["::ffff:10.0.0.0/104"], "10.1.2.3", True),
        (["::ffff:10.0.0.0/104"], "::ffff:10.1.2.3", True),
        (["::ffff:10.0.0.0/104"], "11.1.2.3", False),
        (["::ffff:10.1.2.3"], "10.1.2.3", True),
        (["::ffff:0:0/96"], "203.0.113.9", True),
        (["::/0"], "::ffff:10.1.2.3", False),
        # "IPv4-compatible" addresses are another thing.
        (["10.0.0.0/8"], "::10.1.2.3", False),
        (["192.0.2.0/24", "2001:db8::/32"], "2001:db8::1", True),
    ],
)
def test_an_address_is_in_a_network_or_not(networks: list[str], address: str, inside: bool) -> None:
    assert outcome("ipAddress", IP, networks, address) is inside
    assert outcome("notIpAddress", IP, networks, address) is not inside


@pytest.mark.parametrize("value", ["", "unknown", "10.0.0.1/32", "10.0.0.1, 10.0.0.2", 7, True])
@pytest.mark.parametrize("operator", ["ipAddress", "notIpAddress"])
def test_a_source_that_is_no_address_is_unknown(operator: str, value: Any) -> None:
    assert outcome(operator, IP, ["0.0.0.0/0"], value) is None


def test_an_address_is_text_as_well() -> None:
    assert outcome("stringEquals", IP, ["10.0.0.1"], "10.0.0.1") is True
    assert outcome("stringLike", IP, ["10.*"], "11.0.0.1") is False


# --- Other values of a request


@pytest.mark.parametrize(
    ("operator", "key", "values", "value"),
    [
        ("numberLessThan", AGE, [1], "0"),
        ("numberLessThan", AGE, [1], False),
        ("numberLessThan", AGE, [1], math.nan),
        ("numberGreaterThan", AGE, [1], math.inf),
        ("bool", MFA, [True], 1),
        ("bool", MFA, [True], "true"),
        ("stringEquals", NAME, ["1"], 1),
        ("stringNotEquals", NAME, ["1"], 1),
        ("stringLike", NAME, ["*"], True),
    ],
)
def test_a_value_of_another_kind_is_unknown(
    operator: str, key: str, values: list[Any], value: Any
) -> None:
    assert outcome(operator, key, values, value) is None


@pytest.mark.parametrize(
    ("operator", "bound", "value", "expected"),
    [
        ("numberLessThan", 10**4000, 1.5, True),
        ("numberGreaterThan", 10**4000, 1e308, False),
        ("numberLessThanEquals", 2**53 + 1, float(2**53), True),
        ("numberGreaterThanEquals", 2**53 + 1, float(2**53), False),
        ("numberLessThan", -0.0, 0, False),
        ("numberGreaterThanEquals", 1.5, 1.5, True),
    ],
)
def test_numbers_are_compared_exactly_however_large(
    operator: str, bound: float, value: float, expected: bool
) -> None:
    assert outcome(operator, AGE, [bound], value) is expected


# --- Three values


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({MFA: True, AGE: 1}, True),
        ({MFA: False, AGE: 1}, False),
        ({MFA: True}, None),
        ({AGE: 1}, None),
        ({}, None),
        ({MFA: False}, False),
        ({AGE: 9}, False),
    ],
)
def test_all_tests_must_hold_and_false_beats_unknown(
    context: dict[str, Any], expected: bool | None
) -> None:
    both = condition({"bool": {MFA: [True]}, "numberLessThan": {AGE: [5]}})

    assert both.outcome(context) is expected
    assert outcome_of(both, context) is expected


def test_no_condition_always_holds() -> None:
    assert outcome_of(None, {}) is True


def test_an_explanation_names_the_keys_whose_tests_do_not_hold() -> None:
    tests = condition(
        {"bool": {MFA: [True]}, "numberLessThan": {AGE: [5]}, "stringEquals": {NAME: ["x"]}}
    )

    assert tests.undecided_keys({MFA: True, AGE: 9}) == (AGE, NAME)
    assert tests.undecided_keys({MFA: True, AGE: 1, NAME: "x"}) == ()
