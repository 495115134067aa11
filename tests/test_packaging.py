"""The wheel carries everything that a running Crossroot needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from app import __version__

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    folder = tmp_path_factory.mktemp("dist")
    build = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    (built,) = folder.glob("*.whl")
    return zipfile.Path(built)


def files_under(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_all_of_app_is_in_the_wheel(wheel: zipfile.Path) -> None:
    carried = set(wheel.root.namelist())

    assert {f"app/{name}" for name in files_under(ROOT / "app")} - carried == set()


def test_the_sample_resource_server_is_in_the_wheel(wheel: zipfile.Path) -> None:
    carried = set(wheel.root.namelist())
    sample = {f"app/_examples/vserver/{name}" for name in files_under(ROOT / "examples/vserver")}

    assert sample
    assert sample - carried == set()


def test_nothing_else_is_in_the_wheel(wheel: zipfile.Path) -> None:
    folders = {name.partition("/")[0] for name in wheel.root.namelist()}

    assert folders == {"app", f"crossroot-{__version__}.dist-info"}


def test_the_wheel_brings_the_crossroot_command(wheel: zipfile.Path) -> None:
    entry_points = wheel / f"crossroot-{__version__}.dist-info" / "entry_points.txt"

    assert "crossroot = app.cli:main" in entry_points.read_text().splitlines()
