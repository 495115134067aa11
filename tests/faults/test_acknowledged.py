"""What a client heard of is in the store, whatever else its worker answered in the same turn."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
import requests

from tests.support import changes
from tests.support.served_world import ServedWorld, served_world
from tests.support.tokens import code_for
from tests.support.world import ACCESS_TOKEN, CALLBACK, CLI, EXCHANGE, VERIFIER, basic, claims_of

AT_ONCE = 24
EACH = 10
_TOKENS = "SELECT id, revoked_at FROM tokens"
_WITH_THEIR_ROWS = """
    SELECT tokens.id FROM tokens JOIN audit_events ON audit_events.token_id = tokens.id
    WHERE outcome = 'allowed' GROUP BY tokens.id HAVING count(*) = 1
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedWorld]:
    with served_world(tmp_path_factory.mktemp("acknowledged")) as made:
        yield made


@dataclass(frozen=True)
class Caller:
    """Asks one thing after another over one connection."""

    served: ServedWorld
    session: requests.Session

    def token(
        self, auth: tuple[str, str] | None = None, path: str = "/oauth2/token", **form: str
    ) -> requests.Response:
        return self.session.post(self.served.issuer + path, data=form, auth=auth)

    def machine(self, secret: str | None = None, **form: str) -> requests.Response:
        world = self.served.world
        auth = (world.client_id, secret or world.client_secret)
        return self.token(auth, grant_type="client_credentials", **form)

    def impersonate(self, subject: str, target: str | None = None) -> requests.Response:
        return self.token(
            grant_type=EXCHANGE,
            client_id=CLI,
            subject_token=subject,
            subject_token_type=ACCESS_TOKEN,
            requested_subject=target or self.served.world.service_account_id,
        )

    def redeem(self, code: str) -> requests.Response:
        return self.token(
            grant_type="authorization_code",
            client_id=CLI,
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=VERIFIER,
        )


def caller(served: ServedWorld) -> Caller:
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc
    return Caller(served, session)


def heard(answer: requests.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json().get("error")


def test_good_and_refused_requests_while_facts_change(served: ServedWorld) -> None:
    world = served.now()
    lasting, ended = (
        caller(served).redeem(code_for(world)).json()["access_token"] for _ in range(2)
    )
    kinds: dict[str, Callable[[Caller], requests.Response]] = {
        "machine": lambda each: each.machine(),
        "become": lambda each: each.impersonate(lasting),
        "become, by a token that is revoked meanwhile": lambda each: each.impersonate(ended),
        "denied": lambda each: each.impersonate(lasting, "sa-none"),
        "wrong secret": lambda each: each.machine("wrong"),
        "too much": lambda each: each.machine(scope="iam:*"),
    }
    half_way = threading.Barrier(AT_ONCE + 1)

    def run(number: int) -> list[tuple[str, requests.Response]]:
        mine, answers = caller(served), []
        for turn in range(EACH):
            if turn == EACH // 2:
                half_way.wait()
            name = list(kinds)[(number + turn) % len(kinds)]
            answers.append((name, kinds[name](mine)))
        return answers

    with ThreadPoolExecutor(AT_ONCE) as callers:
        futures = [callers.submit(run, number) for number in range(AT_ONCE)]
        half_way.wait()
        # All of them are asking: facts change under some, and one subject token ends.
        changes.new_user(world, "53461", "First")
        changes.revoke(world, ended)
        for number in range(5):
            changes.new_user(world, "53461", f"Later{number}")
        answers = [each for future in futures for each in future.result()]

    outcomes = {
        name: Counter(heard(each) for kind, each in answers if kind == name) for name in kinds
    }
    assert outcomes["machine"].keys() == {(200, None)}
    assert outcomes["become"].keys() == {(200, None)}
    assert outcomes["denied"].keys() == {(400, "invalid_target")}
    assert outcomes["wrong secret"].keys() == {(401, "invalid_client")}
    assert outcomes["too much"].keys() == {(400, "invalid_scope")}
    revoked = outcomes["become, by a token that is revoked meanwhile"]
    assert revoked.keys() == {(200, None), (400, "invalid_request")}

    made = {
        name: {
            claims_of(each.json()["access_token"])["jti"]
            for kind, each in answers
            if kind == name and each.status_code == 200
        }
        for name in kinds
    }
    rows = dict(world.rows(_TOKENS))
    told = set().union(*made.values()) | {claims_of(each)["jti"] for each in (lasting, ended)}
    # Nobody's connection broke: every row is somebody's answer, and the other way round.
    assert told == set(rows)
    assert {row.id for row in world.rows(_WITH_THEIR_ROWS)} == told
    of_the_revoked = made["become, by a token that is revoked meanwhile"]
    assert {jti for jti, revoked_at in rows.items() if revoked_at is not None} == {
        claims_of(ended)["jti"],
        *of_the_revoked,
    }
    denied = world.rows(
        "SELECT id FROM audit_events WHERE outcome = 'denied' AND event LIKE '%impersonate'"
    )
    assert {row.id for row in denied} == {
        each.json()["decision_id"] for kind, each in answers if kind == "denied"
    }
    failures = "SELECT sum(count) FROM failure_counts WHERE kind = 'token:client-authentication'"
    assert world.rows(failures) == [(outcomes["wrong secret"].total(),)]


def test_a_client_that_goes_away_takes_nobody_along(served: ServedWorld) -> None:
    """Its token may be made and never heard of; those that came with it are answered."""
    world = served.now()
    before = len(world.rows(_TOKENS))
    body = "grant_type=client_credentials"
    said = "\r\n".join(
        [
            "POST /oauth2/token HTTP/1.1",
            "Host: localhost",
            f"Authorization: {basic(world.client_id, world.client_secret)}",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
    ).encode()
    address = urlsplit(served.issuer)

    def leave() -> None:
        """Say it all and be gone, before anything can have come back."""
        with socket.create_connection((str(address.hostname), int(address.port or 0))) as line:
            line.sendall(said)

    with ThreadPoolExecutor(2 * AT_ONCE) as callers:
        leaving = [callers.submit(leave) for _ in range(AT_ONCE)]
        staying = [callers.submit(caller(served).machine) for _ in range(AT_ONCE)]
        answers = [future.result() for future in staying]
        for future in leaving:
            future.result()

    assert {heard(each) for each in answers} == {(200, None)}
    told = {claims_of(each.json()["access_token"])["jti"] for each in answers}
    kept = {row.id for row in world.rows(_WITH_THEIR_ROWS)}
    assert told <= kept
    assert before + AT_ONCE <= len(kept) <= before + 2 * AT_ONCE
    assert heard(caller(served).machine()) == (200, None)
