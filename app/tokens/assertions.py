"""Assertions by which a client proves who it is (RFC 7523, as updated by RFC 10070).

The client signs a short JWT with its own key; only the keys that it registered are looked at.
The audience is this issuer alone: an assertion made for another server, or for several, proves
nothing here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.util import base64_to_int

from app.tokens.checker import LEEWAY_SECONDS
from app.tokens.compact import Rejection, TokenRejected, parse_object, read_compact
from app.tokens.keyring import ALGORITHMS, RSA_MINIMUM_BITS

MAX_LIFETIME_SECONDS = 600
MAX_KEYS = 10
#: Checking a signature by a larger key would keep the server busy.
RSA_MAXIMUM_BITS = 8192
_MAX_JTI = 256
_HEADER_MEMBERS = frozenset({"alg", "kid", "typ"})
_TYPES = frozenset({"jwt", "client-authentication+jwt"})
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_REGISTRY = jws.JWSRegistry(algorithms=ALGORITHMS)

_KINDS = f"expected EC P-256, Ed25519, or RSA of {RSA_MINIMUM_BITS} to {RSA_MAXIMUM_BITS} bits"

PublicKey = ECKey | RSAKey | OKPKey


class InvalidKeySet(ValueError):
    """A key set cannot be registered; the message says why."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """A valid assertion. `expires_at` in epoch seconds."""

    client_id: str
    token_id: str
    expires_at: int


def claimed_client(token: str) -> str | None:
    """The client that an assertion claims to be of: unverified, good for finding its keys."""
    try:
        _, payload, _ = read_compact(token)
        subject = parse_object(payload).get("sub")
    except TokenRejected:
        return None
    return subject if isinstance(subject, str) else None


def check_assertion(
    token: str, jwks: Mapping[str, Any], client_id: str, issuer: str, now: float
) -> Assertion:
    """Check an assertion of `client_id` (RFC 7523 section 3). Raises TokenRejected.

    `iss` and `sub` are the client, `aud` this issuer alone, `jti` must be there; it lives at
    most ten minutes. That it is used once is for the caller to see to.
    """
    header, payload, _ = read_compact(token)
    if not header.keys() <= _HEADER_MEMBERS:
        raise TokenRejected(Rejection.HEADER)
    if str(header.get("typ", "JWT")).lower().removeprefix("application/") not in _TYPES:
        raise TokenRejected(Rejection.TYPE)
    key = _key_for(header, jwks)
    try:
        jws.deserialize_compact(token, key, registry=_REGISTRY)
    except (JoseError, ValueError):
        raise TokenRejected(Rejection.SIGNATURE) from None
    claims = parse_object(payload)
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise TokenRejected(Rejection.ISSUER)
    if claims.get("aud") not in (issuer, [issuer]):
        raise TokenRejected(Rejection.AUDIENCE)
    return _timely(claims, client_id, now)


def _timely(claims: dict[str, Any], client_id: str, now: float) -> Assertion:
    token_id, expires_at = claims.get("jti"), claims.get("exp")
    if not isinstance(token_id, str) or not 0 < len(token_id) <= _MAX_JTI:
        raise TokenRejected(Rejection.CLAIMS)
    for name in ("exp", *(claims.keys() & {"iat", "nbf"})):
        if type(claims.get(name)) not in (int, float):
            raise TokenRejected(Rejection.CLAIMS)
    assert isinstance(expires_at, int | float)  # noqa: S101 - the loop above has seen to it
    if now >= expires_at + LEEWAY_SECONDS:
        raise TokenRejected(Rejection.EXPIRED)
    if expires_at > now + MAX_LIFETIME_SECONDS + LEEWAY_SECONDS:
        raise TokenRejected(Rejection.CLAIMS)
    if max(claims.get("iat", 0), claims.get("nbf", 0)) > now + LEEWAY_SECONDS:
        raise TokenRejected(Rejection.NOT_YET_VALID)
    return Assertion(client_id, token_id, int(expires_at))


def _key_for(header: Mapping[str, Any], jwks: Mapping[str, Any]) -> PublicKey:
    """The registered key that the header names, or the only one; its algorithm must be meant."""
    try:
        keys = _parsed(json.dumps(jwks, sort_keys=True))
    except InvalidKeySet:
        raise TokenRejected(Rejection.KEY) from None
    kid = header.get("kid")
    found = [key for key in keys if kid is None or key.kid == kid]
    if len(found) != 1:
        raise TokenRejected(Rejection.KEY)
    if header.get("alg") != _algorithm_of(found[0]):
        raise TokenRejected(Rejection.ALGORITHM)
    return found[0]


@lru_cache(maxsize=1024)
def _parsed(jwks: str) -> tuple[PublicKey, ...]:
    """Parsing an RSA key takes milliseconds; a set never changes, a new one has a new text."""
    return check_key_set(json.loads(jwks))


def check_key_set(jwks: Any) -> tuple[PublicKey, ...]:
    """The keys of a set that a client may register. Raises InvalidKeySet."""
    members = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(members, list) or not 0 < len(members) <= MAX_KEYS:
        raise InvalidKeySet(f'expected {{"keys": [...]}} with 1 to {MAX_KEYS} keys')
    if any(not isinstance(member, dict) for member in members):
        raise InvalidKeySet("every key is a JSON object (RFC 7517)")
    if any(member.keys() & _PRIVATE_MEMBERS for member in members):
        raise InvalidKeySet("a private or symmetric key: register public keys alone")
    try:
        # Looked at before they are imported: joserfc warns of a weak key and takes it.
        good = all(_has_good_size(member) for member in members)
        keys = tuple(KeySet.import_key_set({"keys": members}).keys) if good else ()
    except (JoseError, ValueError, KeyError, TypeError):
        raise InvalidKeySet("a key cannot be read (RFC 7517)") from None
    if not keys:
        raise InvalidKeySet(_KINDS)
    names = [key.kid for key in keys]
    if len(set(names)) != len(names):
        raise InvalidKeySet("two keys have the same kid")
    return tuple(_public(key) for key in keys)


def _has_good_size(member: Mapping[str, Any]) -> bool:
    """Whether it is no RSA key, or one of a size that is neither weak nor a burden."""
    if member.get("kty") != "RSA":
        return True
    return RSA_MINIMUM_BITS <= base64_to_int(member["n"]).bit_length() <= RSA_MAXIMUM_BITS


def _public(key: Any) -> PublicKey:
    """A key of a kind that signs for us, and meant to (RFC 7517 sections 4.2 to 4.4)."""
    algorithm = None if not isinstance(key, ECKey | RSAKey | OKPKey) else _algorithm_of(key)
    if algorithm is None:
        raise InvalidKeySet(_KINDS)
    said = key.as_dict(private=False)
    if said.get("alg", algorithm) != algorithm:
        raise InvalidKeySet(f"the alg of this key has to be {algorithm}, or left out")
    if said.get("use", "sig") != "sig" or "verify" not in said.get("key_ops", ["verify"]):
        raise InvalidKeySet(
            "a key is not for checking signatures: expected use sig, or key_ops verify"
        )
    return cast("PublicKey", key)


def _algorithm_of(key: PublicKey) -> str | None:
    """The one algorithm that a key is good for."""
    if isinstance(key, ECKey):
        return "ES256" if key.curve_name == "P-256" else None
    if isinstance(key, OKPKey):
        return "Ed25519" if key.curve_name == "Ed25519" else None
    return "RS256"
