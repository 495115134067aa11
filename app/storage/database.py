"""The store: one engine, read transactions and write transactions.

SQLite by default. Every connection gets foreign keys, WAL, a full sync at commit (what was
acknowledged survives a power cut) and a bounded wait for the write lock. A write transaction
takes that lock at its start, so that it never fails half-way for having read first.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, Connection, Engine, Index, MetaData, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.orm import DeclarativeBase, registry

from app.storage.group_commit import GroupCommit, LostTransaction, TooLong
from app.storage.held_writes import HeldWrites

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
_LOCK_WAIT_MS = 10_000
_WAL_ATTEMPTS = 100
_MOST_IDLE = 8
_LOOK_AGAIN = 0.0002
#: Beside the driver's own error.
_FAILURES = (DBAPIError, LostTransaction, TooLong, NoFreeConnection)

Result = TypeVar("Result")


class Base(DeclarativeBase):
    """All tables. Constraints are named, so that a migration can speak of them."""

    # Epoch seconds outgrow 32 bits in 2038.
    registry = registry(
        metadata=MetaData(naming_convention=_NAMES), type_annotation_map={int: BigInteger()}
    )


def partial_index(table: str, column: str, *others: str) -> Index:
    """An index of the rows that have the first column. Looking for a value finds it."""
    there = text(f"{column} IS NOT NULL")
    name = "_".join(("ix", table, column, *others))
    return Index(name, column, *others, sqlite_where=there, postgresql_where=there)


db = SQLAlchemy(model_class=Base)


class StoreUnavailable(RuntimeError):
    """The store did not take or give what was asked; nothing was written."""


def configure(app: Flask, url: str) -> Database:
    """Bind the Flask app to the store at `url`.

    A SQLite file is made where there is none, with its folder; only its owner may read it, as
    it holds password hashes (SQLite gives the files beside it the same mode).
    """
    path = make_url(url)
    options: dict[str, Any] = {
        "pool_pre_ping": path.get_backend_name() != "sqlite",
        # The text of an error goes to the log: no hash, e-mail or reason along with it.
        "hide_parameters": True,
    }
    if path.database not in (None, "", ":memory:"):
        # More than a process has threads, each with one to read through, and one that writes.
        options.update(pool_size=16, max_overflow=64)
    if path.get_backend_name() == "sqlite" and path.database not in (None, "", ":memory:"):
        file = Path(str(path.database)).absolute()
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            file.touch(mode=0o600, exist_ok=False)
        url = path.set(database=str(file)).render_as_string(hide_password=False)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    return Database(engine)


class Database:
    """Transactions over one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._glancing = engine.execution_options(crossroot_begin=None)
        self._writer: Connection | None = None
        self._idle: list[Connection] = []
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._group = GroupCommit(self._write_transaction, _LOCK_WAIT_MS / 1000)
        self._held = HeldWrites(self._group, (self._driver_error, *_FAILURES))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; nothing may be written. Raises `StoreUnavailable`."""
        with self._translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """A connection for the hot path: each statement is consistent in itself, no more.

        That is enough where what has to hold together is looked at again at the commit
        (`app.storage.epoch`). Nothing may be written. Raises `StoreUnavailable`.
        """
        with self._translated():
            held = self._idle.pop() if self._idle else self._glancing.connect()
            try:
                yield held
            except (self._driver_error, DBAPIError):
                _discard(held)
                raise
            except BaseException:
                self._give_back(held)
                raise
            else:
                self._give_back(held)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction: all of it is durable on return, or none of it is.

        Writes that wait at the same moment share one (`app.storage.group_commit`). Raises
        `StoreUnavailable` where the store fails, and whatever `work` raises.
        """
        with self._translated():
            self._held.before_write()
            return cast("Result", self._group.run(work))

    def write_before_answer(
        self, work: Callable[[Connection], object], after: Callable[[], None] | None = None
    ) -> None:
        """Run `work` in a transaction that is durable before the request's answer leaves.

        Nothing may be made of the outcome but the answer: in `answer_together` the work is done
        after this returns, and where it fails the request is asked anew. `after` is told once it
        is durable. Raises as `write` does.
        """
        with self._translated():
            if self._held.hold(work, after):
                return
            self._group.run(work)
        if after is not None:
            after()

    def answer_together(self, requests: Sequence[Callable[[], Result]]) -> list[Result]:
        """Ask requests one after the other, and return their answers when all that they wrote
        with `write_before_answer` is durable, in one transaction where none failed."""
        return self._held.answer_together(requests)

    def close(self) -> None:
        """Close every connection; the last one folds SQLite's write-ahead log in."""
        while self._idle:
            _discard(self._idle.pop())
        self._drop_writer()
        self.engine.dispose()

    def _give_back(self, held: Connection) -> None:
        """Keep a connection for the next glance: taking one from the pool costs as much as it."""
        if len(self._idle) < _MOST_IDLE:
            self._idle.append(held)
        else:
            held.close()

    @contextmanager
    def _write_transaction(self) -> Iterator[Connection]:
        """One transaction; only one thread at a time is in here."""
        if self.engine.dialect.name != "sqlite":
            with self.engine.begin() as connection:
                yield connection
            return
        if self._writer is None:
            self._writer = self._glancing.connect()
        driver: Any = self._writer.connection.driver_connection
        try:
            # Said to the driver: it is the same for every token, and SQLAlchemy's own way of
            # beginning and ending costs more than the rows between.
            _take_the_lock(driver)
            yield self._writer
            _make_durable(driver)
        except BaseException as error:
            if driver.in_transaction:
                driver.execute("ROLLBACK")
            if isinstance(error, self._driver_error | DBAPIError):
                self._drop_writer()
            raise

    def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            _discard(writer)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Floors above know one word for a store that fails."""
        try:
            yield
        except DBAPIError as error:
            raise StoreUnavailable(type(error.orig).__name__) from error
        except self._driver_error as error:
            raise StoreUnavailable(type(error).__name__) from error
        except LostTransaction as error:
            raise StoreUnavailable("the store ended the transaction half-way") from error
        except TooLong as error:
            raise StoreUnavailable("another write takes too long") from error
        except NoFreeConnection as error:
            raise StoreUnavailable("all connections are in use") from error


def _take_the_lock(driver: sqlite3.Connection) -> None:
    """Begin a write transaction, waiting for other processes.

    SQLite's own waiting sleeps longer each time, for up to a tenth of a second, while the lock is
    free again after a sync. Looking often keeps two processes from waiting for nobody.
    """
    until = time.monotonic() + _LOCK_WAIT_MS / 1000
    driver.execute("PRAGMA busy_timeout=0")
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_LOOK_AGAIN)
        else:
            break
    driver.execute(f"PRAGMA busy_timeout={_LOCK_WAIT_MS}")


def _make_durable(driver: sqlite3.Connection) -> None:
    """End the transaction; it is on the disk on return."""
    driver.execute("COMMIT")


def _discard(connection: Connection) -> None:
    """Close it for good: nobody gets it from the pool again."""
    connection.invalidate()
    connection.close()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={_LOCK_WAIT_MS}")
        _use_wal(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        how = connection.get_execution_options().get("crossroot_begin", "BEGIN")
        if how is not None:
            connection.exec_driver_sql(str(how))


def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Switch the file to WAL, once in its life; of several that try at once each gets there.

    The switch fails where somebody else has the file, whatever `busy_timeout` says. Asking for
    the file alone does wait, so that is how we find out that the others are done.
    """
    for attempts_left in reversed(range(_WAL_ATTEMPTS)):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not attempts_left:
                raise
        cursor.execute("BEGIN EXCLUSIVE")
        cursor.execute("ROLLBACK")
