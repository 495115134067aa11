"""Between granian and Flask: a request is let through whole, bounded and unambiguous, or not.

Granian's own WSGI interface would do with less code, but it copies the process environment
into every request, lets a client that sends its body slowly hold a thread for ever, takes a
body that broke off for a whole one, and merges headers that the client sent apart. So
we take its other interface (RSGI: raw headers, a body that is awaited) and build the WSGI
environ from the request alone. Threads only ever work on requests that have arrived.

Where a request ends (RFC 9112 section 6): at its Content-Length, and nowhere else. Granian's
parser (hyper) answers 400 by itself to two different lengths, to a Transfer-Encoding that does
not end in "chunked" or comes with HTTP/1.0, to folded headers and to a space before a colon. Of
Content-Length *and* Transfer-Encoding it follows the latter and throws the former away, so that
we cannot see that there were both. Therefore each request with a Transfer-Encoding is refused,
before its body is read, and its connection is closed: whatever another reader would have taken
for the next request is never looked at. Section 6.3 allows it, clients of token endpoints know
the length of what they send, and proxies that collect a body before they pass it on say it.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from granian.rsgi import ProtocolClosed, Scope  # type: ignore[attr-defined]

from app.cli.lane import AnswerTogether, Lane, LaneFull, TurnFailed

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: Seconds in which a whole body has to come. Ours have a few hundred bytes.
BODY_WITHIN = 10.0
#: A second one of these would be read by us, or by a proxy, in another way than the first.
_SINGLE = frozenset({"authorization", "content-length", "content-type", "host"})
#: They speak of the connection and the framing, which end here.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "upgrade"})

Headers = list[tuple[str, str]]

logger = logging.getLogger(__name__)
access = logging.getLogger("app.access")


class Refusal(Exception):
    """A request that no application should see. Its connection is closed after the answer."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status

    def answer(self) -> Answer:
        text = f'{{"error": "invalid_request", "error_description": "{self}"}}'
        headers = [("content-type", "application/json"), ("cache-control", "no-store")]
        return Answer(self.status, headers, text.encode("ascii"))


@dataclass
class Answer:
    status: int = 500
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def start(self, status: str, headers: Headers, exc_info: Any = None) -> Any:
        """The `start_response` of WSGI (PEP 3333). Nothing is sent before the answer is whole."""
        self.status, self.headers = int(status[:3]), headers
        return None


class Exchange(Protocol):
    """Granian's side of one request: the body to read, and where the answer goes."""

    async def __call__(self) -> bytes: ...

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None: ...


def _nothing() -> None:
    """What there is to do at the end, where nobody says."""


def _never(_path: str, _body: bytes) -> bool:
    return False


