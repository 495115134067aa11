"""One thread that answers in turns: what has come is answered, then all of it leaves together.

Handing each request to a thread of its own, and each thread waiting for its commit, costs more
than the work in between: threads of one interpreter take its lock from each other at every step.
Requests that never wait for anything but the store therefore share one thread. It takes all that
have come, has their answers worked out, and lets them go when what they wrote is on the disk
(`app.storage.held_writes`); meanwhile the next ones gather.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, NamedTuple, TypeVar

Answer = TypeVar("Answer")
#: Answers the requests of one turn, in order.
AnswerTogether = Callable[[Sequence[Callable[[], Answer]]], list[Answer]]

#: More in one turn would keep the first one waiting.
MOST_IN_A_TURN = 16
#: More than a worker has connections: only requests whose clients have gone can be as many.
MOST_WAITING = 1024


class LaneFull(RuntimeError):
    """So many wait that one more would wait too long; it was not asked."""


class TurnFailed(RuntimeError):
    """A turn has no answers; what its requests wrote may or may not be there."""


class _Passenger(NamedTuple, Generic[Answer]):
    ask: Callable[[], Answer]
    answered: asyncio.Future[Answer]
    loop: asyncio.AbstractEventLoop


class Lane(Generic[Answer]):
    """Answers requests in turns, in a thread of its own."""

    def __init__(self, answer_together: AnswerTogether[Answer]) -> None:
        self._answer_together = answer_together
        self._arrived: SimpleQueue[_Passenger[Answer] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="lane", daemon=True)
        self._thread.start()

    def ask(self, ask: Callable[[], Answer]) -> asyncio.Future[Answer]:
        """The answer, when all that it wrote is durable. `ask` must not raise.

        Raises `LaneFull`; the future raises `TurnFailed` where the turn broke.
        """
        if self._arrived.qsize() >= MOST_WAITING:
            raise LaneFull
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()
        self._arrived.put(_Passenger(ask, answered, loop))
        return answered

    def stop(self) -> None:
        """Answer what has come, and end."""
        self._arrived.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (turn := self._next_turn()) is not None:
            # Whose client has gone by now is not worked for.
            turn = [each for each in turn if not each.answered.done()]
            try:
                answers = self._answer_together([each.ask for each in turn])
                _deliver(list(zip(turn, answers, strict=True)))
            except BaseException as error:  # noqa: BLE001 - whoever waits has to hear of it
                # As an error of its own: SystemExit in the loop would end the worker.
                failure = TurnFailed(f"a turn of {len(turn)} requests broke")
                failure.__cause__ = error
                _deliver([(each, failure) for each in turn])

    def _next_turn(self) -> list[_Passenger[Answer]] | None:
        first = self._arrived.get()
        if first is None:
            return None
        turn = [first]
        try:
            while len(turn) < MOST_IN_A_TURN:
                another = self._arrived.get_nowait()
                if another is None:
                    self._arrived.put(None)
                    break
                turn.append(another)
        except Empty:
            pass
        return turn


def _deliver(turn: Sequence[tuple[_Passenger[Answer], Answer | TurnFailed]]) -> None:
    """All at once: waking the loop costs as much for one as for many."""

    def deliver() -> None:
        for each, answer in turn:
            if each.answered.done():
                continue  # the client has gone
            if isinstance(answer, TurnFailed):
                each.answered.set_exception(answer)
            else:
                each.answered.set_result(answer)

    if turn:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            turn[0][0].loop.call_soon_threadsafe(deliver)
