"""Attempts to sign in, from here and from there, as the services behind the page see them."""

from __future__ import annotations

from app.services import sign_in, throttling
from app.services.sign_in import NewSession, SignInForm
from tests.support.lifecycle import in_parallel
from tests.support.world import World

HOME, CAFE, ATTACKER = "192.0.2.1", "198.51.100.7", "203.0.113.66"
RIGHT = "System1-password"

#: The one spelling of System1 under which attempts are counted.
CANONICAL = "root-a@example.com\0system1"


def attempt(
    world: World,
    password: str = "wrong-password",
    source_ip: str | None = ATTACKER,
    *,
    username: str = "System1",
    email: str = "root-a@example.com",
    kind: str = "iam",
) -> NewSession | None:
    form = SignInForm(kind, email, username, password)
    return sign_in.sign_in(world.runtime, form, source_ip)


def guess(world: World, times: int, source_ip: str | None = ATTACKER, **form: str) -> None:
    for _ in range(times):
        assert attempt(world, "wrong-password", source_ip, **form) is None


def flood(world: World, user: str, count: int) -> None:
    """Attempts at one user from so many networks, as far as the counters see them."""
    threads = 10

    def part(thread: int) -> None:
        for number in range(thread, count, threads):
            throttling.begin(world.runtime, user, f"100.64.{number // 250}.{number % 250}")

    in_parallel(threads, part)
