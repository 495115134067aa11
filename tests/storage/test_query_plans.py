"""Look-ups that every request makes go by an index: none of them walks through a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from app.storage import (
    accounts,
    audit,
    clients,
    epoch,
    grants,
    policies,
    service_accounts,
    sessions,
    tokens,
    trusts,
)
from app.storage.database import Base, Database

LookUp = Callable[[Connection], Any]

LOOK_UPS: dict[str, LookUp] = {
    "a client by id": lambda each: clients.find(each, "c"),
    "a token by id": lambda each: tokens.find(each, "t"),
    "whether a token is revoked": lambda each: tokens.is_revoked(each, "t"),
    "a user by id": lambda each: accounts.find_user(each, "u"),
    "a user by name": lambda each: accounts.find_user_by_name(each, "a@example.com", "u"),
    "a root user by e-mail": lambda each: accounts.find_root_by_email(each, "a@example.com"),
    "a root user by id": lambda each: accounts.find_root_by_user_id(each, "r"),
    "a root account by id": lambda each: accounts.find_root(each, "1"),
    "an account's settings": lambda each: accounts.find_settings(each, "1"),
    "a user's policies": lambda each: policies.attached_to_user(each, "u"),
    "a service account's policies": lambda each: policies.attached_to_service_account(each, "s"),
    "a service account with trust": lambda each: service_accounts.find_with_trust(each, "s", "1"),
    "a service account by name": lambda each: service_accounts.find_id_by_name(each, "1", "n"),
    "the client of a service account": lambda each: clients.find_id_of_service_account(each, "s"),
    "the client of a product": lambda each: clients.find_id_of_product(each, "p"),
    "a code by digest": lambda each: grants.find_code(each, "d"),
    "a session by digest": lambda each: sessions.find(each, "d"),
    "a session by id": lambda each: sessions.find_by_id(each, "s"),
    "the epoch": epoch.current,
    "the epoch, held": epoch.held,
    "an event by id": lambda each: audit.find(each, "e"),
}
WRITES: dict[str, LookUp] = {
    "using a code": lambda each: grants.use_code(each, "d", 1),
    "ending a session": lambda each: sessions.end(each, "s", 1),
    "revoking a token": lambda each: tokens.revoke(each, "t", 1),
    "revoking a grant": lambda each: tokens.revoke_grant(each, "g", 1),
    "revoking a session": lambda each: tokens.revoke_session(each, "s", 1),
    "revoking an account": lambda each: tokens.revoke_account(each, "1", 1),
    "revoking a principal": lambda each: tokens.revoke_principal(each, "1", "p", 1),
    "retiring secrets": lambda each: clients.remove_secrets(each, "c"),
    "removing trust": lambda each: trusts.remove(each, "s", "1"),
    "attaching a policy": lambda each: policies.detach(each, "p", "iam-user", "u"),
    "counting the epoch up": epoch.advance,
}


def plan_of(database: Database, work: LookUp) -> list[str]:
    """What SQLite says about each statement that `work` runs."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_rest: Any) -> None:
        seen.append((sql, values))

    def run(connection: Connection) -> list[str]:
        event.listen(connection, "before_cursor_execute", note)
        work(connection)
        event.remove(connection, "before_cursor_execute", note)
        return [
            str(row.detail)
            for sql, values in seen
            if not sql.startswith("BEGIN")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        ]

    return database.write(run)


def walks(plan: list[str]) -> list[str]:
    """The steps that walk through one of our tables (SQLite may walk through its own queues)."""
    tables = "|".join(Base.metadata.tables)
    return [step for step in plan if re.match(rf"SCAN ({tables})\b", step)]


@pytest.mark.parametrize("name", LOOK_UPS)
def test_a_look_up_goes_by_an_index(empty_store: Database, name: str) -> None:
    plan = plan_of(empty_store, LOOK_UPS[name])

    assert any(step.startswith("SEARCH") for step in plan)
    assert walks(plan) == []


@pytest.mark.parametrize("name", WRITES)
def test_a_write_finds_its_rows_by_an_index(empty_store: Database, name: str) -> None:
    plan = plan_of(empty_store, WRITES[name])

    assert any(step.startswith("SEARCH") for step in plan)
    assert walks(plan) == []


def test_a_walk_through_a_table_is_noticed(empty_store: Database) -> None:
    plan = plan_of(empty_store, lambda each: each.exec_driver_sql("SELECT scope FROM tokens"))

    assert walks(plan) == ["SCAN tokens"]
