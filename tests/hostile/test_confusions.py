from __future__ import annotations

import pytest

from tests.hostile.doors import ASSERTION_DOOR
from tests.hostile.forge import Case
from tests.hostile.site import Site
from tests.hostile.vectors.confusions import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_door_opens(case: Case, site: Site) -> None:
    wrong = site.complaints(case)

    assert not wrong, wrong


def test_nor_to_a_client_whose_service_account_is_disabled(site: Site) -> None:
    """CVE-2025-64521. The proof is sound, and may count as used."""
    assertion = site.assertion.loot["assertion_of_a_disabled_client"].encode()

    answer = ASSERTION_DOOR.present(site.world, site.live, assertion)

    assert ASSERTION_DOOR.complaints(answer) == []
    assert answer.status_code == 401
