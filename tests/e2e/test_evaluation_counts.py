"""Evaluations are counted in memory, and what was counted outlives a stop."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import requests

from tests.e2e.conftest import prepared
from tests.support.processes import answer_of, free_port, served


def test_what_was_counted_is_written_when_the_server_stops(tmp_path: Path) -> None:
    env = prepared(tmp_path, free_port())
    story = answer_of("demo", "--setup-only", env=env)
    question = {
        "subject": {"type": "service-account", "id": story["B"]["service_account_id"]},
        "action": {"name": "vserver:StopServer"},
        "resource": {"type": "server", "id": "vserver::60108:server/srv-web-1"},
    }
    with served(tmp_path, env) as running:
        # The first one is written at once; the others would wait for a minute to pass.
        for _ in range(10):
            answer = requests.post(
                f"{story['issuer']}/access/v1/evaluation",
                json=question,
                auth=(story["vserver_client_id"], story["vserver_client_secret"]),
                timeout=30,
            )
            assert answer.json()["decision"] is True
        assert running.stop() == 0

    with sqlite3.connect(tmp_path / "var" / "crossroot.db") as store:
        (counted,) = store.execute("SELECT sum(count) FROM evaluation_counts").fetchone()
    assert counted == 10
