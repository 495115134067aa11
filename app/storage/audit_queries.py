"""Reading the audit log as an account sees it: pages, long runs, and its exchanges.

An account sees what its principals did, and what was done to what it owns. Where its half refused
a foreign account it sees one counted line for that account and hour instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from app.domain.events import Event, Outcome
from app.storage.audit import AuditEvent, AuditRow, RefusalCountRow, event_of
from app.storage.paging import page

_HOUR = 3600
_REFUSALS = "refusals-"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What is looked for; None is anything.

    `since` and `until` in epoch seconds, the former included. `actor` is an id or a name;
    `action` an event of the log or an action of the API; `resource` a name, or the beginning of
    one with a star behind it.
    """

    since: float | None = None
    until: float | None = None
    actor: str | None = None
    action: str | None = None
    resource: str | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class CountedRefusals:
    """How often the owner's half refused a foreign account in the hour from `at` on."""

    id: str
    at: float
    foreign_account_id: str
    count: int


Entry = AuditEvent | CountedRefusals


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log: what comes after it is older, or as old and of a lower id."""

    at: float
    id: str


def list_page(
    connection: Connection, account_id: str, wanted: EventFilter, number: int, size: int
) -> tuple[list[Entry], int]:
    """One page of what an account sees, the newest first, and how much there is."""
    keys = _keys(account_id, wanted, None).subquery()
    order = (keys.c.at.desc(), keys.c.id.desc())
    rows, total = page(connection, select(keys), order, number, size)
    return _entries(connection, rows), total


def list_after(
    connection: Connection, account_id: str, wanted: EventFilter, after: Position | None, size: int
) -> list[Entry]:
    """The next `size` entries after a position, the newest first."""
    keys = _keys(account_id, wanted, after).subquery()
    statement = select(keys).order_by(keys.c.at.desc(), keys.c.id.desc()).limit(size)
    return _entries(connection, connection.execute(statement).all())


def exchanges_of(
    connection: Connection, account_id: str, principal_id: str, since: float, most: int
) -> list[AuditEvent]:
    """The newest exchanges in which a user of the account asked to become a service account."""
    asked = and_(AuditRow.actor_account_id == account_id, AuditRow.actor_id == principal_id)
    return _exchanges(connection, asked, since, most)


def exchanges_into(
    connection: Connection,
    account_id: str,
    service_account_id: str,
    foreign_account_id: str,
    since: float,
    most: int,
) -> list[AuditEvent]:
    """The newest exchanges in which users of a foreign account asked for a service account."""
    asked = and_(
        AuditRow.owner_account_id == account_id,
        AuditRow.acting_as == service_account_id,
        AuditRow.actor_account_id == foreign_account_id,
    )
    return _exchanges(connection, asked, since, most)


def _exchanges(
    connection: Connection, asked: ColumnElement[bool], since: float, most: int
) -> list[AuditEvent]:
    rows = connection.execute(
        select(*AuditRow.__table__.columns)
        .where(asked, AuditRow.event == Event.IMPERSONATE.value, AuditRow.at >= since)
        .order_by(AuditRow.at.desc(), AuditRow.id.desc())
        .limit(most)
    )
    return [event_of(row) for row in rows]


def _keys(account_id: str, wanted: EventFilter, after: Position | None) -> Any:
    """Where and in which order everything is that the account sees.

    Three parts, each with an index of its own; no row is in two of them.
    """
    acted = AuditRow.actor_account_id == account_id
    owned = and_(
        AuditRow.owner_account_id == account_id,
        AuditRow.owner_listed.is_(True),
        or_(AuditRow.actor_account_id.is_(None), AuditRow.actor_account_id != account_id),
    )
    parts = [
        select(
            AuditRow.at.label("at"),
            AuditRow.id.label("id"),
            cast(null(), String).label("foreign_account_id"),
            cast(null(), BigInteger).label("refusals"),
        ).where(which, *_conditions(wanted), *_after(AuditRow.at, AuditRow.id, after))
        for which in (acted, owned)
    ]
    if _may_count(wanted):
        parts.append(_counted(account_id, wanted, after))
    return union_all(*parts)


def _conditions(wanted: EventFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(AuditRow.at >= wanted.since)
    if wanted.until is not None:
        found.append(AuditRow.at < wanted.until)
    if wanted.actor is not None:
        found.append(or_(AuditRow.actor_id == wanted.actor, AuditRow.actor_name == wanted.actor))
    if wanted.action is not None:
        asked = AuditRow.detail["action"].as_string() == wanted.action
        found.append(or_(AuditRow.event == wanted.action, asked))
    if wanted.resource is not None:
        found.append(_named(wanted.resource))
    if wanted.outcome is not None:
        found.append(AuditRow.outcome == wanted.outcome.value)
    return found


def _named(resource: str) -> ColumnElement[bool]:
    if not resource.endswith("*"):
        return AuditRow.resource == resource
    beginning = resource[:-1]
    return func.substr(AuditRow.resource, 1, len(beginning)) == beginning


def _may_count(wanted: EventFilter) -> bool:
    """Whether counted lines can be what is looked for: they name no actor and no resource."""
    return (
        wanted.actor is None
        and wanted.resource is None
        and wanted.action in (None, Event.IMPERSONATE.value)
        and wanted.outcome in (None, Outcome.DENIED)
    )


def _counted(account_id: str, wanted: EventFilter, after: Position | None) -> Any:
    """The counted lines, each at the beginning of its hour."""
    row = RefusalCountRow
    at = cast(row.hour * _HOUR, Double)
    id_ = literal(_REFUSALS) + row.foreign_account_id + literal("-") + cast(row.hour, String)
    found: list[ColumnElement[bool]] = [
        row.owner_account_id == account_id,
        row.foreign_account_id != account_id,
    ]
    if wanted.since is not None:
        # An hour that has begun before is still looked for: some of its refusals may be newer.
        found.append(at > wanted.since - _HOUR)
    if wanted.until is not None:
        found.append(at < wanted.until)
    return select(
        at.label("at"),
        id_.label("id"),
        row.foreign_account_id.label("foreign_account_id"),
        row.count.label("refusals"),
    ).where(*found, *_after(at, id_, after))


def _after(at: Any, id_: Any, after: Position | None) -> list[ColumnElement[bool]]:
    if after is None:
        return []
    # Said twice, so that the index on the time is used.
    return [at <= after.at, or_(at < after.at, id_ < after.id)]


def _instead_of(half: Any) -> Any:
    """An empty half for one that is there: a list says that it is, and never what is in it."""
    return case((half.is_not(None), literal({}, JSON))).label(half.name)


_COLUMNS = [
    _instead_of(each) if each.name in ("caller_half", "owner_half") else each
    for each in AuditRow.__table__.columns
]


def _entries(connection: Connection, keys: Sequence[Any]) -> list[Entry]:
    ids = [key.id for key in keys if key.refusals is None]
    rows = connection.execute(select(*_COLUMNS).where(AuditRow.id.in_(ids)))
    events = {row.id: event_of(row) for row in rows}
    return [
        events[key.id]
        if key.refusals is None
        else CountedRefusals(key.id, float(key.at), key.foreign_account_id, int(key.refusals))
        for key in keys
    ]
