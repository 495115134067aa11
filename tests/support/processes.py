"""Programs that tests start, and waiting for what they do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from click.testing import CliRunner, Result

from app.cli import main

ROOT = Path(__file__).parents[2]
#: However slow the machine is; nobody waits for it where things go well.
DEADLINE = 90.0
_LOOK_EVERY = 0.02

Found = TypeVar("Found")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        return int(reserved.getsockname()[1])


def until(condition: Callable[[], Found | None], what: str, within: float = DEADLINE) -> Found:
    """What `condition` gives, once it gives something."""
    pause = threading.Event()
    deadline = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within:g} seconds: {what}"
        pause.wait(_LOOK_EVERY)


def environment(folder: Path, **settings: object) -> dict[str, str]:
    """An environment whose state is in `folder`; `settings` by their field names."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CROSSROOT_", "VSERVER_"))
    }
    given = {
        "database_url": f"sqlite:///{folder}/var/crossroot.db",
        "keys_dir": folder / "keys",
        "var_dir": folder / "var",
        **settings,
    }
    own = {f"CROSSROOT_{name.upper()}": str(value) for name, value in given.items()}
    return {**kept, **own, "PYTHONPATH": str(ROOT)}


def crossroot(
    *arguments: str, env: dict[str, str], stdin: str = "", cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, as a program of its own."""
    return subprocess.run(
        command(*arguments),
        env=env,
        input=stdin,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "app.cli", *arguments]


def answer_of(*arguments: str, env: dict[str, str], stdin: str = "") -> Any:
    """What the command says in JSON; it has to succeed. Run in this process: that is faster."""
    done = typed(*arguments, "--json", env=env, stdin=stdin)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def typed(*arguments: str, env: dict[str, str], stdin: str = "") -> Result:
    """The same command line, run in this process."""
    return CliRunner().invoke(main, arguments, env=env, input=stdin, prog_name="crossroot")


@dataclass
class Running:
    """A program under way. What it prints is in two files."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def said(self, text: str) -> str:
        """All of stdout and stderr, once `text` is in it."""

        def look() -> str | None:
            printed = self.printed()
            if text not in printed:
                assert self.process.poll() is None, printed
                return None
            return printed

        return until(look, f"{text!r} in the output")

    def printed(self) -> str:
        return self.out.read_text() + self.err.read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end. Returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)


@contextlib.contextmanager
def started(
    folder: Path, arguments: list[str], env: dict[str, str], name: str = "program"
) -> Iterator[Running]:
    """Start a program; at the end it is stopped, if it still runs."""
    out, err = folder / f"{name}.out", folder / f"{name}.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            arguments, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
    running = Running(process, out, err)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE).close()
    except ConnectionRefusedError:
        return False
    return True


@contextlib.contextmanager
def served(folder: Path, env: dict[str, str], *arguments: str) -> Iterator[Running]:
    """`crossroot serve`, ready for requests."""
    with started(folder, command("serve", *arguments), env, "serve") as running:
        port = int(env["CROSSROOT_PORT"])

        def ready() -> bool:
            assert running.process.poll() is None, running.printed()
            return listens(port)

        until(ready, f"the server on port {port}")
        yield running
