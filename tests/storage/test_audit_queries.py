"""Reading the audit log: by index, and in words that PostgreSQL knows too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.dialects import postgresql

from app.domain.events import Event, Outcome
from app.storage import audit, audit_queries, policy_history, trusts_history
from app.storage.audit import AuditEvent
from app.storage.audit_queries import EventFilter, Position
from app.storage.database import Database
from tests.storage.test_portability import ONLY_SQLITE
from tests.storage.test_query_plans import plan_of, walks
from tests.support.impersonation import trust

EVERYTHING = EventFilter(1.0, 2.0, "actor", "iam:GetGroup", "iam::1:*", Outcome.DENIED)
COUNTS_TOO = EventFilter(1.0, 2.0, None, "service-account:impersonate", None, Outcome.DENIED)
AFTER = Position(1.5, "id")

QUERIES: dict[str, Callable[[Connection], Any]] = {
    "a page": lambda each: audit_queries.list_page(each, "1", EventFilter(), 0, 20),
    "a page of what is looked for": lambda each: audit_queries.list_page(
        each, "1", EVERYTHING, 2, 20
    ),
    "a batch": lambda each: audit_queries.list_after(each, "1", COUNTS_TOO, AFTER, 20),
    "a user's exchanges": lambda each: audit_queries.exchanges_of(each, "1", "u", 1.0, 10),
    "exchanges into a service account": lambda each: audit_queries.exchanges_into(
        each, "1", "sa", "2", 1.0, 10
    ),
    "a policy's version": lambda each: policy_history.find_document(each, "1", "p", 1),
    "a policy to draft": lambda each: policy_history.find_in_force(each, "1", "p"),
    "a trust's version": lambda each: trusts_history.find(each, "t", 1),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_goes_by_an_index(empty_store: Database, name: str) -> None:
    plan = plan_of(empty_store, QUERIES[name])

    assert any(step.startswith("SEARCH") for step in plan)
    assert walks(plan) == []


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_postgresql(empty_store: Database, name: str) -> None:
    seen: list[Any] = []

    def note(_connection: Any, statement: Any, *_rest: Any) -> None:
        seen.append(statement)

    with empty_store.read() as connection:
        event.listen(connection, "before_execute", note)
        QUERIES[name](connection)
        event.remove(connection, "before_execute", note)

    dialect = postgresql.dialect(paramstyle="named")
    for statement in seen:
        assert ONLY_SQLITE.findall(str(statement.compile(dialect=dialect))) == []


def test_rows_and_counted_lines_come_in_one_order(empty_store: Database) -> None:
    def write(connection: Connection) -> None:
        for number, at in enumerate((3600.0, 3600.5, 7200.0)):
            audit.add(connection, AuditEvent(f"e{number}", at, Event.SIGN_IN, actor_account_id="1"))
        audit.count_refusal(connection, "1", "2", 3700.0)
        audit.count_refusal(connection, "1", "2", 3800.0)
        audit.count_refusal(connection, "2", "1", 3800.0)

    empty_store.write(write)

    with empty_store.read() as connection:
        page, total = audit_queries.list_page(connection, "1", EventFilter(), 0, 3)
        rest = audit_queries.list_after(
            connection, "1", EventFilter(), Position(page[-1].at, page[-1].id), 3
        )

    assert total == 4
    assert [each.id for each in (*page, *rest)] == ["e2", "e1", "refusals-2-1", "e0"]


def test_each_version_of_a_trust_is_kept(empty_store: Database) -> None:
    empty_store.write(lambda connection: trusts_history.keep(connection, trust(expires_at=7)))
    empty_store.write(lambda connection: trusts_history.keep(connection, trust(version=2)))

    with empty_store.read() as connection:
        found = [trusts_history.find(connection, "trust-1", version) for version in (1, 2, 3)]

    assert [None if each is None else each.expires_at for each in found] == [7, None, None]
    assert found[2] is None


def test_a_list_says_that_there_are_halves_and_does_not_load_them(empty_store: Database) -> None:
    """Thousands of entries are exported at a time, and a half is as long as the policies are."""
    half = {"allowed": False, "denies": [{"policy_id": "p"}] * 100}
    empty_store.write(
        lambda connection: audit.add(
            connection,
            AuditEvent("e1", 1.0, Event.API_REFUSE, actor_account_id="1", caller_half=half),
        )
    )

    with empty_store.read() as connection:
        ((listed,), _) = audit_queries.list_page(connection, "1", EventFilter(), 0, 20)

    assert isinstance(listed, AuditEvent)
    assert (listed.caller_half, listed.owner_half) == ({}, None)
