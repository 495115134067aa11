"""Statements that are compiled once and then only bound, for what every token request runs.

SQLAlchemy builds them, so that they are written for the store at hand; what it would work out
again at each execution (the text, the order of parameters, how a list becomes JSON, what a row
looks like) is kept, and the driver is asked directly. Its errors are those that
`app.storage.database` translates.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select

_Convert = Callable[[Any], Any]


def _execute(connection: Connection, text: str, values: Any) -> Any:
    """Run a statement in the transaction that the connection is in or begins now.

    Returns the driver's cursor. Whoever listens to the engine hears of it as of any other.
    """
    if not connection.in_transaction():
        connection.begin()
    cursor = connection.connection.cursor()
    for listener in connection.dispatch.before_cursor_execute:
        listener(connection, cursor, text, values, None, False)
    cursor.execute(text, values)
    return cursor


class PreparedInsert:
    """An INSERT of one row, given as a mapping of column names."""

    def __init__(self, statement: Insert) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[tuple[str, _Convert | None], ...], bool]] = {}

    def execute(self, connection: Connection, values: Mapping[str, Any]) -> None:
        dialect = connection.dialect
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled.setdefault(dialect.name, self._compile(dialect))
        text, parts, positional = found
        bound = {
            name: values[name] if convert is None else convert(values[name])
            for name, convert in parts
        }
        _execute(connection, text, tuple(bound.values()) if positional else bound)

    def _compile(
        self, dialect: Dialect
    ) -> tuple[str, tuple[tuple[str, _Convert | None], ...], bool]:
        compiled = self._statement.compile(dialect=dialect)
        names = compiled.positiontup if compiled.positional else list(compiled.binds)
        parts = []
        for name in names or ():
            kind = compiled.binds[name].type.dialect_impl(dialect)
            parts.append((name, kind.bind_processor(dialect)))
        return str(compiled), tuple(parts), bool(compiled.positional)


class PreparedScalar:
    """A SELECT of one value, all its parameters known beforehand."""

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement
        self._texts: dict[str, str] = {}

    def execute(self, connection: Connection) -> Any:
        """The value. Raises LookupError where there is no row."""
        row = _execute(connection, self.text(connection.dialect), ()).fetchone()
        if row is None:
            raise LookupError("a row that is always there is not")
        return row[0]

    def text(self, dialect: Dialect) -> str:
        found = self._texts.get(dialect.name)
        if found is None:
            compiled = self.statement.compile(
                dialect=dialect, compile_kwargs={"literal_binds": True}
            )
            found = self._texts.setdefault(dialect.name, str(compiled))
        return found


class PreparedRow:
    """A SELECT of at most one row; the row's fields are its columns."""

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement
        self._compiled: dict[str, tuple[str, tuple[str, ...], bool, _Convert]] = {}

    def find(self, connection: Connection, **values: Any) -> Any | None:
        """The row, for a value of each parameter, which the driver takes as it is.

        Raises KeyError where one is missing.
        """
        dialect = connection.dialect
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled.setdefault(dialect.name, self._compile(dialect))
        text, names, positional, read = found
        # By place, one that comes twice is given twice.
        bound: Any = (
            tuple([values[name] for name in names])
            if positional
            else {name: values[name] for name in names}
        )
        row = _execute(connection, text, bound).fetchone()
        return None if row is None else read(row)

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[str, ...], bool, _Convert]:
        compiled = self.statement.compile(dialect=dialect)
        columns = list(self.statement.selected_columns)
        fields = namedtuple("fields", [str(column.key) for column in columns])  # type: ignore[misc]
        converts = [
            (place, convert)
            for place, column in enumerate(columns)
            if (convert := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]

        def read(row: tuple[Any, ...]) -> Any:
            values = list(row)
            for place, convert in converts:
                values[place] = convert(values[place])
            return fields._make(values)

        names = compiled.positiontup if compiled.positional else list(compiled.binds)
        return str(compiled), tuple(names or ()), bool(compiled.positional), read
