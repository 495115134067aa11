from __future__ import annotations

import pytest

from tests.hostile.forge import Case
from tests.hostile.site import Site
from tests.hostile.vectors.claims import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_door_opens(case: Case, site: Site) -> None:
    wrong = site.complaints(case)

    assert not wrong, wrong
