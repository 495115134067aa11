"""One page of a list: in an order that does not change between pages, and how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select


def page(
    connection: Connection,
    statement: Any,
    order: Sequence[Any],
    number: int,
    size: int,
) -> tuple[list[Any], int]:
    """The rows of page `number` (from 0) with `size` rows, and the number of all."""
    counted = select(func.count()).select_from(statement.order_by(None).subquery())
    total = int(connection.execute(counted).scalar_one())
    rows = connection.execute(statement.order_by(*order).limit(size).offset(number * size)).all()
    return list(rows), total


def has_in_name(column: Any, text: str) -> ColumnElement[bool]:
    """Whether a name, kept in lower case, has the text in it; `%` and `_` mean themselves."""
    found: ColumnElement[bool] = column.contains(text.lower(), autoescape=True)
    return found
