"""A sign-in belongs to one browser: form tokens, sessions, and where it leads afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.oauth.browser import is_local_path
from app.services import sign_in as sign_in_service
from tests.support import changes
from tests.support.browser import ask, cookie_value, cookies, hidden_fields, is_page, signed_in
from tests.support.world import World, build_world

SESSION, FORM = "crossroot_session", "crossroot_form"
TYPED = {
    "kind": "iam",
    "root_email": "root-a@example.com",
    "username": "System1",
    "password": "System1-password",
}


def send(browser: FlaskClient, **fields: str) -> TestResponse:
    return browser.post("/sign-in", data={**TYPED, **fields})


class TestFormTokens:
    """Nobody is signed in by a form that another site sends."""

    def refused(self, answer: TestResponse) -> None:
        assert answer.status_code == 403
        assert SESSION not in cookies(answer)

    def test_without_a_token(self, world: World) -> None:
        browser = world.app.test_client()
        browser.get("/sign-in")

        self.refused(send(browser))
        self.refused(send(browser, csrf_token=""))

    @pytest.mark.parametrize("token", ["x", "0" * 64, "é"])
    def test_with_another_token(self, world: World, token: str) -> None:
        browser = world.app.test_client()
        browser.get("/sign-in")

        self.refused(send(browser, csrf_token=token))

    def test_with_the_token_of_another_browser(self, world: World) -> None:
        attacker, victim = world.app.test_client(), world.app.test_client()
        token = hidden_fields(attacker.get("/sign-in"))["csrf_token"]
        victim.get("/sign-in")

        self.refused(send(victim, csrf_token=token))

    def test_without_the_cookie(self, world: World) -> None:
        browser = world.app.test_client()
        token = hidden_fields(browser.get("/sign-in"))["csrf_token"]

        self.refused(send(world.app.test_client(), csrf_token=token))

    def test_with_the_token_of_another_form(self, world: World) -> None:
        """CVE-2026-4282: one kind of secret must not pass for another."""
        browser = signed_in(world)
        page = ask(world, browser)
        approval = hidden_fields(page)["csrf_token"]

        self.refused(send(browser, csrf_token=approval))

    def test_the_form_that_comes_back_can_be_sent(self, world: World) -> None:
        browser = world.app.test_client()
        page = send(browser)

        assert send(browser, **hidden_fields(page)).status_code == 303

    def test_a_token_does_not_outlive_the_sign_in(self, world: World) -> None:
        """Nothing that was there before the sign-in stays good."""
        browser = world.app.test_client()
        token = hidden_fields(browser.get("/sign-in"))["csrf_token"]
        assert send(browser, csrf_token=token).status_code == 303

        self.refused(send(browser, csrf_token=token))


class TestSessions:
    def test_a_new_one_at_each_sign_in(self, world: World) -> None:
        """CVE-2026-7507, CVE-2025-12390, GHSA-c9h6-v78w-52wj: fixation, and a reused session."""
        browser = signed_in(world)
        first = cookie_value(browser, SESSION)

        answer = send(browser, **hidden_fields(browser.get("/sign-in")))

        assert answer.status_code == 303
        assert cookie_value(browser, SESSION) != first
        ids = world.rows("SELECT id, digest FROM sign_in_sessions")
        assert len({row.id for row in ids}) == len({row.digest for row in ids}) == 2

    def test_what_the_browser_brings_along_is_not_taken(self, world: World) -> None:
        browser = world.app.test_client()
        browser.set_cookie(SESSION, "fixed-by-an-attacker", domain="localhost")
        send(browser, **hidden_fields(browser.get("/sign-in")))

        assert cookie_value(browser, SESSION) != "fixed-by-an-attacker"
        attacker = world.app.test_client()
        attacker.set_cookie(SESSION, "fixed-by-an-attacker", domain="localhost")
        assert attacker.get("/signed-in").status_code == 303

    def test_neither_session_is_the_other(self, world: World) -> None:
        browser = signed_in(world)
        old = cookie_value(browser, SESSION)
        changes.new_user(world, "53461", "System2")
        page = browser.get("/sign-in")
        send(browser, **hidden_fields(page), username="System2", password="System2-password")

        other = world.app.test_client()
        other.set_cookie(SESSION, old, domain="localhost")
        assert "System1" in other.get("/signed-in").text
        assert "System2" in browser.get("/signed-in").text

    def test_the_cookie_is_for_this_server_alone(self, world: World) -> None:
        browser = world.app.test_client()
        answer = send(browser, **hidden_fields(browser.get("/sign-in")))

        attributes = set(cookies(answer)[SESSION].split("; "))
        assert {"HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=28800"} <= attributes
        assert "Secure" not in attributes  # over plain http a browser would drop it

    @pytest.mark.parametrize("cookie", ["", "x", "0" * 43, "é", "a\\000b"])
    def test_a_cookie_that_we_did_not_make(self, world: World, cookie: str) -> None:
        browser = world.app.test_client()
        browser.set_cookie(SESSION, cookie, domain="localhost")

        assert browser.get("/signed-in").headers["Location"] == "/sign-in"

    def test_its_stored_form_is_no_cookie(self, world: World) -> None:
        """CVE-2023-0264: part of one secret must not make another."""
        signed_in(world)
        row = world.rows("SELECT id, digest FROM sign_in_sessions")[0]
        for value in (row.id, row.digest):
            browser = world.app.test_client()
            browser.set_cookie(SESSION, value, domain="localhost")
            assert browser.get("/signed-in").headers["Location"] == "/sign-in"

    def test_it_ends_with_its_time(self, world: World) -> None:
        browser = signed_in(world)
        world.clock.advance(28_799)
        assert browser.get("/signed-in").status_code == 200
        world.clock.advance(1)

        assert browser.get("/signed-in").status_code == 303

    def test_it_ends_by_signing_out(self, world: World) -> None:
        browser = signed_in(world)
        changes.end_session(world, world.rows("SELECT id FROM sign_in_sessions")[0].id)

        assert browser.get("/signed-in").status_code == 303
        assert ask(world, browser).headers["Location"].startswith("/sign-in?")

    def test_it_ends_with_its_user(self, world: World) -> None:
        browser = signed_in(world)
        changes.disable_user(world)

        assert browser.get("/signed-in").status_code == 303
        assert ask(world, browser).headers["Location"].startswith("/sign-in?")

    def test_it_ends_with_its_account_for_good(self, world: World) -> None:
        browser = signed_in(world)
        changes.disable_account(world, "53461")
        changes.change(world, lambda c: c.exec_driver_sql("UPDATE accounts SET enabled = 1"))

        assert browser.get("/signed-in").status_code == 303

    def test_form_tokens_differ_by_purpose(self, world: World) -> None:
        runtime = world.runtime
        token = sign_in_service.csrf_token(runtime, "cookie", "/sign-in")

        assert sign_in_service.csrf_matches(runtime, token, "cookie", "/sign-in")
        assert not sign_in_service.csrf_matches(runtime, token, "cookie", "/other")
        assert not sign_in_service.csrf_matches(runtime, token, "other", "/sign-in")


OUTSIDE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "/\tevil",
    "/\n/evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "evil.example",
    "",
    "?x",
    "/é",
    "http:evil.example",
]


class TestWhereItLeads:
    """CVE-2026-5467, CVE-2026-27840 and their kin: no open redirect."""

    @pytest.mark.parametrize("target", OUTSIDE)
    def test_never_to_another_host(self, world: World, target: str) -> None:
        browser = world.app.test_client()
        page = browser.get("/sign-in", query_string={"continue": target})
        fields = hidden_fields(page)
        assert fields["continue"] == "/signed-in"

        answer = send(browser, **{**fields, "continue": target})

        assert answer.status_code == 400 or answer.headers["Location"] == "/signed-in"

    @pytest.mark.parametrize("target", OUTSIDE)
    def test_the_rule_itself(self, target: str) -> None:
        assert not is_local_path(target)

    def test_back_to_the_authorization_request(self, world: World) -> None:
        browser = world.app.test_client()
        page = browser.get(ask(world, browser).headers["Location"])

        answer = send(browser, **hidden_fields(page))

        assert answer.headers["Location"].startswith("/oauth2/authorize?client_id=crossroot-cli")
        assert is_page(browser.get(answer.headers["Location"]), 200)

    @pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x"])
    def test_another_content_type(self, world: World, content_type: str) -> None:
        answer = world.client.post("/sign-in", data="kind=iam", content_type=content_type)

        assert is_page(answer)


def test_over_https_the_cookies_are_the_hosts_alone(tmp_path: Path) -> None:
    """CVE-2024-28197: a cookie that subdomains could see and set."""
    world = build_world(tmp_path, issuer="https://id.example.com")
    browser = world.app.test_client()
    base = {"base_url": "https://id.example.com"}
    page = browser.get("/sign-in", **base)
    answer = browser.post(
        "/sign-in",
        data={
            **hidden_fields(page),
            **TYPED,
        },
        **base,
    )

    assert answer.status_code == 303
    set_now = cookies(answer)
    assert set_now.keys() == {f"__Host-{SESSION}", f"__Host-{FORM}"}
    for attributes in set_now.values():
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(attributes.split("; "))
        assert "Domain" not in attributes
    world.close()
