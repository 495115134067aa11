"""Issued access tokens: what the server keeps of each, and how one ends with its descendants.

The token itself is never stored. `parent_id` is the token that it was exchanged from,
`grant_id` the authorization it came of, `session_id` the sign-in behind it: ending any of
them ends everything below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Index,
    String,
    bindparam,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.catalogue import ActionPattern
from app.domain.documents import compile_stored
from app.domain.limits import TokenLimits
from app.domain.principals import Actor
from app.storage import epoch
from app.storage.database import Base, partial_index
from app.storage.prepared import PreparedInsert, PreparedRow


class TokenRow(Base):
    """One issued token. Times in epoch seconds.

    Each index is written with each token, in a page of its own: they leave out what is not there.
    """

    __tablename__ = "tokens"
    __table_args__ = (
        Index("ix_tokens_account_id_subject_id", "account_id", "subject_id"),
        partial_index("tokens", "actor_account_id", "actor_id"),
        partial_index("tokens", "parent_id"),
        partial_index("tokens", "grant_id"),
        partial_index("tokens", "session_id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    parent_id: Mapped[str | None] = mapped_column(String(36))
    grant_id: Mapped[str | None] = mapped_column(String(36))
    session_id: Mapped[str | None] = mapped_column(String(36))
    client_id: Mapped[str] = mapped_column(String(64))
    subject_type: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[str] = mapped_column(String(40))
    account_id: Mapped[str] = mapped_column(String(20))
    actor_id: Mapped[str | None] = mapped_column(String(40))
    actor_account_id: Mapped[str | None] = mapped_column(String(20))
    actor: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    decision_id: Mapped[str | None] = mapped_column(String(36))
    audience: Mapped[list[str]] = mapped_column(JSON)
    scope: Mapped[str | None] = mapped_column(String(8192))
    evaluate: Mapped[bool]
    patterns: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    inline_policies: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    auth_time: Mapped[int | None]
    amr: Mapped[list[str]] = mapped_column(JSON)
    issued_at: Mapped[int]
    expires_at: Mapped[int] = mapped_column(index=True)
    revoked_at: Mapped[int | None]


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What is kept of a token. `inline_policies` are the documents as they were sent."""

    id: str
    client_id: str
    subject_type: str
    subject_id: str
    account_id: str
    audience: tuple[str, ...]
    issued_at: int
    expires_at: int
    scope: str | None = None
    evaluate: bool = False
    patterns: tuple[str, ...] | None = None
    inline_policies: tuple[dict[str, Any], ...] = ()
    actor: Actor | None = None
    decision_id: str | None = None
    parent_id: str | None = None
    grant_id: str | None = None
    session_id: str | None = None
    auth_time: int | None = None
    amr: tuple[str, ...] = ()
    revoked_at: int | None = None

    @property
    def limits(self) -> TokenLimits:
        """The limits that it was issued under, compiled."""
        patterns = None
        if self.patterns is not None:
            patterns = tuple(ActionPattern(pattern) for pattern in self.patterns)
        return TokenLimits(patterns, tuple(compile_stored(doc) for doc in self.inline_policies))


_ONE = PreparedRow(select(*TokenRow.__table__.columns).where(TokenRow.id == bindparam("id")))
_REVOKED = PreparedRow(select(TokenRow.revoked_at).where(TokenRow.id == bindparam("id")))
_ADD = PreparedInsert(insert(TokenRow))
# The UPDATE stands first: for a statement that begins with WITH, Python's sqlite3 counts no rows.
_DESCENDANTS = """
    UPDATE tokens SET revoked_at = :now
    WHERE revoked_at IS NULL AND id IN (
        WITH RECURSIVE family (id) AS (
            SELECT id FROM tokens WHERE {condition}
            UNION
            SELECT tokens.id FROM tokens JOIN family ON tokens.parent_id = family.id
        )
        SELECT id FROM family
    )
"""
_REVOKE_ONE = text(_DESCENDANTS.format(condition="id = :id"))
_REVOKE_GRANT = text(_DESCENDANTS.format(condition="grant_id = :id"))
_REVOKE_CLIENT = text(_DESCENDANTS.format(condition="client_id = :id"))
_REVOKE_SESSION = text(_DESCENDANTS.format(condition="session_id = :id"))


