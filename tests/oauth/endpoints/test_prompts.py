"""`prompt` and `max_age`: how much of the person the client wants to see (OIDC Core 3.1.2.1)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.browser import ask, error_at_client, is_page, signed_in
from tests.support.world import START, World, claims_of, redirect_parameters, submit

PRODUCT_CALLBACK = "http://localhost:8001/callback"


@pytest.fixture
def browser(world: World) -> FlaskClient:
    return signed_in(world)


def ask_product(world: World, browser: FlaskClient, **query: str) -> TestResponse:
    """A request that needs no approval."""
    return ask(
        world,
        browser,
        client_id=world.product_client_id,
        redirect_uri=PRODUCT_CALLBACK,
        **query,
    )


def is_sign_in(answer: TestResponse) -> bool:
    return answer.status_code == 303 and answer.headers["Location"].startswith("/sign-in?")


def sign_in_and_return(world: World, browser: FlaskClient, answer: TestResponse) -> TestResponse:
    """Sign in where the answer leads, and go back to where that leads."""
    page = browser.get(answer.headers["Location"])
    form = submit(
        browser,
        page,
        kind="iam",
        root_email="root-a@example.com",
        username="System1",
        password="System1-password",
    )
    return browser.get(form.headers["Location"])


class TestNone:
    def test_nobody_is_signed_in(self, world: World) -> None:
        assert error_at_client(ask(world, prompt="none")) == "login_required"

    def test_an_approval_is_needed(self, world: World, browser: FlaskClient) -> None:
        assert error_at_client(ask(world, browser, prompt="none")) == "consent_required"

    def test_nothing_is_needed(self, world: World, browser: FlaskClient) -> None:
        assert redirect_parameters(ask_product(world, browser, prompt="none"))["code"]

    def test_the_sign_in_is_too_old(self, world: World, browser: FlaskClient) -> None:
        world.clock.advance(61)

        answer = ask_product(world, browser, prompt="none", max_age="60")

        assert error_at_client(answer, PRODUCT_CALLBACK) == "login_required"


class TestLogin:
    @pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
    def test_once_more(self, world: World, browser: FlaskClient, prompt: str) -> None:
        assert is_sign_in(ask_product(world, browser, prompt=prompt))

    def test_and_then_no_more(self, world: World, browser: FlaskClient) -> None:
        world.clock.advance(100)

        answer = sign_in_and_return(world, browser, ask_product(world, browser, prompt="login"))

        assert redirect_parameters(answer)["code"]

    def test_the_approval_is_still_asked_for(self, world: World, browser: FlaskClient) -> None:
        answer = ask_product(world, browser, prompt="login consent")

        assert is_page(sign_in_and_return(world, browser, answer), 200)


class TestConsent:
    def test_a_product_may_ask_for_it(self, world: World, browser: FlaskClient) -> None:
        page = ask_product(world, browser, prompt="consent")

        assert is_page(page, 200)
        assert redirect_parameters(submit(browser, page))["code"]


class TestMaxAge:
    @pytest.mark.parametrize(("age", "fresh"), [(59, True), (60, True), (61, False)])
    def test_how_old_the_sign_in_may_be(
        self, world: World, browser: FlaskClient, age: int, fresh: bool
    ) -> None:
        world.clock.advance(age)

        answer = ask_product(world, browser, max_age="60")

        assert is_sign_in(answer) is not fresh

    @pytest.mark.parametrize("age", [0, 1, 100])
    def test_0_is_as_good_as_prompt_login(
        self, world: World, browser: FlaskClient, age: int
    ) -> None:
        world.clock.advance(age)

        assert is_sign_in(ask_product(world, browser, max_age="0"))

    def test_0_asks_once_even_if_the_second_turns(self, world: World, browser: FlaskClient) -> None:
        """A sign-in that took a second must not lead back to the sign-in."""
        answer = ask_product(world, browser, max_age="0")
        page = browser.get(answer.headers["Location"])
        form = submit(
            browser,
            page,
            kind="iam",
            root_email="root-a@example.com",
            username="System1",
            password="System1-password",
        )
        world.clock.advance(3)

        assert redirect_parameters(browser.get(form.headers["Location"]))["code"]

    def test_the_token_tells_when_it_was(self, world: World, browser: FlaskClient) -> None:
        world.clock.advance(100)
        code = redirect_parameters(ask_product(world, browser, scope="openid", max_age="200"))[
            "code"
        ]

        answer = world.token_call(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": PRODUCT_CALLBACK,
                "code_verifier": "correct-horse-battery-staple-correct-horse-battery",
            },
            auth=(world.product_client_id, world.product_client_secret),
        )

        assert claims_of(answer.json["id_token"])["auth_time"] == START
