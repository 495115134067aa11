"""Things that may be seen once: the `jti` of a client assertion.

Each kind of thing has its own table: one store for all single-use values would let a value of
one kind pass for another.
"""

from __future__ import annotations

from sqlalchemy import Connection, String, delete, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.database import Base


class AssertionRow(Base):
    """A client assertion that was used, by the hash of client and `jti`, until it expires."""

    __tablename__ = "used_assertions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[int] = mapped_column(index=True)


def use_assertion(connection: Connection, digest: str, expires_at: int, now: int) -> bool:
    """Note an assertion. Returns whether it had not been seen: of parallel calls one at most."""
    connection.execute(delete(AssertionRow).where(AssertionRow.expires_at < now))
    try:
        with connection.begin_nested():
            connection.execute(insert(AssertionRow).values(digest=digest, expires_at=expires_at))
    except IntegrityError:
        return False
    return True
