"""The audit log: one row for each decision, token and administrative write.

A row belongs to the account of who acted (`actor_account_id`) and to the account that was
acted upon (`owner_account_id`); each half of a decision sits in its own column, so that a
reader of one account is never handed the other's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import JSON, Connection, String, bindparam, insert, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.events import Event, Outcome
from app.storage.database import Base, partial_index
from app.storage.prepared import PreparedInsert


class AuditRow(Base):
    """`id` is the decision id where a decision was made. `at` in epoch seconds, fractional."""

    __tablename__ = "audit_events"
    __table_args__ = (
        partial_index("audit_events", "actor_account_id", "at"),
        partial_index("audit_events", "owner_account_id", "at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    at: Mapped[float]
    event: Mapped[str] = mapped_column(String(40))
    outcome: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(64))
    actor_type: Mapped[str | None] = mapped_column(String(20))
    actor_id: Mapped[str | None] = mapped_column(String(64))
    actor_name: Mapped[str | None] = mapped_column(String(254))
    actor_account_id: Mapped[str | None] = mapped_column(String(20))
    acting_as: Mapped[str | None] = mapped_column(String(128))
    owner_account_id: Mapped[str | None] = mapped_column(String(20))
    owner_listed: Mapped[bool]
    resource: Mapped[str | None] = mapped_column(String(256))
    client_id: Mapped[str | None] = mapped_column(String(64))
    token_id: Mapped[str | None] = mapped_column(String(36))
    source_ip: Mapped[str | None] = mapped_column(String(45))
    display_name: Mapped[str | None] = mapped_column(String(64))
    stated_reason: Mapped[str | None] = mapped_column(String(256))
    caller_half: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    owner_half: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)


class RefusalCountRow(Base):
    """How often a foreign account was refused by an owner's half, per hour (epoch hours)."""

    __tablename__ = "refusal_counts"

    owner_account_id: Mapped[str] = mapped_column(String(20), primary_key=True)
    foreign_account_id: Mapped[str] = mapped_column(String(20), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int]


class FailureCountRow(Base):
    """Failures of callers that nobody could name, counted per kind and hour (epoch hours)."""

    __tablename__ = "failure_counts"

    kind: Mapped[str] = mapped_column(String(64), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int]


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One thing that happened. `acting_as` is the service account that was acted through."""

    id: str
    at: float
    event: Event
    outcome: Outcome = Outcome.ALLOWED
    reason: str | None = None
    actor_type: str | None = None
    actor_id: str | None = None
    actor_name: str | None = None
    actor_account_id: str | None = None
    acting_as: str | None = None
    owner_account_id: str | None = None
    owner_listed: bool = True
    resource: str | None = None
    client_id: str | None = None
    token_id: str | None = None
    source_ip: str | None = None
    display_name: str | None = None
    stated_reason: str | None = None
    caller_half: dict[str, Any] | None = None
    owner_half: dict[str, Any] | None = None
    detail: dict[str, Any] = field(default_factory=dict)


_FIELDS = tuple(AuditEvent.__dataclass_fields__)
_ADD = PreparedInsert(insert(AuditRow))
_ONE = select(AuditRow).where(AuditRow.id == bindparam("id"))
_COUNT_REFUSAL = text(
    "INSERT INTO refusal_counts (owner_account_id, foreign_account_id, hour, count)"
    " VALUES (:owner, :foreign, :hour, 1)"
    " ON CONFLICT (owner_account_id, foreign_account_id, hour)"
    " DO UPDATE SET count = refusal_counts.count + 1"
)
_COUNT_FAILURE = text(
    "INSERT INTO failure_counts (kind, hour, count) VALUES (:kind, :hour, 1)"
    " ON CONFLICT (kind, hour) DO UPDATE SET count = failure_counts.count + 1"
)


def add(connection: Connection, event: AuditEvent) -> None:
    _ADD.execute(connection, {name: getattr(event, name) for name in _FIELDS})


def find(connection: Connection, event_id: str) -> AuditEvent | None:
    row: Any = connection.execute(_ONE, {"id": event_id}).first()
    return None if row is None else event_of(row)


def event_of(row: Any) -> AuditEvent:
    """The value behind a row that has all columns."""
    values = {name: getattr(row, name) for name in _FIELDS}
    values["event"] = Event(values["event"])
    values["outcome"] = Outcome(values["outcome"])
    return AuditEvent(**values)


def count_refusal(connection: Connection, owner: str, foreign: str, at: float) -> None:
    """Count a refusal by the owner's half; `owner` is "" where nobody owns what was named."""
    connection.execute(
        _COUNT_REFUSAL, {"owner": owner, "foreign": foreign, "hour": int(at // 3600)}
    )


def count_failure(connection: Connection, kind: str, at: float) -> None:
    connection.execute(_COUNT_FAILURE, {"kind": kind, "hour": int(at // 3600)})
