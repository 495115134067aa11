"""Attempts are counted for a while, once, by all workers, and the counting tells nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from app.services import throttling
from app.services.throttling import PER_USER_AND_NETWORK, WINDOW_SECONDS
from app.tokens.secrets import PasswordHasher
from tests.support.lifecycle import built_anew, in_parallel
from tests.support.sign_ins import ATTACKER, CANONICAL, HOME, RIGHT, attempt, guess
from tests.support.world import World, build_world, submit


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.close()


# ------------------------------------------------------------------------------------------ time


def test_every_window_ends_by_itself(world: World) -> None:
    guess(world, PER_USER_AND_NETWORK)
    world.clock.advance(WINDOW_SECONDS - 1)
    assert attempt(world, RIGHT) is None

    world.clock.advance(1)

    assert attempt(world, RIGHT) is not None


def test_going_on_does_not_make_it_longer(world: World) -> None:
    for _ in range(WINDOW_SECONDS // 30):
        guess(world, 1)
        world.clock.advance(30)

    assert attempt(world, RIGHT) is not None


def test_a_restart_forgets_nothing(world: World) -> None:
    guess(world, PER_USER_AND_NETWORK)
    again = built_anew(world)

    assert attempt(again, RIGHT) is None
    again.close()


def test_workers_count_together(world: World) -> None:
    other = built_anew(world)
    guess(world, PER_USER_AND_NETWORK // 2)
    guess(other, PER_USER_AND_NETWORK // 2)

    assert attempt(world, RIGHT) is None
    other.close()


def test_parallel_attempts_cannot_pass_the_limit(world: World) -> None:
    """CVE-2024-4629, CVE-2023-47111: counted only after the password was looked at."""
    attempts = in_parallel(30, lambda number: throttling.begin(world.runtime, CANONICAL, ATTACKER))

    assert sum(each.admitted for each in attempts) == PER_USER_AND_NETWORK


def test_counters_whose_window_has_ended_are_thrown_away(world: World) -> None:
    """Names can be made up without end; the disk has one."""
    for number in range(20):
        guess(world, 1, f"198.51.100.{number}", username=f"user-{number}")
    world.clock.advance(WINDOW_SECONDS)

    guess(world, 1)

    assert len(world.rows("SELECT key FROM sign_in_attempts")) == 3


# ---------------------------------------------------------------------- nothing is given away


class CountingHasher(PasswordHasher):
    """Counts how often a password was worked on."""

    verified = 0

    def verify(self, password: str, encoded: str | None) -> bool:
        self.verified += 1
        return super().verify(password, encoded)


def test_the_work_is_the_same_when_throttled(world: World) -> None:
    hasher = CountingHasher(world.runtime.random_bytes, memory_kib=8, passes=1)
    world = replace(world, runtime=replace(world.runtime, passwords=hasher))

    for number in range(1, PER_USER_AND_NETWORK + 4):
        attempt(world, RIGHT if number > PER_USER_AND_NETWORK else "wrong-password")
        assert hasher.verified == number


def test_the_page_is_the_same_for_every_cause(world: World) -> None:
    def page(username: str, password: str) -> tuple[int, str]:
        browser = world.app.test_client()
        answer = submit(
            browser,
            browser.get("/sign-in"),
            kind="iam",
            root_email="root-a@example.com",
            username=username,
            password=password,
        )
        soup = BeautifulSoup(answer.text, "html.parser")
        for field in soup.find_all("input", {"name": ["csrf_token", "username"]}):
            field["value"] = ""
        assert "Retry-After" not in answer.headers
        return answer.status_code, str(soup)

    wrong = page("System1", "wrong-password")
    unknown = page("Nobody", "wrong-password")
    guess(world, PER_USER_AND_NETWORK, "127.0.0.1")
    throttled = page("System1", "wrong-password")
    throttled_and_right = page("System1", RIGHT)

    assert wrong == unknown == throttled == throttled_and_right
    assert wrong[0] == 401


def test_neither_names_nor_addresses_are_in_the_counters(world: World) -> None:
    guess(world, 1, HOME)
    attempt(world, RIGHT, HOME)

    stored = world.rows("SELECT key FROM sign_in_attempts")
    stored += world.rows("SELECT key FROM known_addresses")

    assert len(stored) >= 3
    for row in stored:
        assert len(row.key) == 64
        assert set(row.key) <= set("0123456789abcdef")
