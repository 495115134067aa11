"""The guide's two stages from two empty root accounts to a stopped server, by each door alone.

The operator registers the vServer and creates the accounts. From there on everything is done by
the people of the accounts: once through the API, once at the command line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.conftest import prepared
from tests.e2e.people import Person, VServer, exchange
from tests.support.processes import ROOT, answer_of, free_port, served, started, until
from tests.support.world import claims_of

A = {"root_email": "root-a@example.com", "root_password": "root-a-password"}
B = {"root_email": "root-b@example.com", "root_password": "root-b-password"}
SYSTEM1 = {**A, "username": "System1", "password": "System1-password"}
IMPERSONATE = "iam:ImpersonateServiceAccount"


@dataclass(frozen=True)
class Cloud:
    """A server with two empty accounts, and a vServer of B's beside it."""

    issuer: str
    vserver: str
    env: dict[str, str]

    def stop_a_server(self, service_account: str) -> dict[str, Any]:
        """System1 signs in, becomes the service account, and stops a server of B."""
        token = Person(self.issuer, SYSTEM1).token()
        answer = exchange(self.issuer, token, requested_subject=service_account)
        assert answer.status_code == 200, answer.text
        borrowed = answer.json()["access_token"]
        assert claims_of(borrowed)["act"]["username"] == "System1"
        servers = VServer(self.vserver, borrowed)
        first = servers.get("/v1/servers").json()["servers"][0]["id"]
        stopped: dict[str, Any] = servers.post(f"/v1/servers/{first}/stop").json()
        return stopped


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    port, vserver_port = free_port(), free_port()
    env = prepared(tmp_path, port)
    issuer, vserver = env["CROSSROOT_ISSUER"], f"http://localhost:{vserver_port}"
    answer_of("init", env=env)
    product = answer_of(
        "products",
        "add",
        str(ROOT / "app/services/shipped/vserver.toml"),
        "--redirect-uri",
        f"{vserver}/callback",
        env=env,
    )
    for account, who in (("53461", A), ("60108", B)):
        answer_of(
            "accounts",
            "create",
            account,
            "--email",
            who["root_email"],
            "--password-stdin",
            env=env,
            stdin=who["root_password"],
        )
    vserver_env = {
        **env,
        "VSERVER_ISSUER": issuer,
        "VSERVER_HOST": "localhost",
        "VSERVER_PORT": str(vserver_port),
        "VSERVER_ACCOUNT": "60108",
        "VSERVER_CLIENT_ID": product["client_id"],
        "VSERVER_CLIENT_SECRET": product["client_secret"],
    }
    vserver_command = [sys.executable, str(ROOT / "examples/vserver")]
    with (
        served(tmp_path, env),
        started(tmp_path, vserver_command, vserver_env, "vserver"),
    ):
        until(lambda: answers(vserver), "the vServer")
        yield Cloud(issuer, vserver, env)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/v1/servers", timeout=10).status_code == 401
    except requests.ConnectionError:
        return False


@dataclass(frozen=True)
class Api:
    """The management API, with somebody's token."""

    issuer: str
    token: str

    def post(self, path: str, body: Any = None) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                self.issuer + path,
                json={} if body is None else body,
                headers={"Authorization": f"Bearer {self.token}"},
            )
        assert answer.status_code in (200, 201, 204), answer.text
        return answer.json() if answer.content else None


def test_the_story_through_the_api_alone(cloud: Cloud) -> None:
    b = Api(cloud.issuer, Person(cloud.issuer, B, as_root=True).token())
    machine = b.post(
        "/accounts-api/v1/service-accounts",
        {
            "name": "AllowAccessFromRootUserAccountA",
            "policyIds": ["managed-vserver-full-access"],
            "trustedRelationships": [{"trustedRootUserId": "53461"}],
        },
    )

    a = Api(cloud.issuer, Person(cloud.issuer, A, as_root=True).token())
    policy = a.post("/policies-api/v1/policies", become(machine["vrn"]))
    user = a.post(
        "/accounts-api/v1/iam-users",
        {"username": "System1", "password": SYSTEM1["password"]},
    )
    a.post(f"/policies-api/v1/policies/{policy['id']}/iam-users/{user['id']}")

    stopped = cloud.stop_a_server(machine["id"])

    assert stopped["status"] == "stopped"
    assert stopped["lastAction"]["actor"]["username"] == "System1"


def test_the_story_at_the_command_line_alone(cloud: Cloud, tmp_path: Path) -> None:
    def iam(who: dict[str, str], *arguments: str, stdin: str = "") -> Any:
        token = answer_of(
            "login",
            "--root-email",
            who["root_email"],
            "--password-stdin",
            env=cloud.env,
            stdin=who["root_password"],
        )["access_token"]
        return answer_of(
            "iam", *arguments, env={**cloud.env, "CROSSROOT_TOKEN": token}, stdin=stdin
        )

    machine = iam(
        B,
        "service-accounts",
        "create",
        "AllowAccessFromRootUserAccountA",
        "--policy",
        "vServerFullAccess",
    )
    iam(B, "trust", "add", "AllowAccessFromRootUserAccountA", "53461")

    file = tmp_path / "become.json"
    file.write_text(json.dumps({"statements": become(machine["vrn"])["statements"]}))
    iam(A, "policies", "create", "ImpersonateToRootUserAccountB", str(file))
    iam(A, "users", "create", "System1", "--password-stdin", stdin=SYSTEM1["password"])
    iam(A, "policies", "attach", "ImpersonateToRootUserAccountB", "--user", "System1")
    foreseen = iam(A, "simulate", IMPERSONATE, machine["vrn"], "--user", "System1")

    stopped = cloud.stop_a_server(machine["id"])

    assert foreseen["allowed"] == "unknown", "the other half is not A's to see"
    assert stopped["status"] == "stopped"
    decision = iam(A, "explain", stopped["lastAction"]["decisionId"])
    assert "ImpersonateToRootUserAccountB" in json.dumps(decision)
    assert iam(B, "explain", stopped["lastAction"]["decisionId"]) != decision


def become(vrn: str) -> dict[str, Any]:
    """The policy of the guide."""
    return {
        "name": "ImpersonateToRootUserAccountB",
        "statements": [{"effect": "allow", "actions": [IMPERSONATE], "resources": [vrn]}],
    }
