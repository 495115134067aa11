"""What a request did behind its answer: statements, rows, bytes on disk, and the network."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from tests.support.world import World

TABLES = (
    "accounts",
    "audit_events",
    "authorization_codes",
    "client_secrets",
    "epoch",
    "failure_counts",
    "oauth_clients",
    "policies",
    "refusal_counts",
    "service_accounts",
    "sign_in_sessions",
    "tokens",
    "trusted_relationships",
)


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """The SQL that runs meanwhile, without its values."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(" ".join(statement.split()))

    engine = world.runtime.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def row_counts(world: World) -> dict[str, int]:
    """How many rows each table has."""
    return {name: world.rows(f"SELECT count(*) FROM {name}")[0][0] for name in TABLES}


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """The tables that got rows, and how many."""
    return {name: after[name] - before[name] for name in TABLES if after[name] != before[name]}


def bytes_on_disk(folder: Path) -> bytes:
    """All that the store has written so far, its write-ahead log included."""
    return b"".join(file.read_bytes() for file in sorted(folder.glob("crossroot.db*")))


def newest_event(world: World) -> Any:
    """The last row of the audit log."""
    return world.rows("SELECT * FROM audit_events ORDER BY rowid DESC LIMIT 1")[0]


_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request")
_watchers: list[list[str]] = []


def _audit(name: str, _arguments: Any) -> None:
    if name in _NETWORK:
        for seen in _watchers:
            seen.append(name)


@contextmanager
def network() -> Iterator[list[str]]:
    """The outbound calls that this process makes meanwhile, as Python's audit hooks see them."""
    if not getattr(_audit, "installed", False):
        sys.addaudithook(_audit)
        _audit.installed = True
    seen: list[str] = []
    _watchers.append(seen)
    try:
        yield seen
    finally:
        _watchers.remove(seen)


def break_store(world: World, table: str) -> None:
    """From now on the store refuses every new row of this table, as a full disk would."""
    world.runtime.database.write(
        lambda connection: connection.exec_driver_sql(
            f"CREATE TRIGGER broken BEFORE INSERT ON {table}"
            " BEGIN SELECT RAISE(FAIL, 'disk full'); END"
        )
    )


def mend_store(world: World) -> None:
    world.runtime.database.write(
        lambda connection: connection.exec_driver_sql("DROP TRIGGER broken")
    )