def add(connection: Connection, token: TokenRecord) -> None:
    _ADD.execute(
        connection,
        {
            "id": token.id,
            "parent_id": token.parent_id,
            "grant_id": token.grant_id,
            "session_id": token.session_id,
            "client_id": token.client_id,
            "subject_type": token.subject_type,
            "subject_id": token.subject_id,
            "account_id": token.account_id,
            "actor_id": None if token.actor is None else token.actor.subject,
            "actor_account_id": None if token.actor is None else token.actor.account_id,
            "actor": None if token.actor is None else token.actor.claim(),
            "decision_id": token.decision_id,
            "audience": list(token.audience),
            "scope": token.scope,
            "evaluate": token.evaluate,
            "patterns": None if token.patterns is None else list(token.patterns),
            "inline_policies": list(token.inline_policies),
            "auth_time": token.auth_time,
            "amr": list(token.amr),
            "issued_at": token.issued_at,
            "expires_at": token.expires_at,
            "revoked_at": token.revoked_at,
        },
    )


def find(connection: Connection, token_id: str) -> TokenRecord | None:
    row = _ONE.find(connection, id=token_id)
    if row is None:
        return None
    return TokenRecord(
        id=row.id,
        client_id=row.client_id,
        subject_type=row.subject_type,
        subject_id=row.subject_id,
        account_id=row.account_id,
        audience=tuple(row.audience),
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        scope=row.scope,
        evaluate=row.evaluate,
        patterns=None if row.patterns is None else tuple(row.patterns),
        inline_policies=tuple(row.inline_policies),
        actor=None if row.actor is None else _actor(row.actor),
        decision_id=row.decision_id,
        parent_id=row.parent_id,
        grant_id=row.grant_id,
        session_id=row.session_id,
        auth_time=row.auth_time,
        amr=tuple(row.amr),
        revoked_at=row.revoked_at,
    )


def _actor(claim: dict[str, str]) -> Actor:
    return Actor(
        claim["sub"],
        claim["account_id"],
        claim["user_type"],
        claim["username"],
        claim.get("name"),
    )


def is_revoked(connection: Connection, token_id: str) -> bool:
    """Whether the token was revoked, or is not known at all."""
    row = _REVOKED.find(connection, id=token_id)
    return row is None or row.revoked_at is not None


def revoke(connection: Connection, token_id: str, now: int) -> int:
    """End a token and all that was exchanged from it. Returns how many were still alive."""
    epoch.lock(connection)
    return connection.execute(_REVOKE_ONE, {"id": token_id, "now": now}).rowcount


def revoke_grant(connection: Connection, grant_id: str, now: int) -> int:
    """End all that came of an authorization. Returns how many were still alive."""
    epoch.lock(connection)
    return connection.execute(_REVOKE_GRANT, {"id": grant_id, "now": now}).rowcount


def revoke_session(connection: Connection, session_id: str, now: int) -> int:
    """End all that came of a sign-in. Returns how many were still alive."""
    epoch.lock(connection)
    return connection.execute(_REVOKE_SESSION, {"id": session_id, "now": now}).rowcount


def revoke_client(connection: Connection, client_id: str, now: int) -> int:
    """End all that was issued to a client and what came of it. Returns how many were alive.

    No index serves this, for each would be written with each token: all of them are looked at.
    """
    epoch.lock(connection)
    return connection.execute(_REVOKE_CLIENT, {"id": client_id, "now": now}).rowcount


def revoke_account(connection: Connection, account_id: str, now: int) -> int:
    """End all tokens of an account, those through which its users act included."""
    return _revoke_where(
        connection,
        now,
        (TokenRow.account_id == account_id) | (TokenRow.actor_account_id == account_id),
    )


def revoke_principal(connection: Connection, account_id: str, principal_id: str, now: int) -> int:
    """End all tokens of an account's user or service account, those it acts through included."""
    own = (TokenRow.account_id == account_id) & (TokenRow.subject_id == principal_id)
    through = (TokenRow.actor_account_id == account_id) & (TokenRow.actor_id == principal_id)
    return _revoke_where(connection, now, own | through)


def _revoke_where(connection: Connection, now: int, condition: ColumnElement[bool]) -> int:
    """Returns how many were still alive."""
    epoch.lock(connection)
    ended = update(TokenRow).where(condition, TokenRow.revoked_at.is_(None))
    return connection.execute(ended.values(revoked_at=now)).rowcount
