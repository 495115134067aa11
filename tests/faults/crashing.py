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
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "10"))
ISSUE = tuple(
    f"issue:{step}"
    for step in ("signed", "checked", "consumed", "recorded", "audited", "committed")
)


def points(name: str, operation: Operation, *steps: str) -> Iterator[object]:
    """Parameters of a test: where to crash in what."""
    for step in steps:
        yield pytest.param(operation, step, id=f"{name}, {step}")


def nothing_is_half_done(site: CrashSite, operation: Operation, step: str) -> None:
    """Let the server die there ROUNDS times, and look at what there is after each time."""
    unheard = 0
    for number in range(ROUNDS):
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
    assert unheard >= ROUNDS
