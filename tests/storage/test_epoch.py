"""The number that every administrative write counts up."""

from __future__ import annotations

from sqlalchemy import Connection, select

from app.storage import epoch
from app.storage.database import Database


def read(database: Database) -> int:
    with database.read() as connection:
        return epoch.current(connection)


def test_it_counts_up_by_one(empty_store: Database) -> None:
    assert read(empty_store) == 1

    for value in (2, 3, 4):
        empty_store.write(epoch.advance)
        assert read(empty_store) == value


def test_a_statement_can_read_it_along(empty_store: Database) -> None:
    empty_store.write(epoch.advance)

    with empty_store.read() as connection:
        assert connection.execute(select(epoch.CURRENT_EPOCH)).scalar_one() == 2


def test_a_write_that_holds_it_sees_the_newest(empty_store: Database) -> None:
    with empty_store.read() as connection:
        assert epoch.current(connection) == 1
        empty_store.write(epoch.advance)
        # The read still sees its own state; whoever is about to commit must not.
        assert epoch.current(connection) == 1
        assert empty_store.write(epoch.held) == 2


def test_it_stands_still_where_the_write_is_undone(empty_store: Database) -> None:
    def write(connection: Connection) -> None:
        epoch.advance(connection)
        raise LookupError

    try:
        empty_store.write(write)
    except LookupError:
        pass

    assert read(empty_store) == 1
