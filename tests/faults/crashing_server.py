"""A program that serves a store, and dies as by `kill -9` at the step it was told.

    python -m tests.faults.crashing_server

Settings come from the environment. Everything is loaded once; each line on stdin forks a process
that builds the application and serves it as a worker of `crossroot serve` does: granian, the
bridge, its threads and its lane. The process says "ready" on stdout, and this program "died -N"
when signal N has ended it. A request with the header `X-Crash-At: issue:recorded 2` arms the
process: the second time that the step is reached, whoever's request it is, the process is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from app.cli.lifeline import stop_with_parent
from app.cli.serving import bridge_to, logging_config
from app.factory import create_app, runtime_of
from app.settings import Settings
from app.tokens.secrets import PasswordHasher
from tests.support.world import RING, Clock

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: That of `tests.support.world`, whose stores are served here.
PEPPER = b"a pepper of thirty-two bytes ..."


class Crash:
    """Ends the process at the armed step."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._step = ""
        self._times = 0

    def arm(self, at: str) -> None:
        step, times = at.rsplit(" ", 1)
        with self._lock:
            self._step, self._times = step, int(times)

    def reached(self, step: str) -> None:
        with self._lock:
            if step != self._step:
                return
            self._times -= 1
            if self._times == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def armed_by_header(
    application: WSGIApplication, crash: Crash
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    def wrapped(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        at = environ.get("HTTP_X_CRASH_AT")
        if at is not None:
            crash.arm(at)
        return application(environ, start)

    return wrapped


def serve(settings: Settings) -> None:
    """Until the process is killed."""
    stop_with_parent()
    crash = Crash()
    application = create_app(
        settings,
        clock=Clock(),
        ring=lambda: RING,
        pepper=PEPPER,
        passwords=PasswordHasher(os.urandom, memory_kib=8, passes=1),
        reached=crash.reached,
    )
    bridge = bridge_to(armed_by_header(application, crash), runtime_of(application))
    server = Server(
        bridge,
        address="127.0.0.1",
        port=settings.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,
        log_dictconfig=logging_config(),
    )
    server.on_startup(lambda: _say("ready"))
    asyncio.run(server.serve())


def main() -> None:
    settings = Settings()
    _say("loaded")
    for _line in sys.stdin:
        child = os.fork()
        if child == 0:
            serve(settings)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        _say(f"died {os.waitstatus_to_exitcode(status)}")


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


if __name__ == "__main__":
    main()
