"""The audit log: `/audit-api/v1/events`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from flask import Response, request
from pydantic import Field

from app.domain.events import Event, Outcome
from app.management.decisions import ActorShown
from app.management.models import (
    LARGEST_PAGE,
    AccountId,
    Model,
    Page,
    PageQuery,
    Query,
    Timestamp,
    dump,
    page_of,
)
from app.management.openapi import LINES, NEXT_CURSOR
from app.management.operations import Call, Operation
from app.management.trusted_relationships import Moment
from app.services import events
from app.services.events import CountedRefusals, Entry, EventFilter

_TEXT = r"^[^\x00-\x1f\x7f]*$"


class EventQuery(Query):
    """A page of the log, the newest entries first, and what to look for.

    A page moves when there is something new: give `to` to keep it in place.
    """

    page_number: int = Field(0, ge=0, le=1_000_000)
    page_size: int = Field(20, ge=1, le=LARGEST_PAGE)
    from_: Moment | None = Field(None, alias="from")
    to: Moment | None = Field(None, description="Up to here, this moment not included.")
    actor: str | None = Field(
        None, min_length=1, max_length=254, pattern=_TEXT, description="An id, or a name."
    )
    action: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        pattern=_TEXT,
        description="An event of the log, or an action that was asked for.",
        examples=["service-account:impersonate", "iam:CreateIamUser"],
    )
    resource: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        pattern=_TEXT,
        description="A name, or the beginning of one with `*` behind it.",
        examples=["iam::60108:service-account/*"],
    )
    outcome: Literal["allowed", "denied"] | None = None
    format: Literal["json", "ndjson"] | None = Field(
        None,
        description="`ndjson` (or `Accept: application/x-ndjson`): all that is found, one JSON "
        "object a line, up to 10,000 of them, whatever the page. If there are more, the header "
        "`Next-Cursor` has the `cursor` to go on with.",
    )
    cursor: str | None = Field(None, min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")


class EventShown(Model):
    """Something that happened, as the account that reads it may know it.

    Where users of another account were refused by the account's own half, an entry with `count`
    stands for all that were within the hour that begins at `at`; each such decision can still be
    read by its id.
    """

    id: str
    at: Timestamp
    event: str = Field(examples=["service-account:impersonate"])
    outcome: Literal["allowed", "denied"]
    reason: str | None = None
    actor: ActorShown | None = Field(None, description="Who acted.")
    acting_as: str | None = Field(None, description="The service account that was acted through.")
    owner_account_id: AccountId | None = None
    resource: str | None = None
    client_id: str | None = None
    token_id: str | None = None
    source_ip: str | None = None
    display_name: str | None = Field(None, description="What the actor called itself.")
    stated_reason: str | None = Field(None, description="The reason that the actor gave.")
    decision_id: str | None = Field(None, description="There is a half of a decision to read.")
    detail: dict[str, Any] | None = None
    count: int | None = Field(None, ge=1)


def shown(entry: Entry, account_id: str) -> EventShown:
    """An entry for one account: nothing of it says what is the other account's to know."""
    if isinstance(entry, CountedRefusals):
        return EventShown(
            id=entry.id,
            at=_precisely(entry.at),
            event=Event.IMPERSONATE.value,
            outcome=Outcome.DENIED.value,
            actor=ActorShown(account_id=entry.foreign_account_id),
            count=entry.count,
        )
    owner = entry.owner_account_id
    if entry.outcome is Outcome.DENIED and owner != account_id:
        owner = None  # whose it is, and whether it is there, is the owner's half to know
    return EventShown(
        id=entry.id,
        at=_precisely(entry.at),
        event=entry.event.value,
        outcome=entry.outcome.value,
        reason=entry.reason,
        actor=ActorShown(
            type=entry.actor_type,
            id=entry.actor_id,
            name=entry.actor_name,
            account_id=entry.actor_account_id,
        ),
        acting_as=entry.acting_as,
        owner_account_id=owner,
        resource=entry.resource,
        client_id=entry.client_id,
        token_id=entry.token_id,
        source_ip=entry.source_ip,
        display_name=entry.display_name,
        stated_reason=entry.stated_reason,
        decision_id=entry.id if events.has_half_of(entry, account_id) else None,
        detail=events.detail_for(entry, account_id),
    )


def _seconds(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text.upper()).timestamp()


def _precisely(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _list(call: Call) -> Page[EventShown] | Response:
    query: EventQuery = call.query
    wanted = EventFilter(
        since=_seconds(query.from_),
        until=_seconds(query.to),
        actor=query.actor,
        action=query.action,
        resource=query.resource,
        outcome=None if query.outcome is None else Outcome(query.outcome),
    )
    account_id = call.caller.account_id
    if _wants_lines(query):
        found, cursor = events.export(call.runtime, call.caller, wanted, query.cursor)
        return _lines([shown(each, account_id) for each in found], cursor)
    found, total = events.list_page(
        call.runtime, call.caller, wanted, query.page_number, query.page_size
    )
    page = PageQuery(page_number=query.page_number, page_size=query.page_size)
    return page_of(EventShown, [shown(each, account_id) for each in found], page, total)


def _wants_lines(query: EventQuery) -> bool:
    if query.format is not None:
        return query.format == "ndjson"
    # Who takes everything gets pages.
    best = request.accept_mimetypes.best_match(("application/json", LINES), "application/json")
    return best == LINES


def _lines(found: Sequence[EventShown], cursor: str | None) -> Response:
    lines = (json.dumps(dump(each), ensure_ascii=False, separators=(",", ":")) for each in found)
    response = Response("".join(f"{line}\n" for line in lines), content_type=LINES)
    response.headers["Cache-Control"] = "no-store"
    if cursor is not None:
        response.headers[NEXT_CURSOR] = cursor
    return response


OPERATIONS = (
    Operation(
        "GET",
        "/audit-api/v1/events",
        "listEvents",
        "The audit log, a page at a time or as lines of JSON",
        "iam:ListEvents",
        _list,
        lambda result: result,
        answer=Page[EventShown],
        query=EventQuery,
        lines=True,
    ),
)
