from __future__ import annotations

import pytest

from tests.faults.crashing import ISSUE, nothing_is_half_done, points
from tests.faults.operations import Exchange, Operation, Revocation
from tests.faults.site import CrashSite


@pytest.mark.parametrize(
    ("operation", "step"),
    [
        *points("exchange", Exchange(), *ISSUE),
        *points(
            "access token's revocation",
            Revocation("access"),
            "revoke:found",
            "revoke:token-ended",
            "revoke:committed",
        ),
        *points(
            "refresh token's revocation",
            Revocation("refresh"),
            "revoke:found",
            "revoke:family-ended",
            "revoke:tokens-ended",
            "revoke:committed",
        ),
    ],
)
def test_nothing_is_half_done(site: CrashSite, operation: Operation, step: str) -> None:
    nothing_is_half_done(site, operation, step)
