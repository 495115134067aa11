"""The README's tour, as somebody pastes it."""

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
    ROOT,
    Running,
    command,
    environment,
    free_port,
    started,
)

README = ROOT / "README.md"
TOUR = "A tour in five minutes"


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


def test_each_command_of_the_tour_works_and_prints_what_the_readme_shows(
    folder: Path, demo: Running
) -> None:
    parts = tour.blocks(README, TOUR)
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
    assert len(promises) == 5
    for text, lines in promises:
        for line in lines:
            assert tour.shows(text, line), f"{line!r} is not in:\n{text}"


def test_every_link_of_the_documents_leads_somewhere() -> None:
    documents = [README, *ROOT.glob("docs/**/*.md")]
    assert len(documents) > 5
    for document in documents:
        for target in tour.links(document):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
