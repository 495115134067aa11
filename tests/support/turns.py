"""Token requests of one turn, as the lane of a worker asks them (`app.cli.lane`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from werkzeug.test import TestResponse

from tests.support.world import World

Call = Callable[[], TestResponse]


def together(world: World, *calls: Call) -> list[TestResponse]:
    """The answers, in order; all of them out when all that was written is durable."""
    return world.runtime.database.answer_together(calls)


@contextmanager
def transactions(world: World, *before: Callable[[], object]) -> Iterator[list[int]]:
    """The write transactions meanwhile. `before` runs ahead of the first, the second, and so on;
    it has to write through another application, as this one's transaction is about to begin."""
    group = world.runtime.database._group
    begin = group._begin
    seen: list[int] = []
    waiting = list(before)

    @contextmanager
    def noted() -> Iterator[Connection]:
        seen.append(len(seen))
        if waiting:
            waiting.pop(0)()
        with begin() as connection:
            yield connection

    group._begin = noted
    try:
        yield seen
    finally:
        group._begin = begin
