"""Statements that are compiled once and then only bound: for the rows of every token.

SQLAlchemy builds them, so that they are written for the store at hand; what it would work out
again at each execution (the text, the order of parameters, how a list becomes JSON) is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Select

_Convert = Callable[[Any], Any]


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
        connection.exec_driver_sql(text, tuple(bound.values()) if positional else bound)

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
        """The value; raises where there is not exactly one row."""
        return connection.exec_driver_sql(self.text(connection.dialect)).scalar_one()

    def text(self, dialect: Dialect) -> str:
        found = self._texts.get(dialect.name)
        if found is None:
            compiled = self.statement.compile(
                dialect=dialect, compile_kwargs={"literal_binds": True}
            )
            found = self._texts.setdefault(dialect.name, str(compiled))
        return found
