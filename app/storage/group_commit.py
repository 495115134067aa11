"""Group commit: one transaction for all writes that wait at the same moment.

A commit that is on disk costs a sync, and the sync is the same for one write as for ten. The
thread that comes first leads: it takes everything that waits and commits it as one transaction,
while the next ones gather behind it. Where one of them fails, all are made anew, each in a
savepoint of its own, so that it takes nobody else along; nobody hears "done" before the commit
is durable.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection

#: What is written, in a transaction that it shares. It may be run twice; once is committed.
Work = Callable[[Connection], Any]

#: More in one transaction would keep other processes waiting for the lock.
MAX_BATCH = 64


class TooLong(RuntimeError):
    """The writes before this one took too long; it was not made."""


class LostTransaction(RuntimeError):
    """The store ended the transaction half-way; nothing of it was made."""


class _Waiting:
    """One write, until its outcome is known."""

    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None


class GroupCommit:
    """Runs writes in shared transactions. `begin` opens one that commits on leaving.

    `patience` is how many seconds a write waits for those before it.
    """

    def __init__(
        self, begin: Callable[[], AbstractContextManager[Connection]], patience: float = 10.0
    ) -> None:
        self._begin = begin
        self._patience = patience
        self._waiting: list[_Waiting] = []
        self._queue = threading.Lock()
        self._lead = threading.Lock()
        self._leader: int | None = None

    def run(self, work: Work) -> Any:
        """Returns what `work` returned, once it is durable; raises what it raised.

        Where the transaction itself fails, everybody in it hears of it. Raises `TooLong` where
        those before it take too long, and RuntimeError inside another write, for which it would
        wait for ever.
        """
        (mine,) = self._run([work])
        if mine.error is not None:
            raise mine.error
        return mine.result

    def run_all(self, works: list[Work]) -> list[BaseException | None]:
        """Make several writes at once; what went wrong with each. Raises as `run` does."""
        return [each.error for each in self._run(works)]

    def _run(self, works: list[Work]) -> list[_Waiting]:
        if self._leader == threading.get_ident():
            raise RuntimeError("a write inside a write: use the connection that is at hand")
        mine = [_Waiting(work) for work in works]
        with self._queue:
            self._waiting.extend(mine)
        self._wait(mine)
        try:
            # More than one batch can hold takes several.
            while any(not each.done for each in mine):
                self._commit(self._take(mine))
        finally:
            self._lead.release()
        return mine

    def _wait(self, mine: list[_Waiting]) -> None:
        """Wait for the lead. Raises `TooLong` while nobody has begun with the writes."""
        if self._lead.acquire(timeout=self._patience):
            return
        with self._queue:
            if all(each in self._waiting for each in mine):
                self._waiting = [each for each in self._waiting if each not in mine]
                raise TooLong
        # Somebody is at it: whether it becomes durable is known only when they are done.
        self._lead.acquire()

    def _take(self, mine: list[_Waiting]) -> list[_Waiting]:
        """The oldest writes, the leader's own always among them."""
        own = [each for each in mine if not each.done][:MAX_BATCH]
        with self._queue:
            others = [each for each in self._waiting if each not in own]
            taken = [*own, *others[: MAX_BATCH - len(own)]]
            batch = [each for each in self._waiting if each in taken]
            self._waiting = [each for each in self._waiting if each not in taken]
        return batch

    def _commit(self, batch: list[_Waiting]) -> None:
        self._leader = threading.get_ident()
        try:
            with self._begin() as connection:
                if len(batch) == 1:
                    # Nobody else is in the transaction: its own rollback is undoing enough.
                    batch[0].result = batch[0].work(connection)
                    _require_open(connection)
                elif not _run_together(connection, batch):
                    for each in batch:
                        _run_alone(connection, each)
        except BaseException as error:  # noqa: BLE001 - every waiting thread has to hear of it
            for each in batch:
                # Also to those that failed before: what they saw may never have been committed.
                each.error = error
        finally:
            self._leader = None
            for each in batch:
                each.done = True


def _run_together(connection: Connection, batch: list[_Waiting]) -> bool:
    """All of them, which nearly always goes well. False: one failed, and none is made."""
    connection.exec_driver_sql("SAVEPOINT all_of_many")
    try:
        for each in batch:
            each.result = each.work(connection)
            _require_open(connection)
    except LostTransaction:
        raise
    except Exception:  # noqa: BLE001 - it is run again, and heard of then
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT all_of_many")
        return False
    return True


def _run_alone(connection: Connection, waiting: _Waiting) -> None:
    """Run one write so that its failure undoes it and nothing else."""
    connection.exec_driver_sql("SAVEPOINT one_of_many")
    try:
        waiting.result = waiting.work(connection)
    except Exception as error:  # noqa: BLE001 - handed to the thread whose write it was
        waiting.error = error
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT one_of_many")
    connection.exec_driver_sql("RELEASE SAVEPOINT one_of_many")


def _require_open(connection: Connection) -> None:
    """SQLite ends a transaction by itself where the disk is full; what came next would stand alone.

    Raises `LostTransaction`.
    """
    if not getattr(connection.connection.driver_connection, "in_transaction", True):
        raise LostTransaction("the store ended the transaction half-way")
