"""The compact form of a JWT, read strictly: one way to understand it, or none.

What our own tokens and the assertions of clients have in common before any key is looked at:
bounds, base64url, JSON without duplicate members or numbers that parsers disagree on.
"""

from __future__ import annotations

import json
import math
from enum import StrEnum
from typing import Any

from joserfc.util import urlsafe_b64decode

from app.tokens.claims import MAX_TOKEN_LENGTH

#: Beyond this an integer is not the same in every JSON parser (RFC 8259 section 6).
_MAX_INTEGER = 2**53 - 1


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


def read_compact(token: str) -> tuple[dict[str, Any], bytes, bytes]:
    """The header, parsed, the payload as bytes, and the signature. Raises TokenRejected."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise TokenRejected(Rejection.TOO_LONG)
    parts = token.split(".")
    if len(parts) != 3:
        raise TokenRejected(Rejection.MALFORMED)
    header = parse_object(_decode(parts[0]))
    return header, _decode(parts[1]), _decode(parts[2])


def _decode(part: str) -> bytes:
    try:
        data = urlsafe_b64decode(part.encode("ascii"))
    except ValueError:
        raise TokenRejected(Rejection.MALFORMED) from None
    if not data:
        raise TokenRejected(Rejection.MALFORMED)
    return data


def parse_object(data: bytes) -> dict[str, Any]:
    try:
        # Decoded here: given bytes, json would also guess UTF-16 and UTF-32.
        text = data.decode("utf-8")
        value = _STRICT_JSON.decode(text)
        if "\\u" in text:
            _require_unicode(value)
    except (ValueError, RecursionError):
        raise TokenRejected(Rejection.MALFORMED) from None
    if not isinstance(value, dict):
        raise TokenRejected(Rejection.MALFORMED)
    return value


def _require_unicode(value: Any) -> None:
    """Escapes can spell half of a surrogate pair, which is no text (RFC 7493 section 2.1).

    No store takes it, and no hash is defined of it. Raises ValueError.
    """
    json.dumps(value, ensure_ascii=False).encode("utf-8")


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


def string_list(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        raise TokenRejected(Rejection.CLAIMS)
    if not all(isinstance(item, str) and item for item in value):
        raise TokenRejected(Rejection.CLAIMS)
    return value
