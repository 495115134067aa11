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
    write, before_answer = database.write, database.write_before_answer
    seen: list[int] = []

    def interrupted(original: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            if seen and seen[-1] < 0:
                return original(*arguments)
            seen.append(-1)
            work()
            seen[-1] = len(seen)
            if len(seen) == times:
                replace(write, before_answer)
            return original(*arguments)

        return run

    def replace(one: Any, other: Any) -> None:
        database.write = one  # type: ignore[method-assign]
        database.write_before_answer = other  # type: ignore[method-assign]

    replace(interrupted(write), interrupted(before_answer))
    return seen
