"""From where a user has signed in before: an attack from elsewhere does not lock that door."""

from __future__ import annotations

from sqlalchemy import Connection, String, bindparam, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.database import Base


class KnownAddressRow(Base):
    """Hashes of a user's name and of the network that it came from; `seen_at` the last time."""

    __tablename__ = "known_addresses"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    seen_at: Mapped[int] = mapped_column(index=True)


_NOTE = text(
    "INSERT INTO known_addresses (key, seen_at) VALUES (:key, :now)"
    " ON CONFLICT (key) DO UPDATE SET seen_at = :now"
)
_READ = select(KnownAddressRow.seen_at).where(KnownAddressRow.key == bindparam("key"))


def note(connection: Connection, key: str, now: int) -> None:
    connection.execute(_NOTE, {"key": key, "now": now})


def is_known(connection: Connection, key: str, since: int) -> bool:
    row = connection.execute(_READ, {"key": key}).first()
    return row is not None and row.seen_at >= since
