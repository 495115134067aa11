"""The approval page: bound to the browser and to the very request that the person saw."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support import changes
from tests.support.browser import ask, error_at_client, hidden_fields, is_page, signed_in
from tests.support.observation import newest_event
from tests.support.world import CALLBACK, World, redirect_parameters

DECISION = "/oauth2/authorize/decision"


@pytest.fixture
def browser(world: World) -> FlaskClient:
    return signed_in(world)


def decide(browser: FlaskClient, page: TestResponse, **changed: str) -> TestResponse:
    """Press Approve, with hidden fields changed as told."""
    return browser.post(DECISION, data={**hidden_fields(page), **changed})


def code_in(answer: TestResponse) -> str:
    return redirect_parameters(answer)["code"]


class TestThePage:
    def test_it_says_who_asks_for_what(self, world: World, browser: FlaskClient) -> None:
        page = ask(world, browser, scope="openid profile email vserver:List* iam:GetGroup")

        text = BeautifulSoup(page.text, "html.parser").get_text(" ")
        assert is_page(page, 200)
        for told in (
            "Crossroot command line",
            "System1",
            "53461",
            "vserver:List*",
            "iam:GetGroup",
            "know who you are",
            CALLBACK,
        ):
            assert told in text
        assert "whatever your policies allow" not in text

    def test_it_says_that_all_is_asked_for(self, world: World, browser: FlaskClient) -> None:
        assert "whatever your policies allow you" in ask(world, browser, scope="openid").text

    def test_markup_in_a_name_is_text(self, world: World, browser: FlaskClient) -> None:
        changes.new_client(world, "app", name="<script>alert(1)</script>")

        page = ask(world, browser, client_id="app", redirect_uri="https://app.example/callback")

        assert "&lt;script&gt;" in page.text
        assert "<script>" not in page.text

    def test_it_cannot_be_framed_and_leads_only_to_the_client(
        self, world: World, browser: FlaskClient
    ) -> None:
        """Clickjacking (RFC 6749 section 10.13)."""
        page = ask(world, browser)

        assert page.headers["X-Frame-Options"] == "DENY"
        policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self' http://127.0.0.1:49152;" in policy

    def test_a_private_scheme_in_the_policy(self, world: World, browser: FlaskClient) -> None:
        changes.new_client(world, "app", redirect_uris=("com.example.app:/callback",))

        page = ask(world, browser, client_id="app", redirect_uri="com.example.app:/callback")

        assert "form-action 'self' com.example.app:;" in page.headers["Content-Security-Policy"]

    @pytest.mark.parametrize("host", ["a;script-src", "a,b", "a;sandbox", "a'self'"])
    def test_no_host_can_write_into_the_policy(
        self, world: World, browser: FlaskClient, host: str
    ) -> None:
        """A tenant chooses its redirect URIs; a `;` would begin a directive of its own."""
        uri = f"https://{host}/callback"
        changes.new_client(world, "app", redirect_uris=(uri,))

        page = ask(world, browser, client_id="app", redirect_uri=uri)

        assert "form-action 'self' https:;" in page.headers["Content-Security-Policy"]
        assert host not in page.headers["Content-Security-Policy"]

    def test_it_comes_each_time(self, world: World, browser: FlaskClient) -> None:
        """A public client on loopback can be anybody (RFC 8252 section 8.6)."""
        assert code_in(decide(browser, ask(world, browser)))

        assert is_page(ask(world, browser), 200)


class TestTheAnswer:
    def test_approve(self, world: World, browser: FlaskClient) -> None:
        answer = decide(browser, ask(world, browser))

        parameters = redirect_parameters(answer)
        assert parameters.keys() == {"code", "state", "iss"}
        assert (parameters["state"], parameters["iss"]) == ("a-state", "http://127.0.0.1:8000")
        assert newest_event(world).event == "authorization-code:issue"

    @pytest.mark.parametrize("decision", ["deny", "", "yes", "Approve"])
    def test_anything_else_is_no(self, world: World, browser: FlaskClient, decision: str) -> None:
        answer = decide(browser, ask(world, browser), decision=decision)

        assert error_at_client(answer) == "access_denied"
        event = newest_event(world)
        assert (event.event, event.outcome) == ("authorization:deny", "denied")
        assert event.actor_id == world.user_id

    def test_only_by_post(self, world: World, browser: FlaskClient) -> None:
        fields = hidden_fields(ask(world, browser))

        assert browser.get(DECISION, query_string=fields).status_code == 405
        assert is_page(browser.post(DECISION, query_string=fields), 400)

    def test_the_second_form_denies(self, world: World, browser: FlaskClient) -> None:
        fields = hidden_fields(ask(world, browser), form=1)

        assert error_at_client(browser.post(DECISION, data=fields)) == "access_denied"


class TestBoundToTheRequest:
    """CVE-2022-39222: an approval that counted for another's request."""

    @pytest.mark.parametrize(
        "changed",
        [
            {"scope": "vserver:*"},
            {"scope": ""},
            {"client_id": "app", "redirect_uri": "https://app.example/callback"},
            {"redirect_uri": "http://127.0.0.1:1/callback"},
            {"redirect_uri": "https://evil.example/"},
            {"code_challenge": "x" * 43},
            {"state": "another"},
            {"nonce": "another"},
            {"resource": "vserver"},
        ],
    )
    def test_an_edited_request(
        self, world: World, browser: FlaskClient, changed: dict[str, str]
    ) -> None:
        changes.new_client(world, "app")
        page = ask(world, browser, scope="openid")
        query = {**dict(parse_qsl(hidden_fields(page)["request"])), **changed}

        answer = decide(browser, page, request=urlencode(query))

        assert is_page(answer, 403)

    @pytest.mark.parametrize("suffix", ["&scope=vserver:*", "&x=1", "&", "#x", " "])
    def test_something_appended(self, world: World, browser: FlaskClient, suffix: str) -> None:
        page = ask(world, browser)

        answer = decide(browser, page, request=hidden_fields(page)["request"] + suffix)

        assert is_page(answer, 403)

    def test_the_token_of_another_request(self, world: World, browser: FlaskClient) -> None:
        small, wide = ask(world, browser, scope="openid"), ask(world, browser, scope="vserver:*")

        answer = decide(browser, wide, csrf_token=hidden_fields(small)["csrf_token"])

        assert is_page(answer, 403)

    @pytest.mark.parametrize("token", ["", "x", "0" * 64])
    def test_without_the_token(self, world: World, browser: FlaskClient, token: str) -> None:
        assert is_page(decide(browser, ask(world, browser), csrf_token=token), 403)


