"""Between granian and Flask: what cannot be provoked over a socket (see tests/e2e/test_serving)."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.cli.bridge import Bridge, Headers


class RawHeaders:
    def __init__(self, *pairs: tuple[str, str]) -> None:
        self._pairs = list(pairs)

    def items(self) -> Headers:
        return self._pairs


@dataclass
class Scope:
    """What granian says of a request."""

    headers: RawHeaders
    method: str = "POST"
    path: str = "/caf\u00e9"
    query_string: str = "a=1"
    http_version: str = "1.1"
    scheme: str = "http"
    server: str = "[::1]:8000"
    client: str = "[2001:db8::7]:50000"


@dataclass
class Exchange:
    """Granian's side of a request."""

    body: bytes = b""
    answer: list[Any] = field(default_factory=list)

    async def __call__(self) -> bytes:
        return self.body

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        self.answer = [status, headers, body]


def ask(application: Any, exchange: Exchange, *headers: tuple[str, str]) -> list[Any]:
    async def run() -> None:
        bridge = Bridge(application, threads=1, max_body_bytes=100)
        scope: Any = Scope(RawHeaders(("host", "localhost"), *headers))
        await bridge.__rsgi__(scope, exchange)
        bridge.__rsgi_del__(asyncio.get_running_loop())

    asyncio.run(run())
    return exchange.answer


def test_the_environ_is_that_of_pep_3333() -> None:
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.update(environ, read=environ["wsgi.input"].read())
        start_response("201 Created", [("x", "1"), ("x", "2")])
        yield b"in "
        yield b"parts"

    headers = [
        ("content-type", "text/plain"),
        ("content-length", "4"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("accept", "text/html"),
        ("accept", "*/*"),
        ("x_real_ip", "192.0.2.1"),
        ("connection", "upgrade"),
        ("upgrade", "h2c"),
    ]
    answer = ask(application, Exchange(b"body"), *headers)

    assert answer == [201, [("x", "1"), ("x", "2")], b"in parts"]
    assert seen["read"] == b"body"
    texts = {name: value for name, value in seen.items() if isinstance(value, str)}
    assert texts == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/caf\u00c3\u00a9",
        "QUERY_STRING": "a=1",
        "SERVER_NAME": "::1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "2001:db8::7",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "4",
        "HTTP_HOST": "localhost",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_ACCEPT": "text/html,*/*",
        "wsgi.url_scheme": "http",
    }


def test_an_application_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """The details go to the log. A clean answer of its own is the application's first duty."""

    def application(_environ: object, _start_response: object) -> Iterable[bytes]:
        raise RuntimeError("the details")

    with caplog.at_level(logging.ERROR, "app.cli.bridge"):
        status, _, body = ask(application, Exchange())

    assert (status, body) == (500, b"Internal Server Error")
    assert "the details" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_an_application_that_ends_is_no_end_of_the_worker(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def application(_environ: object, _start_response: object) -> Iterable[bytes]:
        raise error

    with caplog.at_level(logging.ERROR, "app.cli.bridge"):
        assert ask(application, Exchange())[0] == 500

    assert "the application failed" in caplog.text


class TestTheLane:
    """Requests of some paths are answered together (see tests/cli/test_lane)."""

    def serve(self, application: Any, answer_together: Any, *paths: str) -> list[list[Any]]:
        """All of them at once, the answers in order."""

        async def run() -> list[list[Any]]:
            bridge = Bridge(
                application,
                threads=1,
                max_body_bytes=100,
                quick=lambda path, body: (path, body) == ("/quick", b"body"),
                answer_together=answer_together,
            )
            exchanges = [Exchange(b"body") for _ in paths]
            headers = RawHeaders(("host", "localhost"), ("content-length", "4"))
            scopes: list[Any] = [Scope(headers, path=path) for path in paths]
            await asyncio.gather(
                *(bridge.__rsgi__(*each) for each in zip(scopes, exchanges, strict=True))
            )
            bridge.__rsgi_del__(asyncio.get_running_loop())
            return [exchange.answer for exchange in exchanges]

        return asyncio.run(run())

    def test_some_paths_take_it_and_others_do_not(self) -> None:
        threads: dict[str, str] = {}

        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            threads[environ["PATH_INFO"]] = threading.current_thread().name
            start_response("200 OK", [])
            return [environ["PATH_INFO"].encode()]

        answers = self.serve(
            application, lambda asks: [each() for each in asks], "/quick", "/slow", "/quick/"
        )

        assert [body for _, _, body in answers] == [b"/quick", b"/slow", b"/quick/"]
        assert threads.pop("/quick") == "lane"
        assert not {"lane"} & set(threads.values())

    def test_a_request_that_is_asked_again_finds_its_body_again(self) -> None:
        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            body = environ["wsgi.input"].read()
            environ["left.behind"] = environ.get("left.behind", 0) + 1
            start_response("200 OK", [])
            return [body, b" %d" % environ["left.behind"]]

        def twice(asks: Any) -> list[Any]:
            for ask in asks:
                ask()
            return [ask() for ask in asks]

        assert self.serve(application, twice, "/quick") == [[200, [], b"body 1"]]

    def test_one_that_ends_takes_nobody_along(self) -> None:
        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/quick":
                raise SystemExit
            start_response("200 OK", [])
            return [b"well"]

        answers = self.serve(
            application, lambda asks: [each() for each in asks], "/quick", "/slow", "/quick"
        )

        assert [answer[0] for answer in answers] == [500, 200, 500]

    def test_a_turn_that_breaks(self, caplog: pytest.LogCaptureFixture) -> None:
        def broken(_asks: Any) -> list[Any]:
            raise SystemExit

        with caplog.at_level(logging.ERROR, "app.cli.bridge"):
            answers = self.serve(None, broken, "/quick")

        assert answers == [[500, [("content-type", "text/plain")], b"Internal Server Error"]]
        assert "SystemExit" in caplog.text

    def test_a_flood_is_told_to_come_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.cli.lane.MOST_WAITING", 0)

        [[status, headers, body]] = self.serve(None, lambda asks: [], "/quick")

        assert status == 503
        assert {("retry-after", "2"), ("cache-control", "no-store")} <= set(headers)
        assert json.loads(body)["error"] == "temporarily_unavailable"


def test_an_application_is_closed() -> None:
    closed = []

    class Chunks:
        def __iter__(self) -> Any:
            return iter([b"x"])

        def close(self) -> None:
            closed.append(True)

    def application(_environ: object, start_response: Any) -> Chunks:
        start_response("200 OK", [])
        return Chunks()

    assert ask(application, Exchange()) == [200, [], b"x"]
    assert closed == [True]


def test_a_body_of_another_length_than_was_said() -> None:
    status, headers, body = ask(None, Exchange(b"sho"), ("content-length", "5"))

    assert status == 400
    assert ("connection", "close") in headers
    assert b"the request body is not whole" in body
