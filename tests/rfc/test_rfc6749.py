"""RFC 6749, The OAuth 2.0 Authorization Framework: its MUSTs, section by section."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.browser import ask, error_at_client, is_page
from tests.support.tokens import code_for
from tests.support.world import (
    CALLBACK,
    CLI,
    VERIFIER,
    World,
    authorization_query,
    basic,
    redirect_parameters,
)


def redeem(world: World, code: str, **changed: str) -> Any:
    form = {
        "grant_type": "authorization_code",
        "client_id": CLI,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    return world.token_call({**form, **changed})


class TestSection2ClientRegistration:
    def test_2_3_a_client_must_not_use_more_than_one_authentication_method(
        self, world: World
    ) -> None:
        answer = world.token_call(
            {
                "grant_type": "client_credentials",
                "client_id": world.client_id,
                "client_secret": world.client_secret,
            },
            auth=(world.client_id, world.client_secret),
        )

        assert answer.json["error"] == "invalid_request"

    def test_2_3_1_the_server_must_support_http_basic(self, world: World) -> None:
        assert world.machine_token().status_code == 200

    def test_2_3_1_credentials_must_not_be_in_the_request_uri(self, world: World) -> None:
        answer = world.client.post(
            "/oauth2/token",
            query_string={"client_id": world.client_id, "client_secret": world.client_secret},
            data={"grant_type": "client_credentials"},
        )

        assert answer.status_code == 401


class TestSection3Endpoints:
    def test_3_1_the_authorization_endpoint_must_support_get(self, world: World) -> None:
        assert ask(world).status_code == 303

    def test_3_1_it_may_support_post(self, world: World) -> None:
        assert world.client.post("/oauth2/authorize", data={"client_id": CLI}).status_code == 400

    @pytest.mark.parametrize("name", ["scope", "nonce", "max_age", "prompt", "request"])
    def test_3_1_parameters_without_a_value_must_be_treated_as_omitted(
        self, world: World, name: str
    ) -> None:
        query = "&".join(f"{n}={v}" for n, v in authorization_query().items()) + f"&{name}="

        answer = world.client.get(f"/oauth2/authorize?{query}")

        assert answer.headers["Location"].startswith("/sign-in?")

    def test_3_1_unrecognized_parameters_must_be_ignored(self, world: World) -> None:
        assert ask(world, unknown="x").headers["Location"].startswith("/sign-in?")
        assert world.machine_token(unknown="x").status_code == 200

    def test_3_1_parameters_must_not_be_included_more_than_once(self, world: World) -> None:
        assert is_page(ask(world, state=["a", "b"]))
        answer = world.machine_token(scope=["a", "b"])
        assert answer.json["error"] == "invalid_request"

    def test_3_1_1_a_missing_response_type_must_return_an_error(self, world: World) -> None:
        assert error_at_client(ask(world, response_type="")) == "invalid_request"

    def test_3_1_2_the_redirection_endpoint_must_not_include_a_fragment(self, world: World) -> None:
        assert is_page(ask(world, redirect_uri=CALLBACK + "#x"))

    def test_3_1_2_4_an_invalid_redirection_uri_must_not_be_redirected_to(
        self, world: World
    ) -> None:
        assert is_page(ask(world, redirect_uri="https://evil.example/"))

    def test_3_2_the_client_must_use_post_at_the_token_endpoint(self, world: World) -> None:
        answer = world.client.get(
            "/oauth2/token", headers={"Authorization": basic(world.client_id, world.client_secret)}
        )

        assert answer.status_code == 405

    def test_3_3_a_scope_that_differs_must_be_told(self, world: World) -> None:
        answer = world.code_flow(scope="openid vserver:*")

        assert answer.json["scope"] == "openid"


class TestSection4ObtainingAuthorization:
    def test_4_1_2_the_state_must_be_the_exact_value_received(self, world: World) -> None:
        state = "x y+z%41&=é"

        assert redirect_parameters(ask(world, state=state, prompt="none"))["state"] == state

    def test_4_1_2_a_code_must_expire_shortly(self, world: World) -> None:
        code = code_for(world)
        world.clock.advance(60)

        assert redeem(world, code).json["error"] == "invalid_grant"

    def test_4_1_2_a_code_must_not_be_used_more_than_once(self, world: World) -> None:
        code = code_for(world)
        token = redeem(world, code).json["access_token"]

        assert redeem(world, code).json["error"] == "invalid_grant"
        assert world.exchange(token).json["error"] == "invalid_request"

    def test_4_1_3_a_code_must_be_for_the_client(self, world: World) -> None:
        answer = world.token_call(
            {
                "grant_type": "authorization_code",
                "code": code_for(world),
                "redirect_uri": CALLBACK,
                "code_verifier": VERIFIER,
            },
            auth=(world.product_client_id, world.product_client_secret),
        )

        assert answer.json["error"] == "invalid_grant"

    def test_4_1_3_the_redirect_uri_must_be_identical(self, world: World) -> None:
        answer = redeem(world, code_for(world), redirect_uri="http://127.0.0.1:1/callback")

        assert answer.json["error"] == "invalid_grant"

    def test_4_4_client_credentials_must_only_be_used_by_confidential_clients(
        self, world: World
    ) -> None:
        answer = world.token_call(grant_type="client_credentials", client_id=CLI)

        assert answer.json["error"] == "unauthorized_client"

    def test_4_4_3_a_refresh_token_should_not_be_included(self, world: World) -> None:
        assert "refresh_token" not in world.machine_token().json


class TestSection5IssuingAnAccessToken:
    def test_5_1_the_response(self, world: World) -> None:
        answer = world.machine_token()

        assert answer.status_code == 200
        assert answer.content_type == "application/json"
        assert answer.json["token_type"].lower() == "bearer"
        assert isinstance(answer.json["expires_in"], int)

    def test_5_1_it_must_not_be_cached(self, world: World) -> None:
        for answer in (world.machine_token(), world.machine_token(scope="x")):
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Pragma"] == "no-cache"

    def test_5_2_invalid_client_must_be_401_with_the_scheme_that_was_used(
        self, world: World
    ) -> None:
        answer = world.token_call({"grant_type": "x"}, auth=("nobody", "nothing"))

        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({}, "invalid_request"),
            ({"grant_type": "x"}, "unsupported_grant_type"),
            ({"grant_type": "authorization_code", "code": "x"}, "unauthorized_client"),
            ({"grant_type": "client_credentials", "scope": "x"}, "invalid_scope"),
        ],
    )
    def test_5_2_every_other_error_is_400(
        self, world: World, form: dict[str, str], error: str
    ) -> None:
        answer = world.token_call({"x": "y", **form}, auth=(world.client_id, world.client_secret))

        assert (answer.status_code, answer.json["error"]) == (400, error)

    @pytest.mark.parametrize("scope", ['"', "\\", "é", "vserver:\u00a0"])
    def test_5_2_a_description_must_keep_to_its_characters(self, world: World, scope: str) -> None:
        told = world.machine_token(scope=scope).json["error_description"]

        assert all("\x20" <= c <= "\x7e" and c not in '"\\' for c in told)


class TestSection10SecurityConsiderations:
    def test_10_13_the_approval_must_not_be_framed(self, world: World) -> None:
        page = world.client.get("/sign-in")

        assert page.headers["X-Frame-Options"] == "DENY"

    def test_10_15_there_is_no_open_redirector(self, world: World) -> None:
        page = world.client.get("/sign-in", query_string={"continue": "https://evil.example/"})

        assert "evil.example" not in page.text
