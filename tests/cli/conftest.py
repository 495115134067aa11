"""A terminal: somebody types commands, over a store and keys of their own."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import create_engine, text

from tests.support.processes import environment, typed


@dataclass
class Terminal:
    """Commands run in this process, with the settings of `env`."""

    folder: Path
    env: dict[str, str]

    def type(self, *arguments: str, stdin: str = "") -> Result:
        return typed(*arguments, env=self.env, stdin=stdin)

    def says(self, *arguments: str, stdin: str = "") -> str:
        """What the command says to people; it has to succeed."""
        done = self.type(*arguments, stdin=stdin)
        assert (done.exit_code, done.stderr) == (0, "")
        return done.stdout

    def json(self, *arguments: str, stdin: str = "") -> Any:
        """What the command says to machines; it has to succeed, and to say nothing else."""
        return json.loads(self.says(*arguments, "--json", stdin=stdin))

    def fails(self, *arguments: str, stdin: str = "", status: int = 1) -> str:
        """What the command says on failing: one sentence on stderr, and no more."""
        done = self.type(*arguments, stdin=stdin)
        assert (done.exit_code, done.stdout) == (status, "")
        assert "Traceback" not in done.stderr
        if status == 1:
            assert done.stderr.startswith("Error: ")
            return done.stderr.removeprefix("Error: ").rstrip("\n")
        return done.stderr

    def rows(self, query: str) -> list[Any]:
        """Look into the store as an auditor with SQL would."""
        engine = create_engine(f"sqlite:///{self.folder}/var/crossroot.db")
        try:
            with engine.connect() as connection:
                return list(connection.execute(text(query)))
        finally:
            engine.dispose()


@pytest.fixture
def empty(tmp_path: Path) -> Terminal:
    """Nothing there yet."""
    return Terminal(tmp_path, environment(tmp_path))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    Terminal(folder, environment(folder)).says(
        "init", "--account-id", "53461", "--email", "root-a@example.com", "--password-stdin",
        stdin="root-a-password\n",
    )  # fmt: skip
    return folder


@pytest.fixture
def bare(template: Path, tmp_path: Path) -> Terminal:
    """Keys alone (an RSA key takes longer to make than all the rest), and no store yet."""
    shutil.copytree(template / "keys", tmp_path / "keys")
    return Terminal(tmp_path, environment(tmp_path))


@pytest.fixture
def terminal(template: Path, tmp_path: Path) -> Terminal:
    """A server that was set up, with root account 53461."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Terminal(tmp_path, environment(tmp_path))
