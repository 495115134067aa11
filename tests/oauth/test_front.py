"""In front of Flask, and the same as behind it: each request is sent to both."""

from __future__ import annotations

import functools
import io
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import Conflict
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app.oauth import client_auth
from tests.support.world import CLI, World, basic

FORM = "application/x-www-form-urlencoded"
#: What two answers to the same request need not have in common.
_OWN = ("access_token", "decision_id")


@dataclass(frozen=True)
class Heard:
    """An answer as it goes to the bridge."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def comparable(self) -> tuple[str, list[tuple[str, str]], Any]:
        body: Any = self.body
        if self.body and ("Content-Type", "application/json") in self.headers:
            body = {name: "its own" if name in _OWN else value for name, value in self.json.items()}
        return self.status, self.headers, body


def say(application: Any, environ: dict[str, Any]) -> Heard:
    chunks, status, headers = run_wsgi_app(application, environ)
    return Heard(status, list(headers), b"".join(chunks))


class Both:
    """Sends a request to the application, and to Flask alone."""

    def __init__(self, app: Flask) -> None:
        self._doors = (app.wsgi_app, functools.partial(Flask.wsgi_app, app))

    def __call__(self, **request: Any) -> Heard:
        fields: dict[str, Any] = {"path": "/oauth2/token", "method": "POST", **request}
        change: Callable[[dict[str, Any]], object] = fields.pop("change", lambda environ: None)
        heard = []
        for door in self._doors:
            environ = EnvironBuilder(**fields).get_environ()
            change(environ)
            heard.append(say(door, environ))
        assert heard[0].comparable() == heard[1].comparable()
        return heard[0]


@pytest.fixture
def both(world: World) -> Both:
    return Both(world.app)


def credentials(world: World) -> dict[str, str]:
    return {"Authorization": basic(world.client_id, world.client_secret)}


def asks(**form: str) -> dict[str, Any]:
    return {"data": {"grant_type": "client_credentials", **form}}


class TestTheSameAnswer:
    def test_a_token(self, world: World, both: Both) -> None:
        heard = both(**asks(), headers=credentials(world))

        assert heard.status == "200 OK"
        assert dict(heard.headers) == {
            "Content-Type": "application/json",
            "Content-Length": str(len(heard.body)),
            "Cache-Control": "no-store",
            "Pragma": "no-cache",
            "X-Content-Type-Options": "nosniff",
        }

    def test_a_denial(self, world: World, both: Both, token: str) -> None:
        heard = both(
            data={
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "client_id": CLI,
                "subject_token": token,
                "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "requested_subject": "sa-none",
            }
        )

        assert heard.status == "400 BAD REQUEST"
        assert heard.json["error"] == "invalid_target"

    def test_no_client(self, both: Both) -> None:
        heard = both(**asks(client_id="nobody"))

        assert heard.status == "401 UNAUTHORIZED"
        assert dict(heard.headers)["WWW-Authenticate"].startswith("Basic ")

    @pytest.mark.parametrize(
        "request_",
        [
            {},
            {"data": b"grant_type=a&grant_type=b", "content_type": FORM},
            {"data": b"\xff", "content_type": FORM},
            {"data": b"{}", "content_type": "application/json"},
            {"data": b"x", "content_type": f"{FORM}; charset=latin-1"},
            {"data": b"x" * 100, "content_type": "multipart/form-data"},
            {**asks(), "headers": {"Host": "evil.example:99999"}},
            {**asks(), "headers": {"Host": "a b"}},
            {**asks(), "headers": {"Cookie": "session=x; crossroot_session=y"}},
            {**asks(), "headers": {"X-Forwarded-For": "192.0.2.1"}},
            {**asks(), "headers": {"Authorization": "Basic !"}},
            {**asks(), "headers": {"X-HTTP-Method-Override": "GET"}},
            {**asks(), "headers": {"Transfer-Encoding": "chunked"}},
            {**asks(), "headers": {"Accept": "text/html"}},
            {**asks(), "query_string": "grant_type=other&client_id=nobody"},
            {**asks(), "change": lambda environ: environ.update(SCRIPT_NAME="/below")},
            {**asks(), "change": lambda environ: environ.update(CONTENT_LENGTH="nonsense")},
            {**asks(), "change": lambda environ: environ.update(CONTENT_LENGTH="-1")},
            {**asks(), "change": lambda environ: environ.pop("CONTENT_LENGTH", None)},
        ],
    )
    def test_what_is_no_good_request(self, both: Both, request_: dict[str, Any]) -> None:
        assert both(**request_).status[:3] in ("400", "401")

    @pytest.mark.parametrize("length", [64 * 1024, 64 * 1024 + 1])
    @pytest.mark.parametrize("is_sent", [True, False])
    def test_the_longest_body(self, both: Both, length: int, is_sent: bool) -> None:
        """The bridge leaves a longer one unread, and says how long it would have been."""

        def announce(environ: dict[str, Any]) -> None:
            environ.update(CONTENT_LENGTH=str(length), CONTENT_TYPE=FORM)
            environ["wsgi.input"] = io.BytesIO(b"x" * length if is_sent else b"")

        heard = both(change=announce)

        assert heard.status == "400 BAD REQUEST"
        assert (b"too large" in heard.body) == (length > 64 * 1024)

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "post"])
    def test_other_methods(self, both: Both, method: str) -> None:
        def as_sent(environ: dict[str, Any]) -> None:
            environ["REQUEST_METHOD"] = method

        heard = both(**asks(), change=as_sent)

        if method == "OPTIONS":
            assert heard.status == "200 OK"
        elif method == "post":
            assert heard.json["error"] == "invalid_client"
        else:
            assert heard.status == "405 METHOD NOT ALLOWED"
            assert dict(heard.headers)["Allow"] in ("POST, OPTIONS", "OPTIONS, POST")

    @pytest.mark.parametrize("path", ["/oauth2/token/", "/oauth2//token", "/oauth2/Token", "/", ""])
    def test_other_paths(self, both: Both, path: str) -> None:
        def as_sent(environ: dict[str, Any]) -> None:
            environ["PATH_INFO"] = path

        assert both(**asks(), change=as_sent).status[:3] == "404"


class TestErrors:
    def test_an_unexpected_one_is_logged_and_not_told(
        self,
        both: Both,
        world: World,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError("the details")

        monkeypatch.setattr(client_auth, "authenticate", broken)

        with caplog.at_level(logging.ERROR):
            heard = both(**asks(), headers=credentials(world))

        assert heard.status == "500 INTERNAL SERVER ERROR"
        assert heard.json["error"] == "server_error"
        assert b"details" not in heard.body
        assert ("X-Content-Type-Options", "nosniff") in heard.headers
        front_record, flask_record = caplog.records
        assert front_record.getMessage() == flask_record.getMessage()
        assert "'/oauth2/token'" in front_record.getMessage()
        assert caplog.text.count("ZeroDivisionError: the details") == 2

    def test_one_of_http(self, both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
        def conflict(*_: object, **__: object) -> None:
            raise Conflict("the details")

        monkeypatch.setattr(client_auth, "authenticate", conflict)

        heard = both(**asks(client_id="x"))

        assert heard.status == "409 CONFLICT"
        assert heard.json == {"error": "invalid_request", "error_description": "Conflict"}

    def test_the_end_of_the_interpreter_is_not_an_answer(
        self, both: Both, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def ends(*_: object, **__: object) -> None:
            raise SystemExit

        monkeypatch.setattr(client_auth, "authenticate", ends)

        with pytest.raises(SystemExit):
            both(**asks(client_id="x"))


def test_the_hot_path_makes_no_context_of_flasks(world: World) -> None:
    """That is what the front is for."""
    entered: list[str] = []
    world.app.before_request(lambda: entered.append("flask"))

    assert world.machine_token().status_code == 200
    assert entered == []
    assert world.client.get("/healthz").status_code == 200
    assert entered == ["flask"]