class TestBoundToTheBrowser:
    def test_the_page_of_another_person(self, world: World, browser: FlaskClient) -> None:
        """An attacker cannot have a victim's browser send the attacker's approval."""
        changes.new_user(world, "53461", "Attacker1")
        attackers = signed_in(world, "Attacker1")
        page = ask(world, attackers)

        assert is_page(decide(browser, page), 403)

    def test_the_page_of_the_same_person_elsewhere(
        self, world: World, browser: FlaskClient
    ) -> None:
        assert is_page(decide(signed_in(world), ask(world, browser)), 403)

    def test_a_browser_without_a_session(self, world: World, browser: FlaskClient) -> None:
        assert is_page(decide(world.app.test_client(), ask(world, browser)), 403)

    def test_the_person_signed_in_anew_meanwhile(self, world: World, browser: FlaskClient) -> None:
        page = ask(world, browser)
        world.sign_in(browser, browser.get("/sign-in"))

        assert is_page(decide(browser, page), 403)

    def test_the_person_was_disabled_meanwhile(self, world: World, browser: FlaskClient) -> None:
        page = ask(world, browser)
        changes.disable_user(world)

        answer = decide(browser, page)

        assert answer.headers["Location"].startswith("/sign-in?")

    def test_the_client_was_disabled_meanwhile(self, world: World, browser: FlaskClient) -> None:
        page = ask(world, browser)
        changes.change(world, lambda c: c.exec_driver_sql("UPDATE oauth_clients SET enabled = 0"))

        assert is_page(decide(browser, page), 400)

    @pytest.mark.parametrize("body", [b"request=%zz", b"a=1&a=2", b"request=%00"])
    def test_a_form_that_cannot_be_read(self, browser: FlaskClient, body: bytes) -> None:
        answer = browser.post(DECISION, data=body, content_type="application/x-www-form-urlencoded")

        assert is_page(answer, 400)


class TestWhoseClient:
    def test_a_tenants_client_asks_the_person(self, world: World, browser: FlaskClient) -> None:
        changes.new_client(world, "app")
        page = ask(world, browser, client_id="app", redirect_uri="https://app.example/callback")

        assert is_page(page, 200)
        assert code_in(decide(browser, page))

    @pytest.mark.parametrize("prompt", ["", "none", "consent"])
    def test_a_tenants_client_is_not_for_strangers(
        self, world: World, browser: FlaskClient, prompt: str
    ) -> None:
        """Anyone else gets an error page, no redirect."""
        changes.new_client(world, "app", account_id="60108")

        answer = ask(
            world,
            browser,
            client_id="app",
            redirect_uri="https://app.example/callback",
            prompt=prompt,
        )

        assert is_page(answer, 403)

    def test_nor_by_a_form_that_was_right_once(self, world: World, browser: FlaskClient) -> None:
        changes.new_client(world, "app")
        page = ask(world, browser, client_id="app", redirect_uri="https://app.example/callback")
        changes.change(
            world,
            lambda c: c.exec_driver_sql(
                "UPDATE oauth_clients SET account_id = '60108' WHERE id = 'app'"
            ),
        )

        assert is_page(decide(browser, page), 403)

    def test_a_products_client_needs_no_approval(self, world: World, browser: FlaskClient) -> None:
        answer = ask(
            world,
            browser,
            client_id=world.product_client_id,
            redirect_uri="http://localhost:8001/callback",
        )

        assert code_in(answer)

    def test_a_client_of_every_account(self, world: World) -> None:
        """A product's client serves every account, and root users as well."""
        answer = ask(
            world,
            signed_in(world, None),
            client_id=world.product_client_id,
            redirect_uri="http://localhost:8001/callback",
        )

        assert code_in(answer)
