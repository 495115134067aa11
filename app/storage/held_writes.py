"""Answers that wait together: the writes of several requests, made before any answer leaves.

A thread that answers one request after another need not wait for the disk each time. It works
out a few answers, makes what they have to write durable in one transaction, and only then lets
the answers go. Where a write fails, its request is asked once more, as if it came only now, and
writes at once: it hears of a failure where it would have heard of it before, so that nothing
else has to know.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from app.storage.group_commit import GroupCommit, Work

Answer = TypeVar("Answer")


class _Request:
    """What one request of the turn has written so far.

    `failure` is why it may not write at all: the store has just failed under it.
    """

    __slots__ = ("after", "failure", "may_wait", "work")

    def __init__(self, *, may_wait: bool = True, failure: BaseException | None = None) -> None:
        self.work: Work | None = None
        self.after: Callable[[], None] | None = None
        self.failure = failure
        self.may_wait = may_wait


class HeldWrites:
    """Which writes of the current thread's request wait until its answer is about to leave.

    `store_failures` are the errors after which trying again would only wait again.
    """

    def __init__(self, group: GroupCommit, store_failures: tuple[type[Exception], ...]) -> None:
        self._group = group
        self._store_failures = store_failures
        self._here = threading.local()

    def answer_together(self, requests: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """The answer of each request, all of what they wrote durable. In order.

        A request must not raise: then nothing that waits is written, and nobody has an answer.
        """
        turn = [_Request() for _ in requests]
        answers = [self._ask(*pair) for pair in zip(requests, turn, strict=True)]
        waiting = [number for number, each in enumerate(turn) if each.work is not None]
        failures = self._make([turn[number].work for number in waiting])
        for number, failure in zip(waiting, failures, strict=True):
            after = turn[number].after
            if failure is not None:
                answers[number] = self._ask(requests[number], self._once_more(failure))
            elif after is not None:
                after()
        return answers

    def hold(self, work: Work, after: Callable[[], None] | None) -> bool:
        """Whether `work` will be done before the answer leaves; else it has to be done now.

        It waits where it is the first that its request writes. Raises as `before_write`.
        """
        request = self._request()
        if request is None:
            return False
        if not request.may_wait:
            self.before_write()
            return False
        request.work, request.after, request.may_wait = work, after, False
        return True

    def before_write(self) -> None:
        """A write is about to be made at once: what waits comes first. Raises as it does.

        Raises the store's failure where the request is asked once more because of it.
        """
        request = self._request()
        if request is None:
            return
        if request.failure is not None:
            raise request.failure
        request.may_wait = False
        if request.work is None:
            return
        work, after = request.work, request.after
        request.work = request.after = None
        self._group.run(work)
        if after is not None:
            after()

    def _once_more(self, failure: BaseException) -> _Request:
        has_store_failed = isinstance(failure, self._store_failures)
        return _Request(may_wait=False, failure=failure if has_store_failed else None)

    def _request(self) -> _Request | None:
        return getattr(self._here, "request", None)

    def _ask(self, ask: Callable[[], Answer], request: _Request) -> Answer:
        self._here.request = request
        try:
            return ask()
        finally:
            self._here.request = None

    def _make(self, works: Sequence[Work | None]) -> list[BaseException | None]:
        """What went wrong with each, durable where nothing did."""
        there = [work for work in works if work is not None]
        if not there:
            return []
        try:
            return self._group.run_all(there)
        except Exception as error:  # noqa: BLE001 - each request hears of it
            return [error] * len(there)
