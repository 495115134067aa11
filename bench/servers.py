"""The three servers of a comparison, each with two worker processes, all on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey

from app.settings import load_settings
from bench.load import Target, wait_for
from bench.story import SCOPE, Call, basic, tell
from tests.support.processes import environment, free_port, started
from tests.support.world import ACCESS_TOKEN, EXCHANGE

WORKERS = 2
PEER = Path(__file__).parent / "peer"
FLOOR = "parsed"
PEER_OF = {
    "client_credentials": "peer client_credentials",
    "token exchange": "peer token exchange",
}


@contextmanager
def all_targets(folder: Path) -> Iterator[list[Target]]:
    """Start everything. `folder` is on the disk that Crossroot's audit log has to reach."""
    with ExitStack() as stack:
        targets = [
            *stack.enter_context(floors(folder)),
            *stack.enter_context(crossroot(folder)),
            *stack.enter_context(peer(folder)),
        ]
        for target in targets:
            wait_for(target)
        yield targets


@contextmanager
def floors(folder: Path) -> Iterator[list[Target]]:
    """Flask views on our own server stack."""
    port = free_port()
    env = environment(folder, port=port, workers=WORKERS)
    with started(folder, [sys.executable, "-P", "-m", "bench.floors"], env, "floors") as running:
        form = urlencode({"grant_type": "client_credentials", "scope": SCOPE})
        yield [
            Target(
                name,
                f"http://127.0.0.1:{port}",
                Call(f"/{name}", form, basic("a-client", "a-secret")),
                running.process.pid,
            )
            for name in ("bare", FLOOR)
        ]


@contextmanager
def crossroot(folder: Path) -> Iterator[list[Target]]:
    """`crossroot serve`, as it is."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    env = environment(folder, port=port, issuer=issuer, workers=WORKERS)
    story = tell(load_settings(env))
    command = [sys.executable, "-P", "-m", "app.cli", "serve"]
    with started(folder, command, env, "crossroot") as running:
        yield [
            Target("client_credentials", issuer, story.client_credentials, running.process.pid),
            Target("token exchange", issuer, story.exchange, running.process.pid),
        ]


@contextmanager
def peer(folder: Path) -> Iterator[list[Target]]:
    """node-oidc-provider, in a cluster of its own."""
    node = shutil.which("node")
    if node is None or not (PEER / "node_modules").is_dir():
        sys.exit("The peer needs Node.js 20 or newer, and `npm ci` in bench/peer.")
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    key = ECKey.generate_key("P-256", {"kid": "peer", "alg": "ES256", "use": "sig"}, private=True)
    client = {"client_id": "a-client", "client_secret": "s" * 43}
    config = {
        **client,
        "issuer": issuer,
        "port": port,
        "key": key.as_dict(private=True),
        "resource": "https://vserver.example",
        "scope": SCOPE,
        "trusted": {"sa-of-b": "53461"},
    }
    env = {**os.environ, "NODE_ENV": "production", "PEER": json.dumps(config)}
    authorization = basic(client["client_id"], client["client_secret"])
    forms: dict[str, dict[str, str]] = {
        "client_credentials": {"grant_type": "client_credentials", "scope": SCOPE},
        "token exchange": {
            "grant_type": EXCHANGE,
            "subject_token": _peer_token(key, issuer),
            "subject_token_type": ACCESS_TOKEN,
            "requested_subject": "sa-of-b",
            "scope": SCOPE,
        },
    }
    with started(folder, [node, str(PEER / "server.mjs")], env, "peer") as running:
        yield [
            Target(
                PEER_OF[name],
                issuer,
                Call("/token", urlencode(form), authorization),
                running.process.pid,
            )
            for name, form in forms.items()
        ]


def _peer_token(key: ECKey, issuer: str) -> str:
    """A person's token of the peer, of the shape that ours has."""
    now = int(time.time())
    header = {"alg": "ES256", "typ": "at+jwt", "kid": "peer"}
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": "3f0c1ad2-5d0e-4b7a-9a86-1b8d5b0b1c11",
        "aud": [issuer],
        "client_id": "a-client",
        "account_id": "53461",
        "user_type": "iam-user",
        "scope": "openid iam:ImpersonateServiceAccount",
        "auth_time": now,
        "amr": ["pwd"],
        "iat": now,
        "exp": now + 3600,
        "jti": "6b1f0d84-8c43-4a43-a28a-f9fd6f9d4c7d",
    }
    return jwt.encode(header, claims, key)


def versions() -> str:
    """What ran, for the line under the table."""
    package = json.loads((PEER / "node_modules/oidc-provider/package.json").read_text())
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"Python {python}, Node.js {node.stdout.strip().removeprefix('v')}, "
        f"oidc-provider {package['version']}"
    )
