from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.world import World, build_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The guide's story, fresh for each test."""
    made = build_world(tmp_path)
    yield made
    made.close()
