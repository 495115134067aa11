"""Key sets at a URI: how often they are asked for, and how long they are trusted."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.tokens.outbound import FetchFailed
from app.tokens.remote_keys import FRESH_FOR, MOST_KEPT, PAUSE, USABLE_FOR, RemoteKeySets
from tests.support.assertions import MINE, OTHER, jwks
from tests.support.world import Clock

URI = "https://app.example/jwks.json"


@dataclass
class Web:
    """What clients' servers answer: a body, or None where they do not."""

    body: bytes | None = field(default_factory=lambda: json.dumps(jwks(MINE)).encode())
    asked: list[str] = field(default_factory=list)

    def fetch(self, uri: str) -> bytes:
        self.asked.append(uri)
        if self.body is None:
            raise FetchFailed("no answer")
        return self.body

    def publish(self, *keys: Any) -> None:
        self.body = json.dumps(jwks(*keys)).encode()


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sets(web: Web, clock: Clock) -> RemoteKeySets:
    return RemoteKeySets(web.fetch, clock)


def test_a_set_is_fetched_once_and_remembered(sets: RemoteKeySets, web: Web, clock: Clock) -> None:
    assert sets.get(URI) == jwks(MINE)
    clock.advance(FRESH_FOR - 1)
    assert sets.get(URI) == jwks(MINE)
    assert web.asked == [URI]


def test_a_withdrawn_key_is_gone_when_the_set_is_no_longer_fresh(
    sets: RemoteKeySets, web: Web, clock: Clock
) -> None:
    sets.get(URI)
    web.publish(OTHER)

    clock.advance(FRESH_FOR)
    assert sets.get(URI) == jwks(OTHER)


def test_a_new_key_is_found_but_nobody_makes_us_ask_all_the_time(
    sets: RemoteKeySets, web: Web, clock: Clock
) -> None:
    sets.get(URI)
    web.publish(OTHER)

    assert sets.get(URI, anew=True) == jwks(MINE)
    clock.advance(PAUSE)
    assert sets.get(URI, anew=True) == jwks(OTHER)
    assert sets.get(URI, anew=True) == jwks(OTHER)
    assert len(web.asked) == 2


def test_a_server_that_does_not_answer_is_left_alone_for_a_while(
    sets: RemoteKeySets, web: Web, clock: Clock
) -> None:
    web.body = None

    assert sets.get(URI) is None
    assert sets.get(URI, anew=True) is None
    assert len(web.asked) == 1
    web.publish(MINE)
    clock.advance(PAUSE)
    assert sets.get(URI) == jwks(MINE)


def test_keys_are_trusted_for_an_hour_while_nobody_answers(
    sets: RemoteKeySets, web: Web, clock: Clock
) -> None:
    sets.get(URI)
    web.body = None

    clock.advance(USABLE_FOR - 1)
    assert sets.get(URI) == jwks(MINE)
    clock.advance(1)
    assert sets.get(URI) is None


def test_a_clock_that_was_set_back_proves_nothing(
    sets: RemoteKeySets, web: Web, clock: Clock
) -> None:
    sets.get(URI)
    web.body = None

    clock.advance(-10)
    assert sets.get(URI) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"keys": []}',
        b'{"keys": [{"kty": "oct", "k": "AAAA"}]}',
        b"[" * 60_000,
        json.dumps({"keys": [MINE.as_dict(private=True)]}).encode(),
    ],
    ids=["empty", "no text", "a list", "no keys", "symmetric", "deep", "private"],
)
def test_what_is_no_public_key_set_is_none(sets: RemoteKeySets, web: Web, body: bytes) -> None:
    web.body = body

    assert sets.get(URI) is None


def test_a_bad_set_does_not_take_the_place_of_a_good_one(
    sets: RemoteKeySets, web: Web, clock: Clock
) -> None:
    sets.get(URI)
    web.body = b"<html>"

    clock.advance(FRESH_FOR)
    assert sets.get(URI) == jwks(MINE)


def test_what_stands_beside_the_keys_is_not_kept(sets: RemoteKeySets, web: Web) -> None:
    web.body = json.dumps({**jwks(MINE), "colour": "red"}).encode()

    assert sets.get(URI) == jwks(MINE)


def test_while_one_asks_others_go_on(clock: Clock) -> None:
    """As two threads would: the second comes while the first waits for the answer."""
    meanwhile: list[Any] = []

    def fetch(uri: str) -> bytes:
        meanwhile.append(sets.get(uri))
        return json.dumps(jwks(MINE)).encode()

    sets = RemoteKeySets(fetch, clock)

    assert sets.get(URI) == jwks(MINE)
    assert meanwhile == [None]


def test_few_are_asked_at_the_same_time(clock: Clock) -> None:
    """Servers that never answer cannot take all of ours."""
    asked: list[str] = []

    def fetch(uri: str) -> bytes:
        asked.append(uri)
        sets.get(uri + "x")
        return json.dumps(jwks(MINE)).encode()

    sets = RemoteKeySets(fetch, clock)
    sets.get(URI)

    assert asked == [URI, URI + "x"]
    # Both have answered: there is room again.
    assert sets.get("https://other.example/") == jwks(MINE)


def test_the_longest_unused_set_is_forgotten(sets: RemoteKeySets, web: Web) -> None:
    uris = [f"https://app.example/{number}" for number in range(MOST_KEPT)]
    for uri in uris:
        sets.get(uri)
    sets.get(uris[0])
    sets.get(URI)
    web.asked.clear()

    sets.get(uris[0])
    sets.get(uris[1])

    assert web.asked == [uris[1]]


def test_an_operator_can_read_why(
    sets: RemoteKeySets, web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    web.body = None
    with caplog.at_level(logging.WARNING):
        sets.get(URI)

    assert f"no key set from {URI}: no answer" in caplog.text


def test_the_slow_servers_of_one_account_leave_room_for_others(clock: Clock) -> None:
    slow, slower = "https://slow.example/1", "https://slow.example/2"
    asked: list[str] = []

    def fetch(uri: str) -> bytes:
        asked.append(uri)
        if uri == slow:  # while this one takes its time
            known.get(slower, owner="53461")
            known.get(URI, owner="60108")
        return json.dumps(jwks(MINE)).encode()

    known = RemoteKeySets(fetch, clock)
    known.get(slow, owner="53461")

    assert asked == [slow, URI]
    assert known.get(slower, owner="53461") == jwks(MINE)
