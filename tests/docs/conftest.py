"""The demo under way, in a folder where somebody pastes the commands of a document."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import tour
from tests.support.processes import (
    DEADLINE,
    Running,
    command,
    environment,
    free_port,
    started,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the demo keeps its state, with `crossroot` where the tour looks for it."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    program = programs / "crossroot"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m app.cli "$@"\n')
    program.chmod(0o755)
    return tmp_path


@pytest.fixture
def demo(folder: Path) -> Iterator[Running]:
    port, vserver_port = free_port(), free_port()
    env = demo_environment(folder, port)
    arguments = command("demo", "--vserver-port", str(vserver_port))
    with started(folder, arguments, env, "demo") as running:
        running.said("Ctrl-C stops it")
        yield running


def demo_environment(folder: Path, port: int) -> dict[str, str]:
    return environment(folder, port=port, issuer=f"http://127.0.0.1:{port}")


def follow(document: Path, heading: str, folder: Path) -> int:
    """Run all commands under a heading; what it shows has to be printed. How much it shows."""
    parts = tour.blocks(document, heading)
    issuer = json.loads((folder / "var" / "demo.json").read_text())["issuer"]
    env = {**os.environ, **demo_environment(folder, int(issuer.rpartition(":")[2]))}
    done = subprocess.run(
        ["bash", "-c", tour.script(parts)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    promises = tour.printed(done.stdout, parts)
    for text, lines in promises:
        for line in lines:
            assert tour.shows(text, line), f"{line!r} is not in:\n{text}"
    return len(promises)
