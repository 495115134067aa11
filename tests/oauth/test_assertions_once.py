"""A client assertion is good once: in every worker, after a restart, under thirty threads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.services import accounts, client_assertions, service_accounts
from tests.support.assertions import (
    MINE,
    OTHER,
    TYPE,
    by_assertion,
    jwks,
    not_authenticated,
    proof,
)
from tests.support.lifecycle import built_anew, elsewhere, in_parallel, refused
from tests.support.world import RING, Clock, World, claims_of


@pytest.fixture
def machine(world: World) -> World:
    """The story, where the service account has registered a key of its own."""
    client_assertions.set_keys(world.runtime, world.client_id, jwks(MINE))
    return world


def test_an_assertion_is_good_once(machine: World) -> None:
    """CVE-2020-15222: client-assertion jti replay."""
    token = proof(machine)

    assert by_assertion(machine, token).status_code == 200
    not_authenticated(by_assertion(machine, token))
    not_authenticated(by_assertion(machine, proof(machine, jti=_jti(token))))


def _jti(token: str) -> str:

    return str(claims_of(token)["jti"])


def test_it_is_used_up_whatever_came_of_the_request(machine: World) -> None:
    token = proof(machine)

    refused(by_assertion(machine, token, scope="iam:*"), "invalid_scope")
    not_authenticated(by_assertion(machine, token))


def test_it_is_used_up_at_every_endpoint(machine: World) -> None:
    fields = {"client_assertion_type": TYPE, "client_assertion": proof(machine), "token": "x"}

    assert machine.client.post("/oauth2/introspect", data=fields).json == {"active": False}
    for path in ("/oauth2/revoke", "/oauth2/introspect"):
        not_authenticated(machine.client.post(path, data=fields))
    not_authenticated(by_assertion(machine, fields["client_assertion"]))


def test_it_is_used_up_in_every_worker_and_after_a_restart(machine: World) -> None:
    token = proof(machine)
    other = built_anew(machine)

    assert by_assertion(machine, token).status_code == 200
    not_authenticated(by_assertion(other, token))
    other.close()


def test_two_clients_may_choose_the_same_token_id(machine: World) -> None:
    other = service_accounts.create(machine.runtime, "60108", "other")
    client_assertions.set_keys(machine.runtime, other.client_id, jwks(OTHER))

    mine = proof(machine, jti="same")
    theirs = proof(machine, key=OTHER, jti="same", iss=other.client_id, sub=other.client_id)

    assert [by_assertion(machine, each).status_code for each in (mine, theirs)] == [200, 200]


def test_of_thirty_uses_at_once_one_succeeds(machine: World) -> None:
    token = proof(machine)

    answers = in_parallel(30, lambda number: by_assertion(elsewhere(machine), token))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 29


def test_thirty_different_ones_at_once_all_succeed(machine: World) -> None:
    answers = in_parallel(30, lambda number: by_assertion(elsewhere(machine), proof(machine)))

    assert {answer.status_code for answer in answers} == {200}


def test_it_is_remembered_for_as_long_as_any_worker_may_believe_it(machine: World) -> None:
    """The clocks of two workers may differ by the leeway, and one forgets by its own."""
    token = proof(machine)
    assert by_assertion(machine, token).status_code == 200
    fast = built_anew(machine, clock=Clock(machine.clock.now + 30))

    for _ in range(23):
        machine.clock.advance(4)
        fast.runtime.clock.advance(4)  # type: ignore[attr-defined]
        assert by_assertion(fast, proof(replace(fast, clock=fast.runtime.clock))).status_code == 200  # type: ignore[arg-type]
        not_authenticated(by_assertion(machine, token))
    fast.close()


def test_what_has_expired_is_forgotten(machine: World) -> None:
    for _ in range(3):
        by_assertion(machine, proof(machine))
        machine.clock.advance(600)

    assert len(machine.rows("SELECT digest FROM used_assertions")) == 1


def test_an_administrative_write_in_between_does_not_use_it_up_twice(machine: World) -> None:
    """The request is done again then, and its assertion is still its own."""
    writes = iter([False, True, True])

    def ring() -> Any:
        if next(writes, False):
            accounts.disable_account(machine.runtime, "53461")
        return RING

    disturbed = built_anew(machine, ring=ring)

    assert by_assertion(disturbed, proof(machine)).status_code == 200
    disturbed.close()


def test_keys_that_are_taken_away_in_between_are_noticed(machine: World) -> None:
    writes = iter([False, True])

    def ring() -> Any:
        if next(writes, False):
            client_assertions.set_keys(machine.runtime, machine.client_id, jwks(OTHER))
        return RING

    disturbed = built_anew(machine, ring=ring)

    not_authenticated(by_assertion(disturbed, proof(machine)))
    disturbed.close()
