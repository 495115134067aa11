"""Asking what a token may be used for: how long an answer counts, and what if there is none."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from app.verifier import AccessClient, AccessUnavailable, VerifiedToken
from app.verifier.access import MOST_KEPT
from app.verifier.token import read_claims
from tests.verifier.decision_point import (
    CLIENT_ID,
    CLIENT_SECRET,
    CONFIGURATION,
    ONE,
    SEVERAL,
    DecisionPoint,
)
from tests.verifier.local_issuer import AUDIENCE, NOW, URL, Clock, claims

STOP = "vserver:StopServer"
WEB, DB = "vserver::60108:server/srv-web-1", "vserver::60108:server/srv-db-1"


def verified(**changes: Any) -> VerifiedToken:
    return read_claims(claims(**changes), issuer=URL, audience=AUDIENCE, now=NOW)


TOKEN = verified(evaluate=True)


@pytest.fixture
def point() -> DecisionPoint:
    return DecisionPoint()


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


def client(point: DecisionPoint, clock: Clock, **options: Any) -> AccessClient:
    return AccessClient(
        URL,
        CLIENT_ID,
        CLIENT_SECRET,
        fetch=point.fetch,
        post=point.post,
        clock=clock,
        **options,
    )


@pytest.fixture
def access(point: DecisionPoint, clock: Clock) -> AccessClient:
    return client(point, clock)


# What is asked


def test_the_question(access: AccessClient, point: DecisionPoint) -> None:
    assert access.allows(TOKEN, STOP, WEB, "192.0.2.7") is True
    assert point.requests == [
        (
            ONE,
            {
                "subject": {
                    "type": "service-account",
                    "id": "sa-1f2e",
                    "properties": {"jti": "token-1"},
                },
                "action": {"name": STOP},
                "resource": {"type": "server", "id": WEB},
                "context": {"iam:SourceIp": "192.0.2.7"},
            },
        )
    ]


@pytest.mark.parametrize("source_ip", [None, "", "unix:", "unknown"])
def test_what_is_no_address_is_not_sent(
    access: AccessClient, point: DecisionPoint, source_ip: str | None
) -> None:
    access.allows(TOKEN, STOP, WEB, source_ip)

    assert "context" not in point.requests[0][1]


def test_a_no(access: AccessClient, point: DecisionPoint) -> None:
    point.decide = lambda question: question["resource"]["id"] == DB

    assert access.allows(TOKEN, STOP, WEB) is False
    assert access.allows(TOKEN, STOP, DB) is True


def test_several_are_asked_at_once(access: AccessClient, point: DecisionPoint) -> None:
    point.decide = lambda question: not question["resource"]["id"].endswith("7")
    names = [f"vserver::60108:server/srv-{number}" for number in range(201)]

    allowed = access.allowed(TOKEN, "vserver:GetServer", names)

    assert allowed == [name for name in names if not name.endswith("7")]
    sizes = [len(asked.get("evaluations", [0])) for _, asked in point.requests]
    assert sizes == [100, 100, 1]
    assert [path for path, _ in point.requests] == [SEVERAL, SEVERAL, ONE]


def test_of_several_only_those_that_are_not_known(
    access: AccessClient, point: DecisionPoint
) -> None:
    access.allows(TOKEN, STOP, WEB)

    assert access.allowed(TOKEN, STOP, [WEB, DB]) == [WEB, DB]
    assert [asked["resource"]["id"] for _, asked in point.requests] == [WEB, DB]
    assert access.allowed(TOKEN, STOP, []) == []


def test_a_scope_that_says_all_and_does_not_say_this(
    access: AccessClient, point: DecisionPoint
) -> None:
    assert access.allows(verified(scope="vserver:List*"), STOP, WEB) is False
    assert point.requests == []
    assert access.allows(verified(scope="vserver:List*", evaluate=True), STOP, WEB) is True
    assert access.allows(verified(scope="vserver:*", jti="token-2"), STOP, WEB) is True
    assert len(point.requests) == 2, "a scope is what was allowed when the token was issued"


@pytest.mark.parametrize("resource", ["x" * 257, "vserver::60108:server/\n"])
def test_what_cannot_be_a_name(access: AccessClient, point: DecisionPoint, resource: str) -> None:
    assert access.allows(TOKEN, STOP, resource) is False
    assert access.allowed(TOKEN, STOP, [resource, WEB]) == [WEB]


def test_credentials_are_form_encoded() -> None:
    sent: list[str] = []

    def post(_url: str, _body: bytes, headers: Mapping[str, str]) -> bytes:
        sent.append(headers["Authorization"])
        return b'{"decision": true}'

    AccessClient(URL, "a b", "c:d", fetch=DecisionPoint().fetch, post=post).allows(TOKEN, STOP, WEB)

    assert sent == ["Basic YStiOmMlM0Fk"]  # a+b:c%3Ad


# How long an answer counts


def test_a_yes_counts_for_five_seconds(
    access: AccessClient, point: DecisionPoint, clock: Clock
) -> None:
    assert access.allows(TOKEN, STOP, WEB) is True
    point.decide = lambda _: False

    clock.now += 4.9
    assert access.allows(TOKEN, STOP, WEB) is True
    clock.now += 0.1
    assert access.allows(TOKEN, STOP, WEB) is False
    assert len(point.requests) == 2


def test_a_no_counts_for_a_second(access: AccessClient, point: DecisionPoint, clock: Clock) -> None:
    point.decide = lambda _: False
    assert access.allows(TOKEN, STOP, WEB) is False
    point.decide = lambda _: True

    clock.now += 0.9
    assert access.allows(TOKEN, STOP, WEB) is False
    clock.now += 0.1
    assert access.allows(TOKEN, STOP, WEB) is True


def test_the_time_is_that_of_asking(point: DecisionPoint, clock: Clock) -> None:
    """An answer that was three seconds on its way counts for two more."""

    def slow(url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        clock.now += 3
        return point.post(url, body, headers)

    access = AccessClient(URL, CLIENT_ID, CLIENT_SECRET, fetch=point.fetch, post=slow, clock=clock)
    access.allows(TOKEN, STOP, WEB)
    point.decide = lambda _: False

    clock.now += 1.9
    assert access.allows(TOKEN, STOP, WEB) is True
    clock.now += 0.1
    assert access.allows(TOKEN, STOP, WEB) is False


def test_the_bound_can_be_set(point: DecisionPoint, clock: Clock) -> None:
    never = client(point, clock, keep_for=0)
    for _ in range(3):
        assert never.allows(TOKEN, STOP, WEB) is True
    assert len(point.requests) == 3

    point.decide = lambda _: False
    short = client(point, clock, keep_for=0.5, keep_refusals=30)
    assert short.allows(TOKEN, STOP, WEB) is False
    point.decide = lambda _: True
    clock.now += 0.5
    assert short.allows(TOKEN, STOP, WEB) is True, "a no is kept no longer than a yes"


@pytest.mark.parametrize(
    "other",
    [
        (verified(evaluate=True, jti="token-2"), STOP, WEB, None),
        (verified(evaluate=True, sub="sa-2"), STOP, WEB, None),
        (TOKEN, "vserver:StartServer", WEB, None),
        (TOKEN, STOP, DB, None),
        (TOKEN, STOP, WEB, "192.0.2.7"),
    ],
    ids=["token", "subject", "action", "resource", "address"],
)
def test_an_answer_is_for_one_question(
    access: AccessClient, point: DecisionPoint, other: tuple[Any, ...]
) -> None:
    assert access.allows(TOKEN, STOP, WEB) is True
    point.decide = lambda _: False

    assert access.allows(*other) is False
    assert access.allows(TOKEN, STOP, WEB) is True


def test_a_clock_that_went_back_proves_nothing(
    access: AccessClient, point: DecisionPoint, clock: Clock
) -> None:
    access.allows(TOKEN, STOP, WEB)
    clock.now -= 50
    access.allows(TOKEN, STOP, WEB)

    assert len(point.requests) == 2


def test_the_oldest_answers_go_first(access: AccessClient, point: DecisionPoint) -> None:
    names = [f"vserver::60108:server/srv-{number}" for number in range(MOST_KEPT + 1)]
    access.allowed(TOKEN, STOP, names)
    before = len(point.requests)

    access.allows(TOKEN, STOP, names[-1])
    access.allows(TOKEN, STOP, names[1])
    assert len(point.requests) == before
    access.allows(TOKEN, STOP, names[0])
    assert len(point.requests) == before + 1


# Where there is no answer


def test_without_an_answer_nothing_is_allowed(
    access: AccessClient,
    point: DecisionPoint,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert access.allows(TOKEN, STOP, WEB) is True
    point.down = True
    assert access.allows(TOKEN, STOP, WEB) is True, "still within its time"
    clock.now += 5

    with caplog.at_level(logging.WARNING), pytest.raises(AccessUnavailable) as caught:
        access.allows(TOKEN, STOP, WEB)

    assert caught.value.retry_after == 1.0
    assert caplog.messages == ["Access evaluation at https://id.example failed: connection refused"]


def test_it_is_asked_again_after_a_second(
    access: AccessClient, point: DecisionPoint, clock: Clock
) -> None:
    point.down = True
    with pytest.raises(AccessUnavailable):
        access.allows(TOKEN, STOP, WEB)
    point.down = False

    clock.now += 0.9
    with pytest.raises(AccessUnavailable):
        access.allows(TOKEN, STOP, WEB)
    assert point.fetched == 0
    clock.now += 0.1
    assert access.allows(TOKEN, STOP, WEB) is True


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no",
        b"[]",
        b"true",
        b"{}",
        b'{"decision": null}',
        b'{"decision": "true"}',
        b'{"decision": 1}',
        b'{"evaluations": [{"decision": true}]}',
    ],
)
def test_only_the_word_for_yes_is_a_yes(point: DecisionPoint, answer: bytes) -> None:
    access = AccessClient(URL, CLIENT_ID, CLIENT_SECRET, fetch=point.fetch, post=lambda *_: answer)

    with pytest.raises(AccessUnavailable):
        access.allows(TOKEN, STOP, WEB)


@pytest.mark.parametrize(
    "answer",
    [
        {"decision": True},
        {"evaluations": {}},
        {"evaluations": [{"decision": True}]},
        {"evaluations": [{"decision": True}, {"decision": True}, {"decision": True}]},
        {"evaluations": [{"decision": True}, True]},
        {"evaluations": [{"decision": True}, {}]},
    ],
)
def test_each_of_several_needs_its_answer(point: DecisionPoint, answer: Any) -> None:
    body = json.dumps(answer).encode()
    access = AccessClient(URL, CLIENT_ID, CLIENT_SECRET, fetch=point.fetch, post=lambda *_: body)

    with pytest.raises(AccessUnavailable):
        access.allowed(TOKEN, STOP, [WEB, DB])


@pytest.mark.parametrize(
    "change",
    [
        {"policy_decision_point": "https://other.example"},
        {"policy_decision_point": None},
        {"access_evaluation_endpoint": None},
        {"access_evaluation_endpoint": "https://other.example/access/v1/evaluation"},
        {"access_evaluations_endpoint": "http://id.example/access/v1/evaluations"},
    ],
)
def test_nobody_else_is_asked(point: DecisionPoint, change: dict[str, Any]) -> None:
    """Neither the question nor the client's secret goes to another host."""
    metadata = {**point.metadata(), **change}
    access = AccessClient(
        URL,
        CLIENT_ID,
        CLIENT_SECRET,
        fetch=lambda _: json.dumps(metadata).encode(),
        post=point.post,
    )

    with pytest.raises(AccessUnavailable):
        access.allows(TOKEN, STOP, WEB)
    assert point.requests == []


