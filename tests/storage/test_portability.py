"""Every statement of the storage is PostgreSQL too; SQLite is only where it runs first."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.expression import Executable

import app.storage
from app.services import accounts, products, sign_in
from app.storage import audit, tokens
from app.storage.database import Base
from tests.support.world import build_world, claims_of

POSTGRESQL = postgresql.dialect(paramstyle="named")
#: What SQLite takes and PostgreSQL does not, or takes to mean something else.
ONLY_SQLITE = re.compile(
    r"\bPRAGMA\b|\bINSERT OR\b|\bUPDATE OR\b|\bREPLACE INTO\b|\browid\b|\bAUTOINCREMENT\b"
    r"|\bIFNULL\b|\bGLOB\b|\bstrftime\b|\bjulianday\b|\bunixepoch\b|\bjson_\w+\s*\("
    r"|\bgroup_concat\b|\blast_insert_rowid\b|\bCOLLATE\b|\bWITHOUT ROWID\b|\bsqlite_\w+"
    r'|==|`|= "|\bIS (NOT )?[:?0-9]|\bLIMIT\s+-1\b|\b(true|false)\s*=\s*[01]\b',
    re.IGNORECASE,
)
MODULES = sorted(
    module.name
    for module in pkgutil.iter_modules(app.storage.__path__)
    if module.name != "migrations"
)


def statements() -> dict[str, ClauseElement]:
    """The prepared statements of all modules, by module and name."""
    return {
        f"{name}.{attribute}": value
        for name in MODULES
        for attribute, value in vars(import_module(f"app.storage.{name}")).items()
        if isinstance(value, Executable) and isinstance(value, ClauseElement)
    }


def in_postgresql(statement: Any) -> str:
    return str(statement.compile(dialect=POSTGRESQL))


def test_the_prepared_statements_are_found() -> None:
    found = statements()

    assert {"clients._ONE", "tokens._REVOKE_ONE", "policies._OF_USER", "audit._ONE"} <= set(found)
    assert len(found) > 20


@pytest.mark.parametrize("name", sorted(statements()))
def test_a_prepared_statement_is_postgresql(name: str) -> None:
    written = in_postgresql(statements()[name])

    assert written
    assert ONLY_SQLITE.findall(written) == []


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda each: str(each.name))
def test_a_table_is_postgresql(table: Any) -> None:
    # Raises for a name of more than 63 characters, which PostgreSQL would cut.
    written = in_postgresql(CreateTable(table)) + "".join(
        in_postgresql(CreateIndex(index)) for index in table.indexes
    )

    assert ONLY_SQLITE.findall(written) == []


def test_whatever_the_story_runs_is_postgresql(tmp_path: Path) -> None:
    """Not only what is prepared: all that is executed from the first account to the last token."""
    world = build_world(tmp_path)
    seen: dict[str, Any] = {}

    @event.listens_for(world.runtime.database.engine, "before_execute")
    def _note(_connection: Any, statement: Any, *_rest: Any) -> None:
        seen[str(statement.compile(dialect=sqlite.dialect()))] = statement

    user_token = world.user_token()
    assert world.impersonate(user_token).status_code == 200
    assert world.impersonate(user_token, requested_subject="sa-unknown").status_code == 400
    assert world.machine_token(scope="nonsense").status_code == 400
    assert world.token_call(grant_type="client_credentials", client_id="?").status_code == 401
    accounts.create_account(world.runtime, "7", "root-c@example.com", "root-c-password")
    accounts.disable_account(world.runtime, "7")
    products.install_shipped(world.runtime)
    form = sign_in.SignInForm("root", "root-a@example.com", "", "root-a-password")
    session = sign_in.sign_in(world.runtime, form, None)
    assert session is not None
    sign_in.sign_out(world.runtime, session.signed_in)
    jti = claims_of(user_token)["jti"]
    world.runtime.database.write(lambda each: tokens.revoke_principal(each, "1", world.user_id, 1))
    world.runtime.database.write(lambda each: tokens.revoke_grant(each, jti, 1))
    with world.runtime.database.read() as connection:
        audit.find(connection, jti)
    world.close()

    assert len(seen) > 30
    problems = {sql: ONLY_SQLITE.findall(in_postgresql(seen[sql])) for sql in seen}
    assert {sql: found for sql, found in problems.items() if found} == {}


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT OR IGNORE INTO t VALUES (1)",
        "SELECT rowid FROM t",
        "SELECT ifnull(a, b) FROM t",
        "SELECT json_extract(a, '$.b') FROM t",
        "SELECT a FROM t WHERE a == 1",
        "SELECT a FROM t WHERE a IS ?",
        "SELECT a FROM t LIMIT -1",
        "PRAGMA foreign_keys=ON",
    ],
)
def test_what_only_sqlite_takes_is_noticed(sql: str) -> None:
    assert ONLY_SQLITE.findall(sql)
