"""One point at which the server dies (`kill -9`), again and again, with requests under way.

After each death it starts again on the same files. Then: nothing was spent twice, nothing that
a client heard of is lost, no token is without its audit row nor a row without its token, and
what the clients did not hear of either happened as a whole or can be done again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.faults.operations import Operation
from tests.faults.site import CrashSite

AT_ONCE = 3
#: Of each point; CRASH_ROUNDS asks for another number everywhere.
MANY, FEW = 10, 2
ISSUE = ("signed", "checked", "consumed", "recorded", "audited", "committed")


def points(
    name: str, operation: Operation, steps: tuple[str, ...], often: tuple[str, ...]
) -> Iterator[object]:
    """Parameters of a test; the steps in `often` are those where something is half done."""
    for step in steps:
        rounds = int(os.environ.get("CRASH_ROUNDS", MANY if step in often else FEW))
        yield pytest.param(operation, step, rounds, id=f"{name}, {step}, {rounds} times")


def nothing_is_half_done(site: CrashSite, operation: Operation, step: str, rounds: int) -> None:
    """Let the server die so often, and look at what there is after each time."""
    unheard = 0
    for number in range(rounds):
        items = [operation.prepare(site) for _ in range(AT_ONCE)]
        site.arm(step, 1 + number % AT_ONCE)

        answers = site.at_once(lambda item: operation.perform(site, item), items)

        assert site.died() == "died -9"
        site.start()
        assert site.unsound() == {}
        for item, answer in zip(items, answers, strict=True):
            operation.settle(site, item, answer)
        assert site.unsound() == {}
        unheard += sum(answer is None for answer in answers)
    # Otherwise nobody was disturbed, and all of this shows nothing.
    assert unheard >= rounds
