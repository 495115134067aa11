from __future__ import annotations

import pytest

from tests.faults.crashing import ISSUE, nothing_is_half_done, points
from tests.faults.operations import CodeRedemption, Operation, RefreshRotation
from tests.faults.site import CrashSite


@pytest.mark.parametrize(
    ("operation", "step"),
    [*points("code", CodeRedemption(), *ISSUE), *points("refresh", RefreshRotation(), *ISSUE)],
)
def test_nothing_is_half_done(site: CrashSite, operation: Operation, step: str) -> None:
    nothing_is_half_done(site, operation, step)
