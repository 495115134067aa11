"""The guide's story behind `crossroot serve`, with a world in this process on the same store."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from app.factory import PEPPER_FILE
from app.services import client_assertions
from app.tokens.key_files import write_private_text
from app.tokens.keyring import generate
from tests.support.processes import (
    Running,
    command,
    environment,
    free_port,
    listens,
    started,
    until,
)
from tests.support.world import START, World, build_world

#: That of `tests.support.world`.
_PEPPER = b"a pepper of thirty-two bytes ..."


@dataclass(frozen=True)
class ServedWorld:
    """`world` is for what happens beside the server; its clock is set by `now`."""

    issuer: str
    folder: Path
    world: World
    running: Running

    def now(self) -> World:
        """The world, its clock at the server's."""
        self.world.clock.now = time.time()
        return self.world


@contextmanager
def served_world(
    folder: Path, program: list[str] | None = None, **settings: object
) -> Iterator[ServedWorld]:
    """Serve it, by two worker processes. `program` stands in for `crossroot serve`."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    store = f"sqlite:///{folder}/crossroot.db"
    keys = folder / "keys"
    for alg in ("ES256", "RS256"):
        generate(keys, alg, START, "active")
    write_private_text(keys / PEPPER_FILE, base64.b64encode(_PEPPER).decode(), replace=False)
    world = build_world(folder, issuer=issuer)
    env = environment(
        folder,
        port=port,
        issuer=issuer,
        database_url=store,
        workers=2,
        threads=4,
        **settings,
    )
    with started(folder, program or command("serve"), env, "serve") as running:
        until(lambda: listens(port), "the server")
        try:
            yield ServedWorld(issuer, folder, world, running)
        finally:
            world.close()


def give_keys(world: World, client_id: str) -> ECKey:
    """A key pair whose public half the client registers. Returns the private half."""
    key = ECKey.generate_key("P-256", {"kid": "of-the-client", "use": "sig"})
    jwks = {"keys": [key.as_dict(private=False)]}
    client_assertions.set_keys(world.runtime, client_id, jwks)
    return key


def assertion(
    key: ECKey, client_id: str, issuer: str, now: float, **claims: Any
) -> Mapping[str, str]:
    """Form fields that authenticate the client by private_key_jwt (RFC 7523)."""
    content = {
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "jti": str(uuid.uuid4()),
        "iat": int(now),
        "exp": int(now) + 300,
        **claims,
    }
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode({"alg": "ES256", "kid": key.kid}, content, key),
    }
