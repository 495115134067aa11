"""Something else is committed at the worst moment: between reading the facts and writing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.world import World


def before_next_write(world: World, work: Callable[[], Any], *, times: int = 1) -> list[int]:
    """Run `work` right before each of the next write transactions. Returns the count so far.

    Writes of `work` itself are not interrupted.
    """
    database = world.runtime.database
    write = database.write
    seen: list[int] = []

    def interrupted(do: Callable[[Any], Any]) -> Any:
        if seen and seen[-1] < 0:
            return write(do)
        seen.append(-1)
        work()
        seen[-1] = len(seen)
        if len(seen) == times:
            database.write = write  # type: ignore[method-assign]
        return write(do)

    database.write = interrupted  # type: ignore[method-assign]
    return seen
