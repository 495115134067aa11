"""The authorization endpoint: when an answer may be redirected, and what is in it.

RFC 6749 section 4.1.2.1: until client and redirect URI are known to belong together, whatever is
wrong is shown on a page.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.domain.clients import ClientKind
from tests.support import changes
from tests.support.world import (
    CALLBACK,
    VSERVER,
    World,
    authorization_query,
    redirect_parameters,
)

ISSUER = "http://127.0.0.1:8000"


def ask(world: World, browser: FlaskClient | None = None, **query: Any) -> TestResponse:
    client = browser or world.client
    return client.get("/oauth2/authorize", query_string=authorization_query(**query))


def is_page(answer: TestResponse, status: int = 400) -> bool:
    """An error page of ours, that sends nobody anywhere."""
    return (
        answer.status_code == status
        and "Location" not in answer.headers
        and "Refresh" not in answer.headers
        and answer.content_type == "text/html; charset=utf-8"
        and "http-equiv" not in answer.text
        and answer.headers["Cache-Control"] == "no-store"
    )


def error_at_client(answer: TestResponse) -> str:
    """The error code that the client gets, having seen that the answer is complete."""
    assert answer.headers["Location"].startswith(CALLBACK + "?")
    parameters = redirect_parameters(answer)
    assert parameters["state"] == "a-state"
    assert parameters["iss"] == ISSUER
    assert "code" not in parameters
    assert parameters["error_description"].isascii()
    return parameters["error"]


BAD_CLIENTS: dict[str, dict[str, Any]] = {
    "none": {"client_id": ""},
    "unknown": {"client_id": "nobody"},
    "with a quote": {"client_id": '"<script>'},
    "in another case": {"client_id": "Crossroot-CLI"},
}
BAD_REDIRECT_URIS: dict[str, str] = {
    "another host": "https://evil.example/callback",
    "another path": "http://127.0.0.1:49152/other",
    "a longer path": "http://127.0.0.1:49152/callback/",
    "path traversal": "http://127.0.0.1:49152/x/../callback",
    "semicolon traversal": "http://127.0.0.1:49152/x/..;/callback",
    "encoded letters": "http://127.0.0.1:49152/%63allback",
    "a query": "http://127.0.0.1:49152/callback?x=1",
    "a fragment": "http://127.0.0.1:49152/callback#x",
    "https": "https://127.0.0.1:49152/callback",
    "localhost": "http://localhost:49152/callback",
    "all interfaces": "http://0.0.0.0:49152/callback",
    "another loopback": "http://127.0.0.2:49152/callback",
    "a number for a host": "http://2130706433:49152/callback",
    "a port that is none": "http://127.0.0.1:99999/callback",
    "port 0": "http://127.0.0.1:0/callback",
    "no port after the colon": "http://127.0.0.1:/callback",
    "user information": "http://127.0.0.1:1@evil.example/callback",
    "user information before": "http://evil.example@127.0.0.1/callback",
    "a host behind": "http://127.0.0.1.evil.example/callback",
    "a backslash": "http://127.0.0.1\\@evil.example/callback",
    "no scheme": "//127.0.0.1/callback",
    "javascript": "javascript:alert(1)//http://127.0.0.1/callback",
    "data": "data:text/html,x",
    "a quote": 'http://127.0.0.1:49152/callback"',
    "markup": "http://127.0.0.1:49152/<script>",
    "another alphabet": "http://127.0.0.1:49152/cällback",
    "upper case": "HTTP://127.0.0.1:49152/CALLBACK",
    "a star": "*",
    "a space": "http://127.0.0.1:49152/callback ",
    "two of them": f"{CALLBACK} {CALLBACK}",
}
#: Whatever else is wrong: the page is the answer all the same.
ALSO_WRONG: list[dict[str, Any]] = [
    {},
    {"response_type": "token"},
    {"response_type": ""},
    {"response_type": '"'},
    {"code_challenge": ""},
    {"code_challenge_method": "plain"},
    {"scope": "nonsense"},
    {"resource": "nowhere"},
    {"prompt": "none"},
    {"request": "x"},
    {"response_mode": "form_post"},
]


class TestAPageAndNoRedirect:
    """CVE-2026-41479, CVE-2026-44681: a redirect to a URI that nobody had validated."""

    @pytest.mark.parametrize("name", BAD_CLIENTS)
    def test_a_bad_client(self, world: World, name: str) -> None:
        for also in ALSO_WRONG:
            assert is_page(ask(world, **{**also, **BAD_CLIENTS[name]})), also

    @pytest.mark.parametrize("name", BAD_REDIRECT_URIS)
    def test_a_bad_redirect_uri(self, world: World, name: str) -> None:
        """CVE-2023-6291, CVE-2024-1132, CVE-2024-8883, CVE-2026-3872, CVE-2024-52289."""
        for also in ALSO_WRONG:
            answer = ask(world, **{**also, "redirect_uri": BAD_REDIRECT_URIS[name]})
            assert is_page(answer), also
            assert "<script>" not in answer.text

    def test_a_disabled_client(self, world: World) -> None:
        changes.new_client(world, "off", enabled=False)

        assert is_page(ask(world, client_id="off", redirect_uri="https://off.example/callback"))

    def test_a_client_of_a_disabled_account(self, world: World) -> None:
        changes.new_client(world, "app")
        changes.disable_account(world, "53461")

        assert is_page(ask(world, client_id="app", redirect_uri="https://app.example/callback"))

    def test_a_service_account_has_no_pages(self, world: World) -> None:
        assert is_page(ask(world, client_id=world.client_id))
        assert is_page(ask(world, client_id=world.client_id, redirect_uri=""))

    def test_a_redirect_uri_that_has_to_be_sent(self, world: World) -> None:
        """The command line has two registered."""
        assert is_page(ask(world, redirect_uri=""))

    def test_the_redirect_uri_of_another_client(self, world: World) -> None:
        changes.new_client(world, "app")

        assert is_page(ask(world, redirect_uri="https://app.example/callback"))

    @pytest.mark.parametrize(
        "query",
        [
            "client_id=a&client_id=crossroot-cli",
            "state=a&state=b",
            "redirect_uri=http://127.0.0.1/callback&redirect_uri=https://evil.example/",
            "response_type=code&response_type=token",
            "note=%zz",
            "note=%00",
            "note=%ff",
            "&".join(f"f{number}=1" for number in range(101)),
            "note=" + "a" * 9000,
        ],
    )
    def test_what_cannot_be_read(self, world: World, query: str) -> None:
        rest = {
            name: value for name, value in authorization_query().items() if f"{name}=" not in query
        }

        answer = world.client.get("/oauth2/authorize?" + query + "&" + urlencode(rest))

        assert is_page(answer)

    def test_bytes_that_are_no_query(self, world: World) -> None:
        assert is_page(world.client.get("/oauth2/authorize", query_string=b"client_id=\xff"))


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
        uri = "https://app.example/cb?tenant=a%20b&x=$[1]'"
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

        assert error_at_client(ask(world, client_id="app")) == "unauthorized_client"

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
