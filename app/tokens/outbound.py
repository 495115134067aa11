"""Fetching a document from where a tenant says it is, without being led astray.

The name is looked up once, every address that it has must be public (`app.domain.outbound`), and
the connection goes to an address that was looked at: a name that changes its mind in between
gains nothing. No redirect is followed, no proxy of the environment is asked.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from app.domain.outbound import is_public, problem_of

#: Bytes; ten keys of the largest kind are a third of it.
LARGEST_DOCUMENT = 64 * 1024
#: Seconds for all of it, from the connection to the last byte.
LONGEST_FETCH = 4.0
_PORT = 443

Fetch = Callable[[str], bytes]
Resolve = Callable[[str], list[str]]


class FetchFailed(RuntimeError):
    """The document was not read; the message is for the log."""


def fetch(
    uri: str,
    *,
    resolve: Resolve | None = None,
    connect: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection,
    tls: ssl.SSLContext | None = None,
) -> bytes:
    """The body of a 200 answer to a GET. Raises `FetchFailed`.

    `resolve`, `connect` and `tls` are for tests, which have no internet.
    """
    problem = problem_of(uri)
    if problem is not None:
        raise FetchFailed(problem)
    parts = urlsplit(uri)
    host, target = str(parts.hostname), parts.path or "/"
    ends_at = time.monotonic() + LONGEST_FETCH
    try:
        addresses = (resolve or _resolve)(host)
        if not addresses or not all(is_public(address) for address in addresses):
            raise FetchFailed(f"{host} is not only on the public internet")
        plain = connect((addresses[0], _PORT), _left(ends_at))
        connection = _Connection(host, plain, tls or ssl.create_default_context())
        # A timeout of the socket is one for each read: a server that trickles would outlive it.
        end = threading.Timer(max(0.0, ends_at - time.monotonic()), connection.hang_up)
        end.daemon = True
        end.start()
        try:
            connection.request("GET", f"{target}?{parts.query}" if parts.query else target)
            body = _read(connection)
            _left(ends_at)  # what came by the time that we hung up is only its beginning
            return body
        finally:
            end.cancel()
            connection.close()
    except (OSError, HTTPException) as error:
        raise FetchFailed(f"{host}: {type(error).__name__}") from None


class _Connection(HTTPSConnection):
    """HTTPS over a connection that is there already, to the host that the certificate names."""

    def __init__(self, host: str, plain: socket.socket, tls: ssl.SSLContext) -> None:
        super().__init__(host, _PORT, context=tls)
        self._socket = tls.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)

    def connect(self) -> None:
        self.sock = self._socket
        self._socket.do_handshake()

    def close(self) -> None:
        super().close()
        self._socket.close()

    def hang_up(self) -> None:
        """From another thread: whoever reads finds the end of the connection."""
        with suppress(OSError):
            # Not the method of SSLSocket, which would go on in clear.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _read(connection: _Connection) -> bytes:
    with connection.getresponse() as answer:
        if answer.status != 200:
            raise FetchFailed(f"{connection.host} answers {answer.status}, expected 200")
        body = answer.read(LARGEST_DOCUMENT + 1)
    if len(body) > LARGEST_DOCUMENT:
        raise FetchFailed(f"{connection.host} sends more than {LARGEST_DOCUMENT} bytes")
    return body


def _left(ends_at: float) -> float:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _resolve(host: str) -> list[str]:
    found = socket.getaddrinfo(host, _PORT, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))
