"""A server that is killed and started again on the same files, and what is in them."""

from __future__ import annotations

import select
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

from app.domain.scopes import parse_scope
from app.services import authorization, client_secrets, sign_in
from app.services.authorization import AuthorizationRequest
from app.services.sign_in import SignedIn, SignInForm
from tests.support.processes import DEADLINE, ROOT, environment, free_port, listens, until
from tests.support.world import (
    CALLBACK,
    CLI,
    VERIFIER,
    World,
    authorization_query,
    build_world,
)

Item = TypeVar("Item")
#: None where the connection broke: the client heard nothing.
Answer = requests.Response | None

_ISSUING = "('token:issue', 'token:refresh', 'token:narrow', 'service-account:impersonate')"
_SOUND = {
    "tokens without their audit row": f"""
        SELECT id FROM tokens WHERE id NOT IN
        (SELECT token_id FROM audit_events WHERE outcome = 'allowed' AND event IN {_ISSUING})""",
    "audit rows without their token": f"""
        SELECT id, event FROM audit_events WHERE outcome = 'allowed' AND event IN {_ISSUING}
        AND (token_id IS NULL OR token_id NOT IN (SELECT id FROM tokens))""",
    "tokens with two audit rows": f"""
        SELECT token_id FROM audit_events WHERE outcome = 'allowed' AND event IN {_ISSUING}
        GROUP BY token_id HAVING count(*) > 1""",
    "authorizations whose tokens are not as many as what was used for them": """
        SELECT grant_id FROM authorization_codes AS code WHERE
        (used_at IS NOT NULL) + (SELECT count(*) FROM refresh_tokens AS used
         WHERE used.grant_id = code.grant_id AND used.used_at IS NOT NULL)
        != (SELECT count(*) FROM tokens WHERE tokens.grant_id = code.grant_id
         AND tokens.parent_id IS NULL)""",
    "used codes without a family, and families without a used code": """
        SELECT grant_id FROM authorization_codes WHERE (used_at IS NOT NULL)
        != (grant_id IN (SELECT grant_id FROM refresh_families))""",
    "families with no unused token, or with two": """
        SELECT grant_id FROM refresh_tokens GROUP BY grant_id HAVING sum(used_at IS NULL) != 1""",
}


@dataclass
class CrashSite:
    """The guide's story, served. `world` writes to the same store from this process."""

    world: World
    folder: Path
    issuer: str
    port: int
    process: subprocess.Popen[bytes]
    signed_in: SignedIn

    def start(self) -> None:
        """Serve the files as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"serve\n")
        self.process.stdin.flush()
        assert self._hear() == "ready"
        until(lambda: listens(self.port), "the server")

    def died(self) -> str:
        """How the server ended; waits for it."""
        return self._hear()

    def _hear(self) -> str:
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], DEADLINE)
        assert readable, "the server goes on: the step was never reached"
        return self.process.stdout.readline().decode().strip()

    def arm(self, step: str, times: int) -> None:
        """From now on the server dies when it reaches the step for the n-th time.

        Nobody else has the files open any more, so that nobody mends them before it is back.
        """
        self.world.close()
        headers = {"X-Crash-At": f"{step} {times}"}
        with _session() as session:
            assert session.get(f"{self.issuer}/healthz", headers=headers).status_code == 200

    def post(self, path: str, headers: dict[str, str] | None = None, **form: str) -> Answer:
        try:
            with _session() as session:
                return session.post(self.issuer + path, data=form, headers=headers)
        except requests.ConnectionError:
            return None

    def at_once(self, do: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """All of them at the same time, so that they share transactions."""
        with ThreadPoolExecutor(len(items)) as pool:
            return list(pool.map(do, items))

    def code(self) -> str:
        """An authorization code of the command line client, agreed to by System1."""
        client = client_secrets.find_enabled(self.world.runtime, CLI)
        assert client is not None
        asked = AuthorizationRequest(
            CALLBACK,
            True,
            parse_scope("openid offline_access"),
            code_challenge=authorization_query()["code_challenge"],
        )
        return authorization.grant_code(self.world.runtime, client, self.signed_in, asked, None)

    def redeem(self, code: str) -> Answer:
        return self.post(
            "/oauth2/token",
            grant_type="authorization_code",
            client_id=CLI,
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=VERIFIER,
        )

    def tokens(self) -> dict[str, Any]:
        """A fresh access token with its refresh token, acknowledged."""
        answer = self.redeem(self.code())
        assert answer is not None
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def is_active(self, token: str, asker: str | None = None) -> bool:
        """What introspection says of the token, asked by itself or by another of its subject."""
        headers = {"Authorization": f"Bearer {asker or token}"}
        answer = self.post("/oauth2/introspect", headers, token=token)
        assert answer is not None
        return answer.status_code == 200 and bool(answer.json()["active"])

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What is in the file, without the server's help."""
        with closing(sqlite3.connect(self.folder / "crossroot.db")) as connection:
            return connection.execute(query, values).fetchall()

    def unsound(self) -> dict[str, Any]:
        """What may never be in the store, whenever the server died."""
        found: dict[str, Any] = {what: self.rows(query) for what, query in _SOUND.items()}
        found["integrity"] = [row for row in self.rows("PRAGMA integrity_check") if row != ("ok",)]
        found["foreign keys"] = self.rows("PRAGMA foreign_key_check")
        return {what: rows for what, rows in found.items() if rows}


@contextmanager
def crash_site(folder: Path) -> Iterator[CrashSite]:
    """A server of its own, started; killed at the end."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    world = build_world(folder, issuer=issuer)
    env = environment(
        folder, port=port, issuer=issuer, database_url=f"sqlite:///{folder}/crossroot.db"
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.faults.crashing_server"],
        cwd=ROOT,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    form = SignInForm("iam", "root-a@example.com", "System1", "System1-password")
    new = sign_in.sign_in(world.runtime, form, None)
    assert new is not None
    site = CrashSite(world, folder, issuer, port, process, new.signed_in)
    try:
        assert site._hear() == "loaded"
        site.start()
        yield site
    finally:
        site.world.close()
        process.kill()  # and what it serves stops with it
        process.communicate()


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc
    return session
