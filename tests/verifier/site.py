"""A web site for tests: the standard library's server, on a port of loopback."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.verifier.decision_point import CONFIGURATION, DecisionPoint
from tests.verifier.local_issuer import Issuer


@dataclass
class Page:
    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    dribble: bool = False


class Site:
    """An HTTP server on loopback. `pages` by path; `asked` has the paths that were asked for.

    What is sent to it goes to the decision point that it publishes, if any.
    """

    def __init__(self) -> None:
        site = self
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        self.point: DecisionPoint | None = None
        self._closing = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                page = site.pages.get(self.path, Page(status=404))
                self.send_response(page.status)
                for name, value in page.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    while page.dribble and not site._closing.wait(0.01):
                        self.wfile.write(b" ")
                    self.wfile.write(page.body)
                except ConnectionError:
                    pass  # the reader had enough

            def do_POST(self) -> None:
                site.asked.append(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                self.send_response(404 if site.point is None else 200)
                self.end_headers()
                if site.point is not None:
                    credentials = self.headers["Authorization"]
                    answer = site.point.answer(self.path, body, credentials)
                    self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def publish(self, issuer: Issuer) -> None:
        """Serve the documents of an issuer that lives here."""
        for url, body in issuer.documents().items():
            self.pages[url.removeprefix(self.url)] = Page(body)

    def publish_point(self, point: DecisionPoint) -> None:
        """Be a decision point that lives here."""
        self.point, point.url = point, self.url
        self.pages[CONFIGURATION] = Page(json.dumps(point.metadata()).encode())

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
