"""What a stranger may send must not cost more than its length: CPU time, compared over sizes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from app.domain.names import Glob
from app.domain.scopes import parse_scope

SMALL, LARGE = 2**10, 2**16

HOSTILE: dict[str, Callable[[int], tuple[str, str]]] = {
    "*a*a*a*b on aaaa": lambda size: ("*a*a*a*b", "a" * size),
    "*a*a*a*b* on aaaa": lambda size: ("*a*a*a*b*", "a" * size),
    "*a*a*a*b*a on aaaa": lambda size: ("*a*a*a*b*a", "a" * size),
    "*aab*aab*b* on aaaa": lambda size: ("*aab*aab*b*", "a" * size),
    "as many stars as letters": lambda size: ("*a" * (size // 2) + "*b*", "a" * size),
    "stars alone": lambda size: ("*" * size, "a" * size),
    "a piece of half the text": lambda size: ("*" + "a" * (size // 2) + "b*", "a" * size),
    "a piece that nearly fits": lambda size: ("*" + "ab" * (size // 4) + "b*", "ab" * (size // 2)),
}


def cost(action: Callable[[], object]) -> float:
    """CPU seconds of one call: the least of several runs, each long enough to measure."""
    best, calls = float("inf"), 1
    for _ in range(5):
        spent = 0.0
        while spent < 0.001:
            calls *= 2
            start = time.process_time()
            for _ in range(calls):
                action()
            spent = time.process_time() - start
        best = min(best, spent / calls)
        calls = max(1, calls // 4)
    return best


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("asking", ["matches", "covers", "overlaps"])
def test_a_pattern_takes_time_by_its_length_and_that_of_the_text(
    asking: str, hostile: Callable[[int], tuple[str, str]]
) -> None:
    """64 times the input: a linear walk takes 64 times as long, a quadratic one 4096 times."""

    def measured(size: int) -> float:
        pattern, text = hostile(size)
        glob, other = Glob(pattern), Glob(text + "*")
        actions: dict[str, Callable[[], object]] = {
            "matches": lambda: glob.matches(text),
            "covers": lambda: glob.covers(other),
            "overlaps": lambda: glob.overlaps(other),
        }
        return cost(actions[asking])

    assert measured(LARGE) < 800 * measured(SMALL)


def test_reading_a_scope_takes_time_by_its_length() -> None:
    """16 times the input: a quadratic reader takes 256 times as long."""

    def measured(size: int) -> float:
        text = " ".join(f"vserver:A{number}" for number in range(size))
        return cost(lambda: parse_scope(text))

    assert measured(2**12) < 80 * measured(2**8)
