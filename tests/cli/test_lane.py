"""One thread that answers in turns, and the event loop that waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest

from app.cli.lane import MOST_IN_A_TURN, MOST_WAITING, Lane, LaneFull
from tests.support.lifecycle import PATIENCE, until

Ask = Callable[[], str]


class Turns:
    """Stands where the store makes a turn durable: notes each turn, and stops when told to."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.threads: set[int] = set()
        self.may_go = threading.Event()
        self.may_go.set()

    def __call__(self, asks: Sequence[Ask]) -> list[str]:
        self.sizes.append(len(asks))
        self.threads.add(threading.get_ident())
        answers = [ask() for ask in asks]
        assert self.may_go.wait(PATIENCE)
        return answers

    def stand_still(self, lane: Lane[str]) -> asyncio.Future[str]:
        """A first turn is under way and does not end."""
        self.may_go.clear()
        first = lane.ask(lambda: "first")
        until(lambda: self.sizes == [1])
        return first


def waiting(lane: Lane[str], count: int) -> list[asyncio.Future[str]]:
    return [lane.ask(lambda number=number: f"n{number}") for number in range(count)]  # type: ignore[misc]


async def stopped(lane: Lane[str]) -> None:
    """Stop it while the loop goes on, as granian's does until its last request is answered."""
    await asyncio.wait_for(asyncio.to_thread(lane.stop), PATIENCE)


def test_each_gets_its_own_answer() -> None:
    turns = Turns()

    async def run() -> list[str]:
        lane = Lane(turns)
        answers = list(await asyncio.gather(*waiting(lane, 100)))
        await stopped(lane)
        return answers

    assert asyncio.run(run()) == [f"n{number}" for number in range(100)]
    assert sum(turns.sizes) == 100
    assert len(turns.threads) == 1
    assert threading.get_ident() not in turns.threads


def test_what_gathers_meanwhile_is_one_turn_and_none_is_too_long() -> None:
    turns = Turns()

    async def run() -> None:
        lane = Lane(turns)
        first = turns.stand_still(lane)
        others = waiting(lane, MOST_IN_A_TURN + 3)
        assert not first.done()
        turns.may_go.set()
        await asyncio.gather(first, *others)
        await stopped(lane)

    asyncio.run(run())
    assert turns.sizes == [1, MOST_IN_A_TURN, 3]


def test_nobody_is_answered_before_the_turn_is_over() -> None:
    """The turn is over when all that it wrote is on the disk."""
    turns = Turns()

    async def run() -> None:
        lane = Lane(turns)
        first = turns.stand_still(lane)
        await asyncio.sleep(0)
        assert not first.done()
        turns.may_go.set()
        assert await first == "first"
        await stopped(lane)

    asyncio.run(run())


def test_stopping_answers_what_has_come() -> None:
    turns = Turns()

    async def run() -> list[str]:
        lane = Lane(turns)
        first = turns.stand_still(lane)
        others = waiting(lane, 2 * MOST_IN_A_TURN)
        stopping = asyncio.create_task(stopped(lane))
        turns.may_go.set()
        answers = await asyncio.gather(first, *others)
        await stopping
        return list(answers)

    assert len(asyncio.run(run())) == 1 + 2 * MOST_IN_A_TURN


@pytest.mark.parametrize(
    "error", [RuntimeError("the store"), SystemExit(3), KeyboardInterrupt(), StopIteration()]
)
def test_a_turn_that_breaks_is_heard_of_by_each_and_the_next_goes_on(error: BaseException) -> None:
    """An error that would end the event loop, and the worker with it, arrives as a plain one."""
    broken = [error]

    def answer_together(asks: Sequence[Ask]) -> list[str]:
        if broken:
            raise broken.pop()
        return [ask() for ask in asks]

    async def run() -> list[object]:
        lane: Lane[str] = Lane(answer_together)
        heard = await asyncio.gather(lane.ask(lambda: "a"), return_exceptions=True)
        heard += await asyncio.gather(lane.ask(lambda: "b"))
        await stopped(lane)
        return list(heard)

    failure, answer = asyncio.run(run())

    assert isinstance(failure, RuntimeError)
    assert answer == "b"


def test_a_turn_with_an_answer_too_few_leaves_nobody_waiting() -> None:
    async def run() -> list[object]:
        lane: Lane[str] = Lane(lambda asks: [])
        heard = await asyncio.wait_for(
            asyncio.gather(lane.ask(lambda: "a"), return_exceptions=True), PATIENCE
        )
        await stopped(lane)
        return list(heard)

    assert isinstance(asyncio.run(run())[0], RuntimeError)


def test_who_has_gone_is_not_worked_for_and_takes_nobody_along() -> None:
    turns = Turns()
    asked: list[str] = []

    def ask() -> str:
        asked.append("asked")
        return "nobody listens"

    async def run() -> list[str]:
        lane = Lane(turns)
        first = turns.stand_still(lane)
        gone, stays = lane.ask(ask), lane.ask(lambda: "stays")
        gone.cancel()
        first.cancel()  # its turn is under way
        turns.may_go.set()
        answer = await stays
        await stopped(lane)
        return [answer]

    assert asyncio.run(run()) == ["stays"]
    assert asked == []


def test_a_turn_of_which_everybody_has_gone() -> None:
    turns = Turns()

    async def run() -> str:
        lane = Lane(turns)
        first = turns.stand_still(lane)
        for gone in waiting(lane, MOST_IN_A_TURN):
            gone.cancel()
        turns.may_go.set()
        await first
        answer = await lane.ask(lambda: "later")
        await stopped(lane)
        return answer

    assert asyncio.run(run()) == "later"


def test_a_loop_that_is_gone_does_not_end_the_thread() -> None:
    """Another loop's requests are still answered, and stopping still ends."""
    turns = Turns()
    lane = Lane(turns)

    async def leave_it() -> None:
        turns.stand_still(lane)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave_it())
    loop.close()
    turns.may_go.set()

    async def run() -> str:
        return await asyncio.wait_for(lane.ask(lambda: "here"), PATIENCE)

    assert asyncio.run(run()) == "here"
    lane.stop()


def test_what_waits_is_bounded() -> None:
    """A flood is refused at once and costs no memory; those that wait are answered."""
    turns = Turns()

    async def run() -> int:
        lane = Lane(turns)
        first = turns.stand_still(lane)
        others = waiting(lane, MOST_WAITING)
        with pytest.raises(LaneFull):
            lane.ask(lambda: "one too many")
        turns.may_go.set()
        answers = await asyncio.gather(first, *others)
        assert await lane.ask(lambda: "there is room again") == "there is room again"
        await stopped(lane)
        return len(answers)

    assert asyncio.run(run()) == 1 + MOST_WAITING
