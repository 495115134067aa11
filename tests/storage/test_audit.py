"""The audit log, and the counts that stand for what is not kept one by one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.domain.events import Event, Outcome
from app.storage import audit
from app.storage.audit import AuditEvent
from app.storage.database import Database, StoreUnavailable
from tests.support.impersonation import A, B

HOUR = 3600
FULL = AuditEvent(
    id="decision",
    at=1_800_000_000.25,
    event=Event.IMPERSONATE,
    outcome=Outcome.DENIED,
    reason="target",
    actor_type="iam-user",
    actor_id="user-1",
    actor_name="System1",
    actor_account_id=A.id,
    acting_as="sa-1",
    owner_account_id=B.id,
    owner_listed=False,
    resource="iam::60108:service-account/sa-1",
    client_id="crossroot-cli",
    token_id="token",
    source_ip="2001:db8::1",
    display_name="on-call",
    stated_reason="ticket 4711: Ünïcode",
    caller_half={"allowed": True, "reasons": []},
    owner_half={"allowed": False, "reasons": ["not-trusted"]},
    detail={"audience": ["https://vserver.example"], "scope": None},
)
BARE = AuditEvent(id="bare", at=1.0, event=Event.SIGN_IN)


def add(database: Database, event: AuditEvent) -> None:
    database.write(lambda connection: audit.add(connection, event))


def rows(database: Database, table: str) -> list[tuple[object, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]


@pytest.mark.parametrize("event", [FULL, BARE], ids=["full", "bare"])
def test_an_event_comes_back_as_it_was(empty_store: Database, event: AuditEvent) -> None:
    add(empty_store, event)

    with empty_store.read() as connection:
        assert audit.find(connection, event.id) == event
        assert audit.find(connection, "unknown") is None


@pytest.mark.parametrize("event", list(Event))
def test_every_word_of_the_vocabulary_has_room(empty_store: Database, event: Event) -> None:
    add(empty_store, AuditEvent(id="an event", at=1.0, event=event))

    with empty_store.read() as connection:
        found = audit.find(connection, "an event")
    assert found is not None
    assert found.event is event
    assert len(event) <= 40  # the width of the column, which SQLite does not hold anybody to


def test_an_absent_half_is_null_and_not_json(empty_store: Database) -> None:
    add(empty_store, BARE)

    with empty_store.read() as connection:
        found = connection.exec_driver_sql(
            "SELECT count(*) FROM audit_events WHERE caller_half IS NULL AND owner_half IS NULL"
        )
        assert found.scalar_one() == 1


def test_an_id_is_used_once(empty_store: Database) -> None:
    add(empty_store, FULL)

    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        add(empty_store, FULL)


def test_refusals_are_counted_by_owner_stranger_and_hour(empty_store: Database) -> None:
    def write(connection: object) -> None:
        for owner, foreign, at in [
            (B.id, A.id, 10 * HOUR),
            (B.id, A.id, 11 * HOUR - 0.5),
            (B.id, A.id, 11 * HOUR),
            (B.id, "70000", 10 * HOUR),
            ("", A.id, 10 * HOUR),
            ("", A.id, 10 * HOUR),
        ]:
            audit.count_refusal(connection, owner, foreign, at)  # type: ignore[arg-type]

    empty_store.write(write)

    assert set(rows(empty_store, "refusal_counts")) == {
        (B.id, A.id, 10, 2),
        (B.id, A.id, 11, 1),
        (B.id, "70000", 10, 1),
        ("", A.id, 10, 2),
    }


def test_failures_are_counted_by_kind_and_hour(empty_store: Database) -> None:
    def write(connection: object) -> None:
        for kind, at in [("sign-in:iam", 0.0), ("sign-in:iam", 3599.9), ("token", 0.0)]:
            audit.count_failure(connection, kind, at)  # type: ignore[arg-type]
        audit.count_failure(connection, "sign-in:iam", 3600.0)  # type: ignore[arg-type]

    empty_store.write(write)

    assert set(rows(empty_store, "failure_counts")) == {
        ("sign-in:iam", 0, 2),
        ("sign-in:iam", 1, 1),
        ("token", 0, 1),
    }


def test_no_count_is_lost_between_threads(empty_store: Database) -> None:
    threads, each = 8, 10
    together = threading.Barrier(threads)

    def work(_: int) -> None:
        together.wait()
        for _ in range(each):
            empty_store.write(lambda connection: audit.count_failure(connection, "token", 0.0))
            empty_store.write(lambda connection: audit.count_refusal(connection, "1", "2", 0.0))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))

    assert rows(empty_store, "failure_counts") == [("token", 0, threads * each)]
    assert rows(empty_store, "refusal_counts") == [("1", "2", 0, threads * each)]
