"""An issuer for tests: real keys, real signatures, and its two documents as a `fetch`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeyParameters, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

URL = "https://id.example"
AUDIENCE = "https://vserver.example"
NOW = 1_800_000_000

Key = ECKey | RSAKey | OKPKey


class Clock:
    """Epoch seconds that move when told to."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def signing_key(algorithm: str = "ES256", kid: str = "") -> Key:
    """A private key, the same for the same arguments; its kid is the algorithm if not given."""
    return _generate(algorithm, kid or algorithm)


@cache
def _generate(algorithm: str, kid: str) -> Key:
    parameters: KeyParameters = {"kid": kid, "use": "sig", "alg": algorithm}
    if algorithm == "RS256":
        return RSAKey.generate_key(2048, parameters)
    if algorithm == "Ed25519":
        return OKPKey.generate_key("Ed25519", parameters)
    return ECKey.generate_key("P-256", parameters)


def claims(**changes: Any) -> dict[str, Any]:
    """Those of System1 acting through a service account; a change to None takes a claim out."""
    content: dict[str, Any] = {
        "iss": URL,
        "sub": "sa-1f2e",
        "aud": [AUDIENCE],
        "client_id": "crossroot-cli",
        "account_id": "60108",
        "user_type": "service-account",
        "scope": "vserver:*",
        "act": {
            "sub": "user-1",
            "account_id": "53461",
            "user_type": "iam-user",
            "username": "System1",
            "name": "on-call",
        },
        "decision_id": "decision-1",
        "iat": NOW,
        "exp": NOW + 3600,
        "jti": "token-1",
    }
    content.update(changes)
    return {name: value for name, value in content.items() if value is not None}


def sign(
    content: Mapping[str, Any], key: Key | None = None, header: Mapping[str, Any] | None = None
) -> str:
    """A token as the issuer makes them; `header` changes or adds parameters."""
    key = key or signing_key()
    algorithm = str(key.get("alg"))
    full = {"alg": algorithm, "typ": "at+jwt", "kid": key.kid, **(header or {})}
    kept = {name: value for name, value in full.items() if value is not None}
    return jwt.encode(kept, dict(content), key, algorithms=[algorithm], default_type=None)


def token(**changes: Any) -> str:
    return sign(claims(**changes))


def assemble(header: Any, payload: bytes, signer: Callable[[bytes], bytes] = lambda _: b"") -> str:
    """A compact JWS put together by hand, for what no library would sign."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    signed = encode(head) + b"." + encode(payload)
    return (signed + b"." + encode(signer(signed))).decode()


def sign_raw(key: Key, payload: bytes, header: Any) -> str:
    """Any payload and header under a right ES256 or Ed25519 signature."""
    algorithm = str(key.get("alg"))

    model = JWSRegistry(algorithms=[algorithm]).get_alg(algorithm)
    return assemble(header, payload, lambda signed: model.sign(signed, key))


def encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Issuer:
    """The issuer's documents, by URL. `fetch` serves them and counts; `down` makes it fail."""

    def __init__(self, *keys: Key, url: str = URL) -> None:
        self.url = url
        self.keys = list(keys) or [signing_key()]
        self.max_age: float | None = None
        self.down = False
        self.fetched: list[str] = []

    @property
    def key_fetches(self) -> int:
        return self.fetched.count(f"{self.url}/jwks")

    def documents(self) -> dict[str, bytes]:
        metadata = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"}
        key_set = {"keys": [key.as_dict(private=False) for key in self.keys]}
        return {
            f"{self.url}/.well-known/openid-configuration": json.dumps(metadata).encode(),
            f"{self.url}/jwks": json.dumps(key_set).encode(),
        }

    def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if self.down:
            raise ConnectionRefusedError("connection refused")
        return self.documents()[url]
