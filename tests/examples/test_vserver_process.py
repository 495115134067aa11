"""The sample vServer as it is run: a process of its own that knows an issuer's URL, no more."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.verifier.decision_point import CLIENT_ID, CLIENT_SECRET, DecisionPoint
from tests.verifier.local_issuer import Issuer, claims, sign
from tests.verifier.site import Site

ROOT = Path(__file__).parents[2]


@dataclass
class Running:
    process: subprocess.Popen[str]
    port: int
    token: str

    def send(self, text: str) -> tuple[int, bytes]:
        """Status and the rest of the answer to a request, written by hand."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(text.encode("latin-1"))
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.status, answer.read()


def command(**settings: str) -> tuple[list[str], dict[str, str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VSERVER_")}
    environment = {**kept, "PYTHONPATH": str(ROOT), **settings}
    return [sys.executable, str(ROOT / "examples" / "vserver")], environment


def wait_until_it_listens(port: int) -> None:
    """Granian says that the worker has started just before it has."""
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=30).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    # Modules of the folder that somebody happens to be in are not the server's.
    for name in ("vserver_worker.py", "vserver_app.py", "servers.py"):
        (tmp_path / name).write_text("raise RuntimeError('from the current folder')\n")
    site = Site()
    issuer = Issuer(url=site.url)
    site.publish(issuer)
    site.publish_point(DecisionPoint())
    now = int(time.time())
    token = sign(claims(iss=site.url, iat=now, exp=now + 600))
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    arguments, environment = command(
        VSERVER_ISSUER=site.url,
        VSERVER_PORT=str(port),
        VSERVER_CLIENT_ID=CLIENT_ID,
        VSERVER_CLIENT_SECRET=CLIENT_SECRET,
        # Granian would show this to the application as a header of every request.
        HTTP_AUTHORIZATION=f"Bearer {token}",
    )
    with subprocess.Popen(
        arguments, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            log = [next(process.stdout) for _ in range(4)]
            assert "Started worker-1" in log[-1]
            wait_until_it_listens(port)
            yield Running(process, port, token)
        finally:
            process.terminate()
            site.close()


def test_it_serves_and_stops(running: Running) -> None:
    head = f"Host: localhost\r\nAuthorization: Bearer {running.token}\r\n"
    status, _ = running.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status == 200

    status, text = running.send(f"POST /v1/servers/srv-web-1/stop HTTP/1.1\r\n{head}\r\n")
    assert status == 200
    assert json.loads(text)["lastAction"]["actor"]["username"] == "System1"
    status, text = running.send(f"GET /v1/servers HTTP/1.1\r\n{head}\r\n")
    assert [each["status"] for each in json.loads(text)["servers"]] == ["stopped", "running"]

    # A variable of the environment is no header.
    status, text = running.send("GET /v1/servers HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status == 401
    assert json.loads(text)["error"] == "unauthorized"

    # Two headers reach the guard as one, joined with a comma.
    twice = f"{head}Authorization: Bearer {running.token}\r\n"
    status, _ = running.send(f"GET /v1/servers HTTP/1.1\r\n{twice}\r\n")
    assert status == 400

    status, _ = running.send(f"GET /v1/servers HTTP/1.1\r\n{head}X: {'x' * 20_000}\r\n\r\n")
    assert status == 431

    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(30) == 0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("VSERVER_PORT", "http", "VSERVER_PORT is 'http'"),
        ("VSERVER_HOST", "no.such.host.invalid", "VSERVER_HOST is 'no.such.host.invalid'"),
        ("VSERVER_CLIENT_SECRET", "", "VSERVER_CLIENT_ID and VSERVER_CLIENT_SECRET are needed"),
        ("VSERVER_ISSUER", "id.example", "The issuer 'id.example' is no issuer URL"),
    ],
)
def test_it_says_what_it_cannot_start_with(name: str, value: str, message: str) -> None:
    own = {"VSERVER_CLIENT_ID": CLIENT_ID, "VSERVER_CLIENT_SECRET": CLIENT_SECRET}
    arguments, environment = command(**{**own, name: value})
    done = subprocess.run(
        arguments, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"vServer cannot start: {message}")
    assert "Traceback" not in done.stderr
