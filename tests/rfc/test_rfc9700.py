"""RFC 9700, Best Current Practice for OAuth 2.0 Security: what of it concerns this server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.browser import ask, error_at_client, is_page, signed_in
from tests.support.tokens import code_for
from tests.support.world import CALLBACK, CLI, VERIFIER, World, claims_of, submit


def test_2_1_redirect_uris_are_compared_exactly(world: World) -> None:
    for uri in (CALLBACK + "/", CALLBACK + "?", "http://127.0.0.1:49152/Callback"):
        assert is_page(ask(world, redirect_uri=uri))


def test_2_1_1_pkce_is_required_of_public_clients(world: World) -> None:
    assert error_at_client(ask(world, code_challenge="")) == "invalid_request"


def test_2_1_1_a_challenge_method_that_exposes_the_verifier_is_not_offered(world: World) -> None:
    document = world.client.get("/.well-known/openid-configuration").json

    assert document["code_challenge_methods_supported"] == ["S256"]
    assert error_at_client(ask(world, code_challenge_method="plain")) == "invalid_request"


@pytest.mark.parametrize("response_type", ["token", "id_token token", "code token"])
def test_2_1_2_no_access_token_comes_by_the_front_channel(world: World, response_type: str) -> None:
    assert error_at_client(ask(world, response_type=response_type)) == "unsupported_response_type"


def test_2_3_tokens_are_restricted_to_what_is_needed(world: World, token: str) -> None:
    held = world.impersonate(token, audience="vserver", scope="vserver:List*").json["access_token"]

    assert claims_of(held)["aud"] == ["https://vserver.example"]
    assert claims_of(held)["scope"] == "vserver:List*"


def test_2_4_there_is_no_password_grant(world: World) -> None:
    answer = world.token_call(
        grant_type="password", client_id=CLI, username="System1", password="System1-password"
    )

    assert answer.json["error"] == "unsupported_grant_type"


def test_4_2_4_a_code_is_worth_nothing_the_second_time(world: World) -> None:
    """A code that leaked by a Referer header or a log."""
    form = {
        "grant_type": "authorization_code",
        "client_id": CLI,
        "code": code_for(world),
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    assert world.token_call(form).status_code == 200

    assert world.token_call(form).json["error"] == "invalid_grant"


def test_4_2_4_pages_send_no_referrer(world: World) -> None:
    assert world.client.get("/sign-in").headers["Referrer-Policy"] == "no-referrer"
    assert ask(world, prompt="none").headers["Referrer-Policy"] == "no-referrer"


def test_4_4_2_the_issuer_is_in_the_answer(world: World) -> None:
    """Against mix-up: a client of several servers knows whose answer it has."""
    assert "iss=http%3A%2F%2F127.0.0.1%3A8000" in ask(world, prompt="none").headers["Location"]


def test_4_11_the_server_is_no_open_redirector(world: World) -> None:
    assert is_page(ask(world, redirect_uri="https://evil.example/", prompt="none"))


def test_4_12_a_redirect_after_credentials_is_303(world: World) -> None:
    """307 would have the browser send the password on to the client."""
    browser = world.app.test_client()
    answer = submit(
        browser,
        browser.get("/sign-in"),
        kind="iam",
        root_email="root-a@example.com",
        username="System1",
        password="System1-password",
    )
    decision = submit(browser, ask(world, browser))

    assert answer.status_code == decision.status_code == 303


def test_4_14_a_public_clients_refresh_token_is_rotated(world: World) -> None:
    first = world.code_flow().json["refresh_token"]
    second = refresh(world, first).json["refresh_token"]

    assert second != first
    assert refresh(world, first).json["error"] == "invalid_grant"
    assert refresh(world, second).json["error"] == "invalid_grant"


def refresh(world: World, token: str) -> Any:
    return world.token_call(grant_type="refresh_token", client_id=CLI, refresh_token=token)


def test_4_15_a_client_cannot_pass_for_a_person(world: World) -> None:
    claims = claims_of(world.machine_token().json["access_token"])

    assert claims["user_type"] == "service-account"
    assert claims["sub"] != claims["client_id"]


def test_4_16_pages_cannot_be_framed(world: World) -> None:
    for page in (world.client.get("/sign-in"), ask(world, signed_in(world))):
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Frame-Options"] == "DENY"
