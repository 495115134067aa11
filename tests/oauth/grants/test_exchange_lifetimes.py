"""`requested_expires_in`, and what caps it: the service account, and the trust that it rests on."""

from __future__ import annotations

from typing import Any

import pytest

from app.services import service_accounts
from tests.support import changes
from tests.support.tokens import user_token
from tests.support.world import START, World, allow, claims_of


def lifetime(answer: Any) -> int:
    """`expires_in`, having seen that the token says the same."""
    claims = claims_of(answer.json["access_token"])
    assert claims["exp"] - claims["iat"] == answer.json["expires_in"]
    return int(answer.json["expires_in"])


@pytest.mark.parametrize(
    ("asked", "granted"),
    [("60", 60), ("61", 61), ("3599", 3599), ("3600", 3600), ("3601", 3600), ("9999999999", 3600)],
)
def test_it_is_granted_up_to_the_maximum(
    world: World, token: str, asked: str, granted: int
) -> None:
    assert lifetime(world.impersonate(token, requested_expires_in=asked)) == granted


@pytest.mark.parametrize(
    "asked",
    [
        "59",
        "1",
        "0",
        "-60",
        "+600",
        "600.0",
        "6e2",
        "0x258",
        "1_000",
        "1,000",
        " 600",
        "600 ",
        "six hundred",
        "٦٠٠",
        "NaN",
        "Infinity",
        "99999999999999999999",
    ],
)
def test_less_than_a_minute_and_what_is_no_number_is_refused(
    world: World, token: str, asked: str
) -> None:
    for answer in (
        world.impersonate(token, requested_expires_in=asked),
        world.exchange(token, requested_expires_in=asked),
    ):
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert "requested_expires_in" in answer.json["error_description"]


@pytest.mark.parametrize("maximum", [900, 43_200])
def test_the_service_account_sets_the_maximum(world: World, token: str, maximum: int) -> None:
    new = changes.new_service_account(world, "Other", max_token_lifetime=maximum)
    service_accounts.add_trust(world.runtime, new.account.id, "53461")
    changes.give(world, allow("iam:ImpersonateServiceAccount", str(new.account.vrn)))

    plain = world.impersonate(token, requested_subject=new.account.id)
    greedy = world.impersonate(
        token, requested_subject=new.account.id, requested_expires_in="50000"
    )

    assert lifetime(plain) == lifetime(greedy) == maximum


@pytest.mark.parametrize(("left", "granted"), [(3601, 3600), (3600, 3600), (100, 100), (1, 1)])
def test_no_token_outlives_the_trust(world: World, token: str, left: int, granted: int) -> None:
    changes.replace_trust(world, expires_at=START + left)

    assert lifetime(world.impersonate(token)) == granted
    assert lifetime(world.impersonate(token, requested_expires_in="43200")) == granted


def test_a_trust_ends_at_its_second(world: World, token: str) -> None:
    changes.replace_trust(world, expires_at=START + 100)

    world.clock.advance(99.999)
    assert lifetime(world.impersonate(token)) == 1
    world.clock.advance(0.001)
    assert world.impersonate(token).json["error"] == "invalid_target"


def test_a_narrowed_token_ends_no_later(world: World, token: str) -> None:
    world.clock.advance(600)

    assert claims_of(world.exchange(token).json["access_token"])["exp"] == START + 3600
    greedy = world.exchange(token, requested_expires_in="43200")
    assert lifetime(greedy) == 3000
    assert lifetime(world.exchange(token, requested_expires_in="60")) == 60


def test_exchange_after_exchange_gains_no_time(world: World, token: str) -> None:
    """CVE-2026-96460: each exchange gave the service account's token a fresh lifetime."""
    held = world.impersonate(token).json["access_token"]
    end = claims_of(held)["exp"]

    for _ in range(7):
        world.clock.advance(500)
        held = world.exchange(held, requested_expires_in="43200").json["access_token"]
        assert claims_of(held)["exp"] == end

    world.clock.advance(100)
    assert world.exchange(held).json["error"] == "invalid_request"


class TestWhileTheSecondTurns:
    """The clock goes on while a request is answered: what was valid at its start is enough."""

    @pytest.fixture
    def ticking(self, world: World) -> World:
        """From here on each look at the clock is a fifth of a second later."""
        user_token(world)  # nothing is compiled for the first time any more

        def tick() -> float:
            world.clock.advance(0.2)
            return world.clock.now

        object.__setattr__(world.runtime, "clock", tick)
        return world

    @pytest.mark.parametrize("before", [0.9, 0.7, 0.5, 0.3, 0.1])
    def test_a_trust_that_ends_in_the_middle(
        self, world: World, token: str, ticking: World, before: float
    ) -> None:
        changes.replace_trust(world, expires_at=START + 1000)
        world.clock.now = START + 1000 - before

        answer = world.impersonate(token)

        assert answer.status_code in (200, 400), answer.json

    @pytest.mark.parametrize("before", [0.9, 0.7, 0.5, 0.3, 0.1])
    def test_a_subject_token_that_ends_in_the_middle(
        self, world: World, token: str, ticking: World, before: float
    ) -> None:
        world.clock.now = START + 3600 - before

        for answer in (world.exchange(token), world.impersonate(token)):
            assert answer.status_code in (200, 400), answer.json
