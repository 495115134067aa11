"""What an authorization request says of the person (OpenID Connect Core section 3.1.2.1)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services import accounts
from tests.support.lifecycle import (
    COMMAND_LINE,
    Application,
    ask,
    code_from,
    product_client,
    redeem,
    signed_in_browser,
    tenant_client,
    tokens_of,
)
from tests.support.world import World, claims_of, redirect_parameters, submit


@pytest.fixture
def browser(world: World) -> FlaskClient:
    return signed_in_browser(world)


@pytest.fixture
def product(world: World) -> Application:
    return product_client(world)


def is_sign_in(answer: TestResponse) -> bool:
    return answer.status_code == 303 and urlsplit(answer.headers["Location"]).path == "/sign-in"


def is_approval(answer: TestResponse) -> bool:
    return answer.status_code == 200 and "Allow access?" in answer.text


def sign_in_and_go_on(
    world: World,
    browser: FlaskClient,
    answer: TestResponse,
    username: str = "System1",
    *,
    seconds: float = 3,
) -> TestResponse:
    """Sign in, which takes some seconds, and go to where that leads: the request once more."""
    assert is_sign_in(answer)
    page = browser.get(answer.headers["Location"])
    done = submit(
        browser,
        page,
        kind="iam",
        root_email="root-a@example.com",
        username=username,
        password=f"{username}-password",
    )
    assert done.status_code == 303, done.text
    world.clock.advance(seconds)
    return browser.get(done.headers["Location"])


def error_of(answer: TestResponse) -> str | None:
    return redirect_parameters(answer).get("error")


# ---------------------------------------------------------------------------------- prompt=none


def test_none_answers_at_once_where_nothing_is_to_be_shown(
    browser: FlaskClient, product: Application
) -> None:
    answer = ask(browser, product, prompt="none", scope="openid")

    assert redirect_parameters(answer).keys() == {"code", "state", "iss"}


def test_none_says_that_nobody_is_signed_in(world: World, product: Application) -> None:
    answer = ask(world.app.test_client(), product, prompt="none")

    assert redirect_parameters(answer) == {
        "error": "login_required",
        "error_description": "nobody is signed in",
        "state": "a-state",
        "iss": "http://127.0.0.1:8000",
    }


def test_none_says_that_a_person_would_have_to_approve(world: World, browser: FlaskClient) -> None:
    for client in (COMMAND_LINE, tenant_client(world)):
        assert error_of(ask(browser, client, prompt="none")) == "consent_required"


def test_none_stands_alone(browser: FlaskClient, product: Application) -> None:
    for prompt in ("none login", "consent none"):
        assert error_of(ask(browser, product, prompt=prompt)) == "invalid_request"


def test_none_shows_nothing_where_the_session_has_ended(
    world: World, browser: FlaskClient, product: Application
) -> None:
    world.clock.advance(world.runtime.settings.session_lifetime)

    assert error_of(ask(browser, product, prompt="none")) == "login_required"


# --------------------------------------------------- prompt=login, select_account and consent


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
def test_login_asks_again_once(
    world: World, browser: FlaskClient, product: Application, prompt: str
) -> None:
    answer = ask(browser, product, prompt=prompt, scope="openid")
    world.clock.advance(100)

    answer = sign_in_and_go_on(world, browser, answer)

    body = redeem(world, product, code_from(answer, browser)).json
    assert claims_of(body["id_token"])["auth_time"] == world.clock.now - 3


def test_login_begins_a_new_session_and_another_user_may_sign_in(
    world: World, browser: FlaskClient, product: Application
) -> None:
    """GHSA-c9h6-v78w-52wj: another user went on in the session of the first."""
    other = accounts.create_user(world.runtime, "53461", "System2", "System2-password")
    before = browser.get_cookie("crossroot_session")
    answer = ask(browser, product, prompt="login", scope="openid")

    answer = sign_in_and_go_on(world, browser, answer, "System2")

    body = redeem(world, product, code_from(answer, browser)).json
    assert claims_of(body["id_token"])["sub"] == other.id
    after = browser.get_cookie("crossroot_session")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    sessions = world.rows("SELECT session_id, subject_id FROM tokens")
    assert [row.subject_id for row in sessions] == [other.id]


def test_consent_asks_even_for_a_client_that_the_operator_vouches_for(
    browser: FlaskClient, product: Application
) -> None:
    assert not is_approval(ask(browser, product))

    page = ask(browser, product, prompt="consent")

    assert is_approval(page)
    assert code_from(page, browser)


def test_consent_is_asked_for_after_the_sign_in_too(world: World, product: Application) -> None:
    browser = world.app.test_client()
    answer = ask(browser, product, prompt="login consent")

    assert is_approval(sign_in_and_go_on(world, browser, answer))


# -------------------------------------------------------------------------------------- max_age


def test_a_sign_in_that_is_young_enough_is_not_asked_again(
    world: World, browser: FlaskClient, product: Application
) -> None:
    world.clock.advance(60)

    assert "code" in redirect_parameters(ask(browser, product, max_age="60"))


def test_one_that_is_too_old_is(world: World, browser: FlaskClient, product: Application) -> None:
    world.clock.advance(61)
    assert error_of(ask(browser, product, max_age="60", prompt="none")) == "login_required"

    answer = sign_in_and_go_on(world, browser, ask(browser, product, max_age="60", scope="openid"))

    body = redeem(world, product, redirect_parameters(answer)["code"]).json
    assert claims_of(body["id_token"])["auth_time"] == world.clock.now - 3


@pytest.mark.parametrize("max_age", ["0", "00", "1", "2"])
def test_a_short_one_asks_once_however_long_the_sign_in_takes(
    world: World, browser: FlaskClient, product: Application, max_age: str
) -> None:
    world.clock.advance(3)

    answer = sign_in_and_go_on(world, browser, ask(browser, product, max_age=max_age))

    assert "code" in redirect_parameters(answer)


def test_but_whoever_walks_away_after_signing_in_is_asked_again(
    world: World, browser: FlaskClient, product: Application
) -> None:
    answer = ask(browser, product, max_age="0")

    assert is_sign_in(sign_in_and_go_on(world, browser, answer, seconds=61))


def test_zero_means_login_even_in_the_same_second(
    world: World, browser: FlaskClient, product: Application
) -> None:
    """Section 3.1.2.1: max_age=0 is equivalent to prompt=login."""
    assert is_sign_in(ask(browser, product, max_age="0"))
    assert error_of(ask(browser, product, max_age="0", prompt="none")) == "login_required"


@pytest.mark.parametrize("max_age", ["-1", "1.5", "x", "1e3", "\u0663", "99999999999"])
def test_it_is_a_number_of_seconds(
    browser: FlaskClient, product: Application, max_age: str
) -> None:
    assert error_of(ask(browser, product, max_age=max_age)) == "invalid_request"


# -------------------------------------------------------------------------------- id_token_hint


def test_a_hint_of_who_is_signed_in_changes_nothing(
    world: World, browser: FlaskClient, product: Application
) -> None:
    hint = tokens_of(world, product, browser=browser)["id_token"]

    for prompt in ("", "none"):
        answer = ask(browser, product, id_token_hint=hint, prompt=prompt)
        assert "code" in redirect_parameters(answer)


@pytest.fixture
def others_hint(world: World, product: Application) -> str:
    accounts.create_user(world.runtime, "53461", "System2", "System2-password")
    body = tokens_of(world, product, browser=signed_in_browser(world, "System2"))
    return str(body["id_token"])


def test_a_hint_of_another_user_asks_for_that_one(
    world: World, browser: FlaskClient, product: Application, others_hint: str
) -> None:
    answer = ask(browser, product, id_token_hint=others_hint, scope="openid")

    answer = sign_in_and_go_on(world, browser, answer, "System2")

    body = redeem(world, product, redirect_parameters(answer)["code"]).json
    assert claims_of(body["id_token"])["sub"] == claims_of(others_hint)["sub"]


def test_whoever_signs_in_instead_is_not_taken_for_that_one(
    world: World, browser: FlaskClient, product: Application, others_hint: str
) -> None:
    """The client is told, and nobody goes in circles."""
    answer = ask(browser, product, id_token_hint=others_hint)

    answer = sign_in_and_go_on(world, browser, answer, "System1")

    assert error_of(answer) == "login_required"


def test_none_with_a_hint_of_another_user_is_refused(
    browser: FlaskClient, product: Application, others_hint: str
) -> None:
    answer = ask(browser, product, id_token_hint=others_hint, prompt="none")

    assert error_of(answer) == "login_required"


@pytest.mark.parametrize("hint", ["nonsense", "a.b.c", "x" * 3000])
def test_a_hint_that_is_none_asks_once_and_then_does_not_matter(
    world: World, browser: FlaskClient, product: Application, hint: str
) -> None:
    assert error_of(ask(browser, product, id_token_hint=hint, prompt="none")) == "login_required"

    answer = sign_in_and_go_on(world, browser, ask(browser, product, id_token_hint=hint))

    assert "code" in redirect_parameters(answer)


def test_an_access_token_is_no_hint(
    world: World, browser: FlaskClient, product: Application
) -> None:
    token = tokens_of(world, product, browser=browser)["access_token"]

    answer = ask(browser, product, id_token_hint=token, prompt="none")

    assert error_of(answer) == "login_required"
