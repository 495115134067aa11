"""The guide, from the first sign-in to the end of trust, against the served demo."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.people import Person, VServer, exchange
from tests.support.processes import (
    Running,
    answer_of,
    command,
    crossroot,
    environment,
    free_port,
    listens,
    started,
    typed,
)
from tests.support.world import claims_of


@dataclass(frozen=True)
class Demo:
    """`crossroot demo` under way, and what it wrote down."""

    story: dict[str, Any]
    env: dict[str, str]
    file: Path
    ports: tuple[int, int]
    running: Running

    @property
    def issuer(self) -> str:
        return str(self.story["issuer"])

    def become(self, token: str, **fields: str) -> Any:
        """The exchange of the guide."""
        account = self.story["B"]["service_account_id"]
        return exchange(self.issuer, token, requested_subject=account, **fields)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    env, ports = environment(folder), (free_port(), free_port())
    with started(folder, command("demo", *options(ports)), env, "demo") as running:
        running.said("The demo is running")
        file = folder / "var" / "demo.json"
        yield Demo(json.loads(file.read_text()), env, file, ports, running)


def options(ports: tuple[int, int]) -> tuple[str, ...]:
    return "--port", str(ports[0]), "--vserver-port", str(ports[1])


@pytest.fixture(scope="module")
def system1(demo: Demo) -> str:
    """The access token of System1, who has signed in."""
    return Person(demo.issuer, demo.story["A"]).token()


def test_what_the_demo_wrote_is_the_contract(demo: Demo) -> None:
    story = demo.story

    assert story["issuer"] == f"http://127.0.0.1:{demo.ports[0]}"
    assert story["vserver"] == f"http://localhost:{demo.ports[1]}"
    assert list(story) == [
        "issuer",
        "vserver",
        "A",
        "B",
        "cli_client_id",
        "vserver_client_id",
        "vserver_client_secret",
    ]
    assert list(story["A"]) == [
        "account_id",
        "root_email",
        "root_password",
        "username",
        "password",
        "user_id",
    ]
    assert list(story["B"]) == [
        "account_id",
        "root_email",
        "root_password",
        "service_account_id",
        "vrn",
        "client_id",
        "client_secret",
    ]
    assert (story["A"]["account_id"], story["B"]["account_id"]) == ("53461", "60108")
    assert story["A"]["username"] == "System1"
    assert story["B"]["vrn"] == f"iam::60108:service-account/{story['B']['service_account_id']}"
    assert stat.S_IMODE(demo.file.stat().st_mode) == 0o600


def test_a_user_of_a_manages_the_servers_of_b(demo: Demo, system1: str) -> None:
    """What System1 is, they may not do at the vServer; what they become, may."""
    own = VServer(demo.story["vserver"], system1)
    assert own.get("/v1/servers").status_code == 401, "a token for the issuer is no vServer's"

    answer = demo.become(system1, display_name="on-call", reason="ticket 4711")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert body["scope"] == "vserver:*"
    claims = claims_of(body["access_token"])
    assert claims["sub"] == demo.story["B"]["service_account_id"]
    assert claims["account_id"] == "60108"
    assert claims["act"] == {
        "sub": demo.story["A"]["user_id"],
        "account_id": "53461",
        "user_type": "iam-user",
        "username": "System1",
        "name": "on-call",
    }

    vserver = VServer(demo.story["vserver"], body["access_token"])
    servers = vserver.get("/v1/servers").json()["servers"]
    assert {server["accountId"] for server in servers} == {"60108"}
    assert len(servers) == 2
    stopped = vserver.post(f"/v1/servers/{servers[0]['id']}/stop").json()
    assert stopped["status"] == "stopped"
    assert stopped["lastAction"]["actor"]["username"] == "System1"
    assert stopped["lastAction"]["decisionId"] == claims["decision_id"]
    assert vserver.get(f"/v1/servers/{servers[0]['id']}").json()["status"] == "stopped"


def test_a_narrower_token_does_less(demo: Demo, system1: str) -> None:
    answer = demo.become(system1, scope="vserver:List*")
    assert answer.json()["scope"] == "vserver:List*"

    vserver = VServer(demo.story["vserver"], answer.json()["access_token"])
    assert vserver.get("/v1/servers").status_code == 200
    assert vserver.post("/v1/servers/srv-db-1/stop").status_code == 403


def test_neither_account_can_do_it_alone(demo: Demo, system1: str) -> None:
    """B ends the trust, or A the permission: refused at once, and in the same words."""
    account, user = demo.story["B"]["service_account_id"], demo.story["A"]["user_id"]
    policy = "ImpersonateToRootUserAccountB"
    assert demo.become(system1).status_code == 200

    removed = crossroot("trust", "remove", account, "53461", env=demo.env)
    assert removed.stdout == (
        f"{account} no longer trusts root account 53461; the next exchange is refused.\n"
    )
    without_trust = demo.become(system1)
    answer_of("trust", "add", account, "53461", env=demo.env)
    assert demo.become(system1).status_code == 200

    answer_of("policies", "detach", policy, "--user", user, env=demo.env)
    without_policy = demo.become(system1)
    answer_of("policies", "attach", policy, "--user", user, env=demo.env)
    assert demo.become(system1).status_code == 200

    assert (without_trust.status_code, without_policy.status_code) == (400, 400)
    bodies = without_trust.json(), without_policy.json()
    assert bodies[0]["error"] == "invalid_target"
    ids = {body.pop("decision_id") for body in bodies}
    assert len(ids) == 2
    assert bodies[0] == bodies[1]
    nobody = exchange(demo.issuer, system1, requested_subject="sa-of-nobody").json()
    nobody.pop("decision_id")
    assert nobody == bodies[0]


def test_the_commands_that_the_demo_prints_work(demo: Demo, tmp_path: Path) -> None:
    """Pasted into a shell, in a folder that has nothing to do with the demo."""
    printed = demo.running.out.read_text()
    script = printed[printed.index("  TOKEN=") :]
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    listed, stopped = (json.loads(line) for line in done.stdout.splitlines())
    assert [server["id"] for server in listed["servers"]] == ["srv-web-1", "srv-db-1"]
    assert stopped["status"] == "stopped"
    assert stopped["lastAction"]["actor"]["name"] == "on-call"


def test_the_ports_are_taken(demo: Demo) -> None:
    other = free_port()
    for ports, taken in (((demo.ports[0], other), 0), ((other, demo.ports[1]), 1)):
        done = typed("demo", *options(ports), env=demo.env)

        assert done.exit_code == 1
        assert f"port {demo.ports[taken]}: Address already in use" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_stopped_and_set_up_again_it_is_the_same_story(demo: Demo, system1: str) -> None:
    """The last test of this file: it stops the demo, and puts a broken story right."""
    account, user = demo.story["B"]["service_account_id"], demo.story["A"]["user_id"]
    answer_of("trust", "remove", account, "53461", env=demo.env)
    answer_of("policies", "detach", "ImpersonateToRootUserAccountB", "--user", user, env=demo.env)
    assert demo.become(system1).status_code == 400

    assert demo.running.stop(signal.SIGINT) == 0
    assert not any(listens(port) for port in demo.ports), "nothing is left behind"

    again = answer_of("demo", "--setup-only", *options(demo.ports), env=demo.env)
    assert again.pop("file") == str(demo.file)
    assert again == demo.story == json.loads(demo.file.read_text())
