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


_SELECT = select(EpochRow.value).where(EpochRow.id == 1)
CURRENT_EPOCH = _SELECT.scalar_subquery()

_READ = PreparedScalar(_SELECT)
#: SQLite's write transaction has the whole file; PostgreSQL has to be told to hold the row.
_HOLD = PreparedScalar(_SELECT.with_for_update(read=True))


def current(connection: Connection) -> int:
    return int(_READ.execute(connection))


def held(connection: Connection) -> int:
    """Read the epoch in a write transaction, so that it cannot move before the commit."""
    return int(_HOLD.execute(connection))


def advance(connection: Connection) -> None:
    """Every administrative write calls this, in its own transaction."""
    connection.execute(update(EpochRow).where(EpochRow.id == 1).values(value=EpochRow.value + 1))