class Bridge:
    """An RSGI application that answers with a WSGI application, in a fixed number of threads.

    Requests that are `quick`, by path and body, share one more (`app.cli.lane`), where
    `answer_together` is given.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        threads: int,
        max_body_bytes: int,
        body_within: float = BODY_WITHIN,
        log_access: bool = False,
        quick: Callable[[str, bytes], bool] = _never,
        answer_together: AnswerTogether[Answer] | None = None,
        at_end: Callable[[], None] = _nothing,
    ) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, "request")
        self._quick = quick
        self._lane = None if answer_together is None else Lane(answer_together)
        self._max_body_bytes = max_body_bytes
        self._body_within = body_within
        self._log_access = log_access
        self._at_end = at_end

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request. Nothing that it brings can raise."""
        started = time.perf_counter()
        headers: Headers = scope.headers.items()
        try:
            length = _check(headers, scope.http_version)
            is_read = length <= self._max_body_bytes
            body = await self._read(exchange, length) if length and is_read else b""
            environ = _environ(scope, headers, body, length)
            if self._lane is not None and self._quick(scope.path, body):
                answer = await self._lane.ask(partial(self._run, environ))
            else:
                loop = asyncio.get_running_loop()
                answer = await loop.run_in_executor(self._pool, self._run, environ)
        except Refusal as refusal:
            is_read, answer = False, refusal.answer()
        except LaneFull:
            answer = _busy()
        except TurnFailed:
            logger.exception("no answer at %s", quote(scope.path))
            answer = _failed()
        if not is_read:
            answer.headers = [*answer.headers, ("connection", "close")]
        exchange.response_bytes(answer.status, answer.headers, answer.body)
        if self._log_access:
            _log(scope, answer.status, time.perf_counter() - started)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """The worker stops: granian has waited for the requests by now."""
        self._pool.shutdown()
        if self._lane is not None:
            self._lane.stop()
        try:
            self._at_end()
        except Exception:
            logger.exception("what was kept in memory could not be written at the end")

    async def _read(self, exchange: Exchange, length: int) -> bytes:
        """The whole body. Raises `Refusal`."""
        try:
            async with asyncio.timeout(self._body_within):
                body = await exchange()
        except TimeoutError:
            raise Refusal(408, "the request body did not arrive in time") from None
        except ProtocolClosed:
            raise Refusal(400, "the request body is not whole") from None
        if len(body) != length:
            raise Refusal(400, "the request body is not whole")
        return body

    def _run(self, environ: dict[str, Any]) -> Answer:
        # Read anew where the request is asked once more (`app.storage.held_writes`).
        environ = {**environ, "wsgi.input": io.BytesIO(environ["crossroot.body"])}
        answer = Answer()
        chunks: Iterable[bytes] = ()
        try:
            chunks = self._application(environ, answer.start)
            answer.body = b"".join(chunks)
        except BaseException:
            # No request ends the thread, the loop or its turn.
            logger.exception("the application failed at %s", quote(environ["PATH_INFO"]))
            return _failed()
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return answer


def _failed() -> Answer:
    return Answer(500, [("content-type", "text/plain")], b"Internal Server Error")


def _busy() -> Answer:
    text = (
        b'{"error": "temporarily_unavailable", "error_description": "the server has too much to do;'
        b' nothing was changed"}'
    )
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    return Answer(503, [*headers, ("retry-after", "2")], text)


def _check(headers: Headers, http_version: str) -> int:
    """The length of the body, if there is only one way to read the request. Raises `Refusal`."""
    names = [name for name, _ in headers]
    if "transfer-encoding" in names:
        raise Refusal(400, "a body comes with its Content-Length, and without Transfer-Encoding")
    for name in _SINGLE:
        if names.count(name) > 1:
            raise Refusal(400, f"the header {name} comes more than once")
    if http_version == "1.1" and "host" not in names:
        raise Refusal(400, "the header host is missing")
    # Digits alone: hyper has refused anything else.
    return next((int(value) for name, value in headers if name == "content-length"), 0)


def _environ(scope: Scope, headers: Headers, body: bytes, length: int) -> dict[str, Any]:
    """The environ of WSGI (PEP 3333), made of the request and of nothing else.

    A body that is longer than allowed has been left unread. The application still learns its
    length, and refuses it in the words of its own protocol.
    """
    host, port = _address(scope.server)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": _as_latin1(scope.path),
        "QUERY_STRING": _as_latin1(scope.query_string),
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": _address(scope.client)[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "crossroot.body": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if length:
        environ["CONTENT_LENGTH"] = str(length)
    for name, value in headers:
        # With an underscore it would pass for another header: `X_Real_IP` for `X-Real-IP`.
        if "_" in name or name in _HOP_BY_HOP or name == "content-length":
            continue
        key = "CONTENT_TYPE" if name == "content-type" else f"HTTP_{name.upper()}".replace("-", "_")
        separator = "; " if name == "cookie" else ","
        environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
    return environ


def _as_latin1(text: str) -> str:
    """What PEP 3333 calls a native string: one character for each byte."""
    return text.encode("utf-8").decode("latin-1")


def _address(text: str) -> tuple[str, str]:
    """Host and port of `127.0.0.1:8000` or `[::1]:8000`."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), port


def _log(scope: Scope, status: int, seconds: float) -> None:
    """One line, never with the query string: codes and form tokens travel in it."""
    client, path = _address(scope.client)[0], quote(scope.path)
    access.info('%s "%s %s" %d %.1f ms', client, scope.method, path, status, seconds * 1000)
