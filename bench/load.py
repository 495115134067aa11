"""The load: wrk on loopback, bounded in connections and time; and what the servers used for it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from bench.story import Call

CONNECTIONS = 16
_SCRIPT = Path(__file__).parent / "request.lua"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Target:
    """One row of the table: what is asked of which server. `pid` is its parent process."""

    name: str
    origin: str
    call: Call
    pid: int


@dataclass(frozen=True)
class Measured:
    """One round. Times in milliseconds; `cpu` is the servers' own, in microseconds a request."""

    per_second: float
    p50: float
    p99: float
    cpu: float
    requests: int


def ask(target: Target) -> Mapping[str, object]:
    """The answer to one request. Raises where it is no success."""
    call = target.call
    request = Request(target.origin + call.path, call.body.encode(), _headers(call))
    with urlopen(request, timeout=30) as response:
        answer = json.load(response)
    assert isinstance(answer, dict)
    return answer


def measure(target: Target, seconds: int) -> Measured:
    """Send requests for some seconds. Raises RuntimeError if any of them fails."""
    before = _cpu_seconds(target.pid)
    call = target.call
    bounds = ("-t1", f"-c{CONNECTIONS}", f"-d{seconds}s")
    done = subprocess.run(
        ["wrk", *bounds, "-s", str(_SCRIPT), target.origin + call.path],
        env={**os.environ, "BENCH_BODY": call.body, "BENCH_AUTHORIZATION": call.authorization},
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=True,
    )
    used = _cpu_seconds(target.pid) - before
    found = json.loads(done.stdout.splitlines()[-1])
    if found["failed"] or not found["requests"]:
        raise RuntimeError(f"{target.name}: {found['failed']} of {found['requests']} failed")
    return Measured(
        per_second=found["requests"] / found["microseconds"] * 1e6,
        p50=found["p50"] / 1000,
        p99=found["p99"] / 1000,
        cpu=used / found["requests"] * 1e6,
        requests=found["requests"],
    )


def wait_for(target: Target, within: float = 60.0) -> None:
    """Until the server answers that request."""
    deadline = time.monotonic() + within
    while True:
        try:
            ask(target)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _headers(call: Call) -> dict[str, str]:
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": call.authorization,
    }


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process and all that it started (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / _TICKS
    return own + sum(_cpu_seconds(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]
