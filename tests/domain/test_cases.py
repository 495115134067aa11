"""Runs the decision cases of ``tests/domain/cases``; the README there explains their form."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.domain.catalogue import parse_action_pattern
from app.domain.conditions import parse_condition
from app.domain.documents import compile_document
from app.domain.impersonation import Facts, Target, TrustedRelationship, may_impersonate
from app.domain.limits import TokenLimits
from app.domain.names import Vrn
from app.domain.policy import AttachedPolicy, Match, PolicyDecision, evaluate
from app.domain.principals import IamUser, Principal, RootAccount, RootUser, ServiceAccount
from app.domain.scopes import InvalidScope, grant_scope, products_of
from tests.support.policies import CATALOGUE

FOLDER = Path(__file__).parent / "cases"

# Every word that a case may use, per question: a misspelt one must fail, not be passed over.
EVERYWHERE = {"name", "ask", "policies", "groups", "expect"}
STATEMENTS = {"allows", "denies", "withheld"}
WORDS: dict[str, tuple[set[str], set[str]]] = {
    "access": ({"account", "action", "resource", "context"}, {"answer"} | STATEMENTS),
    "impersonation": (
        {"caller", "asked_for", "service_account", "trust", "token", "context", "now"},
        {"answer", "caller_reasons", "owner_reasons"} | STATEMENTS,
    ),
    "scope": ({"account", "apis", "token"}, {"scope", "evaluate"}),
    "products": ({"account", "asked", "token"}, {"products"}),
}
TABLES = {
    "caller": {"type", "account", "enabled", "account_enabled"},
    "service_account": {"account", "id", "enabled", "account_enabled"},
    "trust": {"account", "condition", "expires_at"},
    "token": {"live", "patterns", "inline"},
}


def cases() -> Iterator[Any]:
    """Each case with what its file says about the situation, as one parameter set."""
    for path in sorted(FOLDER.glob("*.toml")):
        yield from cases_of(path.stem, path.read_text())
    # The example of the README is a case as well.
    readme = (FOLDER / "README.md").read_text()
    yield from cases_of("README", readme.partition("```toml\n")[2].partition("```\n")[0])


def cases_of(file: str, text: str) -> Iterator[Any]:
    source = tomllib.loads(text)
    check_words(source, {"policies", "situation", "case"}, file)
    for case in source["case"]:
        told = merged(source.get("situation", {}), case)
        yield pytest.param(told, source["policies"], id=f"{file}: {told['name']}")


def merged(general: Mapping[str, Any], special: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged field by field; of anything else the special value counts."""
    result = dict(general)
    for name, value in special.items():
        if isinstance(value, dict) and isinstance(result.get(name), dict):
            value = merged(result[name], value)
        result[name] = value
    return result


def check_words(table: Mapping[str, Any], known: set[str], where: str) -> None:
    assert not set(table) - known, f"{where}: no such word: {sorted(set(table) - known)}"


CASES = list(cases())


def test_no_two_cases_have_the_same_name() -> None:
    names = [case.id for case in CASES]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize(("case", "library"), CASES)
def test_case(case: dict[str, Any], library: dict[str, Any]) -> None:
    words, answers = WORDS[case["ask"]]
    check_words(case, EVERYWHERE | words, "the case")
    check_words(case["expect"], answers, "its expect")
    for name, known in TABLES.items():
        if isinstance(case.get(name), dict):
            check_words(case[name], known, name)

    ask = {
        "access": ask_access,
        "impersonation": ask_impersonation,
        "scope": ask_scope,
        "products": ask_products,
    }[case["ask"]]

    assert ask(case, library) == case["expect"]


def ask_access(case: dict[str, Any], library: dict[str, Any]) -> dict[str, Any]:
    decision = evaluate(
        case["account"],
        case["action"],
        Vrn.parse(case["resource"]),
        case.get("context", {}),
        attached(case, library),
    )
    return answer_of(decision.allowed) | statements_of(decision)


