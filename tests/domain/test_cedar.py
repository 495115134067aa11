"""Our policy decisions against those of Cedar, an engine that we did not write.

Random documents are translated to Cedar policies and random requests asked of both. Cedar has no
accounts and no unknown: our rules of reach are spelled out in the translation, and every request
tells every key. (A Cedar policy that meets an absent key is skipped, a `forbid` too; here a deny
then takes effect. ``cases/operators.toml`` has that.)
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from dataclasses import replace
from typing import Any

from cedarpy import AuthzResult, is_authorized_batch

from app.domain.documents import compile_document
from app.domain.names import Vrn
from app.domain.policy import AttachedPolicy, PolicyDecision, evaluate
from tests.support.policies import CATALOGUE

SEED = 8693
DOCUMENTS = 500
REQUESTS = 40

ACCOUNTS = ("53461", "60108", "601", "7")
IMPERSONATE = "iam:ImpersonateServiceAccount"
ACTIONS = (
    *(IMPERSONATE, IMPERSONATE, IMPERSONATE, "iam:GetPolicy", "iam:ListPolicy"),
    *("vserver:ListServers", "vserver:StopServer", "vserver:DeleteServer", "vserver:ListVolumes"),
)
ACTION_PATTERNS = (
    *("*", "iam:*", "iam:Imp*", "iam:*t*", "iam:ImpersonateServiceAccount*", "iam:GetPolicy"),
    *("vserver:*", "vserver:List*", "vserver:*Server", "vserver:S*Server*", "vserver:StopServer"),
    *(IMPERSONATE,) * 6,
)
SERVICE_ACCOUNT = "service-account"
KINDS = (("iam", SERVICE_ACCOUNT), ("iam", "policy"), ("vserver", "server"))
IDS = ("sa-1", "sa-12", "web-1", "*")
RESOURCES = tuple(
    Vrn(product, account, kind, id_)
    for account in ACCOUNTS
    for product, kind in KINDS
    for id_ in IDS
)
ACCOUNT_PATTERNS = (*ACCOUNTS, *ACCOUNTS, *ACCOUNTS, "*", "60*", "*1", "5*61")
ID_PATTERNS = ("*", "sa-*", "sa-1", "*1", "web-1", "*-*")

TEXTS = ("System1", "System2", "", "a*b", 'say "hi" \\o/', "Jürgen", "x" * 40)
TEXT_PATTERNS = ("*", "System*", "*1", "S*m*", '*"hi"*', "*\\*", "a*b", "", "J*n", "*x*x*x*")
NUMBERS = (-5, 0, 59, 60, 61, 1_700_000_000)
ADDRESSES = ("10.1.2.3", "10.255.0.1", "192.0.2.7", "2001:db8::1", "2001:db9::1", "::1")
NETWORKS = (
    *("10.0.0.0/8", "10.1.2.3", "10.1.0.0/16", "192.0.2.0/29", "0.0.0.0/0", "198.51.100.7/32"),
    *("2001:db8::/32", "::/0", "::1", "2001:db8::1/128"),
)
KEYS: dict[str, tuple[Any, ...]] = {
    "iam:CurrentTime": NUMBERS,
    "iam:AuthAge": NUMBERS,
    "iam:MfaPresent": (True, False),
    "iam:SourceIp": ADDRESSES,
    "iam:PrincipalId": TEXTS,
    "iam:PrincipalName": TEXTS,
    "iam:PrincipalAccount": ACCOUNTS,
    "iam:PrincipalType": ("iam-user", "service-account"),
    "iam:ExternalId": TEXTS,
    "iam:Reason": TEXTS,
}
TEXT_KEYS = ("iam:PrincipalId", "iam:PrincipalName", "iam:ExternalId", "iam:Reason", "iam:SourceIp")
NUMBER_KEYS = ("iam:CurrentTime", "iam:AuthAge")
# What each operator may be asked of, with which values, and how Cedar says it.
OPERATORS: dict[str, tuple[tuple[str, ...], tuple[Any, ...], str]] = {
    "stringEquals": (TEXT_KEYS, (*TEXTS, *ADDRESSES), "{key} == {value}"),
    "stringNotEquals": (TEXT_KEYS, (*TEXTS, *ADDRESSES), "{key} == {value}"),
    "stringLike": (TEXT_KEYS, (*TEXT_PATTERNS, "10.*", "*::1"), "{key} like {value}"),
    "numberLessThan": (NUMBER_KEYS, NUMBERS, "{key} < {value}"),
    "numberLessThanEquals": (NUMBER_KEYS, NUMBERS, "{key} <= {value}"),
    "numberGreaterThan": (NUMBER_KEYS, NUMBERS, "{key} > {value}"),
    "numberGreaterThanEquals": (NUMBER_KEYS, NUMBERS, "{key} >= {value}"),
    "bool": (("iam:MfaPresent",), (True, False), "{key} == {value}"),
    "ipAddress": (("iam:SourceIp",), NETWORKS, "context.address.isInRange(ip({value}))"),
    "notIpAddress": (("iam:SourceIp",), NETWORKS, "context.address.isInRange(ip({value}))"),
}
NEGATED = ("stringNotEquals", "notIpAddress")


# --- Random documents and requests


def some(chance: random.Random, values: tuple[Any, ...], most: int = 3) -> list[Any]:
    return [chance.choice(values) for _ in range(chance.randint(1, most))]


def random_document(chance: random.Random) -> dict[str, Any]:
    return {"statements": [random_statement(chance) for _ in range(chance.randint(1, 6))]}


def random_statement(chance: random.Random) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "effect": chance.choice(("allow", "allow", "allow", "deny")),
        "actions": some(chance, ACTION_PATTERNS),
        "resources": [random_resource(chance) for _ in range(chance.randint(1, 3))],
    }
    if chance.random() < (0.8 if statement["effect"] == "deny" else 0.4):
        statement["condition"] = random_condition(chance)
    return statement


def random_resource(chance: random.Random) -> str:
    if chance.random() < 0.2:
        return "*"
    product = chance.choice(("iam", "iam", "iam", "vserver", "*", "*v*"))
    kind = chance.choice(("*", SERVICE_ACCOUNT, SERVICE_ACCOUNT, "s*", "server"))
    account, id_ = chance.choice(ACCOUNT_PATTERNS), chance.choice(ID_PATTERNS)
    return f"{product}::{account}:{kind}/{id_}"


def random_condition(chance: random.Random) -> dict[str, Any]:
    condition: dict[str, Any] = {}
    for operator in some(chance, tuple(OPERATORS), 2):
        keys, values, _ = OPERATORS[operator]
        condition[operator] = {key: some(chance, values) for key in some(chance, keys, 2)}
    return condition


def random_request(chance: random.Random) -> tuple[str, str, Vrn, dict[str, Any]]:
    context = {key: chance.choice(values) for key, values in KEYS.items()}
    account, resource = chance.choice(ACCOUNTS), chance.choice(RESOURCES)
    way = chance.random()
    if way < 0.4:  # at home
        return account, chance.choice(ACTIONS), replace(resource, account_id=account), context
    if way < 0.8:  # the one action that may go abroad
        return account, IMPERSONATE, replace(resource, product="iam", type=SERVICE_ACCOUNT), context
    return account, chance.choice(ACTIONS), resource, context


# --- The same in Cedar


def quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def any_of(tests: list[str]) -> str:
    return " || ".join(f"({test})" for test in tests) or "false"


def all_of(tests: list[str]) -> str:
    return " && ".join(f"({test})" for test in tests) or "true"


def cedar_action(pattern: str) -> str:
    if "*" in pattern:
        return f"context.action like {quoted(pattern)}"
    return f"action == Action::{quoted(pattern)}"


def cedar_resource(pattern: str) -> str:
    if pattern == "*":
        return "true"
    found = re.fullmatch(r"(.+)::(.+):(.+)/(.+)", pattern)
    assert found is not None
    names = ("product", "account", "type", "id")
    return all_of(
        [
            f"resource.{name} like {quoted(part)}"
            for name, part in zip(names, found.groups(), strict=True)
        ]
    )


def cedar_condition(condition: dict[str, Any]) -> str:
    tests = []
    for operator, keys in condition.items():
        form = OPERATORS[operator][2]
        for key, values in keys.items():
            told = f"context[{quoted(key)}]"
            found = any_of([form.format(key=told, value=quoted(value)) for value in values])
            tests.append(f"!({found})" if operator in NEGATED else found)
    return all_of(tests)


def cedar_reach(statement: dict[str, Any]) -> str:
    """A deny reaches whatever it matches. An allow reaches the principal's own account, and
    abroad only by a literal action and a literal account id."""
    matches = any_of([cedar_resource(pattern) for pattern in statement["resources"]])
    if statement["effect"] == "deny":
        return matches
    ways = [all_of(["resource.account == principal.account", matches])]
    if IMPERSONATE in statement["actions"]:
        for pattern in statement["resources"]:
            account = re.search(r"::([0-9]+):", pattern)
            if account is not None:
                ways.append(
                    all_of(
                        [
                            f"action == Action::{quoted(IMPERSONATE)}",
                            f"resource.account == {quoted(account[1])}",
                            cedar_resource(pattern),
                        ]
                    )
                )
    return any_of(ways)


def cedar_policies(document: dict[str, Any]) -> str:
    policies = []
    for number, statement in enumerate(document["statements"]):
        effect = "permit" if statement["effect"] == "allow" else "forbid"
        clauses = [
            any_of([cedar_action(pattern) for pattern in statement["actions"]]),
            cedar_reach(statement),
            cedar_condition(statement.get("condition", {})),
        ]
        when = " ".join(f"when {{ {clause} }}" for clause in clauses)
        policies.append(f'@id("{number}") {effect} (principal, action, resource) {when};')
    return "\n".join(policies)


def entity(kind: str, name: str, **attributes: str) -> dict[str, Any]:
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": []}


ENTITIES = [entity("Principal", account, account=account) for account in ACCOUNTS] + [
    entity(
        "Resource", str(vrn), product=vrn.product, account=vrn.account_id, type=vrn.type, id=vrn.id
    )
    for vrn in RESOURCES
]


def cedar_request(
    account: str, action: str, resource: Vrn, context: dict[str, Any]
) -> dict[str, Any]:
    address = {"__extn": {"fn": "ip", "arg": context["iam:SourceIp"]}}
    return {
        "principal": {"type": "Principal", "id": account},
        "action": {"type": "Action", "id": action},
        "resource": {"type": "Resource", "id": str(resource)},
        "context": {**context, "action": action, "address": address},
    }


# --- The comparison


def statements_of(answer: AuthzResult) -> set[int]:
    """The statements that made Cedar's answer: its permits, or else its forbids."""
    return {int(number) for number in answer.diagnostics.id_annotations_by_reason.values()}


