"""Conditions: tests over the circumstances of a request, in three values.

A test on an absent key is *unknown* (None). All tests of a condition must hold; false beats
unknown, as in Kleene's logic. What unknown means is for the caller to say: an allow then has
no effect, a deny takes effect.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.names import Glob
from app.domain.problems import Problem

Value = str | int | float | bool
Context = Mapping[str, Value]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CURRENT_TIME = "iam:CurrentTime"
SOURCE_IP = "iam:SourceIp"
MFA_PRESENT = "iam:MfaPresent"
AUTH_AGE = "iam:AuthAge"
PRINCIPAL_ID = "iam:PrincipalId"
PRINCIPAL_NAME = "iam:PrincipalName"
PRINCIPAL_ACCOUNT = "iam:PrincipalAccount"
PRINCIPAL_TYPE = "iam:PrincipalType"
EXTERNAL_ID = "iam:ExternalId"
REASON = "iam:Reason"

_TEXT, _NUMBER, _FLAG, _ADDRESS = "text", "a number", "true or false", "an IP address"

#: The IPv4 addresses in IPv6 clothes (RFC 4291 section 2.5.5.2).
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")

#: What each key holds. An address is text as well: `stringEquals` may ask for it.
KEYS: dict[str, str] = {
    CURRENT_TIME: _NUMBER,
    SOURCE_IP: _ADDRESS,
    MFA_PRESENT: _FLAG,
    AUTH_AGE: _NUMBER,
    PRINCIPAL_ID: _TEXT,
    PRINCIPAL_NAME: _TEXT,
    PRINCIPAL_ACCOUNT: _TEXT,
    PRINCIPAL_TYPE: _TEXT,
    EXTERNAL_ID: _TEXT,
    REASON: _TEXT,
}


@dataclass(frozen=True, slots=True)
class Operator:
    """One row of the operator table.

    `read` turns a value of the document into its operand and a value of the request into what
    is compared; both return None where the value is not of the kind. `negated` operators hold
    when no operand matches.
    """

    keys: tuple[str, ...]
    expects: str
    read_operand: Callable[[Any], Any | None]
    read_value: Callable[[Value], Any | None]
    test: Callable[[Any, Any], bool]
    negated: bool = False


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _glob(value: Any) -> Glob | None:
    return Glob(value) if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _network(value: Any) -> Network | None:
    """Read a network; an IPv4 network in IPv6 clothes is the IPv4 network that it is."""
    if not isinstance(value, str):
        return None
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        low = int(network.network_address) & 0xFFFF_FFFF
        return ipaddress.IPv4Network((low, network.prefixlen - _MAPPED.prefixlen))
    return network


def _address(value: Any) -> Address | None:
    """Read an address; an IPv4 address in IPv6 clothes is the IPv4 address that it is."""
    if not isinstance(value, str):
        return None
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def canonical_address(text: str) -> str:
    """The one spelling of an address, so that comparing text cannot miss it; else the text."""
    address = _address(text)
    return text if address is None else str(address)


def _in_network(address: Address, network: Network) -> bool:
    """Versions do not mix: no IPv4 address is in an IPv6 network, nor the reverse."""
    return address in network


_STRINGS = (_TEXT, _ADDRESS)
_TEXT_VALUE = "text"
_CIDR_VALUE = "an address or a network such as 10.0.0.0/8, host bits zero"

OPERATORS: dict[str, Operator] = {
    "stringEquals": Operator(_STRINGS, _TEXT_VALUE, _text, _text, lambda v, o: bool(v == o)),
    "stringNotEquals": Operator(
        _STRINGS, _TEXT_VALUE, _text, _text, lambda v, o: bool(v == o), negated=True
    ),
    "stringLike": Operator(_STRINGS, _TEXT_VALUE, _glob, _text, lambda v, o: bool(o.matches(v))),
    "numberLessThan": Operator((_NUMBER,), _NUMBER, _number, _number, lambda v, o: bool(v < o)),
    "numberLessThanEquals": Operator(
        (_NUMBER,), _NUMBER, _number, _number, lambda v, o: bool(v <= o)
    ),
    "numberGreaterThan": Operator((_NUMBER,), _NUMBER, _number, _number, lambda v, o: bool(v > o)),
    "numberGreaterThanEquals": Operator(
        (_NUMBER,), _NUMBER, _number, _number, lambda v, o: bool(v >= o)
    ),
    "bool": Operator((_FLAG,), _FLAG, _flag, _flag, lambda v, o: bool(v is o)),
    "ipAddress": Operator((_ADDRESS,), _CIDR_VALUE, _network, _address, _in_network),
    "notIpAddress": Operator(
        (_ADDRESS,), _CIDR_VALUE, _network, _address, _in_network, negated=True
    ),
}


@dataclass(frozen=True, slots=True)
class Test:
    """One operator applied to one key; `operands` are the document's values, read."""

    operator: str
    key: str
    operands: tuple[Any, ...]

    def outcome(self, context: Context) -> bool | None:
        """True, false, or None (unknown) where the request does not tell."""
        operator = OPERATORS[self.operator]
        if self.key not in context:
            return None
        value = operator.read_value(context[self.key])
        if value is None:
            return None
        found = any(operator.test(value, operand) for operand in self.operands)
        return found is not operator.negated


