"""The epoch: one number that every administrative write counts up.

A request reads it with its first statement and again where it commits. If it moved in
between, the facts that the answer rests on may have changed, and the request is done again:
a right that was taken away is never used after the taking was acknowledged.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.database import Base
from app.storage.prepared import PreparedScalar


class EpochRow(Base):
    __tablename__ = "epoch"

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]


_READ = select(EpochRow.value).where(EpochRow.id == 1)
_HELD = _READ.with_for_update(read=True)
_LOCKED = _READ.with_for_update()
CURRENT_EPOCH = _READ.scalar_subquery()

#: Every token request runs these.
_READ_NOW = PreparedScalar(_READ)
_HOLD_NOW = PreparedScalar(_HELD)


def current(connection: Connection) -> int:
    return int(_READ_NOW.execute(connection))


def held(connection: Connection) -> int:
    """Read the epoch in a write transaction, so that it cannot move before the commit."""
    return int(_HOLD_NOW.execute(connection))


def lock(connection: Connection) -> None:
    """Let nobody hold the epoch until the commit.

    Whoever takes something away does this first: what was issued before can then be seen and
    ended with the rest, and whatever comes later sees that it is gone. (SQLite's write lock does
    as much; PostgreSQL's transactions run side by side.)
    """
    connection.execute(_LOCKED)


def advance(connection: Connection) -> None:
    """Every administrative write calls this, in its own transaction."""
    connection.execute(update(EpochRow).where(EpochRow.id == 1).values(value=EpochRow.value + 1))
