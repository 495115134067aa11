"""Stores without an application around them, and the people that most rows need."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import Flask
from sqlalchemy import Connection

from app.domain.clients import Client, ClientKind
from app.domain.principals import RootUser
from app.storage import accounts, clients, schema, service_accounts, sessions
from app.storage.database import Database, configure
from app.storage.sessions import SignInSession
from app.storage.tokens import TokenRecord
from tests.support.impersonation import SERVICE_ACCOUNT, SYSTEM1, A, B

ROOT_A = RootUser("root-a", A, "root-a@example.com")
ROOT_B = RootUser("root-b", B, "root-b@example.com")
MACHINE = Client(
    id="machine",
    kind=ClientKind.SERVICE_ACCOUNT,
    name="AllowAccessFromRootUserAccountA",
    account_id=B.id,
    grant_types=("client_credentials",),
    service_account=SERVICE_ACCOUNT,
)
SESSION = SignInSession("session-1", "iam-user", SYSTEM1.id, A.id, 100, 900, ("pwd",))


def open_store(path: Path) -> Database:
    """The store in a SQLite file, as the application opens it; whoever opens it disposes of it."""
    return configure(Flask("store"), f"sqlite:///{path}")


def open_migrated_store(path: Path) -> Database:
    """A store with the newest schema and nothing in it."""
    path.write_bytes(_migrated())
    return open_store(path)


@cache
def _migrated() -> bytes:
    """The file after the migrations, which are run once in a process."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        database = open_store(path)
        schema.upgrade(database)
        database.close()  # the last connection folds the write-ahead log in
        return path.read_bytes()


def add_people(connection: Connection) -> None:
    """Root accounts A (with System1) and B (with the service account and its client)."""
    accounts.add_account(connection, ROOT_A, "hash-of-root-a", 1)
    accounts.add_account(connection, ROOT_B, "hash-of-root-b", 2)
    accounts.add_user(connection, SYSTEM1, "hash-of-system1", 3)
    service_accounts.add(connection, SERVICE_ACCOUNT, 4)
    clients.add(connection, MACHINE, 5)
    sessions.add(connection, SESSION, "digest-of-session-1")


def token(token_id: str, **changes: Any) -> TokenRecord:
    """A token of the service account itself, unless the test says otherwise."""
    fields: dict[str, Any] = {
        "client_id": MACHINE.id,
        "subject_type": "service-account",
        "subject_id": SERVICE_ACCOUNT.id,
        "account_id": B.id,
        "audience": ("https://vserver.example",),
        "issued_at": 100,
        "expires_at": 3700,
    }
    return TokenRecord(token_id, **{**fields, **changes})