@dataclass(frozen=True, slots=True)
class Condition:
    """All of these tests must hold. `source` is the document as written, for people to read."""

    tests: tuple[Test, ...]
    source: Mapping[str, Any]

    def outcome(self, context: Context) -> bool | None:
        """True, false or unknown; false beats unknown."""
        result: bool | None = True
        for test in self.tests:
            outcome = test.outcome(context)
            if outcome is False:
                return False
            if outcome is None:
                result = None
        return result

    def undecided_keys(self, context: Context) -> tuple[str, ...]:
        """The keys whose tests do not hold, in order: what an explanation has to name."""
        return tuple(test.key for test in self.tests if test.outcome(context) is not True)


def outcome_of(condition: Condition | None, context: Context) -> bool | None:
    """The outcome of a condition that may be missing; none at all always holds."""
    return True if condition is None else condition.outcome(context)


def parse_condition(source: Any, path: str, problems: list[Problem]) -> Condition | None:
    """Read ``{operator: {key: [values]}}``; adds to `problems` what is wrong, and where."""
    before = len(problems)
    if not isinstance(source, dict) or not source:
        problems.append(Problem(path, "expected an object of operators, or no condition at all"))
        return None
    tests = tuple(_tests(source, path, problems))
    return Condition(tests, source) if len(problems) == before else None


def _tests(source: dict[str, Any], path: str, problems: list[Problem]) -> Iterator[Test]:
    for name, keys in source.items():
        here = f"{path}.{name}"
        operator = OPERATORS.get(name)
        if operator is None:
            known = ", ".join(OPERATORS)
            problems.append(Problem(here, f"unknown operator; expected one of {known}"))
        elif not isinstance(keys, dict) or not keys:
            problems.append(Problem(here, "expected an object of condition keys"))
        else:
            for key, values in keys.items():
                operands = _operands(operator, key, values, f"{here}.{key}", problems)
                yield Test(name, key, operands)


def _operands(
    operator: Operator, key: str, values: Any, path: str, problems: list[Problem]
) -> tuple[Any, ...]:
    """What the values are, read; of no use once there is a problem."""
    kind = KEYS.get(key)
    if kind is None:
        known = ", ".join(KEYS)
        problems.append(Problem(path, f"unknown condition key; expected one of {known}"))
        return ()
    if kind not in operator.keys:
        problems.append(Problem(path, f"this operator does not apply to a key that holds {kind}"))
        return ()
    if not isinstance(values, list) or not values:
        problems.append(Problem(path, "expected a list with at least one value"))
        return ()
    operands = []
    for index, value in enumerate(values):
        operand = operator.read_operand(value)
        if operand is None:
            problems.append(Problem(f"{path}[{index}]", f"expected {operator.expects}"))
        else:
            operands.append(operand)
    return tuple(operands)
