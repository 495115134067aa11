"""Requests written by hand, byte by byte."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Heard:
    """All that came back on one connection until the server closed it."""

    raw: bytes

    @property
    def statuses(self) -> list[int]:
        """The status of each answer, in order; 100 is none."""
        found = re.findall(rb"HTTP/1\.1 (\d{3}) ", self.raw)
        return [int(status) for status in found if status != b"100"]


class Wire:
    """One connection to a port of 127.0.0.1."""

    def __init__(self, port: int, patience: float = 60.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience)

    def say(self, text: str) -> None:
        self.socket.sendall(text.encode("latin-1"))

    def hear(self) -> Heard:
        """Everything until the server closes the connection. Raises TimeoutError."""
        parts = []
        with self.socket:
            while part := self._receive():
                parts.append(part)
        return Heard(b"".join(parts))

    def hang_up(self) -> Heard:
        """Say that nothing more comes, and listen to the end."""
        self.socket.shutdown(socket.SHUT_WR)
        return self.hear()

    def _receive(self) -> bytes:
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""  # closed while we were still talking


def spoken(port: int, text: str) -> Heard:
    wire = Wire(port)
    wire.say(text)
    return wire.hear()


def request(line: str, *headers: str, body: str = "") -> str:
    """An HTTP/1.1 request with a Host."""
    return "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *headers, "", body])


def form(body: str, *headers: str, path: str = "/oauth2/token") -> str:
    """A form with its right length."""
    return request(
        f"POST {path}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
        *headers,
        body=body,
    )


def chunked(body: str) -> str:
    """A body in chunks of at most a hundred bytes."""
    parts = [body[start : start + 100] for start in range(0, len(body), 100)]
    return "".join(f"{len(part):x}\r\n{part}\r\n" for part in parts) + "0\r\n\r\n"
