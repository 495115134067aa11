"""The samples of the guide `docs/protect-an-api.md`, each a program, before a served Crossroot.

The Express one is in `tests/node`: it needs Node's libraries.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.e2e.people import Person, exchange, post
from tests.support.changes import give, new_service_account, revoke
from tests.support.evaluation import WEB
from tests.support.processes import ROOT, free_port, listens, started, until
from tests.support.served_world import ServedWorld, served_world
from tests.support.world import VSERVER, allow

SAMPLES = ["protect_flask", "protect_fastapi"]


SYSTEM1 = {
    "root_email": "root-a@example.com",
    "username": "System1",
    "password": "System1-password",
    "root_password": "root-a-password",
}


def impersonation(served: ServedWorld) -> str:
    """System1's token as B's service account, for the vServer."""
    own = Person(served.issuer, SYSTEM1).token(scope="openid")
    account = served.world.service_account_id
    answer = exchange(served.issuer, own, requested_subject=account, resource=VSERVER)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def machine_token(served: ServedWorld, client: tuple[str, str], resource: str = VSERVER) -> str:
    url = f"{served.issuer}/oauth2/token"
    answer = post(url, auth=client, grant_type="client_credentials", resource=resource)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


@dataclass(frozen=True)
class Sample:
    """One of the samples, and the authorization server that it asks."""

    url: str
    served: ServedWorld

    def stop(self, server_id: str, token: str | None = None) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return requests.post(f"{self.url}/v1/servers/{server_id}/stop", headers=headers, timeout=30)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedWorld]:
    with served_world(tmp_path_factory.mktemp("issuer")) as served:
        yield served


@pytest.fixture(scope="module", params=SAMPLES)
def sample(
    request: pytest.FixtureRequest,
    served: ServedWorld,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Sample]:
    with running(request.param, served, tmp_path_factory.mktemp("sample")) as url:
        yield Sample(url, served)


def test_a_user_of_another_account_stops_a_server(sample: Sample) -> None:
    answer = sample.stop("srv-web-1", impersonation(sample.served))

    assert answer.status_code == 200, answer.text
    assert answer.json() == {"id": "srv-web-1", "status": "stopped", "by": "System1"}


def test_what_is_no_token_for_this_api(sample: Sample) -> None:
    world = sample.served.world
    issuers_own = machine_token(sample.served, (world.client_id, world.client_secret), "iam")

    answer = sample.stop("srv-web-1")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    for token in ("none", issuers_own, impersonation(sample.served)[:-8] + "AAAAAAAA"):
        answer = sample.stop("srv-web-1", token)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')


def test_a_right_to_one_server_is_not_in_the_scope(sample: Sample) -> None:
    world = sample.served.now()
    name = f"Narrow-{Path(sample.url).name.rpartition(':')[2]}"
    machine = new_service_account(world, name)
    give(world, allow("vserver:StopServer", WEB), name, service_account=machine.account.id)
    token = machine_token(sample.served, (machine.client_id, machine.client_secret))

    assert sample.stop("srv-web-1", token).status_code == 200
    refused = sample.stop("srv-db-1", token)
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["WWW-Authenticate"]
    assert 'scope="vserver:StopServer"' in refused.headers["WWW-Authenticate"]
    assert sample.stop("srv-none", token).status_code == 403


def test_a_server_that_the_account_does_not_have(sample: Sample) -> None:
    assert sample.stop("srv-none", impersonation(sample.served)).status_code == 404


def test_a_revoked_token(sample: Sample) -> None:
    world = sample.served.now()
    token = impersonation(sample.served)
    revoke(world, token)

    assert sample.stop("srv-web-1", token).status_code == 403


@pytest.mark.parametrize("name", SAMPLES)
def test_an_issuer_that_does_not_answer(name: str, tmp_path: Path) -> None:
    (tmp_path / "issuer").mkdir()
    with served_world(tmp_path / "issuer") as served, running(name, served, tmp_path) as url:
        sample = Sample(url, served)
        token = impersonation(served)
        assert sample.stop("srv-web-1", token).status_code == 200
        served.running.stop()

        answer = sample.stop("srv-db-1", token)

        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "1"


@contextmanager
def running(name: str, served: ServedWorld, folder: Path) -> Iterator[str]:
    """The address of a sample that runs."""
    port = free_port()
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "ISSUER": served.issuer,
        "AUDIENCE": VSERVER,
        "CLIENT_ID": served.world.product_client_id,
        "CLIENT_SECRET": served.world.product_client_secret,
        "PORT": str(port),
    }
    program = [sys.executable, str(ROOT / "examples" / name / "api.py")]
    with started(folder, program, env, name) as process:

        def ready() -> bool:
            assert process.process.poll() is None, process.printed()
            return listens(port)

        until(ready, name)
        yield f"http://127.0.0.1:{port}"
