"""ID tokens: their claims, and the algorithm that the client registered (OIDC Core section 2)."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from app.tokens.claims import left_half_hash
from tests.support import changes
from tests.support.tokens import code_for
from tests.support.world import CALLBACK, CLI, RING, START, VERIFIER, World, claims_of


def redeem(world: World, code: str, client: tuple[str, str] | None = None) -> Any:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    if client is None:
        form["client_id"] = CLI
    answer = world.token_call(form, auth=client)
    assert answer.status_code == 200, answer.json
    return answer.json


def header_of(world: World, token: str) -> dict[str, Any]:
    """The header of a token whose signature holds under the published keys."""
    keys = KeySet.import_key_set(world.client.get("/oauth2/jwks").json)
    return dict(jwt.decode(token, keys, algorithms=["ES256", "RS256"]).header)


def test_its_claims(world: World) -> None:
    answer = redeem(world, code_for(world, scope="openid profile email", nonce="n-0S6"))

    claims = claims_of(answer["id_token"])
    assert claims == {
        "iss": "http://127.0.0.1:8000",
        "sub": world.user_id,
        "aud": CLI,
        "exp": START + 3600,
        "iat": START,
        "auth_time": START,
        "nonce": "n-0S6",
        "amr": ["pwd"],
        "at_hash": left_half_hash(answer["access_token"], "ES256"),
        "account_id": "53461",
        "user_type": "iam-user",
        "preferred_username": "System1",
    }


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", {"account_id", "user_type"}),
        ("openid profile", {"account_id", "user_type", "preferred_username"}),
    ],
)
def test_a_scope_brings_its_claims(world: World, scope: str, claims: set[str]) -> None:
    """OpenID Connect Core section 5.4."""
    found = claims_of(redeem(world, code_for(world, scope=scope))["id_token"])

    protocol = {"iss", "sub", "aud", "exp", "iat", "auth_time", "amr", "at_hash"}
    assert found.keys() - protocol == claims


def test_a_root_users_mail_only_for_the_scope_email(world: World) -> None:
    def found(scope: str) -> dict[str, Any]:
        return claims_of(redeem(world, code_for(world, username=None, scope=scope))["id_token"])

    assert found("openid email")["email"] == "root-a@example.com"
    assert "email" not in found("openid")


def test_no_id_token_without_openid(world: World) -> None:
    """Section 3.1.2.1."""
    assert "id_token" not in redeem(world, code_for(world, scope="profile"))


def test_no_nonce_that_nobody_sent(world: World) -> None:
    assert "nonce" not in claims_of(redeem(world, code_for(world))["id_token"])


class TestAlgorithms:
    def test_es256_unless_the_client_registered_another(self, world: World) -> None:
        answer = redeem(world, code_for(world))

        header = header_of(world, answer["id_token"])
        assert header == {"alg": "ES256", "typ": "JWT", "kid": RING.signer("ES256").kid}

    def test_rs256_for_a_client_that_did(self, world: World) -> None:
        client = changes.new_client(
            world, "old-app", redirect_uris=(CALLBACK,), id_token_alg="RS256"
        )
        answer = redeem(world, code_for(world, client_id="old-app"), client)

        header = header_of(world, answer["id_token"])
        assert header == {"alg": "RS256", "typ": "JWT", "kid": RING.signer("RS256").kid}
        assert claims_of(answer["id_token"])["at_hash"] == left_half_hash(
            answer["access_token"], "RS256"
        )
        assert header_of(world, answer["access_token"])["alg"] == "ES256"

    def test_an_access_token_is_of_another_type(self, world: World) -> None:
        """RFC 9068 section 2.1; GHSA-7fpj-9hr8-28vh: types that were not enforced."""
        answer = redeem(world, code_for(world))

        assert header_of(world, answer["access_token"])["typ"] == "at+jwt"
        assert world.exchange(answer["id_token"]).json["error"] == "invalid_request"


def test_an_id_token_is_worth_nothing_here(world: World) -> None:
    id_token = redeem(world, code_for(world))["id_token"]

    answer = world.client.post(
        "/oauth2/introspect",
        data={"token": id_token},
        headers={"Authorization": f"Bearer {id_token}"},
    )

    assert answer.status_code == 401
    assert world.introspect(id_token) == {"active": False}
