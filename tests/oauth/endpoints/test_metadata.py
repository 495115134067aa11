"""Discovery lists only what works, and the key set shows only what may be seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc import jwt
from joserfc.jwk import KeySet

from app.domain.scopes import IDENTITY_SCOPES
from tests.support import changes
from tests.support.browser import ISSUER, ask, is_page, signed_in
from tests.support.tokens import code_for
from tests.support.world import (
    ACCESS_TOKEN,
    CALLBACK,
    CLI,
    RING,
    VERIFIER,
    World,
    basic,
    build_world,
)

OIDC, OAUTH = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"


@pytest.fixture
def document(world: World) -> dict[str, Any]:
    return dict(world.client.get(OIDC).json)


def path_of(url: str) -> str:
    assert url.startswith(ISSUER + "/")
    return url.removeprefix(ISSUER)


class TestTheDocument:
    def test_both_addresses_say_the_same(self, world: World) -> None:
        first, second = world.client.get(OIDC), world.client.get(OAUTH)

        assert first.data == second.data
        for answer in (first, second):
            assert answer.status_code == 200
            assert answer.content_type == "application/json"
            assert answer.headers["Cache-Control"] == "public, max-age=300"

    @pytest.fixture
    def public(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
        """As the world sees it: RFC 8414 wants https."""
        world = build_world(tmp_path_factory.mktemp("public"), issuer="https://id.example.com")
        yield dict(world.client.get(OIDC).json)
        world.close()

    def test_it_is_valid_by_rfc_8414(self, public: dict[str, Any]) -> None:
        AuthorizationServerMetadata(public).validate()

    def test_it_is_valid_by_openid_discovery(self, public: dict[str, Any]) -> None:
        OpenIDProviderMetadata(public).validate()

    def test_the_issuer_is_the_one_of_the_settings(self, world: World) -> None:
        """CVE-2023-49097, CVE-2025-64101: no Host or Forwarded header has a say."""
        headers = {
            "Host": "evil.example",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "https",
            "Forwarded": "host=evil.example;proto=https",
        }
        answer = world.client.get(OIDC, headers=headers)

        assert answer.json["issuer"] == ISSUER
        assert "evil.example" not in answer.text

    def test_no_other_host_in_a_redirect(self, world: World) -> None:
        answer = world.client.get(
            "/oauth2/authorize",
            query_string={"client_id": CLI, "redirect_uri": CALLBACK, "response_type": "token"},
            headers={"Host": "evil.example"},
        )

        assert answer.headers["Location"].startswith(CALLBACK)
        assert "evil.example" not in answer.headers["Location"]


class TestWhatItLists:
    def test_every_endpoint_answers(self, world: World, document: dict[str, Any]) -> None:
        endpoints = {name for name in document if name.endswith(("_endpoint", "_uri"))}

        assert endpoints == {
            "authorization_endpoint",
            "token_endpoint",
            "introspection_endpoint",
            "revocation_endpoint",
            "userinfo_endpoint",
            "end_session_endpoint",
            "jwks_uri",
        }
        for name in endpoints:
            path = path_of(document[name])
            statuses = {world.client.get(path).status_code, world.client.post(path).status_code}
            assert 404 not in statuses
            assert 500 not in statuses

    def test_every_grant_works(self, world: World, document: dict[str, Any]) -> None:
        issued = world.token_call(
            grant_type="authorization_code",
            client_id=CLI,
            code=code_for(world),
            redirect_uri=CALLBACK,
            code_verifier=VERIFIER,
        ).json
        token, refresh_token = issued["access_token"], issued["refresh_token"]
        served = {"authorization_code"}
        refreshed = world.token_call(
            grant_type="refresh_token", client_id=CLI, refresh_token=refresh_token
        )
        assert refreshed.status_code == 200
        served.add("refresh_token")
        assert world.machine_token().status_code == 200
        served.add("client_credentials")
        assert world.exchange(token, subject_token_type=ACCESS_TOKEN).status_code == 200
        served.add("urn:ietf:params:oauth:grant-type:token-exchange")

        assert set(document["grant_types_supported"]) == served

    @pytest.mark.parametrize(
        "grant",
        [
            "password",
            "implicit",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:openid:params:grant-type:ciba",
        ],
    )
    def test_what_it_does_not_list_is_not_served(
        self, world: World, document: dict[str, Any], grant: str
    ) -> None:
        answer = world.token_call(
            {"grant_type": grant}, auth=(world.client_id, world.client_secret)
        )

        assert grant not in document["grant_types_supported"]
        assert answer.json["error"] == "unsupported_grant_type"

    def test_every_scope_is_granted(self, world: World, document: dict[str, Any]) -> None:
        scopes = document["scopes_supported"]
        assert scopes == list(IDENTITY_SCOPES)

        answer = world.token_call(
            grant_type="authorization_code",
            client_id=CLI,
            code=code_for(world, scope=" ".join(scopes)),
            redirect_uri=CALLBACK,
            code_verifier=VERIFIER,
        )

        assert answer.json["scope"] == " ".join(scopes)

    def test_pkce_and_response_types(self, document: dict[str, Any]) -> None:
        assert document["code_challenge_methods_supported"] == ["S256"]
        assert document["response_types_supported"] == ["code"]
        assert document["response_modes_supported"] == ["query"]
        assert document["authorization_response_iss_parameter_supported"] is True
        for name in ("request_parameter", "request_uri_parameter", "claims_parameter"):
            assert document[f"{name}_supported"] is False

    def test_client_authentication(self, document: dict[str, Any]) -> None:
        proving = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
        for endpoint, methods in (
            ("token", [*proving, "none"]),
            ("revocation", [*proving, "none"]),
            ("introspection", proving),
        ):
            assert document[f"{endpoint}_endpoint_auth_methods_supported"] == methods

    def test_the_algorithm_of_access_tokens_is_listed(
        self, world: World, document: dict[str, Any]
    ) -> None:
        """Some validators accept no other than those listed for ID tokens."""
        keys = KeySet.import_key_set(world.client.get("/oauth2/jwks").json)
        algorithms = document["id_token_signing_alg_values_supported"]
        token = world.machine_token().json["access_token"]

        decoded = jwt.decode(token, keys, algorithms=algorithms)

        assert decoded.header["alg"] in algorithms
        assert set(algorithms) == {"ES256", "RS256"}


class TestKeySet:
    def test_it_has_no_private_member(self, world: World) -> None:
        answer = world.client.get("/oauth2/jwks")

        assert answer.content_type == "application/jwk-set+json"
        assert answer.json["keys"]
        for key in answer.json["keys"]:
            assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & key.keys()
            assert key["use"] == "sig"
            assert key["kid"]
            assert key["alg"] in ("ES256", "RS256")

    def test_it_has_the_keys_that_sign(self, world: World) -> None:
        kids = {key["kid"] for key in world.client.get("/oauth2/jwks").json["keys"]}

        assert {RING.signer("ES256").kid, RING.signer("RS256").kid} <= kids


class TestOtherPaths:
    @pytest.mark.parametrize("path", ["/", "/oauth2", "/oauth2/token/", "/oauth2//token", "/admin"])
    def test_what_is_not_there(self, world: World, path: str) -> None:
        answer = world.client.post(path)

        assert answer.status_code == 404
        assert answer.content_type == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"

    def test_pages_and_their_style(self, world: World) -> None:
        page = ask(world, signed_in(world))

        assert is_page(page, 200)
        style = world.client.get("/assets/pages.css")
        assert style.status_code == 200
        assert "/assets/pages.css" in page.text
        style.close()

    def test_a_secret_in_a_header_is_not_told_back(self, world: World) -> None:
        client = changes.new_client(world, "app")
        answer = world.client.get("/nowhere", headers={"Authorization": basic(*client)})

        assert client[1] not in answer.text
