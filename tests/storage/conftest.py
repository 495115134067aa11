from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.database import Database
from tests.support.stores import add_people, open_migrated_store


@pytest.fixture
def empty_store(tmp_path: Path) -> Iterator[Database]:
    """A store with the newest schema and nothing in it."""
    database = open_migrated_store(tmp_path / "store.db")
    yield database
    database.close()


@pytest.fixture
def database(empty_store: Database) -> Database:
    """A store with root accounts A and B, System1, and the service account."""
    empty_store.write(add_people)
    return empty_store