def ask_impersonation(case: dict[str, Any], library: dict[str, Any]) -> dict[str, Any]:
    decision = may_impersonate(
        Facts(
            caller=caller_of(case["caller"]),
            target=target_of(case["asked_for"]),
            service_account=service_account_of(case["service_account"]),
            trust=trust_of(case["trust"]),
            policies=attached(case, library),
            context=case.get("context", {}),
            now=case["now"],
            limits=limits_of(case, library),
            token_live=case.get("token", {}).get("live", True),
        )
    )
    reasons = {
        "caller_reasons": [str(reason) for reason in decision.caller_half.reasons],
        "owner_reasons": [str(reason) for reason in decision.owner_half.reasons],
    }
    return (
        answer_of(decision.allowed)
        | {name: value for name, value in reasons.items() if value}
        | statements_of(decision.caller_half.policy)
    )


def ask_scope(case: dict[str, Any], library: dict[str, Any]) -> dict[str, Any]:
    granted = grant_scope(
        case["account"], attached(case, library), limits_of(case, library), case["apis"]
    )
    return {
        "scope": [pattern.text for pattern in granted.patterns],
        "evaluate": granted.evaluate,
    }


def ask_products(case: dict[str, Any], library: dict[str, Any]) -> dict[str, Any]:
    asked = [pattern_of(text) for text in case["asked"]]
    limits = limits_of(case, library)
    try:
        products = products_of(case["account"], attached(case, library), limits, asked, CATALOGUE)
    except InvalidScope:
        return {"products": "refused"}
    return {"products": list(products)}


def answer_of(allowed: bool) -> dict[str, Any]:
    return {"answer": "allow" if allowed else "deny"}


def statements_of(decision: PolicyDecision) -> dict[str, Any]:
    """The statements that had a say, as ``policy[statement]``; a list that is empty is left out."""
    lists = {
        "allows": decision.allows,
        "denies": decision.denies,
        "withheld": decision.withheld,
    }
    return {name: [place_of(match) for match in found] for name, found in lists.items() if found}


def place_of(match: Match) -> str:
    return f"{match.policy_name}[{match.statement}]"


def attached(case: dict[str, Any], library: dict[str, Any]) -> tuple[AttachedPolicy, ...]:
    """The caller's own policies first, then those that its groups bring."""
    own = [attach(name, library) for name in case.get("policies", [])]
    brought = [
        attach(name, library, group)
        for group, names in case.get("groups", {}).items()
        for name in names
    ]
    return (*own, *brought)


def attach(name: str, library: dict[str, Any], via: str | None = None) -> AttachedPolicy:
    return AttachedPolicy(name, name, 1, compile_document(library[name], CATALOGUE), via)


def caller_of(row: dict[str, Any]) -> Principal:
    account = RootAccount(row["account"], row.get("account_enabled", True))
    kind, enabled = row["type"], row.get("enabled", True)
    if kind == "root-user":
        return RootUser("root", account, "root@example.com")
    if kind == "service-account":
        return ServiceAccount("sa-caller", "robot", account, enabled)
    assert kind == "iam-user", kind
    return IamUser("user-1", "System1", account, enabled)


def target_of(text: str) -> Target:
    if ":" not in text:
        return Target(text)
    vrn = Vrn.parse(text)
    return Target(vrn.id, vrn.account_id)


def service_account_of(row: dict[str, Any] | str) -> ServiceAccount | None:
    if isinstance(row, str):
        assert row == "none"
        return None
    account = RootAccount(row["account"], row.get("account_enabled", True))
    return ServiceAccount(row["id"], "build robot", account, row.get("enabled", True))


def trust_of(row: dict[str, Any] | str) -> TrustedRelationship | None:
    if isinstance(row, str):
        assert row == "none"
        return None
    condition = None
    if "condition" in row:
        condition = parse_condition(row["condition"], "condition", [])
        assert condition is not None, "the condition of the trust is malformed"
    return TrustedRelationship("trust-1", 1, row["account"], condition, row.get("expires_at"))


def limits_of(case: dict[str, Any], library: dict[str, Any]) -> TokenLimits:
    row = case.get("token", {})
    patterns = None
    if "patterns" in row:
        patterns = tuple(pattern_of(text) for text in row["patterns"])
    inline = tuple(compile_document(library[name], CATALOGUE) for name in row.get("inline", []))
    return TokenLimits(patterns, inline)


def pattern_of(text: str) -> Any:
    pattern = parse_action_pattern(text)
    assert pattern is not None, f"{text!r} is no action pattern"
    return pattern
