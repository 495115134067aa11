"""A store of notes whose transactions a test can hold up or break."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection

from app.storage.database import configure
from app.storage.group_commit import GroupCommit
from tests.support.lifecycle import PATIENCE, until


class CommitFailed(RuntimeError):
    """The disk is full at the worst moment."""


class Store:
    """A table of notes in a SQLite file, and a transaction that a test can stop or break."""

    def __init__(self, path: Path) -> None:
        self.database = configure(Flask("store"), f"sqlite:///{path}")
        self._writing = self.database.engine.execution_options(crossroot_begin="BEGIN IMMEDIATE")
        with self._writing.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE notes (text TEXT PRIMARY KEY)")
        self.may_begin = threading.Event()
        self.may_begin.set()
        self.commits_allowed = threading.Semaphore(1000)
        self.commit_fails = False
        self.transactions = self.at_commit = 0
        self.group = GroupCommit(self.begin)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        self.transactions += 1
        assert self.may_begin.wait(PATIENCE)
        with self._writing.begin() as connection:
            yield connection
            self.at_commit += 1
            assert self.commits_allowed.acquire(timeout=PATIENCE)
            if self.commit_fails:
                raise CommitFailed

    def notes(self) -> set[str]:
        with self.database.read() as connection:
            return {row.text for row in connection.exec_driver_sql("SELECT text FROM notes")}

    def gathered(self, pool: ThreadPoolExecutor, *works: Callable[[Connection], Any]) -> Waiting:
        """A first write that stands before its transaction, and these that wait behind it."""
        self.may_begin.clear()
        before = self.transactions
        first = pool.submit(self.group.run, note("first"))
        until(lambda: self.transactions == before + 1)
        futures = []
        for number, work in enumerate(works, 1):
            futures.append(pool.submit(self.group.run, work))
            until(lambda number=number: len(self.group._waiting) == number)  # type: ignore[misc]
        return Waiting(self, first, futures)


class Waiting:
    """Writes that gather behind a leader, until they are let go."""

    def __init__(self, store: Store, first: Future[Any], futures: list[Future[Any]]) -> None:
        self._store, self.first, self.futures = store, first, futures

    def let_go(self) -> list[Future[Any]]:
        self._store.may_begin.set()
        return self.futures


def note(text: str) -> Callable[[Connection], str]:
    """A write that returns what it wrote."""

    def write(connection: Connection) -> str:
        connection.exec_driver_sql("INSERT INTO notes VALUES (?)", (text,))
        return text

    return write


def note_and_fail(text: str, error: BaseException) -> Callable[[Connection], str]:
    def write(connection: Connection) -> str:
        note(text)(connection)
        raise error

    return write
