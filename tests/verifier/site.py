"""A web site for tests: the standard library's server, on a port of loopback."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.verifier.local_issuer import Issuer


@dataclass
class Page:
    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    dribble: bool = False


class Site:
    """An HTTP server on loopback. `pages` by path; `asked` has the paths that were asked for."""

    def __init__(self) -> None:
        site = self
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
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

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
