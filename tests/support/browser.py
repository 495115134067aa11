"""A person at a browser: pages, forms and redirects of the OAuth door."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.world import CALLBACK, World, authorization_query, redirect_parameters

ISSUER = "http://127.0.0.1:8000"


def ask(world: World, browser: FlaskClient | None = None, **query: Any) -> TestResponse:
    """An authorization request of the command line client, changed as told."""
    client = browser or world.client
    return client.get("/oauth2/authorize", query_string=authorization_query(**query))


def is_page(answer: TestResponse, status: int = 400) -> bool:
    """Whether this is a page of ours that sends nobody anywhere."""
    return (
        answer.status_code == status
        and "Location" not in answer.headers
        and "Refresh" not in answer.headers
        and answer.content_type == "text/html; charset=utf-8"
        and "http-equiv" not in answer.text
        and answer.headers["Cache-Control"] == "no-store"
    )


def error_at_client(answer: TestResponse, callback: str = CALLBACK) -> str:
    """The error code that the client gets, having seen that the answer is complete."""
    assert answer.headers["Location"].startswith(callback + "?")
    parameters = redirect_parameters(answer)
    assert parameters["state"] == "a-state"
    assert parameters["iss"] == ISSUER
    assert "code" not in parameters
    assert parameters["error_description"].isascii()
    return parameters["error"]


def hidden_fields(page: TestResponse, form: int = 0) -> dict[str, str]:
    """What a form of the page sends without anybody typing."""
    forms = BeautifulSoup(page.text, "html.parser").find_all("form")
    return {
        str(item["name"]): str(item.get("value", ""))
        for item in forms[form].find_all("input", type="hidden")
    }


def signed_in(world: World, username: str | None = "System1") -> FlaskClient:
    """A browser whose person has signed in."""
    browser = world.app.test_client()
    answer = world.sign_in(browser, browser.get("/sign-in"), username=username)
    assert answer.status_code == 200
    assert answer.request.path == "/signed-in"
    return browser


def cookies(answer: TestResponse) -> dict[str, str]:
    """The cookies that an answer sets: their names, and the attributes of each."""
    return {
        line.partition("=")[0]: line.partition(";")[2].strip()
        for line in answer.headers.getlist("Set-Cookie")
    }


def cookie_value(browser: FlaskClient, name: str) -> str:
    found = browser.get_cookie(name, domain="localhost")
    assert found is not None
    return found.value
