"""Group commit: one transaction for all writes that wait at the same moment."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Connection

from app.storage.database import StoreUnavailable, configure
from app.storage.group_commit import MAX_BATCH, TooLong, _Waiting
from tests.support.lifecycle import PATIENCE, in_parallel, until
from tests.support.notes import CommitFailed, Store, note, note_and_fail


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "notes.db")
    yield made
    made.database.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(100) as made:
        yield made


def test_a_write_returns_what_its_work_returned_and_is_durable(store: Store) -> None:
    assert store.group.run(note("a")) == "a"
    assert store.notes() == {"a"}


def test_writes_that_wait_at_the_same_moment_share_one_transaction(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    waiting = store.gathered(pool, *(note(f"n{number}") for number in range(20)))

    answers = [future.result(PATIENCE) for future in waiting.let_go()]

    assert answers == [f"n{number}" for number in range(20)]
    assert store.transactions == 2
    assert store.notes() == {"first", *answers}


def test_one_that_fails_takes_nobody_along_and_leaves_nothing(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    waiting = store.gathered(
        pool, note("a"), note_and_fail("bad", LookupError("mine")), note("b"), note("c")
    )

    a, bad, b, c = waiting.let_go()

    with pytest.raises(LookupError, match="mine"):
        bad.result(PATIENCE)
    assert [each.result(PATIENCE) for each in (a, b, c)] == ["a", "b", "c"]
    assert store.transactions == 2
    assert store.notes() == {"first", "a", "b", "c"}


def test_one_that_fails_alone_leaves_nothing(store: Store) -> None:
    with pytest.raises(LookupError, match="mine"):
        store.group.run(note_and_fail("bad", LookupError("mine")))

    assert store.notes() == set()
    assert store.group.run(note("next")) == "next"


def test_one_that_the_store_refuses_takes_nobody_along(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    waiting = store.gathered(pool, note("twice"), note("twice"), note("other"))

    one, again, other = waiting.let_go()

    assert one.result(PATIENCE) == "twice"
    with pytest.raises(Exception, match="UNIQUE constraint failed"):
        again.result(PATIENCE)
    assert other.result(PATIENCE) == "other"
    assert store.notes() == {"first", "twice", "other"}


def test_a_savepoint_of_the_work_itself_undoes_only_what_is_inside(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    def inner(connection: Connection) -> str:
        note("kept")(connection)
        with pytest.raises(LookupError), connection.begin_nested():
            note_and_fail("undone", LookupError())(connection)
        return "done"

    waiting = store.gathered(pool, inner, note("other"))

    assert [each.result(PATIENCE) for each in waiting.let_go()] == ["done", "other"]
    assert store.notes() == {"first", "kept", "other"}


def test_a_commit_that_fails_reaches_everyone_in_it(store: Store, pool: ThreadPoolExecutor) -> None:
    waiting = store.gathered(pool, *(note(f"n{number}") for number in range(5)))
    store.commit_fails = True

    for future in (waiting.first, *waiting.let_go()):
        with pytest.raises(CommitFailed):
            future.result(PATIENCE)

    assert store.notes() == set()
    store.commit_fails = False
    assert store.group.run(note("after")) == "after"


def test_a_failure_that_rests_on_what_was_never_committed_is_not_told(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    """It is the store that failed: "taken already" would speak of a row that is not there."""

    def only_if_free(connection: Connection) -> str:
        if connection.exec_driver_sql("SELECT 1 FROM notes WHERE text = 'name'").first():
            raise LookupError("taken already")
        return note("name")(connection)

    waiting = store.gathered(pool, only_if_free, only_if_free)
    store.commit_fails = True
    one, other = waiting.let_go()

    for future in (one, other):
        with pytest.raises(CommitFailed):
            future.result(PATIENCE)


def test_a_transaction_that_is_lost_half_way_reaches_everyone_in_it(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    def lose(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")  # as SQLite does by itself on a full disk

    waiting = store.gathered(pool, note("before"), lose, note("after"))

    for future in waiting.let_go():
        with pytest.raises(Exception, match="half-way"):
            future.result(PATIENCE)
    assert waiting.first.result(PATIENCE) == "first"
    assert store.notes() == {"first"}


def test_a_store_that_cannot_be_opened_is_told_in_the_words_of_the_floor(tmp_path: Path) -> None:
    database = configure(Flask("store"), f"sqlite:///{tmp_path}/gone/notes.db")
    shutil.rmtree(tmp_path / "gone")

    with pytest.raises(StoreUnavailable):
        database.write(note("a"))


def test_nobody_hears_done_before_the_commit(store: Store, pool: ThreadPoolExecutor) -> None:
    waiting = store.gathered(pool, note("a"), note("b"))
    store.commits_allowed = threading.Semaphore(1)
    futures = waiting.let_go()
    assert waiting.first.result(PATIENCE) == "first"
    until(lambda: store.at_commit == 2)

    assert not any(future.done() for future in futures)
    assert store.notes() == {"first"}

    store.commits_allowed.release()
    assert [future.result(PATIENCE) for future in futures] == ["a", "b"]
    assert store.notes() == {"first", "a", "b"}


def test_each_thread_gets_its_own_answer_and_no_batch_is_too_large(store: Store) -> None:
    sizes: list[set[int]] = []
    led_by_own = []

    def one(number: int) -> int:
        caller = threading.get_ident()

        def write(connection: Connection) -> int:
            while len(sizes) < store.transactions:
                sizes.append(set())
            sizes[-1].add(number)
            led_by_own.append((store.transactions, threading.get_ident() == caller))
            note(f"n{number}")(connection)
            if number % 3 == 0:
                raise LookupError(number)
            return number

        try:
            return store.group.run(write)  # type: ignore[no-any-return]
        except LookupError as error:
            return -int(error.args[0])

    answers = in_parallel(100, one)

    assert answers == [-number if number % 3 == 0 else number for number in range(100)]
    assert store.notes() == {f"n{number}" for number in range(100) if number % 3}
    assert all(len(batch) <= MAX_BATCH for batch in sizes)
    # The leader of a transaction always runs its own write in it.
    assert {transaction for transaction, own in led_by_own if own} == set(
        range(1, store.transactions + 1)
    )


def test_the_leaders_own_write_is_never_left_for_a_later_batch(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    count = MAX_BATCH + 10
    waiting = store.gathered(pool, *(note(f"n{number}") for number in range(count)))

    answers = [future.result(PATIENCE) for future in waiting.let_go()]

    assert answers == [f"n{number}" for number in range(count)]
    assert store.transactions == 3


def test_a_leader_behind_a_whole_batch_comes_along_and_nobody_is_lost(store: Store) -> None:
    """Whoever gets the lock leads, be it the last in the queue."""
    queue = [_Waiting(note(f"n{number}")) for number in range(MAX_BATCH + 5)]
    store.group._waiting = list(queue)

    batch = store.group._take([queue[-1]])

    assert batch == [*queue[: MAX_BATCH - 1], queue[-1]]
    assert store.group._waiting == queue[MAX_BATCH - 1 : -1]


def test_a_write_inside_a_write_is_an_error_and_no_endless_wait(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    def nested(connection: Connection) -> None:
        store.group.run(note("inner"))

    with pytest.raises(RuntimeError, match="inside a write"):
        pool.submit(store.group.run, nested).result(PATIENCE)

    assert store.group.run(note("after")) == "after"
    assert store.notes() == {"after"}


@pytest.mark.parametrize("count", [MAX_BATCH + 1, 3 * MAX_BATCH + 5])
def test_many_at_once_are_all_made(store: Store, count: int) -> None:
    texts = [f"n{number}" for number in range(count)]

    assert store.group.run_all([note(text) for text in texts]) == [None] * count

    assert store.notes() == set(texts)


def test_many_at_once_behind_a_full_queue_are_all_made(store: Store) -> None:
    """None of them is "done" before it is, however many wait before them."""
    others = [_Waiting(note(f"other{number}")) for number in range(50)]
    store.group._waiting = list(others)
    mine = [f"mine{number}" for number in range(16)]

    assert store.group.run_all([note(text) for text in mine]) == [None] * len(mine)

    made = store.notes()
    assert {text for text in mine if text not in made} == set()
    assert {each.result for each in others if each.done} == made - set(mine)
    assert [each for each in others if not each.done] == store.group._waiting


def test_what_went_wrong_with_each_of_many(store: Store) -> None:
    mine = LookupError("mine")

    made = store.group.run_all([note("a"), note_and_fail("bad", mine), note("b")])

    assert made == [None, mine, None]
    assert store.notes() == {"a", "b"}
    assert store.transactions == 1


def test_many_at_once_of_which_each_failed_leave_nothing(store: Store) -> None:
    errors = [LookupError(number) for number in range(3)]

    assert store.group.run_all([note_and_fail(str(error), error) for error in errors]) == errors
    assert store.notes() == set()


def test_a_commit_of_many_that_fails_is_none_of_them(store: Store) -> None:
    store.commit_fails = True

    made = store.group.run_all([note("a"), note_and_fail("b", LookupError()), note("c")])

    assert [type(error) for error in made] == [CommitFailed] * 3
    assert store.notes() == set()


def test_a_work_that_is_made_anew_leaves_one_trace_of_itself(store: Store) -> None:
    """Of the optimistic try of the whole batch nothing stays, in the store or in the answer."""
    tries: list[int] = []

    def counted(connection: Connection) -> str:
        tries.append(len(tries))
        return note(f"try{tries[-1]}")(connection)

    assert store.group.run_all([counted, note_and_fail("bad", LookupError())])[0] is None

    assert tries == [0, 1]
    assert store.notes() == {"try1"}


def test_an_end_of_the_interpreter_undoes_the_batch_and_is_told_to_each(store: Store) -> None:
    """What is no `Exception` is not tried again."""
    end = SystemExit()

    assert store.group.run_all([note("a"), note_and_fail("b", end)]) == [end, end]

    assert store.notes() == set()
    assert store.group.run(note("after")) == "after"


def test_many_at_once_that_wait_too_long_are_none_of_them_made(
    store: Store, pool: ThreadPoolExecutor
) -> None:
    store.group._patience = 0.01
    waiting = store.gathered(pool)

    with pytest.raises(TooLong):
        store.group.run_all([note("a"), note("b")])

    waiting.let_go()
    assert waiting.first.result(PATIENCE) == "first"
    assert store.group.run(note("after")) == "after"
    assert store.notes() == {"first", "after"}


@pytest.mark.parametrize("count", [1, 3])
def test_a_transaction_that_the_store_ended_is_done_for_nobody(store: Store, count: int) -> None:
    """Work that goes on after the store has given up would write outside of any transaction."""

    def lose_and_go_on(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")

    works = [lose_and_go_on, *(note(f"n{number}") for number in range(count - 1))]

    made = store.group.run_all(works)

    assert None not in made
    assert store.notes() == set()


def test_a_disk_that_is_full_in_the_middle_of_many(tmp_path: Path) -> None:
    """SQLite undoes the whole transaction, and there is no savepoint to go back to."""
    store = Store(tmp_path / "notes.db")
    writes = [
        note("a"),
        lambda connection: connection.exec_driver_sql("INSERT OR ROLLBACK INTO notes VALUES ('a')"),
        note("c"),
    ]

    made = store.group.run_all(writes)

    assert None not in made
    assert store.notes() == set()
    store.database.close()
