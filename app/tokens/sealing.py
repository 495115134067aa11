"""Signing and checking the bytes of a compact JWS (RFC 7515 sections 3.1, 5.1 and 5.2).

joserfc's algorithms do both, on its keys. What its envelope would do around them each time (read
the header, look the algorithm up, guess the key, split the token) is done before by whoever calls:
header and algorithm are those of one key of the ring, and a token was read by `compact`.
"""

from __future__ import annotations

import json
from functools import lru_cache

from joserfc import jws
from joserfc.util import urlsafe_b64encode

from app.tokens.keyring import ALGORITHMS, JoseKey, SigningKey

_REGISTRY = jws.JWSRegistry(algorithms=ALGORITHMS)
_ALGORITHMS = {name: _REGISTRY.get_alg(name) for name in ALGORITHMS}


def seal(payload: bytes, key: SigningKey, typ: str) -> str:
    """The signed token. `key` is an active one."""
    if key.private_key is None:
        raise ValueError(f"key {key.kid} cannot sign: it has no private half")
    signed = _protected_header(key.alg, typ, key.kid) + b"." + urlsafe_b64encode(payload)
    signature = _ALGORITHMS[key.alg].sign(signed, key.private_key)
    return (signed + b"." + urlsafe_b64encode(signature)).decode("ascii")


def is_sealed_by(token: str, signature: bytes, alg: str, key: JoseKey) -> bool:
    """Whether the signature, the decoded last part of the token, holds over the parts before it.

    Raises JoseError where the key is none for `alg`, and LookupError where `alg` is none of ours.
    """
    algorithm = _ALGORITHMS[alg]
    algorithm.check_key(key)
    return bool(algorithm.verify(token.rpartition(".")[0].encode("ascii"), signature, key))


@lru_cache(maxsize=64)
def _protected_header(alg: str, typ: str, kid: str) -> bytes:
    header = json.dumps({"alg": alg, "typ": typ, "kid": kid}, separators=(",", ":"))
    return urlsafe_b64encode(header.encode("utf-8"))
