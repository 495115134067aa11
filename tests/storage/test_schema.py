"""Migrations: from nothing to what the models say, whoever else tries at the same time."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text

from app.storage import accounts, epoch, schema
from app.storage.database import Base, Database, StoreUnavailable
from tests.support.stores import ROOT_A, add_people, open_store

ROOT = Path(__file__).parents[2]
MIGRATIONS = ROOT / "app" / "storage" / "migrations"
#: All there are, oldest first: the name of a migration's file begins with its revision.
REVISIONS = sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


@pytest.fixture
def new_store(tmp_path: Path) -> Iterator[Database]:
    """A store in which nothing was ever done."""
    database = open_store(tmp_path / "new.db")
    yield database
    database.close()


def tables_of(connection: Connection) -> dict[str, Any]:
    """All that SQLite knows of the tables, in an order that does not depend on their making."""
    inspector = inspect(connection)
    return {
        name: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"])
                for column in inspector.get_columns(name)
            ],
            "primary key": inspector.get_pk_constraint(name),
            "foreign keys": sorted(inspector.get_foreign_keys(name), key=str),
            "unique": sorted(inspector.get_unique_constraints(name), key=str),
            "indexes": sorted(map(_as_text, inspector.get_indexes(name))),
        }
        for name in inspector.get_table_names()
        if name != "alembic_version"
    }


def _as_text(index: Any) -> str:
    """What an index leaves out is said by an object that equals nothing but itself."""
    options = {name: str(value) for name, value in index["dialect_options"].items()}
    return str({**index, "dialect_options": options})


def alembic_config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def downgrade(database: Database) -> None:
    database.write(lambda connection: command.downgrade(alembic_config(connection), "base"))


def test_alembic_finds_no_difference_to_the_models(empty_store: Database) -> None:
    with empty_store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)

    assert differences == []


def test_migrating_and_creating_the_models_give_the_same_tables(
    empty_store: Database, new_store: Database
) -> None:
    # What Alembic does not compare: primary keys, names of constraints, the order of columns.
    new_store.write(Base.metadata.create_all)

    with empty_store.read() as migrated, new_store.read() as created:
        assert tables_of(migrated) == tables_of(created)


def test_an_upgrade_says_what_it_ran(new_store: Database) -> None:
    assert schema.current_revision(new_store) is None
    assert not schema.is_current(new_store)

    assert schema.upgrade(new_store) == REVISIONS

    assert schema.current_revision(new_store) == schema.newest_revision() == REVISIONS[-1]
    assert schema.is_current(new_store)


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    database.write(epoch.advance)

    assert schema.upgrade(database) == []

    with database.read() as connection:
        assert epoch.current(connection) == 2
        assert accounts.find_root(connection, ROOT_A.account.id) == ROOT_A


def test_the_epoch_begins_with_the_schema(new_store: Database) -> None:
    schema.upgrade(new_store)

    with new_store.read() as connection:
        assert epoch.current(connection) == 1


def test_an_upgrade_that_fails_at_its_end_leaves_nothing(
    new_store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(connection: Connection) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(schema, "_start_epoch", break_down)
    with pytest.raises(RuntimeError, match="power cut"):
        schema.upgrade(new_store)

    with new_store.read() as connection:
        assert inspect(connection).get_table_names() == []
    assert not schema.is_current(new_store)


def test_a_downgrade_takes_everything_away_and_an_upgrade_brings_it_back(
    database: Database,
) -> None:
    with database.read() as connection:
        before = tables_of(connection)

    downgrade(database)
    with database.read() as connection:
        assert tables_of(connection) == {}
    assert not schema.is_current(database)

    assert schema.upgrade(database) == REVISIONS
    database.write(add_people)
    with database.read() as connection:
        assert tables_of(connection) == before


def test_a_store_of_a_newer_version_is_left_alone(database: Database) -> None:
    newer = text("UPDATE alembic_version SET version_num = '9999'")
    database.write(lambda connection: connection.execute(newer))

    with pytest.raises(CommandError, match="9999"):
        schema.upgrade(database)

    assert schema.current_revision(database) == "9999"
    assert not schema.is_current(database)


def test_a_store_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    database = open_store(tmp_path / "file.db")
    (tmp_path / "file.db").write_bytes(b"this is no database, whatever its name says" * 100)

    with pytest.raises(StoreUnavailable):
        schema.upgrade(database)


def test_the_migrations_are_postgresql_too() -> None:
    written = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written}
    )
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with Operations.context(context):
        for script in reversed(list(ScriptDirectory.from_config(config).walk_revisions())):
            script.module.upgrade()

    ddl = written.getvalue()
    assert [name for name in Base.metadata.tables if f"CREATE TABLE {name} (" not in ddl] == []
    assert "CREATE INDEX ix_tokens_parent_id ON tokens (parent_id);" in ddl


PROCESSES = 4
STORES = 4
# Processes that forked before any of them opened a store, and begin each at the same moment.
UPGRADERS = f"""
import json, multiprocessing, sys
from flask import Flask
from app.storage import schema
from app.storage.database import configure

forking = multiprocessing.get_context("fork")
together = forking.Barrier({PROCESSES})

def upgrade(path):
    database = configure(Flask("store"), "sqlite:///" + path)
    together.wait(60)
    try:
        revisions = schema.upgrade(database)
        database.close()
        return revisions
    except Exception as error:
        return [repr(error)]

with forking.Pool({PROCESSES}) as pool:
    for path in sys.argv[1:]:
        print(json.dumps(pool.map(upgrade, [path] * {PROCESSES}, chunksize=1)))
"""


def test_processes_that_start_on_an_empty_store_at_once_all_find_it_ready(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.db" for number in range(STORES)]

    finished = subprocess.run(
        [sys.executable, "-c", UPGRADERS, *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (finished.returncode, finished.stderr) == (0, "")
    reports = [sorted(json.loads(line)) for line in finished.stdout.splitlines()]
    assert reports == [[[], [], [], REVISIONS]] * STORES
    for path in paths:
        database = open_store(path)
        with database.read() as connection:
            assert set(tables_of(connection)) == set(Base.metadata.tables)
            assert epoch.current(connection) == 1
        database.close()
