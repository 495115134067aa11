"""How long keys are trusted, and that nobody can make the cache hammer the issuer."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.util import int_to_base64

from app.verifier.discovery import Document
from app.verifier.keys import KeyCache, KeysUnavailable, UnknownKey, parse_key_set
from tests.verifier.local_issuer import NOW, URL, Clock, Issuer, signing_key


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def cache(issuer: Issuer, clock: Clock) -> KeyCache:
    return KeyCache(URL, issuer.fetch, clock)


def with_max_age(issuer: Issuer, seconds: float) -> Callable[[str], Document]:
    return lambda url: Document(issuer.fetch(url), seconds)


def test_nothing_is_fetched_before_the_first_token(cache: KeyCache, issuer: Issuer) -> None:
    assert issuer.fetched == []
    assert cache.key("ES256").algorithm == "ES256"
    assert issuer.fetched == [f"{URL}/.well-known/openid-configuration", f"{URL}/jwks"]


def test_keys_are_kept_for_five_minutes(cache: KeyCache, issuer: Issuer, clock: Clock) -> None:
    for now, fetches in [(NOW, 1), (NOW + 299, 1), (NOW + 300, 2), (NOW + 599, 2), (NOW + 600, 3)]:
        clock.now = now
        assert cache.key("ES256").kid == "ES256"
        assert issuer.key_fetches == fetches


@pytest.mark.parametrize(("max_age", "kept"), [(60, 60), (86_400, 300), (0, 10), (9, 10)])
def test_max_age_makes_it_shorter_but_never_a_fetch_for_each_request(
    issuer: Issuer, clock: Clock, max_age: float, kept: int
) -> None:
    cache = KeyCache(URL, with_max_age(issuer, max_age), clock)
    for now, fetches in [(NOW, 1), (NOW + kept - 1, 1), (NOW + kept, 2)]:
        clock.now = now
        cache.key("ES256")
        assert issuer.key_fetches == fetches


def test_a_new_key_is_found_at_once(cache: KeyCache, issuer: Issuer, clock: Clock) -> None:
    cache.key("ES256")
    issuer.keys.append(signing_key("ES256", "next"))
    clock.now += 10
    assert cache.key("next").kid == "next"


def test_a_withdrawn_key_is_forgotten_with_the_next_fetch(
    cache: KeyCache, issuer: Issuer, clock: Clock
) -> None:
    cache.key("ES256")
    issuer.keys = [signing_key("ES256", "next")]
    clock.now += 300
    with pytest.raises(UnknownKey):
        cache.key("ES256")


def test_invented_ids_cause_one_fetch_in_ten_seconds(
    cache: KeyCache, issuer: Issuer, clock: Clock
) -> None:
    cache.key("ES256")
    for second in range(30):
        clock.now = NOW + second
        for number in range(20):
            with pytest.raises(UnknownKey):
                cache.key(f"invented-{second}-{number}")
    assert issuer.key_fetches == 3  # at 0, 10 and 20 seconds


def test_the_first_token_of_all_may_carry_an_invented_id(cache: KeyCache, issuer: Issuer) -> None:
    for _ in range(5):
        with pytest.raises(UnknownKey):
            cache.key("invented")
    assert issuer.key_fetches == 1


def test_known_keys_outlive_the_issuer_by_one_hour(
    cache: KeyCache, issuer: Issuer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    cache.key("ES256")
    issuer.down = True
    with caplog.at_level(logging.WARNING, "app.verifier"):
        for age in (300, 1800, 3599):
            clock.now = NOW + age
            assert cache.key("ES256").kid == "ES256"
    assert URL in caplog.text
    assert "connection refused" in caplog.text
    clock.now = NOW + 3600
    with pytest.raises(KeysUnavailable):
        cache.key("ES256")
    issuer.down = False
    clock.now += 1
    assert cache.key("ES256").kid == "ES256"


def test_an_issuer_that_is_down_is_asked_once_in_ten_seconds(
    cache: KeyCache, issuer: Issuer, clock: Clock
) -> None:
    cache.key("ES256")
    issuer.down = True
    issuer.fetched.clear()
    for second in range(30):
        clock.now = NOW + 300 + second
        cache.key("ES256")
    assert len(issuer.fetched) == 3


def test_an_unknown_key_of_an_issuer_that_is_down_may_be_a_new_one(
    cache: KeyCache, issuer: Issuer, clock: Clock
) -> None:
    cache.key("ES256")
    issuer.down = True
    clock.now += 10
    for _ in range(2):
        with pytest.raises(KeysUnavailable) as caught:
            cache.key("next")
        assert caught.value.retry_after == 10


def test_without_any_key_the_issuer_is_asked_once_in_a_second(
    cache: KeyCache, issuer: Issuer, clock: Clock
) -> None:
    issuer.down = True
    for _ in range(3):
        with pytest.raises(KeysUnavailable) as caught:
            cache.key("ES256")
        assert caught.value.retry_after == 1
    assert len(issuer.fetched) == 1
    issuer.down = False
    clock.now += 1
    assert cache.key("ES256").kid == "ES256"


def test_a_clock_that_was_set_back_does_not_make_keys_last_longer(
    cache: KeyCache, issuer: Issuer, clock: Clock
) -> None:
    cache.key("ES256")
    issuer.down = True
    clock.now = NOW - 86_400
    with pytest.raises(KeysUnavailable):
        cache.key("ES256")
    issuer.down = False
    clock.now += 1
    assert cache.key("ES256").kid == "ES256"


def test_a_fault_in_fetch_goes_up_and_leaves_the_cache_in_order(
    issuer: Issuer, clock: Clock
) -> None:
    faults: list[Exception] = [RuntimeError("fault")]

    def fetch(url: str) -> bytes:
        if faults:
            raise faults.pop()
        return issuer.fetch(url)

    cache = KeyCache(URL, fetch, clock)
    with pytest.raises(RuntimeError, match="fault"):
        cache.key("ES256")
    clock.now += 1
    assert cache.key("ES256").kid == "ES256"


def test_many_threads_share_the_first_fetch(issuer: Issuer) -> None:
    count = 8
    everybody_came = threading.Event()
    came: set[int] = set()

    def clock() -> float:
        came.add(threading.get_ident())
        if len(came) == count:
            everybody_came.set()
        return NOW

    def fetch(url: str) -> bytes:
        assert everybody_came.wait(30)
        return issuer.fetch(url)

    cache = KeyCache(URL, fetch, clock)
    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(cache.key, ["ES256"] * count))
    assert [key.kid for key in found] == ["ES256"] * count
    assert issuer.key_fetches == 1


def test_nobody_waits_who_has_a_key(issuer: Issuer, clock: Clock) -> None:
    asking, answer = threading.Event(), threading.Event()
    blocked = False

    def fetch(url: str) -> bytes:
        if blocked:
            asking.set()
            assert answer.wait(30)
        return issuer.fetch(url)

    cache = KeyCache(URL, fetch, clock)
    cache.key("ES256")
    blocked = True
    clock.now += 300
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(cache.key, "ES256")
        assert asking.wait(30)
        assert cache.key("ES256").kid == "ES256"  # while the other thread still asks
        assert not leader.done()
        answer.set()
        assert leader.result(30).kid == "ES256"


def test_nobody_waits_for_ever(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.verifier.keys.LONGEST_WAIT", 0.01)
    asking, answer = threading.Event(), threading.Event()

    def fetch(url: str) -> bytes:
        asking.set()
        assert answer.wait(30)
        return issuer.fetch(url)

    cache = KeyCache(URL, fetch, clock)
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(cache.key, "ES256")
        assert asking.wait(30)
        with pytest.raises(KeysUnavailable):
            cache.key("ES256")
        answer.set()
        assert leader.result(30).kid == "ES256"


@pytest.mark.parametrize("body", [b"{}", b'{"keys": []}', b'{"keys": {}}', b'{"keys": [1]}'])
def test_a_key_set_without_a_usable_key_is_no_key_set(
    issuer: Issuer, clock: Clock, body: bytes
) -> None:
    def fetch(url: str) -> bytes:
        return body if url.endswith("/jwks") else issuer.fetch(url)

    with pytest.raises(KeysUnavailable):
        KeyCache(URL, fetch, clock).key("ES256")


def public(key: Any, **changes: Any) -> dict[str, Any]:
    jwk = {**key.as_dict(private=False), **changes}
    return {name: value for name, value in jwk.items() if value is not None}


EC = signing_key("ES256")


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "Ed25519"])
def test_the_algorithm_follows_from_the_kind_of_key(algorithm: str) -> None:
    for changes in ({}, {"alg": None}, {"use": None}, {"key_ops": ["verify"]}):
        found = parse_key_set({"keys": [public(signing_key(algorithm), **changes)]})
        assert found[algorithm].algorithm == algorithm


@pytest.mark.parametrize(
    "jwk",
    [
        public(EC, kid=None),
        public(EC, kid=""),
        public(EC, kid=7),
        public(EC, use="enc"),
        public(EC, key_ops=["sign"]),
        public(EC, key_ops="verify"),
        public(EC, alg="ES384"),
        public(EC, alg="HS256"),
        public(EC, alg=["ES256"]),
        public(EC, x=None),
        public(EC, x="AAAA"),
        public(EC, x=7),
        public(EC, y="not base64"),
        public(EC, crv="P-384"),
        public(EC, kty="oct"),
        public(signing_key("Ed25519"), alg="EdDSA"),
        public(signing_key("RS256"), e="AA"),
        public(signing_key("RS256"), n=None),
        public(signing_key("RS256"), n=7),
        public(signing_key("RS256"), alg="PS256"),
        public(ECKey.generate_key("P-384"), kid="x"),
        public(OKPKey.generate_key("Ed448"), kid="x"),
        public(OKPKey.generate_key("X25519"), kid="x"),
        OctKey.generate_key(256, {"kid": "x", "alg": "HS256"}).as_dict(private=True),
        {"kty": "AKP", "kid": "x", "alg": "ML-DSA-44", "pub": "AAAA"},
        {},
        [],
        "key",
        None,
    ],
)
def test_a_key_that_cannot_be_used_is_left_out(jwk: Any) -> None:
    found = parse_key_set({"keys": [jwk, public(EC, kid="good")]})
    assert list(found) == ["good"]


def test_a_short_rsa_key_is_left_out() -> None:
    modulus = int_to_base64((1 << 2046) | 1)  # 2047 bits
    short = {"kty": "RSA", "kid": "short", "n": modulus, "e": "AQAB"}
    assert parse_key_set({"keys": [short]}) == {}


def test_a_private_key_is_not_taken_in() -> None:
    for key in (signing_key("ES256"), signing_key("RS256"), signing_key("Ed25519")):
        assert isinstance(key, (ECKey, RSAKey, OKPKey))
        found = parse_key_set({"keys": [key.as_dict(private=True)]})
        assert not next(iter(found.values())).key.is_private


def test_of_two_keys_with_one_id_the_first_counts() -> None:
    second = public(ECKey.generate_key("P-256"), kid="ES256")
    found = parse_key_set({"keys": [public(EC), second]})
    assert json.loads(json.dumps(found["ES256"].key.as_dict()))["x"] == public(EC)["x"]
