"""The audit log as an account may read it."""

from __future__ import annotations

import base64
import json
import math
import re
from typing import Any

from app.services.administration import Invalid
from app.services.authority import Caller
from app.services.runtime import Runtime
from app.storage import audit_queries
from app.storage.audit import AuditEvent
from app.storage.audit_queries import CountedRefusals, Entry, EventFilter, Position

__all__ = ["AuditEvent", "CountedRefusals", "Entry", "EventFilter"]

#: An export gives at most this many entries in one answer, read in batches.
MOST_EXPORTED = 10_000
_BATCH = 500
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_NO_CURSOR = "this is no cursor of an answer of ours"

#: What the actor's account may read of what was done in another account: what was asked for.
_FOR_THE_ACTOR = frozenset(
    {"action", "audience", "scope", "evaluate", "expires_at", "parent_token_id"}
)
#: What is the actor's own: the token that spoke for it.
_NOT_FOR_THE_OWNER = frozenset({"parent_token_id"})


def list_page(
    runtime: Runtime, by: Caller, wanted: EventFilter, number: int, size: int
) -> tuple[list[Entry], int]:
    """One page, the newest first, and how many entries there are. Raises `Forbidden`."""
    by.require("iam:ListEvents", "event")
    with runtime.database.read() as connection:
        return audit_queries.list_page(connection, by.account_id, wanted, number, size)


def export(
    runtime: Runtime,
    by: Caller,
    wanted: EventFilter,
    cursor: str | None,
) -> tuple[list[Entry], str | None]:
    """The newest entries after the cursor, and the cursor to go on with, if there are more.

    An entry that is written meanwhile is in none of the answers, or in a later export. Raises
    `Forbidden`, and `Invalid` for a cursor that is none.
    """
    by.require("iam:ListEvents", "event")
    after = None if cursor is None else _position(cursor)
    most = MOST_EXPORTED
    found: list[Entry] = []
    while len(found) <= most:
        size = min(_BATCH, most + 1 - len(found))
        with runtime.database.read() as connection:
            batch = audit_queries.list_after(connection, by.account_id, wanted, after, size)
        found.extend(batch)
        if len(batch) < size:
            return found, None
        after = Position(batch[-1].at, batch[-1].id)
    kept = found[:most]
    return kept, _cursor(kept[-1])


def detail_for(event: AuditEvent, account_id: str) -> dict[str, Any]:
    """What an account may read of the details: all of what happened inside of it, and across
    accounts nothing of the other side."""
    actor, owner = event.actor_account_id, event.owner_account_id
    if actor is None or owner is None or actor == owner:
        return event.detail
    if account_id == actor:
        return {name: value for name, value in event.detail.items() if name in _FOR_THE_ACTOR}
    return {name: value for name, value in event.detail.items() if name not in _NOT_FOR_THE_OWNER}


def has_half_of(event: AuditEvent, account_id: str) -> bool:
    """Whether the account can read a half of a decision under the event's id."""
    callers = event.actor_account_id == account_id and event.caller_half is not None
    owners = event.owner_account_id == account_id and event.owner_half is not None
    return callers or owners


def _cursor(entry: Entry) -> str:
    text = json.dumps([entry.at, entry.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _position(cursor: str) -> Position:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        at, id_ = json.loads(text)
        position = Position(float(at), str(id_))
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise Invalid(_NO_CURSOR) from None
    if not (math.isfinite(position.at) and _ID.fullmatch(position.id)):
        raise Invalid(_NO_CURSOR)
    return position
