"""RFC 8252, OAuth 2.0 for Native Apps: how the shipped command line gets its answer."""

from __future__ import annotations

import pytest

from tests.support import changes
from tests.support.browser import ask, is_page, signed_in
from tests.support.world import CLI, World


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
@pytest.mark.parametrize("port", ["", ":1024", ":51004", ":65535"])
def test_7_3_any_port_must_be_allowed_on_a_loopback_address(
    world: World, host: str, port: str
) -> None:
    uri = f"http://{host}{port}/callback"

    answer = ask(world, redirect_uri=uri, prompt="none")

    assert answer.headers["Location"].startswith(uri + "?error=login_required")


def test_7_3_only_the_port_may_vary(world: World) -> None:
    for uri in (
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:51004/callback?x",
        "https://127.0.0.1:51004/callback",
        "http://127.0.0.2:51004/callback",
    ):
        assert is_page(ask(world, redirect_uri=uri))


def test_7_3_localhost_is_not_recommended_and_not_registered(world: World) -> None:
    assert is_page(ask(world, redirect_uri="http://localhost:51004/callback"))


def test_7_1_a_private_scheme_is_compared_by_the_letter(world: World) -> None:
    changes.new_client(world, "app", redirect_uris=("com.example.app:/oauth",), auth_method="none")

    def asked(uri: str) -> str | None:
        answer = ask(world, client_id="app", redirect_uri=uri, prompt="none")
        return answer.headers.get("Location")

    assert str(asked("com.example.app:/oauth")).startswith("com.example.app:/oauth?error=")
    assert asked("com.example.app:/oauth2") is None
    assert asked("com.example.app://evil/oauth") is None


def test_8_1_native_apps_must_use_pkce(world: World) -> None:
    answer = ask(world, code_challenge="", code_challenge_method="")

    assert "error=invalid_request" in answer.headers["Location"]


def test_8_5_a_shipped_client_has_no_secret(world: World, token: str) -> None:
    """A secret in an app that everybody has is none: the client is public."""
    assert world.exchange(token, client_id=CLI).status_code == 200
    assert world.exchange(token, client_id=CLI, client_secret="x").status_code == 401


def test_8_6_a_public_client_must_not_be_approved_by_itself(world: World) -> None:
    """Anybody on the machine can claim to be it."""
    browser = signed_in(world)

    assert is_page(ask(world, browser), 200)
    assert "error=consent_required" in ask(world, browser, prompt="none").headers["Location"]
