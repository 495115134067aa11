"""Receiving the answer of an authorization server on loopback (RFC 8252 section 7.3)."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlsplit

from app.cli.errors import CannotDo

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Crossroot</title>
<p>{}</p>
</html>
"""
_DONE = "Signed in. You can close this page and go back to the terminal."
_REFUSED = "The sign-in was refused. Go back to the terminal."
_NOT_OURS = "This answer does not belong to a sign-in that is under way."


class Receiver:
    """Listens on a free port of 127.0.0.1 for one answer that carries our `state`."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._answer: dict[str, str] | None = None
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/callback"

    def wait(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> dict[str, str]:
        """The parameters of the answer. Raises `CannotDo` where none comes in time."""
        deadline = clock() + seconds
        while self._answer is None:
            self._server.timeout = deadline - clock()
            if self._server.timeout <= 0:
                raise CannotDo(f"nobody signed in within {seconds:g} seconds")
            self._server.handle_request()
        return self._answer

    def close(self) -> None:
        self._server.server_close()

    def _take(self, path: str) -> str | None:
        """The words for the page; None for what is no answer to us: anybody can call here."""
        parts = urlsplit(path)
        parameters = dict(parse_qsl(parts.query))
        state = parameters.get("state", "")
        if parts.path != "/callback" or not hmac.compare_digest(
            state.encode(), self._state.encode()
        ):
            return None
        self._answer = parameters
        return _DONE if "code" in parameters else _REFUSED

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                words = take(self.path)
                body = _PAGE.format(words or _NOT_OURS).encode()
                self.send_response(400 if words is None else 200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Security-Policy", "default-src 'none'")
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: the code is in the request line."""

        return Handler
