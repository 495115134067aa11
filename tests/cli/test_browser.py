"""The browser without a window, among servers that mean no good."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest

from app.cli.browser import Browser
from app.cli.errors import CannotDo
from app.cli.login import Credentials, sign_in
from tests.support.processes import free_port

CREDENTIALS = Credentials("root@example.com", "System1", "the password")
CALLBACK = "http://127.0.0.1:1/callback"
FORM = '<form action="{}"><input name="password" type="password"></form>'


@dataclass
class Site:
    """Answers with what `pages` has for a path: a page, or where to go (`-> URL`)."""

    pages: dict[str, str] = field(default_factory=dict)
    posted: list[dict[str, list[str]]] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> Site:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = site.pages.get(self.path, "")
                where = page.removeprefix("-> ")
                self.send_response(200 if where == page else 303)
                if where != page:
                    self.send_header("Location", where)
                body = page.encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                site.posted.append(parse_qs(self.rfile.read(length).decode()))
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


@pytest.fixture
def other() -> Iterator[Site]:
    with Site() as running:
        yield running


def go(site: Site) -> dict[str, str]:
    return sign_in(Browser(site.url), f"{site.url}/start", CALLBACK, CREDENTIALS)


def test_from_page_to_page(site: Site) -> None:
    site.pages = {
        "/start": "-> /sign-in",
        "/sign-in": FORM.format("/check"),
        "/check": f"-> {CALLBACK}?code=c&state=s",
    }

    assert go(site) == {"code": "c", "state": "s"}
    assert site.posted == [
        {
            "kind": ["iam"],
            "root_email": ["root@example.com"],
            "username": ["System1"],
            "password": ["the password"],
        }
    ]


@pytest.mark.parametrize("way", ["-> {}/sign-in", FORM.format("{}/check")])
def test_a_password_goes_to_the_server_that_it_is_for(site: Site, other: Site, way: str) -> None:
    site.pages = {"/start": way.format(other.url)}
    other.pages = {"/sign-in": FORM.format("/check")}

    with pytest.raises(CannotDo, match=f"sends us to another server, {other.url}"):
        go(site)
    assert other.posted == []


def test_a_callback_is_ours_only_by_the_letter(site: Site) -> None:
    site.pages = {"/start": f"-> {CALLBACK}-of-somebody?code=c"}

    with pytest.raises(CannotDo, match="sends us to another server"):
        go(site)


def test_in_circles(site: Site) -> None:
    site.pages = {"/start": "-> /start"}

    with pytest.raises(CannotDo, match="goes round in circles"):
        go(site)


def test_a_page_without_a_form_that_we_know(site: Site) -> None:
    site.pages = {"/start": '<input name="password"><form><input name="colour"></form>'}

    with pytest.raises(CannotDo, match="/start answered 200 with a page that cannot be filled in"):
        go(site)


@pytest.mark.parametrize("text", ["", "[]", "<html>"])
def test_json_that_is_none(site: Site, text: str) -> None:
    site.pages = {"/start": text}

    with pytest.raises(CannotDo, match="answered 200 without a JSON object"):
        Browser(site.url).get(f"{site.url}/start").json()


def test_no_proxy_is_asked_for_our_own_machine(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    site.pages = {"/start": "here"}

    assert Browser(site.url).get(f"{site.url}/start").text == "here"
