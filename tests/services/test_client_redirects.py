"""Where a client may send people, and which people it serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.services import clients
from app.services.administration import Invalid
from app.services.clients import EXCHANGE, ClientRegistration, RegisteredClient
from tests.support.lifecycle import (
    APP_CALLBACK,
    Application,
    ask,
    code_from,
    redeem,
    refused,
    signed_in_browser,
    tenant_client,
    tokens_of,
)
from tests.support.world import ACCESS_TOKEN, World, build_world, redirect_parameters


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.close()


def register(world: World, account_id: str = "53461", **fields: Any) -> RegisteredClient:
    registration = ClientRegistration(**{"name": "app", "redirect_uris": (APP_CALLBACK,), **fields})
    return clients.register(world.runtime, account_id, registration)


def problem_of(world: World, **fields: Any) -> str:
    """Why it cannot be registered; nothing is left behind."""
    before = world.rows("SELECT count(*) FROM oauth_clients")
    with pytest.raises(Invalid) as caught:
        register(world, **fields)
    assert world.rows("SELECT count(*) FROM oauth_clients") == before
    return str(caught.value)


BAD_URIS = [
    "",
    "/callback",
    "//app.example/callback",
    "app.example/callback",
    "javascript:alert(1)",
    "JAVASCRIPT://app.example/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://app.example/x",
    "about:blank",
    "http://app.example/callback",
    "http://127.0.0.1.evil.example/",
    "http://127.0.0.1:1@evil.example/",
    "http://localhost.evil.example/",
    "http://localhost@evil.example/",
    "http://2130706433/",
    "http://0x7f.1/",
    "https://user:password@app.example/",
    "https://app.example/#",
    "https://app.example/#fragment",
    "https://*.app.example/",
    "https://app.example/*",
    "https://app.example\\@evil.example/",
    "https://app.example/\r\nSet-Cookie: x=y",
    "https://app.example/ x",
    "https://app.example:99999/",
    "https://",
    "https:///callback",
    "https://app.example/" + "x" * 2048,
    "myapp://callback",
    "myapp:callback",
]


@pytest.mark.parametrize("uri", BAD_URIS)
def test_a_redirect_uri_that_cannot_be_trusted_is_refused(world: World, uri: str) -> None:
    assert problem_of(world, redirect_uris=(APP_CALLBACK, uri)).startswith("the redirect URI ")
    assert problem_of(world, post_logout_redirect_uris=(uri,)).startswith("the redirect URI ")


@pytest.mark.parametrize(
    "uri", ["https://app.example", "http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb"]
)
def test_a_redirect_uri_that_can_be(world: World, uri: str) -> None:
    new = register(world, redirect_uris=(uri,), post_logout_redirect_uris=(uri,))

    assert new.client.redirect_uris == new.client.post_logout_redirect_uris == (uri,)


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/callback/",
        "https://app.example/callback/../evil",
        "https://app.example/evil/../callback",
        "https://app.example/callback/..;/evil",
        "https://app.example/%63allback",
        "https://app.example/callback?x=y",
        "https://app.example/callback#x",
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",
        "https://app.example:443/callback",
        "https://APP.example/callback",
        "http://app.example/callback",
        " https://app.example/callback",
        "https://evil.example/callback",
    ],
)
def test_a_request_names_a_registered_uri_to_the_letter_or_sees_a_page(
    world: World, uri: str
) -> None:
    """CVE-2023-6291, CVE-2024-1132, CVE-2026-3872: loose comparison, path traversal."""
    app = tenant_client(world)

    answer = ask(signed_in_browser(world), app, redirect_uri=uri)

    assert answer.status_code == 400
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:1@evil.example/callback",
        "http://127.0.0.1:1.evil.example/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:80000/callback",
        "http://127.0.0.1:8080/other",
        "http://127.0.0.2:8080/callback",
        "http://localhost:8080/callback",
        "https://127.0.0.1:8080/callback",
    ],
)
def test_a_free_port_on_loopback_opens_nothing_else(world: World, uri: str) -> None:
    """CVE-2024-8883: http://127.0.0.1:1@evil where http://127.0.0.1 was registered."""
    app = tenant_client(world, auth_method="none", redirect_uris=("http://127.0.0.1/callback",))

    assert ask(signed_in_browser(world), app, redirect_uri=uri).status_code == 400


def test_an_answer_leaves_the_registered_uri_as_it_is(world: World) -> None:
    """RFC 6749 section 3.1.2: its query is kept."""
    uri = "https://app.example/callback?tenant=%2F&flag"
    app = tenant_client(world, redirect_uris=(uri,))
    browser = signed_in_browser(world)

    answer = ask(browser, app, prompt="none")

    assert answer.headers["Location"].startswith(f"{uri}&error=consent_required&")
    assert redirect_parameters(answer)["iss"] == "http://127.0.0.1:8000"


# ------------------------------------------------------------------------------ whom it serves


def test_a_tenants_client_serves_its_own_account_alone(world: World) -> None:
    """Anybody else sees a page, and the client hears nothing."""
    theirs = Application(register(world, "60108").client.id, APP_CALLBACK)
    browser = signed_in_browser(world)

    page = ask(browser, theirs, scope="openid")

    assert page.status_code == 403
    assert "Location" not in page.headers
    assert code_from(ask(browser, tenant_client(world), scope="openid"), browser)


def test_it_gets_no_more_than_it_asked_for(world: World) -> None:
    """No action pattern asked for authorizes nothing, unlike the shipped command line."""
    app = tenant_client(world)
    body = tokens_of(world, app, scope="openid")

    answer = world.token_call(
        {
            "grant_type": EXCHANGE,
            "subject_token": body["access_token"],
            "subject_token_type": ACCESS_TOKEN,
            "requested_subject": world.service_account_id,
        },
        auth=app.auth,
    )

    refused(answer, "invalid_target")
    [row] = world.rows("SELECT patterns FROM tokens")
    assert row.patterns == "[]"


@pytest.fixture
def browser(world: World) -> FlaskClient:
    return signed_in_browser(world)


def test_a_secret_of_another_client_opens_nothing(world: World, browser: FlaskClient) -> None:
    app, other = tenant_client(world), tenant_client(world, "other")
    code = code_from(ask(browser, app, scope="openid"), browser)

    refused(redeem(world, other, code))
    answer = redeem(world, app, code)
    assert answer.status_code == 200
