"""Rotating keys under a server that runs, in front of resource servers that cache its keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.tokens.keyring import SigningKey, generate
from app.tokens.live_keyring import LiveKeyRing
from app.tokens.rotation import PUBLISHED_BEFORE_SIGNING, promote, retire, revoke
from app.verifier import Document, TokenInvalid, Verifier
from tests.support.lifecycle import built_anew, refused
from tests.support.world import START, VSERVER, Clock, World, build_world

ALG = "ES256"
ISSUER = "http://127.0.0.1:8000"
LIFETIME = 3600


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    generate(folder, ALG, START - 1000, state="active")
    return folder


@pytest.fixture
def world(tmp_path: Path, keys: Path) -> Iterator[World]:
    """The story, signed with the keys of a folder that the server watches."""
    told = build_world(tmp_path)
    told.close()
    made = built_anew(told, ring=LiveKeyRing(keys, told.clock).current)
    yield made
    made.close()


def token(world: World) -> str:
    answer = world.machine_token()
    assert answer.status_code == 200, answer.json
    return str(answer.json["access_token"])


def verifier(world: World, ahead: float = 0) -> Verifier:
    """A resource server with its own cache and its own clock, asking over HTTP."""

    def fetch(url: str) -> Document:
        answer = world.app.test_client().get(url.removeprefix(ISSUER))
        assert answer.status_code == 200
        return Document(answer.data, answer.cache_control.max_age)

    return Verifier(ISSUER, VSERVER, fetch=fetch, clock=lambda: world.clock.now + ahead)


def is_believed(resource_server: Verifier, text: str) -> bool:
    try:
        resource_server.verify(text)
    except TokenInvalid:
        return False
    return True


def signing_kid(world: World) -> str:
    return world.runtime.ring().signer(ALG).kid


def test_a_verifier_believes_every_token_through_ten_rotations(world: World, keys: Path) -> None:
    """Each keeps the keys for five minutes, and each began at another moment."""
    resource_servers = []
    alive: list[tuple[float, str]] = []
    current = world.runtime.ring().signer(ALG).kid
    retired: list[tuple[float, str]] = []

    def pass_time(seconds: int) -> None:
        """Every minute a token is issued, and every resource server is shown one."""
        for _ in range(seconds // 60):
            world.clock.advance(60)
            now = world.clock.now
            alive.append((now + LIFETIME, token(world)))
            alive[:] = [each for each in alive if each[0] > now]
            for number, each in enumerate(resource_servers):
                assert is_believed(each, alive[-1][1])
                assert is_believed(each, alive[number % len(alive)][1])

    for number in range(7):
        resource_servers.append(verifier(world, ahead=number - 3))
        pass_time(60)
    for _ in range(10):
        new = generate(keys, ALG, world.clock.now)
        pass_time(PUBLISHED_BEFORE_SIGNING)
        promote(keys, new.kid, world.clock.now)
        world.clock.advance(1)
        just_signed = token(world)
        assert signing_kid(world) == new.kid
        assert all(is_believed(each, just_signed) for each in resource_servers)
        retire(keys, current)
        retired.append((world.clock.now, current))
        current = new.kid
        pass_time(120)
        for since, kid in [each for each in retired if world.clock.now - each[0] > LIFETIME]:
            revoke(keys, kid)
            retired.remove((since, kid))
        for each in resource_servers:
            assert all(is_believed(each, text) for _, text in alive)
    world.clock.advance(1)
    assert len(published(world)) == 1 + len(retired)


def test_without_the_wait_a_verifier_would_meet_a_key_that_it_does_not_know(
    world: World, keys: Path
) -> None:
    """It asks again for a key that it does not know, but not more than once in ten seconds."""
    resource_server = verifier(world)
    assert is_believed(resource_server, token(world))
    new = generate(keys, ALG, world.clock.now)
    promote(keys, new.kid, world.clock.now, force=True)
    world.clock.advance(1)

    at_once = token(world)

    assert not is_believed(resource_server, at_once)
    world.clock.advance(10)
    assert is_believed(resource_server, at_once)


def test_each_step_shows_within_a_second(world: World, keys: Path) -> None:
    old = signing_kid(world)
    new = generate(keys, ALG, world.clock.now)
    world.clock.advance(1)
    assert published(world) == [old, new.kid]
    assert signing_kid(world) == old

    promote(keys, new.kid, world.clock.now, force=True)
    world.clock.advance(1)
    assert signing_kid(world) == new.kid

    retire(keys, old)
    world.clock.advance(1)
    assert published(world) == [new.kid, old]

    revoke(keys, old)
    world.clock.advance(1)
    assert published(world) == [new.kid]


def published(world: World) -> list[str]:
    answer = world.client.get("/oauth2/jwks")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    return [str(key["kid"]) for key in answer.json["keys"]]


def test_tokens_of_a_retired_key_live_on(world: World, keys: Path) -> None:
    before = token(world)
    old, new = signing_kid(world), generate(keys, ALG, world.clock.now, state="active")
    retire(keys, old)
    world.clock.advance(1)

    assert world.introspect(before)["active"]
    assert is_believed(verifier(world), before)
    assert signing_kid(world) == new.kid


def test_tokens_of_a_revoked_key_are_refused_at_once(world: World, keys: Path) -> None:
    before, old = token(world), signing_kid(world)
    cached, fresh = verifier(world), verifier(world)
    assert is_believed(cached, before)
    generate(keys, ALG, world.clock.now, state="active")
    revoke(keys, old)
    world.clock.advance(1)

    assert world.introspect(before) == {"active": False}
    refused(world.exchange(before, client_id=None), "invalid_client", 401)
    answer = world.token_call(
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": before,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        },
        auth=(world.client_id, world.client_secret),
    )
    refused(answer, "invalid_request")
    assert not is_believed(fresh, before)
    world.clock.advance(300)
    assert not is_believed(cached, before), "its keys were five minutes old"
    assert world.introspect(token(world))["active"]


def test_a_change_shows_however_coarse_the_disks_clock_is(world: World, keys: Path) -> None:
    """Two changes in one tick of the disk, and a look in between: the second is a revocation."""
    old = signing_kid(world)
    new = generate(keys, ALG, world.clock.now, state="active")
    world.clock.advance(1)
    assert signing_kid(world) == new.kid
    stamp = (keys / "active").stat().st_mtime_ns

    revoke(keys, old)
    os.utime(keys / "active", ns=(stamp, stamp))
    world.clock.advance(1)

    assert published(world) == [new.kid]


def test_two_workers_agree(world: World, keys: Path) -> None:
    """One has seen the new key sign, the other has not looked yet: both believe each other."""
    clock = Clock(world.clock.now)
    other = built_anew(world, clock=clock, ring=LiveKeyRing(keys, clock).current)
    old: SigningKey = world.runtime.ring().signer(ALG)
    new = generate(keys, ALG, world.clock.now)
    for each in (world.clock, clock):
        each.advance(PUBLISHED_BEFORE_SIGNING)
    assert other.runtime.ring().verification_key(new.kid) is not None
    promote(keys, new.kid, world.clock.now)
    world.clock.advance(1)

    assert (signing_kid(world), signing_kid(other)) == (new.kid, old.kid)
    by_new, by_old = token(world), token(other)
    for each in (world, replace(other)):
        assert each.introspect(by_new)["active"]
        assert each.introspect(by_old)["active"]
    other.close()
