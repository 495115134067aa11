"""The wheel, installed with its locked libraries into an empty environment in another folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ROOT

#: As in the Dockerfile. Only root can become somebody else; anybody else is nobody already.
UNPRIVILEGED = 10001


def run(*arguments: str, cwd: Path = ROOT) -> None:
    done = subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def interpreter() -> str:
    """A Python that the unprivileged user may run: ours, or the system's."""
    for path in (sys.executable, "/usr/bin/python3"):
        if can_run(path):
            return path
    raise AssertionError("no Python here that others than root may run")


@pytest.fixture(scope="session")
def installed() -> Iterator[Path]:
    """A folder that everybody may read and nobody write, with `venv` in it."""
    folder = Path(tempfile.mkdtemp(prefix="crossroot-"))
    folder.chmod(0o755)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist"))
    run(interpreter(), "-m", "venv", "--without-pip", str(folder / "venv"))
    python = str(folder / "venv/bin/python")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps")
    locked = ("--require-hashes", "--only-binary=:all:", "-r", "requirements/runtime.txt")
    run(*pip, "--disable-pip-version-check", *locked)
    (wheel,) = (folder / "dist").glob("*.whl")
    run(*pip, "--no-index", str(wheel))
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    yield folder
    shutil.rmtree(folder, onerror=_make_writable)


def _make_writable(function: object, path: str, _info: object) -> None:
    Path(path).parent.chmod(0o755)
    Path(path).chmod(0o755)
    shutil.rmtree(path, ignore_errors=True) if Path(path).is_dir() else Path(path).unlink()


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder outside of everything, that only the unprivileged user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="crossroot-state-"))
    for name in ("keys", "data"):
        (folder / name).mkdir(mode=0o700)
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, UNPRIVILEGED, UNPRIVILEGED)
    yield folder
    shutil.rmtree(folder)


def can_run(path: str) -> bool:
    """Whether the unprivileged user can."""
    try:
        done = subprocess.run([path, "-c", "import venv"], cwd="/", check=False, **as_nobody())
    except PermissionError:
        return False
    return done.returncode == 0


def as_nobody() -> dict[str, int]:
    """What makes a subprocess unprivileged."""
    return {"user": UNPRIVILEGED, "group": UNPRIVILEGED} if os.geteuid() == 0 else {}