def ours(decision: PolicyDecision) -> tuple[bool, set[int]]:
    made_by = decision.denies or decision.allows
    return decision.allowed, {match.statement for match in made_by}


def test_cedar_decides_the_same_for_the_same_statements() -> None:
    chance = random.Random(SEED)
    seen: Counter[str] = Counter()
    wrong = []
    for _ in range(DOCUMENTS):
        source = random_document(chance)
        policies = (AttachedPolicy("p", "p", 1, compile_document(source, CATALOGUE)),)
        requests = [random_request(chance) for _ in range(REQUESTS)]
        answers = is_authorized_batch(
            [cedar_request(*request) for request in requests], cedar_policies(source), ENTITIES
        )
        for request, answer in zip(requests, answers, strict=True):
            assert answer.diagnostics.errors == []
            account, action, resource, context = request
            decision = evaluate(account, action, resource, context, policies)
            if ours(decision) != (answer.allowed, statements_of(answer)):
                wrong.append((source, request, decision, statements_of(answer)))
            seen["asked"] += 1
            seen["allowed"] += decision.allowed
            seen["allowed abroad"] += decision.allowed and resource.account_id != account
            seen["denied by a deny"] += bool(decision.denies)
            seen["denied by default"] += not decision.denies and not decision.allows
            seen["withheld"] += bool(decision.withheld)

    assert wrong[:1] == []
    assert seen.pop("asked") == 20_000
    # The comparison would say little if nearly all answers were the same.
    assert min(seen.values()) >= 300, seen
