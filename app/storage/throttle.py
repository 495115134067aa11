"""Counting attempts, so that a restart or another worker does not forget them."""

from __future__ import annotations

from sqlalchemy import Connection, String, bindparam, delete, text
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.database import Base


class AttemptRow(Base):
    """Failed or unfinished attempts under one key in one window (`window_end`, epoch seconds)."""

    __tablename__ = "sign_in_attempts"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]
    window_end: Mapped[int] = mapped_column(index=True)


_COUNT = text(
    "INSERT INTO sign_in_attempts (key, count, window_end) VALUES (:key, 1, :window_end)"
    " ON CONFLICT (key) DO UPDATE SET"
    " count = CASE WHEN sign_in_attempts.window_end <= :now THEN 1"
    " ELSE sign_in_attempts.count + 1 END,"
    " window_end = CASE WHEN sign_in_attempts.window_end <= :now THEN :window_end"
    " ELSE sign_in_attempts.window_end END"
    " RETURNING count"
)
_GIVE_BACK = text("UPDATE sign_in_attempts SET count = count - 1 WHERE key = :key AND count > 0")
_FORGET_ENDED = delete(AttemptRow).where(AttemptRow.window_end <= bindparam("now"))


def count(connection: Connection, key: str, now: int, window: int) -> int:
    """Count an attempt before it is made, so that parallel ones cannot slip by. Returns the sum."""
    values = {"key": key, "now": now, "window_end": now + window}
    return int(connection.execute(_COUNT, values).scalar_one())


def give_back(connection: Connection, key: str) -> None:
    """Take back one attempt, for it was no failure."""
    connection.execute(_GIVE_BACK, {"key": key})


def forget(connection: Connection, key: str) -> None:
    connection.execute(delete(AttemptRow).where(AttemptRow.key == key))


def forget_ended(connection: Connection, now: int) -> None:
    """Names can be made up without end: their counters go when the window has ended."""
    connection.execute(_FORGET_ENDED, {"now": now})
