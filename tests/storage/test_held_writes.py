"""Answers that wait together: no answer before its rows, and no failure that its request misses."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Connection

import app.storage.database as database_module
from app.storage.database import Database, StoreUnavailable, configure
from tests.support.lifecycle import in_parallel
from tests.support.notes import CommitFailed, Store, note, note_and_fail

Ask = Callable[[], object]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "notes.db")
    yield made
    made.database.close()


@pytest.fixture
def database(store: Store) -> Database:
    """The store's own way of writing, its transactions counted and breakable as well."""
    store.database._group._begin = store.begin
    return store.database


def writes(database: Database, text: str, told: list[str] | None = None) -> Ask:
    """A request that writes one note; its answer says what it heard."""

    def ask() -> str:
        after = None if told is None else lambda: told.append(text)
        try:
            database.write_before_answer(note(text), after)
        except (CommitFailed, LookupError, StoreUnavailable) as error:
            return f"{type(error).__name__} for {text}"
        return f"done: {text}"

    return ask


class TestDurability:
    def test_the_rows_of_all_are_there_before_any_answer(
        self, store: Store, database: Database
    ) -> None:
        at_answer: list[set[str]] = []
        requests = [writes(database, text) for text in "abc"]

        def looks() -> str:
            at_answer.append(store.notes())
            return "looked"

        answers = database.answer_together([*requests, looks])

        assert answers == ["done: a", "done: b", "done: c", "looked"]
        assert at_answer == [set()]
        assert store.notes() == {"a", "b", "c"}
        assert store.transactions == 1

    def test_more_than_fit_into_one_transaction(self, store: Store, database: Database) -> None:
        """Every answer that says so is right about it."""
        texts = [f"n{number}" for number in range(150)]

        answers = database.answer_together([writes(database, text) for text in texts])

        assert answers == [f"done: {text}" for text in texts]
        assert store.notes() == set(texts)

    def test_a_commit_that_fails_is_heard_by_each(self, store: Store, database: Database) -> None:
        told: list[str] = []
        store.commit_fails = True

        answers = database.answer_together([writes(database, text, told) for text in "abc"])

        assert answers == [f"CommitFailed for {text}" for text in "abc"]
        assert told == []
        store.commit_fails = False
        assert store.notes() == set()

    def test_after_is_told_once_and_after_the_commit(
        self, store: Store, database: Database
    ) -> None:
        seen: list[set[str]] = []

        def ask() -> None:
            database.write_before_answer(note("a"), lambda: seen.append(store.notes()))

        database.answer_together([ask])
        database.write_before_answer(note("b"), lambda: seen.append(store.notes()))

        assert seen == [{"a"}, {"a", "b"}]

    def test_outside_of_a_turn_it_is_durable_on_return(
        self, store: Store, database: Database
    ) -> None:
        database.answer_together([])
        database.answer_together([lambda: None])

        assert writes(database, "a")() == "done: a"
        assert store.notes() == {"a"}

    def test_another_threads_turn_is_not_ones_own(self, store: Store, database: Database) -> None:
        def ask(number: int) -> object:
            if number % 2:
                return database.answer_together([writes(database, f"n{number}")])[0]
            return writes(database, f"n{number}")()

        assert in_parallel(8, ask) == [f"done: n{number}" for number in range(8)]
        assert store.notes() == {f"n{number}" for number in range(8)}


class TestOneThatFails:
    def test_it_hears_of_it_at_its_own_place_and_takes_nobody_along(
        self, store: Store, database: Database
    ) -> None:
        asked: list[str] = []

        def fails() -> str:
            asked.append("asked")
            try:
                database.write_before_answer(note_and_fail("bad", LookupError("mine")))
            except LookupError as error:
                return f"heard: {error}"
            return "heard nothing"

        answers = database.answer_together([writes(database, "a"), fails, writes(database, "b")])

        assert answers == ["done: a", "heard: mine", "done: b"]
        assert asked == ["asked", "asked"]
        assert store.notes() == {"a", "b"}

    def test_only_that_request_is_asked_again(self, database: Database) -> None:
        asked: list[str] = []

        def ask(name: str, error: Exception | None) -> Ask:
            def request() -> str:
                asked.append(name)
                work = note(name) if error is None else note_and_fail(name, error)
                try:
                    database.write_before_answer(work)
                except LookupError:
                    return "refused"
                return "done"

            return request

        requests = [ask("a", None), ask("b", LookupError()), ask("c", None), ask("d", None)]

        assert database.answer_together(requests) == ["done", "refused", "done", "done"]
        assert sorted(asked) == ["a", "b", "b", "c", "d"]

    def test_it_may_do_it_over_and_is_made_at_once(self, store: Store, database: Database) -> None:
        """As a token request does where an administrative write came in between."""
        stale = [True]

        def work(connection: Connection) -> None:
            note("made")(connection)
            if stale:
                raise LookupError("stale")

        def ask() -> str:
            for _ in range(3):
                try:
                    database.write_before_answer(work)
                except LookupError:
                    stale.clear()
                else:
                    return "done"
            raise AssertionError("never made")

        answers = database.answer_together([writes(database, "other"), ask])

        assert answers == ["done: other", "done"]
        assert store.notes() == {"other", "made"}

    def test_of_two_that_exclude_each_other_the_first_wins(
        self, store: Store, database: Database
    ) -> None:
        def ask() -> str:
            try:
                database.write_before_answer(note("the only one"))
            except StoreUnavailable:
                return "refused"
            return "done"

        assert database.answer_together([ask, ask, ask]) == ["done", "refused", "refused"]
        assert store.notes() == {"the only one"}

    def test_on_another_way_the_failure_is_over(self, store: Store, database: Database) -> None:
        """Asked again, the request may find that it has something else to write."""
        asked: list[str] = []

        def ask() -> str:
            asked.append("asked")
            if len(asked) == 1:
                database.write_before_answer(note_and_fail("bad", LookupError()))
                return "a wrong answer"
            database.write(note("refusal"))
            database.write_before_answer(note("and another"))
            return "refused"

        assert database.answer_together([ask]) == ["refused"]
        assert store.notes() == {"refusal", "and another"}


