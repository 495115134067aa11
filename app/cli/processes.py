"""Several programs as one: they start together, and where one ends the others are stopped."""

from __future__ import annotations

import contextlib
import http.client
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from types import FrameType

from app.cli.errors import CannotDo
from app.cli.lifeline import stop_with_parent

READY_WITHIN = 60.0
#: More than each program takes to finish its requests.
STOP_WITHIN = 25.0
_LOOK_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class Program:
    """What to start, and where it answers `GET /healthz` once it is ready."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    address: str
    port: int


class Group:
    """Programs that run together until a signal comes or one of them ends. Times in seconds."""

    def __init__(
        self, *, ready_within: float = READY_WITHIN, stop_within: float = STOP_WITHIN
    ) -> None:
        self._ready_within = ready_within
        self._stop_within = stop_within
        self._running: list[tuple[Program, subprocess.Popen[bytes]]] = []
        # Its `put` may be called by a signal handler (it is reentrant).
        self._ends: SimpleQueue[Program | None] = SimpleQueue()

    def start(self, programs: Sequence[Program]) -> bool:
        """Start them, and wait until each answers. False where `wait` is over already.

        Raises `CannotDo` where one neither answers nor ends.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN):  # nohup
                signal.signal(number, self._stop_asked)
        for program in programs:
            # In a process group of its own: Ctrl-C comes to us alone, and we stop them in order.
            process = subprocess.Popen(  # noqa: S603 (commands of our own)
                program.command,
                env=program.environment,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr,
                process_group=0,
                preexec_fn=stop_with_parent,
            )
            self._running.append((program, process))
        for program, process in self._running:
            threading.Thread(target=self._watch, args=(program, process), daemon=True).start()
        deadline = time.monotonic() + self._ready_within
        for program in programs:
            while not _answers(program):
                if not self._ends.empty():
                    return False
                if time.monotonic() > deadline:
                    raise CannotDo(f"{program.name} does not answer; its messages are above")
                time.sleep(_LOOK_EVERY)
        return True

    def wait(self) -> None:
        """Until a signal comes; raises `CannotDo` where a program ends by itself."""
        ended = self._ends.get()
        if ended is not None:
            status = next(process.poll() for program, process in self._running if program is ended)
            raise CannotDo(
                f"{ended.name} ended with status {status}, and so the rest is stopped; "
                "its messages are above"
            )

    def stop(self) -> None:
        """Ask all to stop, and wait for them; one that does not is killed."""
        for _, process in self._running:
            process.terminate()
        deadline = time.monotonic() + self._stop_within
        for _, process in self._running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _watch(self, program: Program, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._ends.put(program)

    def _stop_asked(self, _number: int, _frame: FrameType | None) -> None:
        self._ends.put(None)


def _answers(program: Program) -> bool:
    connection = http.client.HTTPConnection(program.address, program.port, timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
