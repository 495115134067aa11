"""Several programs as one: light ones here, the real ones in tests/e2e."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import (
    DEADLINE,
    Running,
    environment,
    free_port,
    listens,
    started,
    until,
)

#: Serves `GET /healthz` on the port given.
SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
print("my pid is", __import__("os").getpid(), flush=True)
server.serve_forever()
"""
#: Runs a group of the programs given, as the demo does.
GROUP = """
import json, sys
from app.cli.errors import CannotDo
from app.cli.processes import Group, Program
group = Group(ready_within=float(sys.argv[2]), stop_within=float(sys.argv[3]))
try:
    if group.start([Program(**each) for each in json.loads(sys.argv[1])]):
        print("all of them answer", flush=True)
    group.wait()
except CannotDo as error:
    sys.exit(error.message)
finally:
    group.stop()
"""


@contextmanager
def group(
    tmp_path: Path,
    *sources: str,
    ignore_hangup: bool = False,
    ready_within: float = DEADLINE,
    stop_within: float = DEADLINE,
) -> Iterator[Running]:
    ports = [free_port() for _ in sources]
    programs = [
        {
            "name": f"program {number}",
            "command": [sys.executable, "-c", source, str(port)],
            "environment": dict(os.environ),
            "address": "127.0.0.1",
            "port": port,
        }
        for number, (source, port) in enumerate(zip(sources, ports, strict=True), 1)
    ]
    times = [str(ready_within), str(stop_within)]
    command = [sys.executable, "-c", GROUP, json.dumps(programs), *times]
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignore_hangup else signal.SIG_DFL)
    try:
        with started(tmp_path, command, environment(tmp_path)) as running:
            yield running
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not any(listens(port) for port in ports), "nothing is left behind"


def pids(running: Running) -> list[int]:
    words = [line.split() for line in running.printed().splitlines()]
    return [int(line[-1]) for line in words if line[:3] == ["my", "pid", "is"]]


def test_until_a_signal_comes(tmp_path: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with group(tmp_path, SERVER, SERVER) as running:
            running.said("all of them answer")

            assert running.stop(number) == 0


def test_one_that_ends_takes_the_others_along(tmp_path: Path) -> None:
    with group(tmp_path, SERVER, SERVER) as running:
        running.said("all of them answer")
        os.kill(pids(running)[1], signal.SIGKILL)

        assert running.process.wait(DEADLINE) == 1
    assert "ended with status -9, and so the rest is stopped" in running.printed()


def test_one_that_does_not_start_takes_the_others_along(tmp_path: Path) -> None:
    with group(tmp_path, SERVER, "raise SystemExit('the port is wrong')") as running:
        assert running.process.wait(DEADLINE) == 1

    assert "the port is wrong" in running.printed()
    assert "program 2 ended with status 1" in running.printed()
    assert "all of them answer" not in running.printed()


def test_a_signal_while_they_start(tmp_path: Path) -> None:
    waits = "print('here', flush=True); import time; time.sleep(60)"
    with group(tmp_path, waits) as running:
        running.said("here")

        assert running.stop() == 0
    assert "all of them answer" not in running.printed()


def test_one_that_never_answers(tmp_path: Path) -> None:
    with group(tmp_path, "import time; time.sleep(600)", ready_within=0.2) as running:
        assert running.process.wait(DEADLINE) == 1

    assert "program 1 does not answer" in running.printed()


def test_one_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + SERVER
    with group(tmp_path, deaf, stop_within=0.2) as running:
        running.said("all of them answer")

        assert running.stop() == 0


def test_when_the_group_is_killed_the_programs_end(tmp_path: Path) -> None:
    with group(tmp_path, SERVER, SERVER) as running:
        running.said("all of them answer")
        left = pids(running)
        assert running.stop(signal.SIGKILL) == -signal.SIGKILL

        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), "their end")


def test_under_nohup(tmp_path: Path) -> None:
    """Who asked not to be hung up on is not."""
    with group(tmp_path, SERVER, ignore_hangup=True) as running:
        running.said("all of them answer")
        running.process.send_signal(signal.SIGHUP)

        assert running.stop() == 0
