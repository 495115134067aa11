"""Sign-in sessions: who signed in through which browser, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Connection, ForeignKey, String, bindparam, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.database import Base


class SessionRow(Base):
    """A session. `digest` is the keyed hash of the cookie; `id` is what tokens refer to."""

    __tablename__ = "sign_in_sessions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    user_type: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[str] = mapped_column(String(36), index=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    amr: Mapped[list[str]] = mapped_column(JSON)
    auth_time: Mapped[int]
    expires_at: Mapped[int]
    ended_at: Mapped[int | None]


@dataclass(frozen=True, slots=True)
class SignInSession:
    """Times in epoch seconds; `amr` are the methods of the sign-in (RFC 8176)."""

    id: str
    user_type: str
    user_id: str
    account_id: str
    auth_time: int
    expires_at: int
    amr: tuple[str, ...] = ()
    ended_at: int | None = None


_BY_DIGEST = select(SessionRow).where(SessionRow.digest == bindparam("digest"))
_BY_ID = select(SessionRow).where(SessionRow.id == bindparam("id"))


def add(connection: Connection, session: SignInSession, digest: str) -> None:
    connection.execute(
        insert(SessionRow).values(
            id=session.id,
            digest=digest,
            user_type=session.user_type,
            user_id=session.user_id,
            account_id=session.account_id,
            amr=list(session.amr),
            auth_time=session.auth_time,
            expires_at=session.expires_at,
        )
    )


def find(connection: Connection, digest: str) -> SignInSession | None:
    return _session(connection.execute(_BY_DIGEST, {"digest": digest}).first())


def find_by_id(connection: Connection, session_id: str) -> SignInSession | None:
    return _session(connection.execute(_BY_ID, {"id": session_id}).first())


def end(connection: Connection, session_id: str, now: int) -> bool:
    """Returns whether the session was still going on."""
    result = connection.execute(
        update(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.ended_at.is_(None))
        .values(ended_at=now)
    )
    return bool(result.rowcount)


def hold(connection: Connection, session_id: str) -> bool:
    """Keep the session from ending before this transaction does. Returns whether it goes on."""
    going_on = (
        update(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.ended_at.is_(None))
        .values(ended_at=None)
    )
    return bool(connection.execute(going_on).rowcount)


def end_account(connection: Connection, account_id: str, now: int) -> int:
    """End all sessions of an account's users. Returns how many were going on."""
    ended = update(SessionRow).where(
        SessionRow.account_id == account_id, SessionRow.ended_at.is_(None)
    )
    return connection.execute(ended.values(ended_at=now)).rowcount


def end_user(connection: Connection, user_id: str, now: int) -> int:
    """End all sessions of a user. Returns how many were going on."""
    ended = update(SessionRow).where(SessionRow.user_id == user_id, SessionRow.ended_at.is_(None))
    return connection.execute(ended.values(ended_at=now)).rowcount


def _session(row: Any) -> SignInSession | None:
    if row is None:
        return None
    return SignInSession(
        row.id,
        row.user_type,
        row.user_id,
        row.account_id,
        row.auth_time,
        row.expires_at,
        tuple(row.amr),
        row.ended_at,
    )
