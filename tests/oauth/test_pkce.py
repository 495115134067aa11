"""PKCE (RFC 7636, RFC 9700 section 2.1.1): optional for few, and binding once it is used."""

from __future__ import annotations

from typing import Any

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services.administration import Invalid
from tests.support.lifecycle import (
    COMMAND_LINE,
    Application,
    ask,
    code_from,
    product_client,
    redeem,
    refused,
    signed_in_browser,
    tenant_client,
)
from tests.support.world import VERIFIER, World, redirect_parameters

WITHOUT = {"code_challenge": "", "code_challenge_method": ""}


@pytest.fixture
def browser(world: World) -> FlaskClient:
    return signed_in_browser(world)


@pytest.fixture
def old(world: World) -> Application:
    """A confidential client of a tenant whose software knows no PKCE."""
    return tenant_client(world, require_pkce=False)


def code(browser: FlaskClient, client: Application, **fields: Any) -> str:
    return code_from(ask(browser, client, scope="openid", **fields), browser)


def refused_at_the_start(answer: TestResponse) -> None:
    """The error goes to the client or to a page, and there is no code either way."""
    if answer.status_code == 400:
        assert "code=" not in answer.headers.get("Location", "")
        return
    parameters = redirect_parameters(answer)
    assert parameters["error"] == "invalid_request"
    assert "code" not in parameters


def test_every_client_must_use_it_unless_it_was_registered_otherwise(
    world: World, browser: FlaskClient
) -> None:
    for client in (COMMAND_LINE, product_client(world), tenant_client(world)):
        refused_at_the_start(ask(browser, client, **WITHOUT))


def test_a_public_client_cannot_be_registered_otherwise(world: World) -> None:
    with pytest.raises(Invalid, match="PKCE"):
        tenant_client(world, auth_method="none", require_pkce=False)


def test_where_it_is_optional_it_may_be_left_out(
    world: World, browser: FlaskClient, old: Application
) -> None:
    answer = redeem(world, old, code(browser, old, **WITHOUT), code_verifier=None)

    assert answer.status_code == 200, answer.json


def test_what_was_begun_with_a_challenge_ends_with_its_verifier(
    world: World, browser: FlaskClient, old: Application
) -> None:
    """CVE-2023-48228: without a verifier the check was skipped."""
    begun = code(browser, old)

    for verifier in (None, "", "x", "y" * 43, VERIFIER[:-1], VERIFIER + "x", VERIFIER.upper()):
        answer = redeem(world, old, begun, code_verifier=verifier)
        assert answer.status_code == 400, verifier
        assert answer.json["error"] in ("invalid_grant", "invalid_request")

    assert redeem(world, old, begun).status_code == 200


def test_what_was_begun_without_takes_no_verifier(
    world: World, browser: FlaskClient, old: Application
) -> None:
    """CVE-2024-23647, CVE-2024-22258: the challenge was taken out on the way. The client, which
    did send one, sends its verifier now."""
    begun = code(browser, old, **WITHOUT)

    refused(redeem(world, old, begun), "invalid_request")


@pytest.mark.parametrize("method", ["plain", "", "s256", "S512", "S256 "])
def test_the_method_is_s256_and_nothing_else(
    browser: FlaskClient, old: Application, method: str
) -> None:
    for client in (COMMAND_LINE, old):
        refused_at_the_start(
            ask(browser, client, code_challenge=VERIFIER, code_challenge_method=method)
        )


@pytest.mark.parametrize("challenge", ["x", "x" * 129, "a b" * 20, "=" * 43, "\u00e9" * 43])
def test_a_challenge_is_of_the_form_that_s256_gives(
    browser: FlaskClient, old: Application, challenge: str
) -> None:
    for client in (COMMAND_LINE, old):
        refused_at_the_start(ask(browser, client, code_challenge=challenge))


def test_a_method_without_a_challenge_is_a_mistake(browser: FlaskClient, old: Application) -> None:
    refused_at_the_start(ask(browser, old, code_challenge=""))


def test_the_challenge_itself_is_no_verifier(world: World, browser: FlaskClient) -> None:
    begun = code(browser, COMMAND_LINE)

    refused(redeem(world, COMMAND_LINE, begun, code_verifier=create_s256_code_challenge(VERIFIER)))


def test_a_wrong_verifier_does_not_use_the_code_up(world: World, browser: FlaskClient) -> None:
    begun = code(browser, COMMAND_LINE)

    refused(redeem(world, COMMAND_LINE, begun, code_verifier="x" * 43))

    assert redeem(world, COMMAND_LINE, begun).status_code == 200


def test_a_code_of_one_request_does_not_go_with_the_verifier_of_another(
    world: World, browser: FlaskClient
) -> None:
    """A code that an attacker injects into the victim's session (RFC 9700 section 4.5)."""
    other = "another-verifier-another-verifier-another-verifier"
    injected = code(browser, COMMAND_LINE, code_challenge=create_s256_code_challenge(other))

    refused(redeem(world, COMMAND_LINE, injected))
