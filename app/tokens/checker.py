"""Checking of our own tokens: those that this issuer signed, and no others.

Nothing in a token chooses how it is checked. The key is looked up in the ring by ``kid`` and
brings its algorithm along; keys, addresses and certificates in the header are refused unread, so
no check can cause an outbound call. Cheap tests come first, the payload is parsed only after its
signature held. Sources: RFC 8725 (JWT best practices), RFC 9068 section 4.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from app.tokens.claims import ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE, MAX_TOKEN_LENGTH
from app.tokens.keyring import ALGORITHMS, KeyRing

#: How far the clocks of the machines that share a ring may differ. The only leeway there is.
LEEWAY_SECONDS = 30

#: All that a header of ours holds. Whatever else it has (jwk, jku, x5u, x5c, x5t, x5t#S256, crit,
#: b64, zip, cty, …) is no token of ours.
_HEADER_MEMBERS = frozenset({"alg", "kid", "typ"})
_ACCESS_TOKEN_TYPES = frozenset({ACCESS_TOKEN_TYPE, f"application/{ACCESS_TOKEN_TYPE}"})
_ID_TOKEN_TYPES = frozenset({ID_TOKEN_TYPE.lower()})

#: Beyond this an integer is not the same in every JSON parser (RFC 8259 section 6).
_MAX_INTEGER = 2**53 - 1

_REGISTRY = jws.JWSRegistry(algorithms=ALGORITHMS)


class Rejection(StrEnum):
    """Why a token was refused. For logs and tests: callers on the wire hear one answer."""

    TOO_LONG = "too-long"
    MALFORMED = "malformed"
    HEADER = "header"
    ALGORITHM = "algorithm"
    TYPE = "type"
    KEY = "key"
    SIGNATURE = "signature"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    CLAIMS = "claims"


_MESSAGES = {
    Rejection.TOO_LONG: f"the token is longer than {MAX_TOKEN_LENGTH} characters",
    Rejection.MALFORMED: "the token is not a well-formed JWT",
    Rejection.HEADER: "the token's header has a member that this issuer never sets",
    Rejection.ALGORITHM: "the token's algorithm is not allowed, or not that of its key",
    Rejection.TYPE: "this is another kind of token than the one expected here",
    Rejection.KEY: "the token names no key of this issuer",
    Rejection.SIGNATURE: "the token's signature does not hold",
    Rejection.ISSUER: "the token is from another issuer",
    Rejection.AUDIENCE: "the token is for another audience",
    Rejection.EXPIRED: "the token has expired",
    Rejection.NOT_YET_VALID: "the token is not valid yet",
    Rejection.CLAIMS: "a claim of the token is missing or of the wrong type",
}


class TokenRejected(Exception):
    """A token that is not to be trusted. ``reason`` says why; nothing of the token is quoted."""

    def __init__(self, reason: Rejection) -> None:
        super().__init__(_MESSAGES[reason])
        self.reason = reason


class TokenChecker:
    """Checks tokens of ``issuer`` against the ring that ``ring`` returns at that moment."""

    def __init__(self, ring: Callable[[], KeyRing], issuer: str) -> None:
        self._ring = ring
        self._issuer = issuer

    def check_access_token(
        self, token: str, now: float, *, audience: str | None = None
    ) -> dict[str, Any]:
        """The claims of a valid access token; ``now`` in epoch seconds, ``aud`` always as a list.

        With ``audience``, that identifier must be in ``aud``; without it the caller must look at
        ``aud`` itself. Says nothing about revocation, which no signature can know.

        Raises TokenRejected.
        """
        claims = self._open(token, _ACCESS_TOKEN_TYPES)
        _check_access_token_shape(claims)
        _check_times(claims, now)
        if now >= claims["exp"] + LEEWAY_SECONDS:
            raise TokenRejected(Rejection.EXPIRED)
        if audience is not None and audience not in claims["aud"]:
            raise TokenRejected(Rejection.AUDIENCE)
        return claims

    def check_id_token_hint(
        self, token: str, now: float, client_id: str | None = None
    ) -> dict[str, Any]:
        """The claims of one of our ID tokens, even an expired one; ``aud`` always as a list.

        For ``id_token_hint`` (OpenID Connect RP-Initiated Logout section 4): it tells who was
        signed in, and grants nothing. With ``client_id``, the token must be that client's.

        Raises TokenRejected.
        """
        claims = self._open(token, _ID_TOKEN_TYPES)
        _require_strings(claims, "sub")
        _check_times(claims, now)
        if client_id is not None and client_id not in claims["aud"]:
            raise TokenRejected(Rejection.AUDIENCE)
        return claims

    def _open(self, token: str, types: frozenset[str]) -> dict[str, Any]:
        """Header, key, signature, then the payload with a checked ``iss`` and ``aud``."""
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenRejected(Rejection.TOO_LONG)
        parts = token.split(".")
        if len(parts) != 3:
            raise TokenRejected(Rejection.MALFORMED)
        header = _parse_object(_decode(parts[0]))
        payload = _decode(parts[1])
        _decode(parts[2])

        alg, kid, typ = (header.get(name) for name in ("alg", "kid", "typ"))
        if alg not in ALGORITHMS:
            raise TokenRejected(Rejection.ALGORITHM)
        if not header.keys() <= _HEADER_MEMBERS:
            raise TokenRejected(Rejection.HEADER)
        if not isinstance(typ, str) or typ.lower() not in types:
            raise TokenRejected(Rejection.TYPE)
        key = self._ring().verification_key(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenRejected(Rejection.KEY)
        if key.alg != alg:
            raise TokenRejected(Rejection.ALGORITHM)
        try:
            jws.deserialize_compact(token, key.public_key, registry=_REGISTRY)
        except (JoseError, ValueError):
            raise TokenRejected(Rejection.SIGNATURE) from None

        claims = _parse_object(payload)
        if claims.get("iss") != self._issuer:
            raise TokenRejected(Rejection.ISSUER)
        # One form for callers: "x in aud" on a string would look for a part of it.
        audience = claims.get("aud")
        claims["aud"] = _string_list([audience] if isinstance(audience, str) else audience)
        return claims


def _decode(part: str) -> bytes:
    try:
        data = urlsafe_b64decode(part.encode("ascii"))
    except ValueError:
        raise TokenRejected(Rejection.MALFORMED) from None
    if not data:
        raise TokenRejected(Rejection.MALFORMED)
    return data


def _parse_object(data: bytes) -> dict[str, Any]:
    try:
        # Decoded here: given bytes, json would also guess UTF-16 and UTF-32.
        value = _STRICT_JSON.decode(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise TokenRejected(Rejection.MALFORMED) from None
    if not isinstance(value, dict):
        raise TokenRejected(Rejection.MALFORMED)
    return value


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member name")
    return members


def _bounded_integer(text: str) -> int:
    # The length first: converting thousands of digits is slow.
    if len(text) > 17 or abs(int(text)) > _MAX_INTEGER:
        raise ValueError("integer out of range")
    return int(text)


def _finite_number(text: str) -> float:
    # Called for fractions and exponents, and for the names NaN, Infinity and -Infinity.
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


_STRICT_JSON = json.JSONDecoder(
    object_pairs_hook=_unique_members,
    parse_int=_bounded_integer,
    parse_float=_finite_number,
    parse_constant=_finite_number,
)


def _string_list(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        raise TokenRejected(Rejection.CLAIMS)
    if not all(isinstance(item, str) and item for item in value):
        raise TokenRejected(Rejection.CLAIMS)
    return value


def _require_strings(claims: dict[str, Any], *names: str) -> None:
    for name in names:
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise TokenRejected(Rejection.CLAIMS)


def _check_access_token_shape(claims: dict[str, Any]) -> None:
    _require_strings(claims, "sub", "client_id", "jti", "account_id", "user_type")
    _require_strings(claims, *(claims.keys() & {"scope", "decision_id"}))
    if "amr" in claims:
        _string_list(claims["amr"])
    if not isinstance(claims.get("act", {}), dict) or claims.get("evaluate", True) is not True:
        raise TokenRejected(Rejection.CLAIMS)


def _check_times(claims: dict[str, Any], now: float) -> None:
    """``exp`` and ``iat`` must be there, ``nbf`` may be; all are numbers, and true is none."""
    for name in ("exp", "iat", *(claims.keys() & {"nbf", "auth_time"})):
        if type(claims.get(name)) not in (int, float):
            raise TokenRejected(Rejection.CLAIMS)
    if max(claims["iat"], claims.get("nbf", claims["iat"])) > now + LEEWAY_SECONDS:
        raise TokenRejected(Rejection.NOT_YET_VALID)
