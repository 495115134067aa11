"""Statements that are compiled once: the same row as SQLAlchemy's own insert writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, insert
from sqlalchemy.dialects.postgresql import psycopg

from app.storage.audit import AuditRow
from app.storage.database import Base, Database, configure
from app.storage.prepared import PreparedInsert
from app.storage.tokens import TokenRow

TOKEN: dict[str, Any] = {
    "id": "token-1",
    "parent_id": None,
    "grant_id": "grant-1",
    "session_id": None,
    "client_id": "crossroot-cli",
    "subject_type": "service-account",
    "subject_id": "sa-1",
    "account_id": "60108",
    "actor_id": "user-1",
    "actor_account_id": "53461",
    "actor": {"sub": "user-1", "name": "Đội trực \N{PAGER} \"'%s:x?"},
    "decision_id": None,
    "audience": ["https://vserver.example", ""],
    "scope": "vserver:* 100% :name ?",
    "evaluate": True,
    "patterns": [],
    "inline_policies": [{"statements": [{"effect": "deny", "condition": None}]}],
    "auth_time": None,
    "amr": ["pwd"],
    "issued_at": 2**40,
    "expires_at": 0,
    "revoked_at": None,
}
NOTHING_OPTIONAL = {**TOKEN, "id": "token-2", "actor": None, "patterns": None, "evaluate": False}
EVENT: dict[str, Any] = {
    **dict.fromkeys(column.name for column in AuditRow.__table__.columns),
    "id": "event-1",
    "at": 1_800_000_000.25,
    "event": "token:issue",
    "outcome": "allowed",
    "owner_listed": False,
    "caller_half": {"allowed": True, "reasons": []},
    "detail": {},
}
ROWS = pytest.mark.parametrize(
    ("row", "values"),
    [(TokenRow, TOKEN), (TokenRow, NOTHING_OPTIONAL), (AuditRow, EVENT)],
    ids=["token", "token-with-nothing-optional", "audit-event"],
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = configure(Flask("store"), f"sqlite:///{tmp_path}/store.db")
    Base.metadata.create_all(made.engine)
    yield made
    made.close()


def stored(connection: Connection, table: str) -> list[list[tuple[Any, str]]]:
    """Every value with the type under which SQLite keeps it; the rows are then taken away."""
    names = [row.name for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")]
    columns = ", ".join(f"{name}, typeof({name})" for name in names)
    rows = connection.exec_driver_sql(f"SELECT {columns} FROM {table}").all()
    connection.exec_driver_sql(f"DELETE FROM {table}")
    return [list(zip(row[::2], row[1::2], strict=True)) for row in rows]


def told(dialect: Any, execute: Any) -> Any:
    """As much of a connection as a prepared statement asks for; `execute` is the driver's."""
    return SimpleNamespace(
        dialect=dialect,
        dispatch=SimpleNamespace(before_cursor_execute=()),
        in_transaction=lambda: True,
        connection=SimpleNamespace(cursor=lambda: SimpleNamespace(execute=execute)),
    )


@ROWS
def test_sqlite_gets_the_row_that_sqlalchemy_would_write(
    database: Database, row: type[Base], values: dict[str, Any]
) -> None:
    table, prepared = str(row.__tablename__), PreparedInsert(insert(row))

    def both(connection: Connection) -> None:
        connection.execute(insert(row).values(**values))
        theirs = stored(connection, table)
        for _ in range(2):  # the second time it is not compiled again
            prepared.execute(connection, values)
            assert stored(connection, table) == theirs
        assert len(theirs) == 1

    database.write(both)


@ROWS
def test_postgresql_gets_the_statement_and_values_that_sqlalchemy_would_send(
    row: type[Base], values: dict[str, Any]
) -> None:
    """Without a server: what goes to the driver is compared, not what arrives."""
    dialect = psycopg.dialect()
    dialect._psycopg_Json = lambda value, dumps=None: ("Json", value)  # the driver's own wrapper
    sent: list[tuple[str, Any]] = []
    connection = told(dialect, lambda text, bound: sent.append((text, bound)))
    theirs = insert(row).compile(dialect=dialect)
    processors = theirs._bind_processors
    expected = {
        name: processors[name](value) if name in processors else value
        for name, value in theirs.construct_params(values).items()
    }

    PreparedInsert(insert(row)).execute(connection, values)

    assert sent == [(str(theirs), expected)]
    assert ("Json", ["pwd"]) in expected.values() or row is AuditRow


def test_a_value_that_is_missing_is_an_error_and_no_null(database: Database) -> None:
    incomplete = {name: value for name, value in TOKEN.items() if name != "parent_id"}

    with pytest.raises(KeyError, match="parent_id"):
        database.write(lambda c: PreparedInsert(insert(TokenRow)).execute(c, incomplete))


def test_two_stores_of_another_kind_do_not_share_a_statement(database: Database) -> None:
    prepared = PreparedInsert(insert(TokenRow))
    dialect = psycopg.dialect()
    dialect._psycopg_Json = lambda value, dumps=None: value
    sent: list[str] = []
    other = told(dialect, lambda text, bound: sent.append(text))

    database.write(lambda c: prepared.execute(c, TOKEN))
    prepared.execute(other, TOKEN)

    assert "%(id)s" in sent[0]
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM tokens").scalar_one() == 1
