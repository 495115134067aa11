"""RFC 9068, JSON Web Token Profile for OAuth 2.0 Access Tokens."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.support.world import ACCESS_TOKEN, START, VSERVER, World, claims_of


@pytest.fixture
def tokens(world: World, token: str) -> dict[str, str]:
    """One of each grant."""
    return {
        "authorization_code": token,
        "client_credentials": world.machine_token().json["access_token"],
        "impersonation": world.impersonate(token).json["access_token"],
        "narrowing": world.exchange(token, subject_token_type=ACCESS_TOKEN).json["access_token"],
    }


def header_of(world: World, token: str) -> dict[str, Any]:
    """The header, once the signature holds under the published keys."""
    keys = KeySet.import_key_set(world.client.get("/oauth2/jwks").json)
    return dict(jwt.decode(token, keys, algorithms=["ES256", "RS256"]).header)


def test_2_1_the_header(world: World, tokens: dict[str, str]) -> None:
    """Signed, never by none, and `typ` says what it is."""
    for name, token in tokens.items():
        header = header_of(world, token)
        assert header["typ"] == "at+jwt", name
        assert header["alg"] == "ES256", name
        assert header.keys() == {"alg", "typ", "kid"}, name


@pytest.mark.parametrize("claim", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
def test_2_2_the_required_claims(tokens: dict[str, str], claim: str) -> None:
    for name, token in tokens.items():
        assert claims_of(token)[claim], name


def test_2_2_no_two_tokens_have_one_id(tokens: dict[str, str]) -> None:
    assert len({claims_of(token)["jti"] for token in tokens.values()}) == len(tokens)


def test_2_2_1_authentication_information_of_a_person(tokens: dict[str, str]) -> None:
    claims = claims_of(tokens["authorization_code"])

    assert (claims["auth_time"], claims["amr"]) == (START, ["pwd"])


def test_2_2_1_a_machine_has_none(tokens: dict[str, str]) -> None:
    for name in ("client_credentials", "impersonation"):
        assert not {"auth_time", "amr", "acr"} & claims_of(tokens[name]).keys()


def test_2_2_3_scope_is_there_where_it_was_asked_for(world: World) -> None:
    token = world.machine_token(scope="vserver:List*").json["access_token"]

    assert claims_of(token)["scope"] == "vserver:List*"


def test_3_the_resources_asked_for_are_the_audience(world: World) -> None:
    token = world.machine_token(resource=VSERVER).json["access_token"]

    assert claims_of(token)["aud"] == [VSERVER]


def test_3_without_one_there_is_a_default(tokens: dict[str, str]) -> None:
    """The issuer itself for a person, the products of the scope for a machine."""
    assert claims_of(tokens["authorization_code"])["aud"] == ["http://127.0.0.1:8000"]
    assert claims_of(tokens["client_credentials"])["aud"] == [VSERVER]


def test_5_the_subject_of_a_machine_is_none_that_a_person_could_have(
    world: World, tokens: dict[str, str]
) -> None:
    """Section 5: a client must not be able to pass for a resource owner by its `sub`."""
    assert claims_of(tokens["client_credentials"])["sub"].startswith("sa-")
    assert not claims_of(tokens["authorization_code"])["sub"].startswith("sa-")
    for token in tokens.values():
        assert claims_of(token)["user_type"] in ("service-account", "iam-user")


def test_4_an_id_token_is_not_accepted_for_one(world: World) -> None:
    id_token = world.code_flow().json["id_token"]

    assert world.exchange(id_token).json["error"] == "invalid_request"
