"""What the authorization endpoint answers by redirect, and where to (RFC 6749 section 4.1.2)."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.domain.clients import ClientKind
from tests.support import changes
from tests.support.browser import ISSUER, ask, error_at_client, is_page
from tests.support.world import (
    CALLBACK,
    VSERVER,
    World,
    authorization_query,
    redirect_parameters,
)


class TestLoopback:
    """RFC 8252 section 7.3: any port, on the two loopback addresses, and nothing else differs."""

    @pytest.mark.parametrize(
        "uri",
        [
            "http://127.0.0.1/callback",
            "http://127.0.0.1:1/callback",
            "http://127.0.0.1:65535/callback",
            "http://[::1]/callback",
            "http://[::1]:49152/callback",
        ],
    )
    def test_any_port(self, world: World, uri: str) -> None:
        answer = ask(world, redirect_uri=uri, prompt="none")

        assert answer.headers["Location"].startswith(uri + "?error=login_required")

    @pytest.mark.parametrize("uri", ["http://localhost:8001/callback"])
    def test_other_hosts_are_compared_by_the_letter(self, world: World, uri: str) -> None:
        def asked(redirect_uri: str) -> TestResponse:
            return ask(world, client_id=world.product_client_id, redirect_uri=redirect_uri)

        assert asked(uri).status_code == 303
        assert is_page(asked("http://localhost:8002/callback"))
        assert is_page(asked("http://127.0.0.1:8001/callback"))

    def test_a_registered_query_stays(self, world: World) -> None:
        """RFC 6749 section 3.1.2: the query component is retained."""
        uri = "https://app.example/cb?tenant=a%20b&x=$1'"
        changes.new_client(world, "app", redirect_uris=(uri,))

        answer = ask(world, client_id="app", redirect_uri=uri, prompt="none")

        assert answer.headers["Location"].startswith(uri + "&error=login_required&")

    def test_the_only_one_need_not_be_sent(self, world: World) -> None:
        changes.new_client(world, "app")

        answer = ask(world, client_id="app", redirect_uri="", prompt="none")

        assert answer.headers["Location"].startswith("https://app.example/callback?error=")

    def test_a_private_scheme(self, world: World) -> None:
        """RFC 8252 section 7.1."""
        uri = "com.example.app:/callback"
        changes.new_client(world, "app", redirect_uris=(uri,), auth_method="none")

        answer = ask(world, client_id="app", redirect_uri=uri, prompt="none")

        assert answer.headers["Location"].startswith(uri + "?error=login_required")


class TestErrorsAtTheClient:
    """`state` and `iss` are in every redirect (RFC 9207)."""

    @pytest.mark.parametrize(
        "response_type",
        ["token", "id_token", "code id_token", "code token", "none", "CODE", "code code", '"', "é"],
    )
    def test_only_code(self, world: World, response_type: str) -> None:
        answer = ask(world, response_type=response_type)

        assert error_at_client(answer) == "unsupported_response_type"

    def test_no_response_type(self, world: World) -> None:
        """RFC 6749 section 4.1.2.1: a required parameter is missing."""
        assert error_at_client(ask(world, response_type="")) == "invalid_request"

    @pytest.mark.parametrize("name", ["request", "request_uri"])
    def test_request_objects(self, world: World, name: str) -> None:
        answer = ask(world, **{name: "https://evil.example/request"})

        assert error_at_client(answer) == f"{name}_not_supported"

    @pytest.mark.parametrize("mode", ["fragment", "form_post", "web_message", "x"])
    def test_response_modes(self, world: World, mode: str) -> None:
        assert error_at_client(ask(world, response_mode=mode)) == "invalid_request"
        assert ask(world, response_mode="query").headers["Location"].startswith("/sign-in?")

    @pytest.mark.parametrize(
        "scope",
        ["nonsense", "openid nonsense", "vserver:", "**", "openid,profile", "é", '"'],
    )
    def test_scopes(self, world: World, scope: str) -> None:
        assert error_at_client(ask(world, scope=scope)) == "invalid_scope"

    def test_more_patterns_than_anybody_needs(self, world: World) -> None:
        scope = " ".join(f"vserver:A{number}" for number in range(101))

        assert error_at_client(ask(world, scope=scope)) == "invalid_scope"

    @pytest.mark.parametrize("resource", ["nowhere", "https://unknown.example", ["vserver", "iam"]])
    def test_resources(self, world: World, resource: Any) -> None:
        """RFC 8707 section 2."""
        assert error_at_client(ask(world, resource=resource)) == "invalid_target"

    @pytest.mark.parametrize("max_age", ["-1", "1.5", "soon", "٣", "99999999999"])
    def test_max_age(self, world: World, max_age: str) -> None:
        assert error_at_client(ask(world, max_age=max_age)) == "invalid_request"

    @pytest.mark.parametrize("prompt", ["none login", "consent none", "none consent login"])
    def test_none_stands_alone(self, world: World, prompt: str) -> None:
        """OpenID Connect Core section 3.1.2.1."""
        assert error_at_client(ask(world, prompt=prompt)) == "invalid_request"

    def test_a_long_nonce(self, world: World) -> None:
        assert error_at_client(ask(world, nonce="n" * 513)) == "invalid_request"

    def test_a_client_without_this_grant(self, world: World) -> None:
        changes.new_client(
            world,
            "app",
            kind=ClientKind.TENANT,
            grant_types=("client_credentials",),
            redirect_uris=(CALLBACK,),
        )

        assert error_at_client(ask(world, client_id="app", prompt="none")) == "unauthorized_client"

    @pytest.mark.parametrize("state", ["", "a b&c=d", "é", "a" * 2000, '"<script>'])
    def test_the_state_comes_back_as_it_was(self, world: World, state: str) -> None:
        answer = ask(world, state=state, prompt="none")

        parameters = redirect_parameters(answer)
        assert parameters.get("state", "") == state
        assert parameters["iss"] == ISSUER
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


class TestPost:
    """The request may come as a form (OpenID Connect Core section 3.1.2.1)."""

    def test_as_a_form(self, world: World) -> None:
        answer = world.client.post("/oauth2/authorize", data=authorization_query(prompt="none"))

        assert error_at_client(answer) == "login_required"

    def test_the_query_is_then_not_read(self, world: World) -> None:
        answer = world.client.post("/oauth2/authorize", data={}, query_string=authorization_query())

        assert is_page(answer)


def test_resources_may_repeat(world: World) -> None:
    changes.new_product(world, "network")

    answer = ask(world, resource=[VSERVER, "network"], prompt="none")

    assert error_at_client(answer) == "login_required"
