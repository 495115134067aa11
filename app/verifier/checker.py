"""Checking an access token: form, signature, claims, in this order.

The rules are those of RFC 9068 section 4 and of RFC 8725 (JWT best current practices). Nothing
that a token says about itself is believed before the signature has been checked, except the
names of the key and of the algorithm, and those only choose among what the issuer publishes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, NoReturn

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from app.verifier.discovery import Fetch, HttpFetch, check_issuer
from app.verifier.keys import KeyCache, SigningKey, UnknownKey
from app.verifier.token import TokenInvalid, VerifiedToken, read_claims

ALGORITHMS = ("ES256", "RS256", "Ed25519")
MAX_TOKEN_SIZE = 8 * 1024
"""Characters; a longer token is refused before anything in it is read."""

_TYPES = ("at+jwt", "application/at+jwt")
# A key that comes with the token proves nothing (RFC 8725 section 3.10); an extension that
# must be understood is not (RFC 7515 section 4.1.11).
_REFUSED_PARAMETERS = ("jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64")


class Verifier:
    """Checks access tokens of one issuer for one API.

    `issuer` is the issuer's URL, letter by letter as it is in the tokens. `audience` is this
    API's identifier URI, as the operator registered it. Keys are found by discovery, at the
    first token, and kept as `app.verifier.keys` describes.

    `fetch` reads a URL; the default one uses the standard library (`HttpFetch`). Another one
    must verify TLS certificates and not follow redirects. `clock` gives epoch seconds.

    Plain http is accepted in `issuer`, for an issuer on this host or on a network that nobody
    else is on: who can change the answers on the way can bring in keys of theirs.

    Safe to share between threads; make one for each process and keep it.
    Raises `ValueError` for an issuer that is no URL or an empty audience.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not audience:
            raise ValueError("The audience is empty; expected the identifier URI of this API.")
        self.issuer = check_issuer(issuer)
        self.audience = audience
        self._clock = clock
        self._keys = KeyCache(issuer, fetch or HttpFetch(issuer), clock)

    def verify(self, token: str) -> VerifiedToken:
        """The token's content, if it can be relied on.

        Raises `TokenInvalid` with the reason, `KeysUnavailable` if the issuer can't be reached
        and its keys are not known or too old.
        """
        if len(token) > MAX_TOKEN_SIZE:
            raise TokenInvalid("The token is too long.")
        key = self._choose_key(token)
        claims = _read_object(_check_signature(token, key), "payload")
        return read_claims(claims, issuer=self.issuer, audience=self.audience, now=self._clock())

    def _choose_key(self, token: str) -> SigningKey:
        """The issuer's key that the header names, if header and key agree on the algorithm."""
        header = _read_header(token)
        if any(name in header for name in _REFUSED_PARAMETERS):
            raise TokenInvalid("The token's header has a parameter that is not accepted.")
        media_type = header.get("typ")
        if not isinstance(media_type, str) or media_type.lower() not in _TYPES:
            raise TokenInvalid("The token is not an access token (typ at+jwt).")
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise TokenInvalid("The token is signed with an algorithm that is not accepted.")
        if not isinstance(kid, str) or not kid:
            raise TokenInvalid("The token does not say which key signed it (kid).")
        try:
            key = self._keys.key(kid)
        except UnknownKey:
            raise TokenInvalid(
                "The token is signed with a key that the issuer does not have."
            ) from None
        if key.algorithm != algorithm:
            # Otherwise a public key could be used as the secret of an HMAC (RFC 8725, 3.1).
            raise TokenInvalid("The token's algorithm is not that of its key.")
        return key


def _read_header(token: str) -> dict[str, Any]:
    segments = token.split(".")
    if not token.isascii() or len(segments) != 3:
        raise TokenInvalid("The token is not a signed JWT.")
    try:
        header = urlsafe_b64decode(segments[0].encode("ascii"))
    except ValueError:
        raise TokenInvalid("The token's header is malformed.") from None
    return _read_object(header, "header")


def _check_signature(token: str, key: SigningKey) -> bytes:
    """The payload of the token. Raises `TokenInvalid` if `key` did not sign it."""
    registry = jws.JWSRegistry(algorithms=[key.algorithm], strict_check_header=False)
    try:
        return jws.deserialize_compact(token, key.key, registry=registry).payload
    except (JoseError, ValueError):
        raise TokenInvalid("The token's signature is not right.") from None


def _read_object(text: bytes, what: str) -> dict[str, Any]:
    """A JSON object with each name once (RFC 7515 section 4, RFC 7519 section 4)."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise TokenInvalid(f"The token's {what} is malformed.") from None
    if not isinstance(value, dict):
        raise TokenInvalid(f"The token's {what} is malformed.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name occurs twice")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
