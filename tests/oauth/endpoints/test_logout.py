"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0)."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services import accounts
from tests.support.lifecycle import (
    Application,
    is_active,
    refresh,
    refused,
    signed_in_browser,
    tenant_client,
    tokens_of,
)
from tests.support.world import World, submit

AFTER = "https://app.example/bye"


@pytest.fixture
def app(world: World) -> Application:
    """A client of account A that has registered where people go after signing out."""
    return tenant_client(world, post_logout_redirect_uris=(AFTER, f"{AFTER}?from=x"))


@pytest.fixture
def browser(world: World) -> FlaskClient:
    return signed_in_browser(world)


def logout(browser: FlaskClient, method: str = "GET", **fields: str) -> TestResponse:
    where = {"query_string": fields} if method == "GET" else {"data": fields}
    return browser.open("/oauth2/logout", method=method, **where)


def is_signed_in(browser: FlaskClient) -> bool:
    return browser.get("/signed-in").status_code == 200


def asks(answer: TestResponse, browser: FlaskClient) -> bool:
    """Whether it is the question, and nobody was signed out."""
    return answer.status_code == 200 and "Sign out?" in answer.text and is_signed_in(browser)


def id_token(world: World, app: Application, browser: FlaskClient) -> str:
    return str(tokens_of(world, app, browser=browser)["id_token"])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_hint_of_who_is_signed_in_signs_out_at_once(
    world: World, app: Application, browser: FlaskClient, method: str
) -> None:
    body = tokens_of(world, app, browser=browser, scope="openid offline_access")

    answer = logout(browser, method, id_token_hint=body["id_token"])

    assert answer.status_code == 200
    assert "Signed out" in answer.text
    assert not is_signed_in(browser)
    assert browser.get_cookie("crossroot_session") is None
    assert not is_active(world, body["access_token"])
    refused(refresh(world, body["refresh_token"], app))


def test_the_session_itself_ends_and_not_only_the_cookie(
    world: World, app: Application, browser: FlaskClient
) -> None:
    cookie = browser.get_cookie("crossroot_session")
    assert cookie is not None
    logout(browser, id_token_hint=id_token(world, app, browser))

    thief = world.app.test_client()
    thief.set_cookie("crossroot_session", cookie.value)

    assert not is_signed_in(thief)
    [row] = world.rows("SELECT * FROM audit_events WHERE event = 'session:sign-out'")
    assert row.actor_id == world.user_id


def test_an_old_hint_still_says_who_it_was(
    world: World, app: Application, browser: FlaskClient
) -> None:
    """Section 2: the provider should accept ID tokens whose exp has passed."""
    hint = id_token(world, app, browser)
    world.clock.advance(world.runtime.settings.id_token_lifetime + 3600)

    logout(browser, id_token_hint=hint)

    assert not is_signed_in(browser)


def test_without_a_hint_the_person_is_asked(world: World, browser: FlaskClient) -> None:
    body = tokens_of(world, browser=browser)
    question = logout(browser)
    assert asks(question, browser)
    assert "System1" in question.text

    answer = submit(browser, question)

    assert "Signed out" in answer.text
    assert not is_signed_in(browser)
    assert not is_active(world, body["access_token"])


def test_a_hint_that_proves_nothing_is_as_good_as_none(
    world: World, app: Application, browser: FlaskClient
) -> None:
    """Another site that has a bad token, or one of somebody else, signs nobody out."""
    accounts.create_user(world.runtime, "53461", "System2", "System2-password")
    other = id_token(world, app, signed_in_browser(world, "System2"))
    mine = tokens_of(world, app, browser=browser)

    for hint in ("nonsense", other, mine["access_token"], f"{mine['id_token'][:-4]}AAAA", "a.b.c"):
        assert asks(logout(browser, id_token_hint=hint), browser), hint
        assert asks(logout(browser, "POST", id_token_hint=hint), browser), hint


def test_a_hint_of_another_client_than_the_one_named_is_none(
    world: World, app: Application, browser: FlaskClient
) -> None:
    """Section 2: client_id must be an audience of the ID token."""
    bye = "https://other.example/bye"
    other = tenant_client(world, "other", post_logout_redirect_uris=(bye,))
    hint = id_token(world, app, browser)

    question = logout(browser, id_token_hint=hint, client_id=other.id, post_logout_redirect_uri=bye)

    assert asks(question, browser)
    assert "Location" not in submit(browser, question).headers


# --------------------------------------------------------------------------------------------- CSRF


def test_another_site_cannot_send_the_answer(world: World, browser: FlaskClient) -> None:
    other = signed_in_browser(world)
    stolen = token_of(logout(other))

    for fields in ({"state": "s"}, {"csrf_token": ""}, {"csrf_token": "x"}, {"csrf_token": stolen}):
        assert asks(logout(browser, "POST", **fields), browser)


def test_the_answer_cannot_come_by_a_link(browser: FlaskClient) -> None:
    token = token_of(logout(browser))

    assert asks(logout(browser, csrf_token=token), browser)


def test_the_token_of_another_form_is_no_answer(world: World, browser: FlaskClient) -> None:
    other_form = token_of(browser.get("/sign-in"))

    assert asks(logout(browser, "POST", csrf_token=other_form), browser)


def token_of(page: TestResponse) -> str:
    field = BeautifulSoup(page.text, "html.parser").find("input", {"name": "csrf_token"})
    assert field is not None
    return str(field["value"])


# ------------------------------------------------------------------------------ nobody is signed in


def test_where_nobody_is_signed_in_there_is_nothing_to_ask(world: World, app: Application) -> None:
    browser = world.app.test_client()

    assert "Signed out" in logout(browser).text
    after = logout(browser, client_id=app.id, post_logout_redirect_uri=AFTER)
    assert after.headers["Location"] == AFTER


def test_a_hint_signs_out_nobody_who_is_not_in_this_browser(
    world: World, app: Application, browser: FlaskClient
) -> None:
    """Whoever has an ID token cannot end the session elsewhere."""
    hint = id_token(world, app, browser)

    logout(world.app.test_client(), id_token_hint=hint)

    assert is_signed_in(browser)


def test_a_parameter_that_comes_twice_is_refused(browser: FlaskClient) -> None:
    answer = browser.get("/oauth2/logout?state=a&state=b")

    assert answer.status_code == 400
    assert is_signed_in(browser)


def test_the_pages_keep_to_themselves(browser: FlaskClient) -> None:
    for page in (logout(browser), submit(browser, logout(browser))):
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
