"""`crossroot iam` against a served Crossroot, as the root user of B types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.e2e.conftest import Site
from tests.e2e.people import Person, exchange
from tests.support.processes import typed

READ_SERVERS = {
    "statements": [{"effect": "allow", "actions": ["vserver:List*"], "resources": ["*"]}]
}


@pytest.fixture
def terminal(site: Site) -> Callable[..., Result]:
    """Types `crossroot iam …` with the token of B's root user."""
    token = Person(site.issuer, site.story["B"], as_root=True).token()

    def type_(*arguments: str, stdin: str = "", token: str = token) -> Result:
        env = {**site.env, "CROSSROOT_TOKEN": token}
        return typed("iam", *arguments, env=env, stdin=stdin)

    return type_


@pytest.fixture
def says(terminal: Callable[..., Result]) -> Callable[..., str]:
    """What a command says to people; it has to succeed."""

    def run(*arguments: str, stdin: str = "") -> str:
        done = terminal(*arguments, stdin=stdin)
        assert (done.exit_code, done.stderr) == (0, "")
        return done.stdout

    return run


@pytest.fixture
def fails(terminal: Callable[..., Result]) -> Callable[..., str]:
    """What a command says on failing, to stderr alone."""

    def run(*arguments: str, status: int = 1, **options: Any) -> str:
        done = terminal(*arguments, **options)
        assert (done.exit_code, done.stdout) == (status, "")
        assert "Traceback" not in done.stderr
        return done.stderr

    return run


def test_who_one_is(says: Callable[..., str], site: Site) -> None:
    assert site.story["B"]["root_email"] in says("whoami")


def test_a_users_life(says: Callable[..., str]) -> None:
    made = says("users", "create", "Operator1", "--email", "o@example.com", "--generate-password")

    assert "Password: " in made
    assert "Operator1" in says("users", "list", "--name", "oper")
    assert "o@example.com" in says("users", "show", "operator1")
    assert "sessions and tokens have ended" in says("users", "disable", "Operator1")
    assert "no" in says("users", "list", "--name", "Operator1").splitlines()[1].split()
    assert "is enabled." in says("users", "enable", "Operator1")
    changed = says(
        "users", "reset-password", "Operator1", "--password-stdin", stdin="a-new-one-now"
    )
    assert "another password" in changed
    assert "is gone" in says("users", "delete", "Operator1")


def test_a_group_with_a_policy(
    says: Callable[..., str], fails: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(READ_SERVERS))
    says("users", "create", "Operator2", "--password-stdin", stdin="a-long-password")
    says("groups", "create", "night shift", "--description", "those awake")
    says("policies", "create", "ReadServers", str(file))

    says("groups", "join", "night shift", "Operator2")
    says("policies", "attach", "ReadServers", "--group", "night shift")

    assert "Operator2" in says("groups", "members", "night shift")
    assert "night shift" in says("policies", "usage", "ReadServers")
    foreseen = says(
        "simulate", "vserver:ListServers", "vserver::60108:server/srv-web-1", "--user", "Operator2"
    )
    assert foreseen.startswith("Allowed: yes\n  allow by statement 0 of ReadServers (version 1)")
    assert "cascade" in fails("groups", "delete", "night shift")

    file.write_text(json.dumps(READ_SERVERS).replace("List*", "GetServer"))
    assert "version 2" in says("policies", "edit", "ReadServers", str(file))
    assert len(says("policies", "versions", "ReadServers").splitlines()) == 3
    assert "vserver:GetServer" in says("policies", "show", "ReadServers")
    refused = says(
        "simulate", "vserver:ListServers", "vserver::60108:server/srv-web-1", "--user", "Operator2"
    )
    assert refused.startswith("Allowed: no\n  because ")
    assert '"vserver:ListServers"' in refused

    says("policies", "detach", "ReadServers", "--group", "night shift")
    says("groups", "leave", "night shift", "Operator2")
    says("groups", "delete", "night shift")
    says("policies", "delete", "ReadServers")
    assert "no ReadServers" in fails("policies", "show", "ReadServers")


def test_a_service_accounts_secrets_and_trust(says: Callable[..., str], tmp_path: Path) -> None:
    made = says("service-accounts", "create", "robot", "--policy", "vServerReadOnlyAccess")
    assert "Client secret: " in made
    assert "robot" in says("service-accounts", "list")

    assert "Client secret: " in says("service-accounts", "add-secret", "robot")
    first = says("service-accounts", "secrets", "robot").splitlines()[1].split()[0]
    assert "is gone" in says("service-accounts", "retire-secret", "robot", first)
    assert "Client secret: " in says("service-accounts", "reset-secret", "robot")
    assert len(says("service-accounts", "secrets", "robot").splitlines()) == 2

    condition = tmp_path / "condition.json"
    condition.write_text('{"bool": {"iam:MfaPresent": [true]}}')
    until = "2099-01-01T00:00:00Z"
    says("trust", "add", "robot", "53461", "--condition", str(condition), "--expires-at", until)
    assert until in says("trust", "list", "robot")
    assert "no longer trusts" in says("trust", "remove", "robot", "53461")
    assert "53461" not in says("trust", "list", "robot")
    assert "is gone" in says("service-accounts", "delete", "robot", "--cascade")


def test_why_somebody_was_refused(says: Callable[..., str], site: Site) -> None:
    says("service-accounts", "create", "closed", "--policy", "vServerReadOnlyAccess")
    vrn = says("service-accounts", "show", "closed").split("vrn")[1].split()[0]
    token = Person(site.issuer, site.story["A"]).token()
    decision = exchange(site.issuer, token, requested_subject=vrn).json()["decision_id"]

    explained = says("explain", decision)

    assert explained.startswith("Denied at ")
    assert "by iam-user System1 of 53461" in explained
    assert "Your half, of the owner: no" in explained
    assert "(not-trusted)" in explained
    assert "Decided now: the same" in explained
    assert "denied" in says("events", "--outcome", "denied", "--limit", "5")


def test_what_is_wrong_is_told_where_it_is(fails: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(READ_SERVERS).replace("vserver:List*", "vserver:Fly"))

    assert "/statements/0/actions/0" in fails("policies", "create", "Wrong", str(file))
    assert "does not trust" in fails("trust", "remove", "AllowAccessFromRootUserAccountA", "99")
    assert "CROSSROOT_TOKEN" in fails("whoami", token="not-a-token")
    assert "no token" in fails("whoami", token="", status=2)
    assert "--user" in fails("policies", "attach", "vServerReadOnlyAccess", status=2)


def test_a_refusal_leads_to_its_explanation(terminal: Callable[..., Result], site: Site) -> None:
    token = Person(site.issuer, site.story["A"]).token()

    refused = terminal("users", "list", token=token)

    assert refused.exit_code == 1
    assert "iam:ListIamUser" in refused.stderr
    assert "crossroot iam explain " in refused.stderr
