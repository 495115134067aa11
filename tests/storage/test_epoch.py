"""The number that every administrative write counts up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event, select
from sqlalchemy.dialects import postgresql

from app.storage import epoch, tokens
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

    with pytest.raises(LookupError):
        empty_store.write(write)

    assert read(empty_store) == 1


def test_whoever_commits_a_token_and_whoever_takes_away_keep_each_other_out() -> None:
    """SQLite has one lock for everything; PostgreSQL locks the epoch's row."""

    def in_postgresql(statement: Any) -> str:
        return str(statement.compile(dialect=postgresql.dialect()))

    assert in_postgresql(epoch._HELD).endswith("FOR SHARE")
    assert in_postgresql(epoch._LOCKED).endswith("FOR UPDATE")
    assert in_postgresql(epoch._READ).endswith("WHERE epoch.id = %(id_1)s::BIGINT")


@pytest.mark.parametrize(
    "revoke",
    [
        tokens.revoke,
        tokens.revoke_grant,
        tokens.revoke_session,
        tokens.revoke_account,
        lambda each, name, now: tokens.revoke_principal(each, "1", name, now),
    ],
)
def test_a_revocation_takes_the_lock_first(
    empty_store: Database, revoke: Callable[[Connection, str, int], int]
) -> None:
    seen: list[str] = []

    def note(_connection: Any, statement: Any, *_rest: Any) -> None:
        seen.append(str(statement.compile(dialect=postgresql.dialect())))

    def work(connection: Connection) -> None:
        event.listen(connection, "before_execute", note)
        revoke(connection, "an id", 1)

    empty_store.write(work)

    assert [statement.split()[0] for statement in seen] == ["SELECT", "UPDATE"]
    assert seen[0].endswith("FOR UPDATE")
