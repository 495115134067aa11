"""RFC 7636: PKCE, by S256 alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask.testing import FlaskClient

from tests.rfc import protocol
from tests.rfc.protocol import approved, ask, error_of, redeem, refused
from tests.support.requirements import rfc
from tests.support.tokens import code_for
from tests.support.world import VERIFIER, World, redirect_parameters

#: Appendix B.
EXAMPLE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from protocol.shared_world(tmp_path_factory)


@pytest.fixture(scope="module")
def browser(shared: World) -> FlaskClient:
    """System1 has signed in."""
    return protocol.signed_in(shared)


@rfc("7636", "4.2", "MUST", "S256")
@rfc("7636", "4.6", "MUST", "right verifier")
def test_the_example_of_the_rfc(shared: World, browser: FlaskClient) -> None:
    code = approved(browser, code_challenge=CHALLENGE)["code"]

    assert redeem(shared, code, code_verifier=EXAMPLE).status_code == 200


@rfc("7636", "4.3", "REQUIRED", "challenge")
@pytest.mark.parametrize("challenge", ["x" * 42, "x" * 129, "=" * 43, "+" * 43, "é" * 43])
def test_a_challenge_of_the_wrong_form(browser: FlaskClient, challenge: str) -> None:
    assert error_of(ask(browser, code_challenge=challenge)) == "invalid_request"


@rfc("7636", "4.4", "MUST", "challenge kept with the code")
def test_each_code_has_its_own_challenge(shared: World, browser: FlaskClient) -> None:
    other = "another-verifier-of-at-least-forty-three-characters"
    one = approved(browser)["code"]
    two = approved(browser, code_challenge=create_s256_code_challenge(other))["code"]

    refused(redeem(shared, one, code_verifier=other), "invalid_grant")
    assert redeem(shared, two, code_verifier=other).status_code == 200


@rfc("7636", "4.4", "MUST NOT", "challenge cannot be read")
def test_the_answer_says_nothing_of_the_challenge(shared: World, browser: FlaskClient) -> None:
    answer = approved(browser, code_challenge=CHALLENGE)

    assert set(answer) == {"code", "state", "iss"}
    code = answer["code"]
    assert len(base64.urlsafe_b64decode(code + "=")) == 32
    digest = hashlib.sha256(EXAMPLE.encode()).digest()
    assert base64.urlsafe_b64decode(code + "=") != digest
    refused(redeem(shared, code, code_verifier=CHALLENGE), "invalid_grant")


@rfc("7636", "4.4.1", "MUST", "missing challenge")
@rfc("7636", "4.4.1", "SHOULD", "errors explain")
def test_a_request_without_a_challenge(browser: FlaskClient) -> None:
    told = redirect_parameters(ask(browser, code_challenge="", code_challenge_method=""))

    assert told["error"] == "invalid_request"
    assert "code_challenge" in told["error_description"]


@rfc("7636", "4.4.1", "MUST", "unknown method")
@rfc("7636", "4.4.1", "SHOULD", "errors explain")
@rfc("7636", "7.2", "SHOULD NOT", "not plain")
@pytest.mark.parametrize("method", ["plain", "", "s256", "S512"])
def test_no_method_but_s256(browser: FlaskClient, method: str) -> None:
    """Left out it would be plain (section 4.3)."""
    told = redirect_parameters(ask(browser, code_challenge_method=method))

    assert told["error"] == "invalid_request"
    assert "code_challenge_method" in told["error_description"]


@rfc("7636", "4.6", "MUST", "wrong verifier")
@pytest.mark.parametrize("verifier", ["x" * 43, VERIFIER[:-1], VERIFIER + "x", VERIFIER.upper()])
def test_another_verifier(shared: World, verifier: str) -> None:
    refused(redeem(shared, code_for(shared), code_verifier=verifier), "invalid_grant")
