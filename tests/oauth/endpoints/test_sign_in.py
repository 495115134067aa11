"""The sign-in page: one form, and one answer for every failure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.tokens.secrets import PasswordHasher
from tests.support import changes
from tests.support.browser import cookie_value, cookies, hidden_fields, is_page, signed_in
from tests.support.observation import (
    break_store,
    bytes_on_disk,
    grown,
    newest_event,
    row_counts,
    statements,
)
from tests.support.world import World

SESSION = "crossroot_session"
A, B = "root-a@example.com", "root-b@example.com"


def sign_in(world: World, browser: FlaskClient | None = None, **fields: str) -> TestResponse:
    """Fill in the form and send it; nothing is followed."""
    browser = browser or world.app.test_client()
    page = browser.get("/sign-in")
    typed = {
        "kind": "iam",
        "root_email": A,
        "username": "System1",
        "password": "System1-password",
        **fields,
    }
    return browser.post("/sign-in", data={**hidden_fields(page), **typed})


class TestThePage:
    def test_it_is_one_form(self, world: World) -> None:
        page = world.client.get("/sign-in")

        assert is_page(page, 200)
        assert page.text.count("<form") == 1
        for name in ("kind", "root_email", "username", "password", "csrf_token"):
            assert f'name="{name}"' in page.text

    def test_it_loads_nothing_from_elsewhere_and_cannot_be_framed(self, world: World) -> None:
        headers = world.client.get("/sign-in").headers

        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "form-action 'self';" in policy
        assert "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"

    def test_it_may_lead_to_the_client_that_asked(self, world: World) -> None:
        """Browsers hold the redirects after a form to the page's `form-action`."""
        asked = "/oauth2/authorize?client_id=crossroot-cli&redirect_uri=http://127.0.0.1:5/callback"
        page = world.client.get("/sign-in", query_string={"continue": asked})

        assert "form-action 'self' http://127.0.0.1:5;" in page.headers["Content-Security-Policy"]

    @pytest.mark.parametrize(
        "asked",
        [
            "/oauth2/authorize?client_id=crossroot-cli&redirect_uri=https://evil.example/",
            "/oauth2/authorize?client_id=nobody&redirect_uri=http://127.0.0.1:5/callback",
            "/other?client_id=crossroot-cli&redirect_uri=http://127.0.0.1:5/callback",
        ],
    )
    def test_it_may_not_lead_to_anybody_else(self, world: World, asked: str) -> None:
        page = world.client.get("/sign-in", query_string={"continue": asked})

        assert "form-action 'self';" in page.headers["Content-Security-Policy"]

    def test_what_was_typed_is_shown_again_but_never_the_password(self, world: World) -> None:
        page = sign_in(world, username='"><script>alert(1)</script>', password="my-own-secret")

        assert page.status_code == 401
        assert "&lt;script&gt;" in page.text
        assert "<script>" not in page.text
        assert "my-own-secret" not in page.text


class TestSuccess:
    def test_an_iam_user(self, world: World) -> None:
        answer = sign_in(world)

        assert (answer.status_code, answer.headers["Location"]) == (303, "/signed-in")
        event = newest_event(world)
        assert (event.event, event.actor_id) == ("session:sign-in", world.user_id)

    def test_a_root_user(self, world: World) -> None:
        answer = sign_in(world, kind="root", username="", password="root-a-password")

        assert answer.status_code == 303
        assert newest_event(world).actor_type == "root-user"

    @pytest.mark.parametrize(
        ("email", "username"),
        [("ROOT-A@EXAMPLE.COM", "System1"), (" root-a@example.com ", "SYSTEM1"), (A, "system1")],
    )
    def test_spelling_does_not_matter(self, world: World, email: str, username: str) -> None:
        """CVE-2025-6004, CVE-2025-24806: two spellings must not be two users."""
        assert sign_in(world, root_email=email, username=username).status_code == 303

    def test_it_is_remembered(self, world: World) -> None:
        page = signed_in(world).get("/signed-in")

        assert "System1" in page.text
        assert "53461" in page.text


def no_such_mail(world: World) -> dict[str, str]:
    return {"root_email": "nobody@example.com"}


def no_such_user(world: World) -> dict[str, str]:
    return {"username": "Nobody1"}


def wrong_password(world: World) -> dict[str, str]:
    return {"password": "another-password"}


def empty_password(world: World) -> dict[str, str]:
    return {"password": ""}