class TestWritesBesideIt:
    def test_after_a_first_write_nothing_waits(self, store: Store, database: Database) -> None:
        """The request could not be asked again: what it used up would be refused to it."""
        asked: list[str] = []

        def ask() -> str:
            asked.append("asked")
            database.write(note("used up"))
            try:
                database.write_before_answer(note_and_fail("token", LookupError()))
            except LookupError:
                return "heard at once"
            return "done"

        assert database.answer_together([ask, writes(database, "other")]) == [
            "heard at once",
            "done: other",
        ]
        assert asked == ["asked"]
        assert store.notes() == {"used up", "other"}

    @pytest.mark.parametrize("name", ["write", "write_before_answer"])
    def test_a_second_write_comes_second(self, store: Store, database: Database, name: str) -> None:
        order: list[str] = []

        def noting(text: str) -> Callable[[Connection], str]:
            def work(connection: Connection) -> str:
                order.append(text)
                return note(text)(connection)

            return work

        def ask() -> str:
            database.write_before_answer(noting("first"), lambda: order.append("told"))
            getattr(database, name)(noting("second"))
            return "done"

        assert database.answer_together([ask]) == ["done"]
        assert order == ["first", "told", "second"]

    @pytest.mark.parametrize("name", ["write", "write_before_answer"])
    def test_a_second_write_is_not_made_where_the_first_fails(
        self, store: Store, database: Database, name: str
    ) -> None:
        told: list[str] = []

        def ask() -> str:
            database.write_before_answer(
                note_and_fail("first", LookupError("the first")), lambda: told.append("told")
            )
            try:
                getattr(database, name)(note("second"))
            except LookupError as error:
                return f"heard: {error}"
            return "done"

        assert database.answer_together([ask]) == ["heard: the first"]
        assert told == []
        assert store.notes() == set()


class TestAStoreThatFails:
    def test_a_lock_that_somebody_else_holds(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database_module, "_LOCK_WAIT_MS", 10)
        database = Store(tmp_path / "notes.db").database
        requests = [writes(database, text) for text in "abc"]
        with closing(sqlite3.connect(tmp_path / "notes.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")

            answers = database.answer_together(requests)

            other.execute("ROLLBACK")
        assert answers == [f"StoreUnavailable for {text}" for text in "abc"]
        assert database.answer_together(requests) == [f"done: {text}" for text in "abc"]
        database.close()

    def test_a_disk_that_is_full(self, tmp_path: Path) -> None:
        """SQLite itself ends the transaction; those before the one that hit it are not done."""
        store = Store(tmp_path / "notes.db")
        database = store.database

        def ask() -> str:
            try:
                database.write_before_answer(
                    lambda connection: connection.exec_driver_sql(
                        "INSERT OR ROLLBACK INTO notes VALUES ('a')"
                    )
                )
            except StoreUnavailable:
                return "unavailable"
            return "done"

        answers = database.answer_together([writes(database, "a"), ask, writes(database, "c")])

        assert answers == ["StoreUnavailable for a", "unavailable", "StoreUnavailable for c"]
        assert store.notes() == set()
        database.close()

    def test_a_store_that_is_gone(self, tmp_path: Path) -> None:
        database = configure(Flask("store"), f"sqlite:///{tmp_path}/gone/notes.db")
        shutil.rmtree(tmp_path / "gone")

        answers = database.answer_together([writes(database, text) for text in "ab"])

        assert answers == ["StoreUnavailable for a", "StoreUnavailable for b"]


class TestARequestThatRaises:
    def test_nothing_of_its_turn_is_written_and_nobody_hears_of_success(
        self, store: Store, database: Database
    ) -> None:
        """The bridge lets none through; if one did, it would have no answer that could go out."""

        def raises() -> str:
            raise LookupError("not an answer")

        with pytest.raises(LookupError, match="not an answer"):
            database.answer_together([writes(database, "a"), raises, writes(database, "b")])

        assert store.notes() == set()
        assert writes(database, "later")() == "done: later"
        assert store.notes() == {"later"}
