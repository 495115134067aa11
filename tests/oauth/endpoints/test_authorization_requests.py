"""Authorization requests: by GET or POST, with nonce, resource and login_hint."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.lifecycle import (
    COMMAND_LINE,
    another_product,
    ask,
    code_from,
    product_client,
    query_of,
    redeem,
    refused,
    signed_in_browser,
    tenant_client,
    tokens_of,
)
from tests.support.world import VSERVER, World, claims_of, redirect_parameters

ISSUER = "http://127.0.0.1:8000"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def browser(world: World) -> FlaskClient:
    return signed_in_browser(world)


# ------------------------------------------------------------------------------------------- POST


def post(browser: FlaskClient, **fields: Any) -> TestResponse:
    return browser.post("/oauth2/authorize", data=query_of(COMMAND_LINE, **fields))


def test_a_request_may_come_by_post(world: World, browser: FlaskClient) -> None:
    """OpenID Connect Core section 3.1.2.1."""
    page = post(browser, scope="openid", nonce="n")

    body = redeem(world, COMMAND_LINE, code_from(page, browser)).json

    assert claims_of(body["id_token"])["nonce"] == "n"


def test_it_survives_the_sign_in(world: World) -> None:
    browser = world.app.test_client()
    answer = post(browser, scope="openid", state="a b&c")
    assert answer.status_code == 303, "to a GET"

    page = world.sign_in(browser, browser.get(answer.headers["Location"]))

    assert "Allow access?" in page.text
    assert code_from(page, browser)


def test_a_post_is_read_from_the_body_alone(browser: FlaskClient) -> None:
    answer = browser.post(
        "/oauth2/authorize",
        query_string=query_of(COMMAND_LINE, scope="openid"),
        data={"scope": "openid"},
    )

    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_post_that_cannot_be_read_goes_nowhere(browser: FlaskClient) -> None:
    for data, kind in (("{}", "application/json"), (b"\xff=x", FORM), ("a=1&a=2", FORM)):
        answer = browser.post("/oauth2/authorize", data=data, content_type=kind)
        assert answer.status_code == 400
        assert "Location" not in answer.headers


def test_a_request_that_is_too_long_goes_nowhere(browser: FlaskClient) -> None:
    answer = post(browser, x="y" * 9000)

    assert answer.status_code == 400
    assert "Location" not in answer.headers


# ------------------------------------------------------------------------------------------ nonce


@pytest.mark.parametrize("nonce", ["n-0S6_WzA2Mj", "a b+c%20&=\u00e9\U0001f511", "0", "x" * 512])
def test_a_nonce_comes_back_to_the_letter(world: World, browser: FlaskClient, nonce: str) -> None:
    body = tokens_of(world, browser=browser, nonce=nonce)

    assert claims_of(body["id_token"])["nonce"] == nonce
    assert "nonce" not in claims_of(body["access_token"])


def test_without_a_nonce_there_is_none(world: World, browser: FlaskClient) -> None:
    assert "nonce" not in claims_of(tokens_of(world, browser=browser)["id_token"])


def test_a_nonce_that_is_too_long_is_refused(browser: FlaskClient) -> None:
    answer = ask(browser, COMMAND_LINE, nonce="x" * 513)

    assert redirect_parameters(answer)["error"] == "invalid_request"


def test_each_authorization_has_its_own_nonce(world: World, browser: FlaskClient) -> None:
    codes = {}
    for nonce in ("one", "two"):
        page = ask(browser, COMMAND_LINE, scope="openid", nonce=nonce)
        codes[nonce] = code_from(page, browser)

    for nonce in ("two", "one"):
        body = redeem(world, COMMAND_LINE, codes[nonce]).json
        assert claims_of(body["id_token"])["nonce"] == nonce


# ------------------------------------------------------------------------------- offline_access


def test_the_person_is_told_that_access_goes_on_without_them(
    world: World, browser: FlaskClient
) -> None:
    words = "keep this access while you are away"
    app = tenant_client(world)

    assert words in ask(browser, app, scope="openid offline_access").text
    assert words not in ask(browser, app, scope="openid").text
    assert words in ask(browser, COMMAND_LINE, scope="openid").text, "it always gets it"


# ----------------------------------------------------------------------- resource (RFC 8707)


def code_for(browser: FlaskClient, *resources: str) -> str:
    page = ask(browser, COMMAND_LINE, scope="openid", resource=list(resources))
    return code_from(page, browser)


def audience(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.json
    found = claims_of(answer.json["access_token"])["aud"]  # type: ignore[index]
    assert isinstance(found, list)
    return found


def test_without_a_resource_the_token_is_for_the_issuer(world: World, browser: FlaskClient) -> None:
    assert audience(redeem(world, COMMAND_LINE, code_for(browser))) == [ISSUER]


def test_a_resource_is_named_by_identifier_or_product(world: World, browser: FlaskClient) -> None:
    another_product(world, "dns")

    answer = redeem(world, COMMAND_LINE, code_for(browser, VSERVER, "dns", VSERVER))

    assert audience(answer) == [VSERVER, "https://dns.example"]


def test_a_resource_at_the_token_endpoint_narrows(world: World, browser: FlaskClient) -> None:
    """Section 2.2: a subset of what was agreed to."""
    another_product(world, "dns")

    answer = redeem(world, COMMAND_LINE, code_for(browser, VSERVER, "dns"), resource="dns")

    assert audience(answer) == ["https://dns.example"]


@pytest.mark.parametrize("more", [VSERVER, "vserver", "https://unknown.example"])
def test_it_never_widens_and_uses_nothing_up(world: World, browser: FlaskClient, more: str) -> None:
    code = code_for(browser)

    refused(redeem(world, COMMAND_LINE, code, resource=more), "invalid_target")

    assert audience(redeem(world, COMMAND_LINE, code)) == [ISSUER]


@pytest.mark.parametrize(
    "resources", [["https://unknown.example"], [VSERVER, ISSUER], [VSERVER, "x" * 300], ["#"]]
)
def test_a_resource_that_cannot_be_is_told_to_the_client(
    browser: FlaskClient, resources: list[str]
) -> None:
    answer = ask(browser, COMMAND_LINE, scope="openid", resource=resources)

    assert redirect_parameters(answer)["error"] in ("invalid_target", "invalid_request")
    assert "code" not in redirect_parameters(answer)


def test_a_token_for_an_api_is_none_for_the_issuer(world: World, browser: FlaskClient) -> None:
    body = redeem(world, COMMAND_LINE, code_for(browser, VSERVER)).json
    bearer = {"Authorization": f"Bearer {body['access_token']}"}

    assert world.client.get("/oauth2/userinfo", headers=bearer).status_code == 401
    refused(world.exchange(body["access_token"], audience="iam"), "invalid_target")
    refused(world.impersonate(body["access_token"], audience="iam"), "invalid_target")


def test_a_products_client_may_ask_for_its_own_api(world: World, browser: FlaskClient) -> None:
    client = product_client(world)
    body = tokens_of(world, client, browser=browser, scope="openid vserver:List*", resource=VSERVER)

    assert claims_of(body["access_token"])["aud"] == [VSERVER]


# ------------------------------------------------------------------------------------- login_hint


def email_field(world: World, hint: str) -> str:
    browser = world.app.test_client()
    page = browser.get(ask(browser, COMMAND_LINE, login_hint=hint).headers["Location"])
    assert page.status_code == 200
    field = BeautifulSoup(page.text, "html.parser").find("input", {"name": "root_email"})
    assert field is not None
    assert "<script" not in page.text
    return str(field["value"])


def test_a_login_hint_fills_in_the_e_mail(world: World) -> None:
    assert email_field(world, "root-a@example.com") == "root-a@example.com"
    assert email_field(world, "nobody@example.org") == "nobody@example.org"


def test_a_login_hint_cannot_leave_its_field(world: World) -> None:
    nasty = '"><script>alert(1)</script>@x.example'

    assert email_field(world, nasty) == nasty
    assert email_field(world, "'onfocus='x@x.example") == "'onfocus='x@x.example"


@pytest.mark.parametrize("hint", ["System1", "a b@x.example", "@", "x" * 300 + "@x.example"])
def test_a_login_hint_that_is_no_e_mail_is_left_out(world: World, hint: str) -> None:
    assert email_field(world, hint) == ""


def test_a_login_hint_is_for_an_authorization_request_alone(world: World) -> None:
    page = world.client.get(
        "/sign-in", query_string={"continue": "/signed-in?login_hint=a@x.example"}
    )

    field = BeautifulSoup(page.text, "html.parser").find("input", {"name": "root_email"})
    assert field is not None
    assert field["value"] == ""
