"""Statements that are compiled once: the same rows as SQLAlchemy's own write and read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.dialects.postgresql import psycopg

from app.storage.audit import AuditRow
from app.storage.database import Base, Database, configure
from app.storage.prepared import PreparedInsert, PreparedRow
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


class TestARow:
    BY_ID = select(*TokenRow.__table__.columns).where(TokenRow.id == bindparam("id"))

    @pytest.mark.parametrize("values", [TOKEN, NOTHING_OPTIONAL], ids=["full", "nothing-optional"])
    def test_it_is_the_one_that_sqlalchemy_reads(
        self, database: Database, values: dict[str, Any]
    ) -> None:
        database.write(lambda c: c.execute(insert(TokenRow).values(**values)))
        prepared = PreparedRow(self.BY_ID)

        for _ in range(2):  # the second time it is not compiled again
            for view in (database.read, database.glance):
                with view() as connection:
                    found = prepared.find(connection, id=values["id"])
                    theirs = connection.execute(self.BY_ID, {"id": values["id"]}).one()
                assert found is not None
                assert found._asdict() == theirs._asdict()
                assert {name: type(value) for name, value in found._asdict().items()} == {
                    name: type(value) for name, value in theirs._asdict().items()
                }

    def test_there_is_none(self, database: Database) -> None:
        with database.glance() as connection:
            assert PreparedRow(self.BY_ID).find(connection, id="nobody's") is None

    def test_a_value_is_no_part_of_the_statement(self, database: Database) -> None:
        database.write(lambda c: c.execute(insert(TokenRow).values(**TOKEN)))
        prepared = PreparedRow(self.BY_ID)

        with database.glance() as connection:
            for value in ("' OR ''='", "token-1' --", "%", "token-1\0", "TOKEN-1"):
                assert prepared.find(connection, id=value) is None

    def test_each_parameter_gets_its_own_value(self, database: Database) -> None:
        """Wherever it stands in the statement, and however often."""
        database.write(lambda c: c.execute(insert(TokenRow).values(**TOKEN)))
        prepared = PreparedRow(
            select(TokenRow.id, TokenRow.amr).where(
                TokenRow.account_id == bindparam("account"),
                TokenRow.subject_id == bindparam("subject"),
                TokenRow.subject_id != bindparam("account"),
            )
        )

        with database.glance() as connection:
            found = prepared.find(connection, subject="sa-1", account="60108")
            assert prepared.find(connection, subject="60108", account="sa-1") is None
        assert found == ("token-1", ["pwd"])
        assert (found.id, found.amr) == found

    def test_a_value_that_is_missing_is_an_error(self, database: Database) -> None:
        with database.glance() as connection, pytest.raises(KeyError, match="id"):
            PreparedRow(self.BY_ID).find(connection, jti="token-1")

    def test_two_stores_of_another_kind_do_not_share_a_statement(self, database: Database) -> None:
        prepared = PreparedRow(self.BY_ID)
        sent: list[Any] = []

        with database.glance() as connection:
            prepared.find(connection, id="token-1")
        prepared.find(_asked(sent), id="token-1")

        [(text, bound)] = sent
        assert "%(id)s" in text
        assert bound == {"id": "token-1"}

    def test_a_value_that_is_missing_is_an_error_elsewhere_too(self) -> None:
        """A driver that binds by name has errors of its own."""
        with pytest.raises(KeyError, match="id"):
            PreparedRow(self.BY_ID).find(_asked([]), jti="token-1")


def _asked(sent: list[Any]) -> Any:
    """A connection to PostgreSQL that finds nothing."""
    cursor = SimpleNamespace(
        execute=lambda text, bound: sent.append((text, bound)), fetchone=lambda: None
    )
    made = told(psycopg.dialect(), None)
    made.connection = SimpleNamespace(cursor=lambda: cursor)
    return made
