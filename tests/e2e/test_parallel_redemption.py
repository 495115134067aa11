"""One authorization code, redeemed by fifty at once in two processes (RFC 6749 section 4.1.2)."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.e2e.conftest import Site
from tests.e2e.people import Person, post, redeem

AT_ONCE = 50


def test_a_code_is_redeemed_once_and_its_reuse_ends_what_came_of_it(site: Site) -> None:
    code = Person(site.issuer, site.story["A"]).code(scope="openid")
    before = len(site.running.err.read_text())
    all_here = threading.Barrier(AT_ONCE)

    def race(_: int) -> requests.Response:
        all_here.wait()
        return redeem(site.issuer, code)

    with ThreadPoolExecutor(AT_ONCE) as racers:
        answers = list(racers.map(race, range(AT_ONCE)))

    won = [answer.json() for answer in answers if answer.status_code == 200]
    lost = [answer for answer in answers if answer.status_code != 200]
    assert len(won) <= 1
    assert {answer.status_code for answer in lost} == {400}
    assert {answer.json()["error"] for answer in lost} == {"invalid_grant"}
    assert {answer.headers["Cache-Control"] for answer in lost} == {"no-store"}

    # Those who lost came after whoever won: the code was stolen once, nobody knows by whom.
    for tokens in won:
        state = post(
            f"{site.issuer}/oauth2/introspect",
            auth=(site.story["vserver_client_id"], site.story["vserver_client_secret"]),
            token=tokens["access_token"],
        )
        assert state.json() == {"active": False}
        bearer = requests.post(
            f"{site.issuer}/oauth2/introspect",
            data={"token": tokens["access_token"]},
            headers={"Authorization": f"Bearer {tokens['access_token']}"},
        )
        assert bearer.status_code == 401

    log = site.running.err.read_text()[before:]
    processes = re.findall(r' (\d+) INFO \S+ "POST /oauth2/token" (?:200|400)', log)
    assert len(processes) == AT_ONCE
    assert len(set(processes)) == 2, "both worker processes were asked"
