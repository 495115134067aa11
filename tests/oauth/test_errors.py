"""From a reason to an RFC error: one exhaustive table."""

from __future__ import annotations

import pytest

from app.oauth.errors import CHALLENGES, TABLE, describable
from app.services.refusals import Refusal

KNOWN = {
    # RFC 6749 section 5.2, RFC 8693 section 2.2.2, RFC 6750 section 3.1, OpenID CIBA
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
    "invalid_token",
    "access_denied",
}


def test_every_reason_has_an_error() -> None:
    assert set(TABLE) == set(Refusal)
    assert {error.code for error in TABLE.values()} == KNOWN


def test_every_401_says_how_to_do_better() -> None:
    assert {error.code for error in TABLE.values() if error.status == 401} == set(CHALLENGES)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("plain", "plain"),
        ('say "no"', "say 'no'"),
        ("a\\b", "a/b"),
        ("é\n\0\u202e", "????"),
        ("x" * 501, "x" * 497 + "..."),
        ("x" * 500, "x" * 500),
    ],
)
def test_a_description_keeps_to_its_characters_and_its_length(message: str, told: str) -> None:
    assert describable(message) == told
