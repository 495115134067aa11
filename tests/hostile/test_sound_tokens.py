"""What the hostile cases are measured by: the forger can make what every door takes."""

from __future__ import annotations

import pytest

from tests.hostile.doors import ASSERTION_DOOR, DOORS, Door
from tests.hostile.signing import P256_ORDER, ecdsa_numbers_changed
from tests.hostile.site import Site, access_forge
from tests.hostile.vectors import algorithms, claims, confusions, encodings, headers, signatures

ALL = [
    case
    for group in (algorithms, signatures, headers, encodings, claims, confusions)
    for case in group.CASES
]
ALGORITHMS = ("ES256", "RS256", "Ed25519")


@pytest.mark.parametrize("alg", ALGORITHMS)
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_a_sound_token_opens_its_door(door: Door, alg: str, site: Site) -> None:
    if door is ASSERTION_DOOR:
        token = site.assertion.token(alg)
    else:
        token = access_forge([site.world.user_token()], {}).token(alg)

    assert site.accepts(door, token)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_a_token_of_the_other_kind_does_not(door: Door, site: Site) -> None:
    forge = site.access if door is ASSERTION_DOOR else site.assertion

    assert not site.accepts(door, forge.token())


def test_there_are_many_cases_and_each_is_one_of_its_own(site: Site) -> None:
    names = [case.name for case in ALL]
    tokens = {case.build(site.access) for case in ALL if case.only != "client assertion"}

    assert len(names) == len(set(names)) >= 900
    # Some differ in name alone: a part twice is a part of another length, whatever it says.
    assert len(tokens) > 0.95 * sum(case.only != "client assertion" for case in ALL)
    assert site.access.token() not in tokens


class TestTheSecondSignature:
    """(r, n - s) holds where (r, s) does, so anybody can make it. It must not be a second token."""

    def test_is_revoked_with_the_first(self, site: Site) -> None:
        token = site.world.user_token()
        twin = _twin(site, token)
        assert twin != token.encode()

        site.world.client.post(
            "/oauth2/revoke", data={"client_id": "crossroot-cli", "token": twin.decode()}
        )

        assert [door.name for door in DOORS if site.accepts(door, token.encode())] == []
        assert [door.name for door in DOORS if site.accepts(door, twin)] == []

    def test_of_an_assertion_is_a_replay(self, site: Site) -> None:
        claims = site.assertion.claims()
        token = site.assertion.token(claims={"jti": claims["jti"]})
        twin = site.assertion.token(
            claims={"jti": claims["jti"]},
            sign=ecdsa_numbers_changed(site.assertion.ec_key, lambda r, s: (r, P256_ORDER - s)),
        )

        assert site.accepts(ASSERTION_DOOR, token)
        assert not site.accepts(ASSERTION_DOOR, twin)


def _twin(site: Site, token: str) -> bytes:
    sign = ecdsa_numbers_changed(site.access.ec_key, lambda r, s: (r, P256_ORDER - s))
    return access_forge([token], {}).token(sign=sign)
