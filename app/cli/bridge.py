"""Between granian and Flask: a request is let through whole, bounded and unambiguous, or not.

Granian's own WSGI interface would do with less code, but it copies the process environment
into every request, lets a client that sends its body slowly hold a thread for ever, takes a
body that broke off for a whole one, and merges headers that the client sent apart. So
we take its other interface (RSGI: raw headers, a body that is awaited) and build the WSGI
environ from the request alone. Threads only ever work on requests that have arrived.

Who reads a message's length how (RFC 9112 section 6):

- Granian's parser (hyper) answers 400 by itself to two different Content-Lengths, to a
  Transfer-Encoding that does not end in "chunked" or comes with HTTP/1.0, to folded headers and
  to spaces before a colon, and then closes the connection.
- Of Content-Length *and* Transfer-Encoding it follows the latter and throws the former away,
  so that we cannot see it. Therefore every connection that brought a Transfer-Encoding is closed
  after its answer (section 6.1 demands it): whatever another reader would have taken for the
  next request is never read. A transfer coding besides "chunked" is refused.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import time
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from granian.rsgi import ProtocolClosed, Scope  # type: ignore[attr-defined]

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

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None: ...


class Bridge:
    """An RSGI application that answers with a WSGI application, in a fixed number of threads."""

    def __init__(
        self,
        application: WSGIApplication,
        *,
        threads: int,
        max_body_bytes: int,
        body_within: float = BODY_WITHIN,
        log_access: bool = False,
    ) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, "request")
        self._max_body_bytes = max_body_bytes
        self._body_within = body_within
        self._log_access = log_access

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request. Nothing that it brings can raise."""
        started = time.perf_counter()
        headers: Headers = scope.headers.items()
        must_close = any(name == "transfer-encoding" for name, _ in headers)
        try:
            _check(headers, scope.http_version)
            body, is_whole = await self._read(headers, exchange)
            must_close = must_close or not is_whole
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._pool, self._run, scope, headers, body)
        except Refusal as refusal:
            must_close, answer = True, refusal.answer()
        if must_close:
            answer.headers = [*answer.headers, ("connection", "close")]
        exchange.response_bytes(answer.status, answer.headers, answer.body)
        if self._log_access:
            _log(scope, answer.status, time.perf_counter() - started)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """The worker stops: granian has waited for the requests by now."""
        self._pool.shutdown()

    async def _read(self, headers: Headers, exchange: Exchange) -> tuple[Body, bool]:
        """The body, and whether that is all of it. Raises `Refusal`."""
        names = dict(headers)
        if "content-length" not in names and "transfer-encoding" not in names:
            return Body(b"", None), True
        length = names.get("content-length")
        if length is not None and int(length) > self._max_body_bytes:
            # The application refuses it by its length, in the words of its own protocol.
            return Body(b"", int(length)), False
        received = bytearray()
        try:
            async with asyncio.timeout(self._body_within):
                async for chunk in exchange:
                    received += chunk
                    if len(received) > self._max_body_bytes:
                        return Body(b"", len(received)), False
        except TimeoutError:
            raise Refusal(408, "the request body did not arrive in time") from None
        except ProtocolClosed:
            raise Refusal(400, "the request body is not whole") from None
        if length is not None and len(received) != int(length):
            raise Refusal(400, "the request body is not whole")
        return Body(bytes(received), len(received)), True

    def _run(self, scope: Scope, headers: Headers, body: Body) -> Answer:
        answer = Answer()
        chunks: Iterable[bytes] = ()
        try:
            chunks = self._application(_environ(scope, headers, body), answer.start)
            answer.body = b"".join(chunks)
        except Exception:
            logger.exception("the application failed at %s", quote(scope.path))
            return Answer(500, [("content-type", "text/plain")], b"Internal Server Error")
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return answer


@dataclass(frozen=True)
class Body:
    """`length` is what the application is told: more than `content` where that was not read."""

    content: bytes
    length: int | None


def _check(headers: Headers, http_version: str) -> None:
    """Refuse what two readers could understand differently. Raises `Refusal`."""
    seen = [name for name, _ in headers if name in _SINGLE]
    for name in _SINGLE:
        if seen.count(name) > 1:
            raise Refusal(400, f"the header {name} comes more than once")
    if http_version == "1.1" and "host" not in seen:
        raise Refusal(400, "the header host is missing")
    codings = [value for name, value in headers if name == "transfer-encoding"]
    if codings and [coding.strip().lower() for coding in codings] != ["chunked"]:
        raise Refusal(400, "the only transfer coding served here is chunked")


def _environ(scope: Scope, headers: Headers, body: Body) -> dict[str, Any]:
    """The environ of WSGI (PEP 3333), made of the request and of nothing else."""
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
        "wsgi.input": io.BytesIO(body.content),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if body.length is not None:
        environ["CONTENT_LENGTH"] = str(body.length)
    for name, value in headers:
        # With an underscore it would pass for another header: `X_Real_IP` for `X-Real-IP`.
        if "_" in name or name in _HOP_BY_HOP or name in ("content-length", "transfer-encoding"):
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
