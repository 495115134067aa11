"""RFC 7636, Proof Key for Code Exchange, with RFC 9700 section 2.1.1: by S256 alone."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support import changes
from tests.support.browser import ask, error_at_client, signed_in
from tests.support.world import World, redirect_parameters, submit

APP = "https://app.example/callback"


def challenge_of(verifier: str) -> str:
    """Section 4.2: BASE64URL-ENCODE(SHA256(ASCII(code_verifier)))."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_appendix_b_the_example_of_the_rfc() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class TestTheRequest:
    """Section 4.3."""

    def test_a_challenge_is_required(self, world: World) -> None:
        """CVE-2024-22258 and its kin: for confidential clients as well."""
        changes.new_client(world, "app")
        for client in ({}, {"client_id": "app", "redirect_uri": APP}):
            answer = ask(
                world, prompt="none", code_challenge="", code_challenge_method="", **client
            )
            redirect_uri = client.get("redirect_uri", "http://127.0.0.1:49152/callback")
            assert error_at_client(answer, redirect_uri) == "invalid_request"

    def test_a_method_without_a_challenge(self, world: World) -> None:
        assert error_at_client(ask(world, code_challenge="")) == "invalid_request"

    @pytest.mark.parametrize("method", ["", "plain", "s256", "S512", "x"])
    def test_no_method_but_s256(self, world: World, method: str) -> None:
        """Left out it would be `plain` (section 4.3)."""
        answer = ask(world, code_challenge="x" * 43, code_challenge_method=method)

        assert error_at_client(answer) == "invalid_request"

    @pytest.mark.parametrize(
        "challenge", ["x", "x" * 42, "x" * 129, "x" * 42 + "=", "x" * 42 + "+", "é" * 43]
    )
    def test_a_malformed_challenge(self, world: World, challenge: str) -> None:
        assert error_at_client(ask(world, code_challenge=challenge)) == "invalid_request"


class TestVerification:
    """Section 4.6."""

    VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    @pytest.fixture
    def browser(self, world: World) -> FlaskClient:
        return signed_in(world)

    def redeem(
        self, world: World, client: tuple[str, str], answer: TestResponse, **changed: str
    ) -> Any:
        form = {
            "grant_type": "authorization_code",
            "code": redirect_parameters(answer)["code"],
            "redirect_uri": APP,
            **changed,
        }
        return world.token_call(form, auth=client)

    def test_the_right_verifier(self, world: World, browser: FlaskClient) -> None:
        client = changes.new_client(world, "app")
        page = ask(
            world,
            browser,
            client_id="app",
            redirect_uri=APP,
            code_challenge=challenge_of(self.VERIFIER),
        )

        answer = self.redeem(world, client, submit(browser, page), code_verifier=self.VERIFIER)

        assert answer.status_code == 200

    @pytest.mark.parametrize("verifier", [None, "x" * 43])
    def test_any_other(self, world: World, browser: FlaskClient, verifier: str | None) -> None:
        """CVE-2023-48228: a confidential client that leaves it out is refused as well."""
        client = changes.new_client(world, "app")
        page = ask(world, browser, client_id="app", redirect_uri=APP)
        sent = {} if verifier is None else {"code_verifier": verifier}

        answer = self.redeem(world, client, submit(browser, page), **sent)

        expected = "invalid_request" if verifier is None else "invalid_grant"
        assert (answer.status_code, answer.json["error"]) == (400, expected)

    def test_a_verifier_where_no_challenge_was(self, world: World, browser: FlaskClient) -> None:
        """RFC 9700 section 4.8.2, CVE-2024-23647: an attacker who took the challenge away."""
        client = changes.new_client(world, "app", require_pkce=False)
        page = ask(
            world,
            browser,
            client_id="app",
            redirect_uri=APP,
            code_challenge="",
            code_challenge_method="",
        )
        approved = submit(browser, page)

        downgraded = self.redeem(world, client, approved, code_verifier=self.VERIFIER)
        honest = self.redeem(world, client, approved)

        assert (downgraded.status_code, downgraded.json["error"]) == (400, "invalid_request")
        assert honest.status_code == 200

    def test_a_client_that_need_not_but_did(self, world: World, browser: FlaskClient) -> None:
        """Once there is a challenge, its verifier is needed."""
        client = changes.new_client(world, "app", require_pkce=False)
        page = ask(world, browser, client_id="app", redirect_uri=APP)

        answer = self.redeem(world, client, submit(browser, page))

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
