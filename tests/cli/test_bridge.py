"""Between granian and Flask: what cannot be provoked over a socket (see tests/e2e/test_serving)."""

from __future__ import annotations

import asyncio
import logging
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