def test_where_to_ask_is_read_once(access: AccessClient, point: DecisionPoint) -> None:
    access.allows(TOKEN, STOP, WEB)
    access.allows(TOKEN, STOP, DB)

    assert point.fetched == 1


def test_an_issuer_with_a_path_has_its_metadata_elsewhere(point: DecisionPoint) -> None:
    read: list[str] = []
    point.url = f"{URL}/tenant1"

    def fetch(url: str) -> bytes:
        read.append(url)
        return json.dumps(point.metadata()).encode()

    access = AccessClient(point.url, CLIENT_ID, CLIENT_SECRET, fetch=fetch, post=point.post)
    token = read_claims(claims(), issuer=URL, audience=AUDIENCE, now=NOW)

    assert access.allows(token, STOP, WEB) is True
    assert read == [f"{URL}{CONFIGURATION}/tenant1"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: AccessClient("id.example", CLIENT_ID, CLIENT_SECRET),
        lambda: AccessClient(URL, "", CLIENT_SECRET),
        lambda: AccessClient(URL, CLIENT_ID, ""),
        lambda: AccessClient(URL, CLIENT_ID, CLIENT_SECRET, keep_for=-1),
        lambda: AccessClient(URL, CLIENT_ID, CLIENT_SECRET, keep_for=61),
        lambda: AccessClient(URL, CLIENT_ID, CLIENT_SECRET, keep_refusals=-1),
    ],
)
def test_what_it_cannot_start_with(make: Callable[[], AccessClient]) -> None:
    with pytest.raises(ValueError, match=r"issuer|Expected|kept"):
        make()
