"""What a play leaves behind: files, rows, log lines, and the answers that were refusals."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.canary.play import Stage
from tests.canary.secrets_kept import Canaries


@dataclass(frozen=True)
class Aftermath:
    """`files` by name, while served and when stopped; `tables` as text; `log` of all processes."""

    canaries: Canaries
    files: dict[str, bytes]
    tables: dict[str, bytes]
    log: bytes
    refusals: list[requests.Response]


def aftermath_of(stage: Stage) -> Aftermath:
    folder = stage.served.folder
    files = {f"{name}, served": content for name, content in _files(folder).items()}
    stage.served.world.close()
    stage.served.running.stop()
    files |= {f"{name}, stopped": content for name, content in _files(folder).items()}
    log = stage.served.running.printed().encode()
    return Aftermath(stage.canaries, files, _tables(folder), log, stage.refusals)


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("crossroot.db*"))}


def _tables(folder: Path) -> dict[str, bytes]:
    """Every value of every table, as text."""
    found = {}
    with closing(sqlite3.connect(folder / "crossroot.db")) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (name,) in names.fetchall():
            rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
            found[name] = "\n".join(str(value) for row in rows for value in row).encode()
    return found
