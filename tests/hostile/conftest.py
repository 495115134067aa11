from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.site import Site, built


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One world for all tests of a file: nothing hostile may change it."""
    with built(tmp_path_factory.mktemp("hostile")) as made:
        yield made
