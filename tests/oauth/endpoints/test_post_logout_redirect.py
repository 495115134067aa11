"""Where people go after signing out: what the client registered for that, letter by letter."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.lifecycle import Application, signed_in_browser, tenant_client, tokens_of
from tests.support.world import World, submit

AFTER = "https://app.example/bye"


@pytest.fixture
def app(world: World) -> Application:
    """A client of account A that has registered where people go after signing out."""
    uris = (AFTER, f"{AFTER}?from=%2F&flag")
    return tenant_client(world, post_logout_redirect_uris=uris)


@pytest.fixture
def browser(world: World) -> FlaskClient:
    return signed_in_browser(world)


def logout(browser: FlaskClient, **fields: str) -> TestResponse:
    return browser.get("/oauth2/logout", query_string=fields)


def is_signed_in(browser: FlaskClient) -> bool:
    return browser.get("/signed-in").status_code == 200


def id_token(world: World, app: Application, browser: FlaskClient) -> str:
    return str(tokens_of(world, app, browser=browser)["id_token"])


def test_a_registered_address_is_gone_to(
    world: World, app: Application, browser: FlaskClient
) -> None:
    hint = id_token(world, app, browser)

    answer = logout(browser, id_token_hint=hint, post_logout_redirect_uri=AFTER)

    assert (answer.status_code, answer.headers["Location"]) == (303, AFTER)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert not is_signed_in(browser)


def test_state_comes_back_unchanged(world: World, app: Application, browser: FlaskClient) -> None:
    hint = id_token(world, app, browser)

    answer = logout(
        browser, id_token_hint=hint, post_logout_redirect_uri=AFTER, state="a b&c=d#e\u00e4"
    )

    assert answer.headers["Location"] == f"{AFTER}?state=a+b%26c%3Dd%23e%C3%A4"


def test_the_address_keeps_its_own_query(
    world: World, app: Application, browser: FlaskClient
) -> None:
    hint = id_token(world, app, browser)

    answer = logout(
        browser, id_token_hint=hint, post_logout_redirect_uri=f"{AFTER}?from=%2F&flag", state="s"
    )

    assert answer.headers["Location"] == f"{AFTER}?from=%2F&flag&state=s"


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        f"{AFTER}/",
        f"{AFTER}?x=y",
        f"{AFTER}#x",
        "https://app.example/BYE",
        "https://app.example:443/bye",
        "https://app.example/x/../bye",
        "https://app.example/bye/..;/x",
        "https://user@app.example/bye",
        "https://app.example/callback",  # a redirect URI, but none for this
        "//app.example/bye",
        "javascript:alert(1)",
    ],
)
def test_no_other_address_is(
    world: World, app: Application, browser: FlaskClient, uri: str
) -> None:
    hint = id_token(world, app, browser)

    answer = logout(browser, id_token_hint=hint, post_logout_redirect_uri=uri, state="s")

    assert answer.status_code == 200
    assert "Location" not in answer.headers
    assert not is_signed_in(browser)


def test_another_clients_address_is_not(
    world: World, app: Application, browser: FlaskClient
) -> None:
    theirs = "https://other.example/bye"
    tenant_client(world, "other", post_logout_redirect_uris=(theirs,))
    hint = id_token(world, app, browser)

    answer = logout(browser, id_token_hint=hint, post_logout_redirect_uri=theirs)

    assert answer.status_code == 200
    assert "Location" not in answer.headers


def test_an_address_without_a_client_is_not(browser: FlaskClient, app: Application) -> None:
    answer = submit(browser, logout(browser, post_logout_redirect_uri=AFTER))

    assert answer.status_code == 200
    assert "Location" not in answer.headers


def test_the_client_may_be_named_where_there_is_no_hint(
    app: Application, browser: FlaskClient
) -> None:
    """Section 2, client_id; the person is asked, and goes there after a yes."""
    question = logout(browser, client_id=app.id, post_logout_redirect_uri=AFTER, state='"><script>')
    assert is_signed_in(browser)
    assert "<script>" not in question.text

    answer = submit(browser, question)

    assert answer.headers["Location"] == f"{AFTER}?state=%22%3E%3Cscript%3E"


def test_the_question_lets_the_browser_follow_to_the_clients_address(
    app: Application, browser: FlaskClient
) -> None:
    """Browsers hold a form's redirects to `form-action` too."""
    named = logout(browser, client_id=app.id, post_logout_redirect_uri=AFTER)
    unknown = logout(browser, client_id=app.id, post_logout_redirect_uri="https://evil.example")

    assert "form-action 'self' https://app.example;" in named.headers["Content-Security-Policy"]
    assert "form-action 'self';" in unknown.headers["Content-Security-Policy"]


def test_a_client_that_is_disabled_has_no_address(
    world: World, app: Application, browser: FlaskClient
) -> None:
    def disable(connection: Any) -> None:
        connection.exec_driver_sql("UPDATE oauth_clients SET enabled = 0 WHERE id = ?", (app.id,))

    hint = id_token(world, app, browser)
    world.runtime.database.write(disable)

    answer = logout(browser, id_token_hint=hint, post_logout_redirect_uri=AFTER)

    assert "Location" not in answer.headers
    assert not is_signed_in(browser)
