"""One server for all tests of a worker that do not stop it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Running, answer_of, environment, free_port, served


@dataclass(frozen=True)
class Site:
    """A served Crossroot with the guide's story in it (what `var/demo.json` holds)."""

    issuer: str
    port: int
    story: dict[str, Any]
    env: dict[str, str]
    running: Running

    @property
    def client(self) -> tuple[str, str]:
        """Id and secret of B's service account."""
        return self.story["B"]["client_id"], self.story["B"]["client_secret"]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    port = free_port()
    env = prepared(folder, port)
    story = answer_of("demo", "--setup-only", env=env)
    with served(folder, env, "--access-log") as running:
        yield Site(story["issuer"], port, story, env, running)


def prepared(folder: Path, port: int) -> dict[str, str]:
    """The environment of a server at that port, with two worker processes."""
    return environment(folder, port=port, issuer=f"http://127.0.0.1:{port}", workers=2, threads=4)