def long_password(world: World) -> dict[str, str]:
    return {"password": "p" * 2000}


def another_account(world: World) -> dict[str, str]:
    return {"root_email": B}


def users_password_as_root(world: World) -> dict[str, str]:
    return {"kind": "root"}


def roots_password_as_user(world: World) -> dict[str, str]:
    return {"password": "root-a-password"}


def disabled_user(world: World) -> dict[str, str]:
    changes.disable_user(world)
    return {}


def disabled_account(world: World) -> dict[str, str]:
    changes.disable_account(world, "53461")
    return {}


def disabled_root(world: World) -> dict[str, str]:
    changes.disable_account(world, "53461")
    return {"kind": "root", "password": "root-a-password"}


CAUSES = [
    no_such_mail,
    no_such_user,
    wrong_password,
    empty_password,
    long_password,
    another_account,
    users_password_as_root,
    roots_password_as_user,
    disabled_user,
    disabled_account,
    disabled_root,
]


def without_what_was_typed(page: TestResponse) -> str:
    """The page without the values of its fields, which are the person's own."""
    return re.sub(r'(value="[^"]*"| checked)', "", page.text)


class TestFailure:
    @pytest.mark.parametrize("cause", CAUSES)
    def test_one_answer_for_every_cause(self, world: World, cause: Any) -> None:
        expected = sign_in(world, root_email="x@example.com", username="Reference")
        page = sign_in(world, **cause(world))

        assert page.status_code == expected.status_code == 401
        assert without_what_was_typed(page) == without_what_was_typed(expected)
        assert list(page.headers.keys()) == list(expected.headers.keys())
        assert SESSION not in cookies(page)

    @pytest.mark.parametrize("cause", CAUSES)
    def test_the_same_work_for_every_cause(self, world: World, cause: Any) -> None:
        """CVE-2025-31124 and its kin: neither time nor tables tell who exists."""
        hashed = []

        class Counting(PasswordHasher):
            def _compare(self, encoded: str, data: bytes) -> bool:
                hashed.append(len(encoded))
                return super()._compare(encoded, data)

        object.__setattr__(world.runtime, "passwords", Counting(bytes, memory_kib=8, passes=1))
        fields = cause(world)
        before = row_counts(world)
        with statements(world) as seen:
            page = sign_in(world, **fields)

        assert page.status_code == 401
        assert len(hashed) == 1
        # Who it is, and whether that user signed in from here before.
        assert sum(each.startswith("SELECT") for each in seen) == 2
        assert grown(before, row_counts(world)) == {"failure_counts": 1}

    def test_failures_are_counted_and_not_kept_one_by_one(self, world: World) -> None:
        for _ in range(3):
            sign_in(world, password="wrong")

        rows = world.rows("SELECT kind, count FROM failure_counts")
        assert [tuple(row) for row in rows] == [("sign-in:iam", 3)]
        assert "session:sign-in" not in [
            row.event for row in world.rows("SELECT event FROM audit_events")
        ]


class TestWhatIsKept:
    def test_no_password_and_no_cookie(
        self, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        browser = signed_in(world)
        sign_in(world, password="typed-in-error")

        session = cookie_value(browser, SESSION)
        written = bytes_on_disk(tmp_path)
        for secret in ("System1-password", "typed-in-error", session):
            assert secret.encode() not in written
            assert secret not in caplog.text

    def test_a_store_that_fails(self, world: World) -> None:
        break_store(world, "audit_events")

        page = sign_in(world)

        assert is_page(page, 503)
        assert page.headers["Retry-After"] == "2"
        assert SESSION not in cookies(page)
        assert world.rows("SELECT id FROM sign_in_sessions") == []

    def test_a_store_that_is_gone(self, world: World) -> None:
        browser = signed_in(world)
        for table in ("oauth_clients", "sign_in_sessions", "failure_counts"):
            world.runtime.database.write(
                lambda c, name=table: c.exec_driver_sql(f"ALTER TABLE {name} RENAME TO gone_{name}")
            )

        asked = {"continue": "/oauth2/authorize?client_id=crossroot-cli"}
        for answer in (
            browser.get("/sign-in", query_string=asked),
            browser.get("/signed-in"),
            sign_in(world, password="wrong"),
            browser.get("/oauth2/authorize", query_string={"client_id": "x"}),
        ):
            assert is_page(answer, 503), answer.text
            assert answer.headers["Retry-After"] == "2"
