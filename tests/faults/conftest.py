from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.site import CrashSite, crash_site
from tests.support.world import World, build_world


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashSite]:
    """One store for all crashes of a file: what earlier ones left has to be sound as well."""
    with crash_site(tmp_path_factory.mktemp("crashes")) as made:
        yield made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The guide's story, fresh for each test."""
    made = build_world(tmp_path)
    yield made
    made.close()
