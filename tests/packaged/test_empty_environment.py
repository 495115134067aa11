"""`crossroot demo` from the wheel alone, in a folder that has nothing to do with the sources."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path

from tests.packaged.conftest import as_nobody
from tests.support.processes import DEADLINE, free_port, until


def test_the_demo_serves_both_programs(installed: Path, state: Path) -> None:
    port, vserver = free_port(), free_port()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(state),
        "CROSSROOT_PORT": str(port),
        "CROSSROOT_ISSUER": f"http://127.0.0.1:{port}",
    }
    demo = subprocess.Popen(
        [str(installed / "venv/bin/crossroot"), "demo", "--vserver-port", str(vserver)],
        env=env,
        cwd=state,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **as_nobody(),
    )
    try:
        for url in (f"http://localhost:{vserver}/healthz", f"http://127.0.0.1:{port}/healthz"):
            until(lambda url=url: demo.poll() is not None or answers(url), f"{url} answers")  # type: ignore[misc]
        assert demo.poll() is None
        story = json.loads((state / "var/demo.json").read_text())
        assert answers(f"{story['issuer']}/healthz")
        assert story["vserver"] == f"http://localhost:{vserver}"
    finally:
        demo.terminate()
        demo.wait(DEADLINE)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
