"""The epoch: one number that every administrative write counts up.

A request reads it with its first statement and again where it commits. If it moved in
between, the facts that the answer rests on may have changed, and the request is done again:
a right that was taken away is never used after the taking was acknowledged.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.database import Base


class EpochRow(Base):
    __tablename__ = "epoch"

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]


CURRENT_EPOCH = select(EpochRow.value).where(EpochRow.id == 1).scalar_subquery()

#: Plain text, for every request runs it.
_READ = "SELECT value FROM epoch WHERE id = 1"


def current(connection: Connection) -> int:
    return int(connection.exec_driver_sql(_READ).scalar_one())


def held(connection: Connection) -> int:
    """Read the epoch in a write transaction, so that it cannot move before the commit."""
    # SQLite needs no row lock: its write transaction has the whole file.
    lock = "" if connection.dialect.name == "sqlite" else " FOR SHARE"
    return int(connection.exec_driver_sql(_READ + lock).scalar_one())


def advance(connection: Connection) -> None:
    """Every administrative write calls this, in its own transaction."""
    connection.execute(update(EpochRow).where(EpochRow.id == 1).values(value=EpochRow.value + 1))
