"""Where each microsecond of a request goes: `python -m bench.profile_request`.

In this process, without a server, but answered as a worker answers them: by one thread, in turns
of eight that share a commit. The functions that make up the walk are given a clock each, and the
time of a function is what passes in it less what passes in those it calls that have a clock
themselves. The clocks cost something too; the last line says how long a request takes without.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from flask import Flask
from werkzeug.test import EnvironBuilder

from app.factory import create_app, runtime_of
from app.oauth import client_auth
from app.oauth.endpoints import token
from app.oauth.front import TokenFront
from app.oauth.grants import client_credentials, token_exchange
from app.services import exchange, impersonation, issuing, machine_tokens, remembered
from app.services import subject_tokens as subjects
from app.settings import load_settings
from app.storage import audit, database, epoch, service_accounts, tokens
from app.storage.database import Database
from app.tokens.checker import TokenChecker
from app.tokens.issuer import TokenIssuer
from app.tokens.secrets import SecretHasher
from bench.__main__ import PAGE, ROOT, record
from bench.story import Call, tell
from tests.support.processes import environment

#: What is timed, under the name of its row. Functions are found where their callers look.
_PARTS: dict[str, tuple[tuple[Any, str], ...]] = {
    "parse": (
        (token, "read_form"),
        (client_credentials, "action_patterns"),
        (client_credentials, "api_names"),
        (token_exchange, "read_request"),
    ),
    "client authentication": ((client_auth, "authenticate"), (SecretHasher, "matches")),
    "subject token's signature": ((TokenChecker, "check_access_token"),),
    "reads": (
        (remembered, "client"),
        (remembered, "principal"),
        (remembered, "policies_of"),
        (tokens, "find"),
        (service_accounts, "find_with_trust"),
        (subjects, "find_live"),
        (exchange, "_load"),
    ),
    "decision": ((impersonation, "may_impersonate"),),
    "scope and audience": (
        (machine_tokens, "reach_of"),
        (machine_tokens, "require_held"),
        (machine_tokens, "products_named"),
        (exchange, "reach_of"),
        (exchange, "require_held"),
        (exchange, "products_named"),
    ),
    "claims and signature": ((issuing, "access_token_claims"), (TokenIssuer, "sign_access_token")),
    "rows: token and audit": (
        (issuing, "_record_of"),
        (issuing, "_audit_event"),
        (epoch, "held"),
        (tokens, "is_revoked"),
        (tokens, "add"),
        (audit, "add"),
    ),
    "transaction: begin, savepoints, locks": (
        (Database, "answer_together"),
        (Database, "write_before_answer"),
    ),
    "commit: on the disk": ((database, "_make_durable"),),
    "grant and the token's steps": ((token, "token"),),
    "answer": ((token, "json_response"),),
    "request and response": ((TokenFront, "__call__"),),
}
_GLANCE = "reads"
#: Requests of one turn: half of the most that there may be (`app.cli.lane.MOST_IN_A_TURN`).
AT_ONCE = 8


class Clocks:
    """Exclusive wall and CPU time by row, in nanoseconds, of one thread."""

    def __init__(self) -> None:
        self.wall: dict[str, int] = defaultdict(int)
        self.cpu: dict[str, int] = defaultdict(int)
        self._rows: list[str] = []
        self._since = (0, 0)

    def enter(self, row: str) -> None:
        self._charge()
        self._rows.append(row)

    def leave(self) -> None:
        self._charge()
        self._rows.pop()

    def _charge(self) -> None:
        """What passed since the last look belongs to the row on top."""
        now = (time.perf_counter_ns(), time.thread_time_ns())
        if self._rows:
            self.wall[self._rows[-1]] += now[0] - self._since[0]
            self.cpu[self._rows[-1]] += now[1] - self._since[1]
        self._since = now

    def timed(self, row: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            self.enter(row)
            try:
                return function(*args, **kwargs)
            finally:
                self.leave()

        return run

    def timed_glance(self, glance: Callable[..., Any]) -> Callable[..., Any]:
        """Taking a connection and giving it back; what is done with it has its own rows."""

        @contextmanager
        def run(database: Database) -> Iterator[Any]:
            manager = glance(database)
            self.enter(_GLANCE)
            connection = manager.__enter__()
            self.leave()
            try:
                yield connection
            finally:
                self.enter(_GLANCE)
                manager.__exit__(None, None, None)
                self.leave()

        return run

    @contextmanager
    def attached(self) -> Iterator[None]:
        with mock.patch.object(Database, "glance", self.timed_glance(Database.glance)):
            patches = [
                mock.patch.object(place, name, self.timed(row, getattr(place, name)))
                for row, functions in _PARTS.items()
                for place, name in functions
            ]
            for patch in patches:
                patch.start()
            try:
                yield
            finally:
                for patch in patches:
                    patch.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.profile_request", description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--record", action="store_true", help=f"write the table into {PAGE.name}")
    options = parser.parse_args()
    (ROOT / "var").mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="profile-", dir=ROOT / "var") as name:
        text = run(Path(name), options.requests)
    sys.stdout.write(text + "\n")
    if options.record:
        record(PAGE, "profile", text)


def run(folder: Path, count: int) -> str:
    settings = load_settings(environment(folder))
    story = tell(settings)
    app = create_app(settings)
    columns = [measured(app, call, count) for call in (story.client_credentials, story.exchange)]
    runtime_of(app).database.close()
    return table(columns)


def measured(app: Flask, call: Call, count: int) -> tuple[Clocks, int, float, float]:
    """Clocks after `count` requests; then a request's time without and with them, in µs."""
    turns = -(-count // AT_ONCE)
    for _ in range(25):
        turn(app, call)
    plain = median(turn(app, call) for _ in range(turns))
    clocks = Clocks()
    with clocks.attached():
        timed = median(turn(app, call) for _ in range(turns))
    return clocks, turns * AT_ONCE, plain, timed


def turn(app: Flask, call: Call) -> float:
    """Requests that leave together, as in `app.cli.lane`. The wall time of each, in µs."""
    requests = [request(app, call) for _ in range(AT_ONCE)]
    started = time.perf_counter_ns()
    answers = runtime_of(app).database.answer_together(requests)
    passed = time.perf_counter_ns() - started
    for status, body in answers:
        if status != "200 OK":
            raise RuntimeError(f"{status}: {body.decode()}")
    return passed / AT_ONCE / 1000


def request(app: Flask, call: Call) -> Callable[[], tuple[str, bytes]]:
    """One request through the WSGI application, ready to be asked; its status and body."""
    headers = [
        ("Authorization", call.authorization),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ]
    environ = EnvironBuilder(
        path=call.path,
        method="POST",
        data=call.body.encode(),
        headers=headers,
        environ_base={"REMOTE_ADDR": "127.0.0.1"},
    ).get_environ()

    def ask() -> tuple[str, bytes]:
        answered: list[str] = []

        def start_response(status: str, _headers: Any, _exc_info: Any = None, /) -> Any:
            answered.append(status)

        body = b"".join(app.wsgi_app(environ, start_response))
        return answered[0], body

    return ask


def table(columns: list[tuple[Clocks, int, float, float]]) -> str:
    """Rows by what they cost in an exchange."""
    lines = [
        "| µs a request | client_credentials | of it CPU | token exchange | of it CPU |",
        "|---|--:|--:|--:|--:|",
    ]
    exchange_clocks = columns[1][0]
    for row in sorted(_PARTS, key=lambda row: -exchange_clocks.wall[row]):
        cells = [
            f"{nanoseconds / count / 1000:.0f}"
            for clocks, count, _, _ in columns
            for nanoseconds in (clocks.wall[row], clocks.cpu[row])
        ]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    totals = [
        f"**{sum(part.values()) / count / 1000:.0f}**"
        for clocks, count, _, _ in columns
        for part in (clocks.wall, clocks.cpu)
    ]
    lines.append(f"| **all of it, with the clocks** | {' | '.join(totals)} |")
    without = [f"{plain:.0f} | " for _, _, plain, _ in columns]
    lines += [
        f"| median without the clocks | {' | '.join(without)} |",
        "",
        f"Means of {columns[0][1]} requests in turns of {AT_ONCE}. "
        f"Load of the machine: {os.getloadavg()[0]:.1f}.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
