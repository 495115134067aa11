"""Answers that are kept for a day, so that a create which is sent again creates nothing again.

Neither the key nor the body is kept: their keyed hashes are, and the answer without its secrets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Connection, String, delete, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.database import Base


class IdempotencyRow(Base):
    """`key` is the keyed hash of caller, path and key. `asked` are pairs of an action and a
    resource. `expires_at` in epoch seconds."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)
    asked: Mapped[list[list[str]]] = mapped_column(JSON)
    expires_at: Mapped[int] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered to the first request; `body` is the keyed hash of what it said.

    `asked` is what the caller's policies were asked for it: pairs of an action and a resource.
    """

    body: str
    status: int
    answer: dict[str, Any]
    asked: Sequence[Sequence[str]]


def find(connection: Connection, key: str, now: int) -> KeptAnswer | None:
    row = connection.execute(
        select(*IdempotencyRow.__table__.columns).where(
            IdempotencyRow.key == key, IdempotencyRow.expires_at > now
        )
    ).first()
    return None if row is None else KeptAnswer(row.body, row.status, row.answer, row.asked)


def keep(connection: Connection, key: str, kept: KeptAnswer, expires_at: int, now: int) -> None:
    """Keep an answer, and forget those that have expired."""
    connection.execute(delete(IdempotencyRow).where(IdempotencyRow.expires_at <= now))
    connection.execute(
        insert(IdempotencyRow).values(
            key=key,
            body=kept.body,
            status=kept.status,
            answer=kept.answer,
            asked=[list(each) for each in kept.asked],
            expires_at=expires_at,
        )
    )
