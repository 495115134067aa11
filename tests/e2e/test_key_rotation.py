"""Rotating the signing keys by the command line, under a server that goes on serving."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from joserfc import jws

from app.tokens.keyring import generate
from tests.e2e.conftest import prepared
from tests.e2e.people import post
from tests.support.processes import answer_of, crossroot, free_port, served, until

#: Enough requests for both worker processes to have their turn.
SEVERAL = 12


def kid_of(token: str) -> str:
    """The key that a token says it is signed with."""
    return str(jws.extract_compact(token.encode()).headers()["kid"])


@dataclass(frozen=True)
class Site:
    """A served Crossroot, two worker processes, whose ES256 key `old` signs."""

    issuer: str
    story: dict[str, Any]
    env: dict[str, str]
    old: str

    def token(self) -> str:
        client = (self.story["B"]["client_id"], self.story["B"]["client_secret"])
        answer = post(f"{self.issuer}/oauth2/token", auth=client, grant_type="client_credentials")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def signers(self) -> set[str]:
        """The keys that tokens are signed with now."""
        return {kid_of(self.token()) for _ in range(SEVERAL)}

    def published(self) -> set[tuple[str, ...]]:
        """The ES256 keys of the JWKS, in each of the answers."""
        found = set()
        for _ in range(SEVERAL):
            jwks = requests.get(f"{self.issuer}/oauth2/jwks").json()["keys"]
            found.add(tuple(sorted(key["kid"] for key in jwks if key["alg"] == "ES256")))
        return found

    def is_believed(self, token: str) -> set[bool]:
        """What introspection says to the vServer's client."""
        client = self.story["vserver_client_id"], self.story["vserver_client_secret"]
        return {
            bool(
                post(f"{self.issuer}/oauth2/introspect", auth=client, token=token).json()["active"]
            )
            for _ in range(SEVERAL)
        }

    def keys(self, *arguments: str) -> str:
        """`crossroot keys`, as a program of its own; it has to succeed."""
        done = crossroot("keys", *arguments, env=self.env)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port = free_port()
    env = prepared(tmp_path, port)
    # Older than whatever is made later: of two keys of one second either may sign.
    old = generate(tmp_path / "keys", "ES256", time.time() - 5000, "active")
    story = answer_of("demo", "--setup-only", env=env)
    with served(tmp_path, env):
        yield Site(story["issuer"], story, env, old.kid)


def test_a_rotation_while_serving(site: Site) -> None:
    before = site.token()
    assert kid_of(before) == site.old
    assert site.is_believed(before) == {True}

    new = answer_of("keys", "generate", env=site.env)["kid"]
    both = tuple(sorted((site.old, new)))
    until(lambda: site.published() == {both}, "the new key in the JWKS")
    assert site.signers() == {site.old}, "it is published and does not sign yet"

    site.keys("promote", new, "--force")
    until(lambda: site.signers() == {new}, "tokens signed with the new key")
    assert site.published() == {both}
    assert site.is_believed(before) == {True}, "the former key is still published"

    site.keys("retire", site.old)
    assert site.signers() == {new}
    assert site.published() == {both}
    assert site.is_believed(before) == {True}

    site.keys("revoke", site.old, "--yes")
    until(lambda: site.published() == {(new,)}, "the JWKS without the revoked key")
    until(lambda: site.is_believed(before) == {False}, "its token refused")
    assert site.is_believed(site.token()) == {True}


def test_a_stolen_key_is_replaced_at_once(site: Site) -> None:
    """Without a step in between: what it signed is refused, and tokens are issued all the time."""
    stolen = site.token()
    new = answer_of("keys", "generate", "--activate", env=site.env)["kid"]
    site.keys("revoke", site.old, "--yes")

    until(lambda: site.published() == {(new,)}, "the JWKS without the revoked key")
    until(lambda: site.signers() == {new}, "tokens signed with the new key")
    until(lambda: site.is_believed(stolen) == {False}, "its token refused")
    answer = requests.get(
        f"{site.issuer}/oauth2/userinfo", headers={"Authorization": f"Bearer {stolen}"}
    )
    assert answer.status_code == 401
