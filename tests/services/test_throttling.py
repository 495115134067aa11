"""Guesses at passwords are slowed down, and nobody is locked out by somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.services import accounts, throttling
from app.services.throttling import PER_USER, PER_USER_AND_NETWORK
from tests.support.sign_ins import ATTACKER, CAFE, CANONICAL, HOME, RIGHT, attempt, flood, guess
from tests.support.world import World, build_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.close()


# ------------------------------------------------------------------------- one user, one network


def test_the_right_password_is_believed_until_the_limit(world: World) -> None:
    guess(world, PER_USER_AND_NETWORK - 1)

    assert attempt(world, RIGHT) is not None


def test_beyond_the_limit_even_the_right_password_is_not(world: World) -> None:
    guess(world, PER_USER_AND_NETWORK)

    assert attempt(world, RIGHT) is None
    assert world.rows("SELECT id FROM sign_in_sessions") == []
    [row] = world.rows("SELECT * FROM failure_counts")
    assert (row.kind, row.count) == ("sign-in:iam", PER_USER_AND_NETWORK + 1)


def test_other_users_and_other_networks_are_not_concerned(world: World) -> None:
    accounts.create_user(world.runtime, "53461", "System2", "System2-password")
    guess(world, PER_USER_AND_NETWORK + 5)

    assert attempt(world, "System2-password", username="System2") is not None
    assert attempt(world, RIGHT, CAFE) is not None


def test_a_root_user_and_an_iam_user_of_one_account_are_two(world: World) -> None:
    guess(world, PER_USER_AND_NETWORK + 5)

    assert attempt(world, "root-a-password", kind="root") is not None


def test_a_success_gives_its_attempts_back(world: World) -> None:
    for _ in range(3):
        guess(world, PER_USER_AND_NETWORK - 1)
        assert attempt(world, RIGHT) is not None


def test_a_success_does_not_count_for_user_or_network(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "PER_NETWORK", 20)
    monkeypatch.setattr(throttling, "PER_USER", 20)
    for _ in range(25):
        counted = throttling.begin(world.runtime, CANONICAL, HOME)
        assert counted.admitted
        world.runtime.database.write(
            lambda connection, counted=counted: throttling.succeeded(  # type: ignore[misc]
                world.runtime, connection, counted
            )
        )


def test_a_success_from_a_new_place_does_not_count_for_the_user(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "PER_USER", 5)

    for number in range(10):
        assert attempt(world, RIGHT, f"198.51.100.{number}") is not None


@pytest.mark.parametrize(
    ("email", "username"),
    [
        ("ROOT-A@EXAMPLE.COM", "System1"),
        (" root-a@example.com ", "SYSTEM1"),
        ("Root-A@example.com\u2003", "system1"),
        ("root-a@example.com", "sYSTEM1"),
    ],
)
def test_spellings_of_one_user_are_counted_together(
    world: World, email: str, username: str
) -> None:
    """CVE-2025-6004, CVE-2025-24806: lockout counted apart by the spelling of the name."""
    guess(world, 5)
    guess(world, 5, email=email, username=username)

    assert attempt(world, RIGHT) is None
    assert attempt(world, RIGHT, email=email, username=username) is None
    assert attempt(world, RIGHT, CAFE, email=email, username=username) is not None


def test_a_letter_that_lower_case_turns_into_another_is_counted_together(world: World) -> None:
    accounts.create_user(world.runtime, "53461", "Kevin", "Kevin-password")
    guess(world, PER_USER_AND_NETWORK, username="\u212aevin")  # the sign of the kelvin

    assert attempt(world, "Kevin-password", username="Kevin") is None


# ------------------------------------------------------------------------------------- networks


def test_one_network_may_try_many_users_but_not_any_number(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert throttling.PER_NETWORK == 200
    monkeypatch.setattr(throttling, "PER_NETWORK", 30)
    for number in range(30):
        assert throttling.begin(world.runtime, f"user-{number}", ATTACKER).admitted

    assert attempt(world, RIGHT) is None
    assert attempt(world, RIGHT, CAFE) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"),
        ("2001:DB8:1:2::1", "2001:0db8:0001:0002:0000:0000:0000:0001"),
        ("::ffff:203.0.113.66", "203.0.113.66"),
        ("::ffff:cb00:7142", "203.0.113.66"),
        (None, ""),
        (None, "not an address"),
    ],
)
def test_addresses_that_one_owner_has_for_free_are_one_network(
    world: World, one: str | None, other: str | None
) -> None:
    guess(world, 5, one)
    guess(world, 5, other)

    assert attempt(world, RIGHT, one) is None
    assert attempt(world, RIGHT, other) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8:1:2::1", "2001:db8:1:3::1"), (ATTACKER, CAFE), ("::ffff:192.0.2.1", "192.0.2.2")],
)
def test_other_networks_are_others(world: World, one: str, other: str) -> None:
    guess(world, PER_USER_AND_NETWORK + 1, one)

    assert attempt(world, RIGHT, other) is not None


# ---------------------------------------------------------------------- one user from everywhere


def test_one_user_may_not_be_tried_from_everywhere(world: World) -> None:
    flood(world, CANONICAL, PER_USER)

    assert attempt(world, RIGHT, CAFE) is None


def test_the_victim_still_signs_in_from_home_while_a_thousand_addresses_attack(
    world: World,
) -> None:
    """CVE-2024-1722: an attacker who can keep others from signing in."""
    assert attempt(world, RIGHT, HOME) is not None
    flood(world, CANONICAL, 1000)

    assert attempt(world, RIGHT, CAFE) is None
    guess(world, 3, HOME)
    assert attempt(world, RIGHT, HOME) is not None


def test_one_attacker_alone_keeps_nobody_out_anywhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refused already does not count against the user as well."""
    monkeypatch.setattr(throttling, "PER_NETWORK", 20)
    monkeypatch.setattr(throttling, "PER_USER", 11)
    guess(world, 15)
    for number in range(20):
        throttling.begin(world.runtime, f"user-{number}", "203.0.113.67")
    guess(world, 15, "203.0.113.67")

    assert attempt(world, RIGHT, CAFE) is not None


def test_a_home_is_of_one_user_alone(world: World) -> None:
    accounts.create_user(world.runtime, "53461", "System2", "System2-password")
    assert attempt(world, "System2-password", HOME, username="System2") is not None
    flood(world, CANONICAL, PER_USER)

    assert attempt(world, RIGHT, HOME) is None


def test_a_home_lifts_no_other_limit(world: World) -> None:
    assert attempt(world, RIGHT, HOME) is not None
    guess(world, PER_USER_AND_NETWORK, HOME)

    assert attempt(world, RIGHT, HOME) is None


def test_a_failed_attempt_makes_no_home(world: World) -> None:
    guess(world, 1, HOME)
    flood(world, CANONICAL, PER_USER)

    assert attempt(world, RIGHT, HOME) is None


@pytest.mark.parametrize(("days", "known"), [(90, True), (91, False)])
def test_a_home_is_forgotten_in_the_end(world: World, days: int, known: bool) -> None:
    attempt(world, RIGHT, HOME)
    world.clock.advance(days * 24 * 3600)
    flood(world, CANONICAL, PER_USER)

    assert (attempt(world, RIGHT, HOME) is not None) is known
