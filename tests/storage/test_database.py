"""Transactions: whole or not at all, one writer at a time, readers never in the way."""

from __future__ import annotations

import logging
import sqlite3
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, create_engine, event, text

from app.storage import accounts, epoch
from app.storage import database as database_module
from app.storage.database import Database, StoreUnavailable, configure
from tests.support.stores import ROOT_A, open_store

WRITERS = 8
WRITES = 25


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A store that waits a hundredth of a second for a lock."""
    monkeypatch.setattr(database_module, "_LOCK_WAIT_MS", 10)
    database = open_store(tmp_path / "impatient.db")
    database.write(lambda connection: connection.execute(text("CREATE TABLE counter (value INT)")))
    database.write(lambda connection: connection.execute(text("INSERT INTO counter VALUES (0)")))
    yield database
    database.close()


def file_of(database: Database) -> Path:
    return Path(str(database.engine.url.database))


def other_program(database: Database) -> closing[sqlite3.Connection]:
    """Somebody else with the same file, who does not wait."""
    return closing(sqlite3.connect(file_of(database), timeout=0, isolation_level=None))


def count_up(connection: Connection) -> None:
    """Read, then write what was read: what two writers at once would get wrong."""
    value = connection.execute(text("SELECT value FROM counter")).scalar_one()
    connection.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})


def counted(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(text("SELECT value FROM counter")).scalar_one())


# ------------------------------------------------------------------------------- connections


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("foreign_keys", 1), ("journal_mode", "wal"), ("synchronous", 2), ("busy_timeout", 10_000)],
)
def test_every_connection_is_set_up(empty_store: Database, pragma: str, value: object) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(empty_store.read()) for _ in range(3)]
        found = [each.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() for each in connections]
    found.append(empty_store.write(lambda each: each.exec_driver_sql(f"PRAGMA {pragma}").scalar()))

    assert found == [value] * 4


def test_only_the_owner_can_read_the_file_and_those_beside_it(tmp_path: Path) -> None:
    database = open_store(tmp_path / "deep" / "down" / "store.db")
    database.write(lambda connection: connection.execute(text("CREATE TABLE counter (value INT)")))

    files = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "deep" / "down").iterdir()
    }
    database.close()

    assert files == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}


def test_a_file_that_is_there_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch(mode=0o640)
    mode = path.stat().st_mode

    open_store(path).close()

    assert path.stat().st_mode == mode


def test_a_relative_path_starts_at_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = configure(Flask("store"), "sqlite:///var/store.db")
    with database.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    database.close()

    assert (tmp_path / "var" / "store.db").exists()


def test_a_store_in_memory_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    database = configure(Flask("store"), "sqlite:///:memory:")
    database.write(lambda connection: connection.execute(text("CREATE TABLE counter (value INT)")))
    with database.read() as connection:
        assert connection.execute(text("SELECT * FROM counter")).all() == []
    database.close()

    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------------- reads


def test_a_read_sees_one_state_to_its_end(empty_store: Database) -> None:
    with empty_store.read() as connection:
        before = epoch.current(connection)
        empty_store.write(epoch.advance)
        assert epoch.current(connection) == before

    with empty_store.read() as connection:
        assert epoch.current(connection) == before + 1


def test_a_read_does_not_see_what_is_not_committed(impatient: Database) -> None:
    def write(connection: Connection) -> int:
        count_up(connection)
        return counted(impatient)

    assert impatient.write(write) == 0
    assert counted(impatient) == 1


def test_what_a_read_writes_does_not_stay(impatient: Database) -> None:
    with impatient.read() as connection:
        count_up(connection)

    assert counted(impatient) == 0


# ------------------------------------------------------------------------------------- writes


def test_a_write_is_there_when_it_returns(impatient: Database) -> None:
    impatient.write(count_up)

    with other_program(impatient) as other:
        assert other.execute("SELECT value FROM counter").fetchone() == (1,)


def test_a_write_hands_back_what_its_work_gives(impatient: Database) -> None:
    assert impatient.write(lambda connection: "an answer") == "an answer"


def test_a_write_that_raises_leaves_nothing(impatient: Database) -> None:
    def write(connection: Connection) -> None:
        count_up(connection)
        raise LookupError("it was a bad idea")

    with pytest.raises(LookupError, match="it was a bad idea"):
        impatient.write(write)

    assert counted(impatient) == 0
    impatient.write(count_up)
    assert counted(impatient) == 1


def test_a_write_that_breaks_a_rule_of_the_store_leaves_nothing(database: Database) -> None:
    def write(connection: Connection) -> None:
        epoch.advance(connection)
        accounts.add_account(connection, ROOT_A, "another-hash", 9)

    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        database.write(write)

    with database.read() as connection:
        assert epoch.current(connection) == 1
        found = accounts.find_root_by_email(connection, ROOT_A.email)
    assert found is not None
    assert found.password_hash == "hash-of-root-a"


def test_a_foreign_key_has_to_be_there(database: Database) -> None:
    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        database.write(
            lambda connection: connection.execute(
                text("INSERT INTO group_members VALUES ('no-group', 'no-user')")
            )
        )


def test_a_write_holds_the_lock_from_its_start(impatient: Database) -> None:
    def write(connection: Connection) -> None:
        # Nothing has been read or written yet.
        with (
            other_program(impatient) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("BEGIN IMMEDIATE")

    impatient.write(write)


def test_a_read_holds_no_lock(impatient: Database) -> None:
    with impatient.read() as connection:
        connection.execute(text("SELECT value FROM counter")).all()
        impatient.write(count_up)
        with other_program(impatient) as other:
            other.execute("BEGIN IMMEDIATE")


def test_writers_that_read_first_wait_for_each_other(empty_store: Database) -> None:
    empty_store.write(lambda each: each.execute(text("CREATE TABLE counter (value INT)")))
    empty_store.write(lambda each: each.execute(text("INSERT INTO counter VALUES (0)")))
    together = threading.Barrier(WRITERS)

    def work(_: int) -> None:
        together.wait()
        for _ in range(WRITES):
            empty_store.write(count_up)

    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(work, range(WRITERS)))

    assert counted(empty_store) == WRITERS * WRITES


# ----------------------------------------------------------------------------- out of service


def test_the_wait_for_the_lock_ends(impatient: Database) -> None:
    with other_program(impatient) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="OperationalError"):
            impatient.write(count_up)
        assert counted(impatient) == 0
        other.execute("ROLLBACK")
    impatient.write(count_up)

    assert counted(impatient) == 1


def test_the_wait_for_another_thread_ends(impatient: Database) -> None:
    holding, done = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        count_up(connection)
        holding.set()
        done.wait()

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(impatient.write, hold)
        holding.wait()
        with pytest.raises(StoreUnavailable, match="another write takes too long"):
            impatient.write(count_up)
        assert counted(impatient) == 0
        done.set()
        running.result()
    impatient.write(count_up)

    assert counted(impatient) == 2


def test_a_write_in_a_write_is_refused_and_not_waited_for_for_ever(impatient: Database) -> None:
    def write(connection: Connection) -> None:
        impatient.write(count_up)

    with pytest.raises(RuntimeError, match="a write inside a write"):
        impatient.write(write)
    impatient.write(count_up)

    assert counted(impatient) == 1


def hold_new_file(other: sqlite3.Connection) -> None:
    """Somebody else made the file a moment ago, is reading it, and knows nothing of WAL."""
    other.execute("CREATE TABLE counter (value INT)")
    other.execute("INSERT INTO counter VALUES (0)")
    other.execute("BEGIN")
    other.execute("SELECT value FROM counter").fetchall()


def test_a_new_file_is_made_ready_once_others_let_go_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_LOCK_WAIT_MS", 10)
    database = open_store(tmp_path / "new.db")
    with other_program(database) as other:
        hold_new_file(other)

        def let_go(statement: str) -> None:
            if statement == "BEGIN EXCLUSIVE":
                other.execute("ROLLBACK")

        @event.listens_for(database.engine, "connect", insert=True)
        def _watch(connection: Any, _record: Any) -> None:
            connection.set_trace_callback(let_go)

        database.write(count_up)

    assert counted(database) == 1
    with database.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
    database.close()


def test_a_new_file_that_others_keep_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_LOCK_WAIT_MS", 10)
    database = open_store(tmp_path / "new.db")
    with other_program(database) as other:
        hold_new_file(other)
        with pytest.raises(StoreUnavailable, match="OperationalError"):
            database.write(count_up)
    database.write(count_up)

    assert counted(database) == 1
    database.close()


def test_a_file_that_cannot_be_switched_fails_at_once(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as maker:
        maker.execute("CREATE TABLE counter (value INT)")

    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        database_module._use_wal(reader.cursor())


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    database = open_store(tmp_path / "store.db")

    with pytest.raises(StoreUnavailable, match="OperationalError"), database.read():
        pass
    with pytest.raises(StoreUnavailable, match="OperationalError"):
        database.write(epoch.advance)


def test_a_store_without_a_schema_is_unavailable(tmp_path: Path) -> None:
    database = open_store(tmp_path / "store.db")

    with pytest.raises(StoreUnavailable, match="OperationalError"):
        database.write(epoch.advance)
    database.close()


def test_a_store_with_no_connection_left_is_unavailable(tmp_path: Path) -> None:
    engine = create_engine(
        f"sqlite:///{tmp_path}/store.db", pool_size=1, max_overflow=0, pool_timeout=0
    )
    database = Database(engine)

    with database.read():
        with pytest.raises(StoreUnavailable, match="all connections are in use"), database.read():
            pass
        with pytest.raises(StoreUnavailable, match="all connections are in use"):
            database.write(epoch.advance)
    engine.dispose()


def test_an_error_does_not_repeat_what_was_to_be_written(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "password" + "-hash"  # in two parts, as a traceback quotes this source
    with pytest.raises(StoreUnavailable) as caught:
        database.write(lambda each: accounts.add_account(each, ROOT_A, secret, 9))
    logging.getLogger("app.test").error("it failed", exc_info=caught.value)

    assert "UNIQUE constraint failed" in caplog.text
    assert secret not in caplog.text
    assert ROOT_A.email not in caplog.text


def test_what_does_not_concern_the_store_is_not_translated(database: Database) -> None:
    def read() -> None:
        with database.read():
            raise KeyError("of the caller")

    with pytest.raises(KeyError, match="of the caller"):
        read()
