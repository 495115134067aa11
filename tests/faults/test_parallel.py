"""Fifty at once with the same secret, in two processes: at most one gets something for it.

The same for a code is in `tests.e2e.test_parallel_redemption`.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from app.services.refresh import REFRESH_TOKEN
from tests.support.served_world import ServedWorld, assertion, give_keys, served_world
from tests.support.tokens import code_for
from tests.support.world import CALLBACK, CLI, VERIFIER

AT_ONCE = 50


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedWorld]:
    with served_world(tmp_path_factory.mktemp("parallel")) as made:
        yield made


def call(served: ServedWorld, path: str = "/oauth2/token", **form: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False  # no proxy, no .netrc
        return session.post(served.issuer + path, data=form)


def race(do: Callable[[int], requests.Response]) -> list[requests.Response]:
    """All of them start when the last is ready."""
    ready = threading.Barrier(AT_ONCE)

    def run(number: int) -> requests.Response:
        ready.wait()
        return do(number)

    with ThreadPoolExecutor(AT_ONCE) as racers:
        return list(racers.map(run, range(AT_ONCE)))


def outcomes(answers: list[requests.Response]) -> tuple[list[requests.Response], set[object]]:
    """Who won, and what the others heard."""
    lost = {
        (answer.status_code, answer.json()["error"], answer.headers["Cache-Control"])
        for answer in answers
        if answer.status_code != 200
    }
    return [answer for answer in answers if answer.status_code == 200], lost


def test_a_refresh_token_is_used_once_and_its_reuse_ends_the_family(served: ServedWorld) -> None:
    """CVE-2026-1035: parallel requests shared one token."""
    code = code_for(served.now(), scope="openid offline_access")
    first = call(
        served,
        grant_type="authorization_code",
        client_id=CLI,
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    ).json()

    def refresh(token: str) -> requests.Response:
        return call(served, grant_type="refresh_token", client_id=CLI, refresh_token=token)

    won, lost = outcomes(race(lambda _: refresh(first["refresh_token"])))

    assert len(won) <= 1
    assert lost == {(400, "invalid_grant", "no-store")}
    digest = served.world.runtime.secrets.hash(first["refresh_token"], REFRESH_TOKEN)
    [(grant_id, ended_at)] = served.world.rows(
        "SELECT grant_id, ended_at FROM refresh_families WHERE grant_id ="
        " (SELECT grant_id FROM refresh_tokens WHERE digest = :digest)",
        digest=digest,
    )
    assert ended_at is not None
    alive = served.world.rows(
        "SELECT id FROM tokens WHERE grant_id = :grant AND revoked_at IS NULL", grant=grant_id
    )
    assert alive == []
    family = served.world.rows(
        "SELECT digest FROM refresh_tokens WHERE grant_id = :grant", grant=grant_id
    )
    assert len(family) == 1 + len(won)
    reuses = served.world.rows(
        "SELECT id FROM audit_events WHERE event = 'refresh-token:reuse'"
        " AND json_extract(detail, '$.grant_id') = :grant",
        grant=grant_id,
    )
    assert len(reuses) == 1, "the family ends once"
    for answer in won:
        assert refresh(answer.json()["refresh_token"]).status_code == 400


def test_an_assertion_proves_its_client_once(served: ServedWorld) -> None:
    """CVE-2020-15222. Each is signed anew: what counts is the `jti`."""
    world = served.now()
    key = give_keys(world, world.client_id)
    jti = str(uuid.uuid4())
    proofs = [
        assertion(key, world.client_id, served.issuer, time.time(), jti=jti) for _ in range(AT_ONCE)
    ]
    assert len({proof["client_assertion"] for proof in proofs}) == AT_ONCE
    before = world.rows("SELECT count(*) FROM tokens")[0][0]

    won, lost = outcomes(
        race(lambda number: call(served, grant_type="client_credentials", **proofs[number]))
    )

    assert len(won) == 1
    assert lost == {(401, "invalid_client", "no-store")}
    assert world.rows("SELECT count(*) FROM tokens")[0][0] == before + 1
    fresh = assertion(key, world.client_id, served.issuer, time.time())
    assert call(served, grant_type="client_credentials", **fresh).status_code == 200


def test_a_subject_token_is_exchanged_as_often_as_is_asked(served: ServedWorld) -> None:
    """It is no single-use thing: all fifty get a token, a decision and a row of their own."""
    world = served.now()
    token = call(
        served,
        grant_type="authorization_code",
        client_id=CLI,
        code=code_for(world),
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    ).json()["access_token"]

    won, lost = outcomes(
        race(
            lambda _: call(
                served,
                grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
                client_id=CLI,
                subject_token=token,
                subject_token_type="urn:ietf:params:oauth:token-type:access_token",
                requested_subject=world.service_account_id,
            )
        )
    )

    assert lost == set()
    assert len({answer.json()["access_token"] for answer in won}) == AT_ONCE
    decisions = world.rows(
        "SELECT audit_events.id FROM tokens JOIN audit_events ON token_id = tokens.id"
        " AND audit_events.id = tokens.decision_id WHERE outcome = 'allowed'"
    )
    assert len(decisions) == AT_ONCE
