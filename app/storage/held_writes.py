"""Answers that wait together: the writes of several requests, made before any answer leaves.

A thread that answers one request after another need not wait for the disk each time. It works
out a few answers, makes what they have to write durable in one transaction, and only then lets
the answers go. Where a write fails, its request is asked once more and hears of the failure at
the very place where it would have heard of it before, so that nothing else has to know.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from app.storage.group_commit import GroupCommit, Work

Answer = TypeVar("Answer")


class _Request:
    """What one request of the turn has written so far."""

    __slots__ = ("after", "failure", "may_wait", "work")

    def __init__(self, failure: BaseException | None = None) -> None:
        self.work: Work | None = None
        self.after: Callable[[], None] | None = None
        self.failure = failure
        self.may_wait = failure is None


class HeldWrites:
    """Which writes of the current thread's request wait until its answer is about to leave."""

    def __init__(self, group: GroupCommit) -> None:
        self._group = group
        self._here = threading.local()

    def answer_together(self, requests: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """The answer of each request, all of what they wrote durable. In order."""
        turn = [_Request() for _ in requests]
        answers = [self._ask(*pair) for pair in zip(requests, turn, strict=True)]
        waiting = [each for each in turn if each.work is not None]
        for each, outcome in zip(waiting, self._make(waiting), strict=True):
            each.failure = outcome
        for number, each in enumerate(turn):
            if each.failure is not None:
                answers[number] = self._ask(requests[number], _Request(each.failure))
            elif each.after is not None:
                each.after()
        return answers

    def hold(self, work: Work, after: Callable[[], None] | None) -> bool:
        """Whether `work` will be done before the answer leaves; else it has to be done now.

        It waits where it is the first that its request writes. Raises what became of it, where
        the request is asked once more because of that.
        """
        request = self._request()
        if request is None:
            return False
        if request.failure is not None:
            failure, request.failure = request.failure, None
            raise failure
        if not request.may_wait:
            return False
        request.work, request.after, request.may_wait = work, after, False
        return True

    def before_write(self) -> None:
        """A write is about to be made at once: what came before it comes first."""
        request = self._request()
        if request is None:
            return
        request.may_wait, request.failure = False, None
        if request.work is not None:
            work, request.work = request.work, None
            self._group.run(work)

    def _request(self) -> _Request | None:
        return getattr(self._here, "request", None)

    def _ask(self, ask: Callable[[], Answer], request: _Request) -> Answer:
        self._here.request = request
        try:
            return ask()
        finally:
            self._here.request = None

    def _make(self, waiting: list[_Request]) -> list[BaseException | None]:
        if not waiting:
            return []
        try:
            return self._group.run_all([each.work for each in waiting if each.work is not None])
        except Exception as error:  # noqa: BLE001 - each request hears of it
            return [error] * len(waiting)
