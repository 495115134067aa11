"""Bringing a store to the newest schema (Alembic), and knowing whether it is there."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, select

# Every table has to be known before the metadata is compared or created.
from app.storage import (  # noqa: F401
    accounts,
    audit,
    clients,
    evaluation_counts,
    grants,
    idempotency,
    known_addresses,
    once,
    policies,
    products,
    refresh_tokens,
    service_accounts,
    sessions,
    throttle,
    tokens,
    trusts,
)
from app.storage.database import Database
from app.storage.epoch import EpochRow

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> list[str]:
    """Run the migrations that are missing. Returns their revisions, oldest first.

    All in one transaction: of several processes that start at once one migrates, and the
    others wait for it and find nothing to do. Raises `StoreUnavailable`.
    """
    config = _config()

    def write(connection: Connection) -> str | None:
        before = _revision(connection)
        # Alembic leaves a transaction that it was handed open.
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _start_epoch(connection)
        return before

    before = database.write(write)
    script = ScriptDirectory.from_config(config)
    revisions = [revision.revision for revision in script.iterate_revisions("head", before)]
    return list(reversed(revisions))


def current_revision(database: Database) -> str | None:
    with database.read() as connection:
        return _revision(connection)


def newest_revision() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def is_current(database: Database) -> bool:
    return current_revision(database) == newest_revision()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _start_epoch(connection: Connection) -> None:
    if connection.execute(select(EpochRow.id)).first() is None:
        connection.execute(insert(EpochRow).values(id=1, value=1))
