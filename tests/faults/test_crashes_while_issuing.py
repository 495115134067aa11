from __future__ import annotations

import pytest

from tests.faults.crashing import ISSUE, nothing_is_half_done, points
from tests.faults.operations import CodeRedemption, Operation, RefreshRotation
from tests.faults.site import CrashSite

_STEPS = tuple(f"issue:{step}" for step in ISSUE)
_OFTEN = ("issue:consumed", "issue:recorded", "issue:committed")


@pytest.mark.parametrize(
    ("operation", "step", "rounds"),
    [
        *points("code", CodeRedemption(), _STEPS, _OFTEN),
        *points("refresh", RefreshRotation(), _STEPS, _OFTEN),
    ],
)
def test_nothing_is_half_done(
    site: CrashSite, operation: Operation, step: str, rounds: int
) -> None:
    nothing_is_half_done(site, operation, step, rounds)
