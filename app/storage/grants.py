"""Authorization codes: what a person agreed to, kept until one client redeems it once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Connection, ForeignKey, String, bindparam, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.database import Base


class AuthorizationCodeRow(Base):
    """A code, as its keyed hash. A used one is kept, so that its reuse can be told."""

    __tablename__ = "authorization_codes"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    grant_id: Mapped[str] = mapped_column(String(36), unique=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("oauth_clients.id"))
    session_id: Mapped[str] = mapped_column(ForeignKey("sign_in_sessions.id"))
    redirect_uri: Mapped[str] = mapped_column(String(2048))
    redirect_uri_sent: Mapped[bool]
    identity_scopes: Mapped[list[str]] = mapped_column(JSON)
    patterns: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    audience: Mapped[list[str]] = mapped_column(JSON)
    nonce: Mapped[str | None] = mapped_column(String(512))
    code_challenge: Mapped[str | None] = mapped_column(String(128))
    expires_at: Mapped[int]
    used_at: Mapped[int | None]


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """`patterns` is None where the token is limited by the user's policies alone."""

    grant_id: str
    client_id: str
    session_id: str
    redirect_uri: str
    redirect_uri_sent: bool
    identity_scopes: tuple[str, ...]
    patterns: tuple[str, ...] | None
    audience: tuple[str, ...]
    nonce: str | None
    code_challenge: str | None
    expires_at: int
    used_at: int | None = None


_ONE = select(AuthorizationCodeRow).where(AuthorizationCodeRow.digest == bindparam("digest"))


def add_code(connection: Connection, code: AuthorizationCode, digest: str) -> None:
    connection.execute(
        insert(AuthorizationCodeRow).values(
            digest=digest,
            grant_id=code.grant_id,
            client_id=code.client_id,
            session_id=code.session_id,
            redirect_uri=code.redirect_uri,
            redirect_uri_sent=code.redirect_uri_sent,
            identity_scopes=list(code.identity_scopes),
            patterns=None if code.patterns is None else list(code.patterns),
            audience=list(code.audience),
            nonce=code.nonce,
            code_challenge=code.code_challenge,
            expires_at=code.expires_at,
        )
    )


def find_code(connection: Connection, digest: str) -> AuthorizationCode | None:
    row: Any = connection.execute(_ONE, {"digest": digest}).first()
    if row is None:
        return None
    return AuthorizationCode(
        row.grant_id,
        row.client_id,
        row.session_id,
        row.redirect_uri,
        row.redirect_uri_sent,
        tuple(row.identity_scopes),
        None if row.patterns is None else tuple(row.patterns),
        tuple(row.audience),
        row.nonce,
        row.code_challenge,
        row.expires_at,
        row.used_at,
    )


def use_code(connection: Connection, digest: str, now: int) -> bool:
    """Use a code up. Returns whether this call was the one that did: at most one ever is."""
    result = connection.execute(
        update(AuthorizationCodeRow)
        .where(AuthorizationCodeRow.digest == digest, AuthorizationCodeRow.used_at.is_(None))
        .values(used_at=now)
    )
    return bool(result.rowcount)
