"""Refresh tokens: families that begin with an authorization and have one live token at a time.

A family is the authorization itself: its id is the `grant_id` of every token that came of it.
Used tokens are kept until the family ends, so that a second use can be told from garbage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Connection, ForeignKey, String, bindparam, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.database import Base


class RefreshFamilyRow(Base):
    """What was agreed to, and the end that no rotation moves (`expires_at`, epoch seconds)."""

    __tablename__ = "refresh_families"

    grant_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("oauth_clients.id"))
    session_id: Mapped[str] = mapped_column(ForeignKey("sign_in_sessions.id"), index=True)
    identity_scopes: Mapped[list[str]] = mapped_column(JSON)
    patterns: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    audience: Mapped[list[str]] = mapped_column(JSON)
    expires_at: Mapped[int] = mapped_column(index=True)
    ended_at: Mapped[int | None]


class RefreshTokenRow(Base):
    """One token of a family, as its keyed hash."""

    __tablename__ = "refresh_tokens"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    grant_id: Mapped[str] = mapped_column(ForeignKey("refresh_families.grant_id"), index=True)
    issued_at: Mapped[int]
    used_at: Mapped[int | None]


@dataclass(frozen=True, slots=True)
class RefreshFamily:
    """`patterns` is None where tokens are limited by the user's policies alone."""

    grant_id: str
    client_id: str
    session_id: str
    identity_scopes: tuple[str, ...]
    patterns: tuple[str, ...] | None
    audience: tuple[str, ...]
    expires_at: int
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A token with its family. `used_at` is None while it is the live one."""

    family: RefreshFamily
    used_at: int | None


_ONE = (
    select(
        RefreshFamilyRow.grant_id,
        RefreshFamilyRow.client_id,
        RefreshFamilyRow.session_id,
        RefreshFamilyRow.identity_scopes,
        RefreshFamilyRow.patterns,
        RefreshFamilyRow.audience,
        RefreshFamilyRow.expires_at,
        RefreshFamilyRow.ended_at,
        RefreshTokenRow.used_at,
    )
    .join(RefreshFamilyRow, RefreshFamilyRow.grant_id == RefreshTokenRow.grant_id)
    .where(RefreshTokenRow.digest == bindparam("digest"))
)


def start(connection: Connection, family: RefreshFamily, digest: str, now: int) -> None:
    """Begin a family with its first token."""
    connection.execute(
        insert(RefreshFamilyRow).values(
            grant_id=family.grant_id,
            client_id=family.client_id,
            session_id=family.session_id,
            identity_scopes=list(family.identity_scopes),
            patterns=None if family.patterns is None else list(family.patterns),
            audience=list(family.audience),
            expires_at=family.expires_at,
        )
    )
    _add(connection, family.grant_id, digest, now)


def _add(connection: Connection, grant_id: str, digest: str, now: int) -> None:
    connection.execute(
        insert(RefreshTokenRow).values(digest=digest, grant_id=grant_id, issued_at=now)
    )


def find(connection: Connection, digest: str) -> RefreshToken | None:
    row: Any = connection.execute(_ONE, {"digest": digest}).first()
    if row is None:
        return None
    family = RefreshFamily(
        row.grant_id,
        row.client_id,
        row.session_id,
        tuple(row.identity_scopes),
        None if row.patterns is None else tuple(row.patterns),
        tuple(row.audience),
        row.expires_at,
        row.ended_at,
    )
    return RefreshToken(family, row.used_at)


def rotate(
    connection: Connection, grant_id: str, old_digest: str, new_digest: str, now: int
) -> bool:
    """Use one token up and put the next in its place.

    Returns whether this call was the one that did: of parallel ones at most one is, and none
    where the family has ended meanwhile.
    """
    going_on = (
        update(RefreshFamilyRow)
        .where(RefreshFamilyRow.grant_id == grant_id, RefreshFamilyRow.ended_at.is_(None))
        .values(ended_at=None)
    )
    used_up = (
        update(RefreshTokenRow)
        .where(RefreshTokenRow.digest == old_digest, RefreshTokenRow.used_at.is_(None))
        .values(used_at=now)
    )
    if not connection.execute(going_on).rowcount or not connection.execute(used_up).rowcount:
        return False
    _add(connection, grant_id, new_digest, now)
    return True


def end(connection: Connection, grant_id: str, now: int) -> bool:
    """End a family. Returns whether it was going on."""
    ended = (
        update(RefreshFamilyRow)
        .where(RefreshFamilyRow.grant_id == grant_id, RefreshFamilyRow.ended_at.is_(None))
        .values(ended_at=now)
    )
    return bool(connection.execute(ended).rowcount)


def end_session(connection: Connection, session_id: str, now: int) -> int:
    """End the families of a sign-in. Returns how many were going on."""
    ended = (
        update(RefreshFamilyRow)
        .where(RefreshFamilyRow.session_id == session_id, RefreshFamilyRow.ended_at.is_(None))
        .values(ended_at=now)
    )
    return connection.execute(ended).rowcount
