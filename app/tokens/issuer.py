"""The only place that signs. Claims come in complete; a compact JWS (RFC 7515) comes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from app.tokens.claims import ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE, MAX_TOKEN_LENGTH
from app.tokens.keyring import ALGORITHMS, KeyRing
from app.tokens.sealing import seal

# NaN and Infinity are no JSON (RFC 8259 section 6): refused rather than signed.
_encode_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class TokenTooLarge(ValueError):
    """The signed token would be longer than any verifier, ours included, is asked to read."""


class TokenIssuer:
    """Signs with the newest active key of an algorithm, always one key, never a set.

    ``ring`` is asked at each signature, so a rotation takes effect at once. ``algorithm`` is for
    access tokens; ID tokens name theirs, since a client may have registered another.
    """

    def __init__(self, ring: Callable[[], KeyRing], issuer: str, algorithm: str) -> None:
        """Raises ValueError when ``algorithm`` is none that Crossroot signs with."""
        _check_algorithm(algorithm)
        self._ring = ring
        self.issuer = issuer
        self.algorithm = algorithm

    def sign_access_token(self, claims: Mapping[str, Any]) -> str:
        """A signed access token, ``typ: at+jwt`` (RFC 9068 section 2.1).

        Raises ValueError when ``iss`` is not this issuer or a claim is no JSON, TokenTooLarge,
        and KeyRingError when no active key fits.
        """
        return self._sign(claims, self.algorithm, ACCESS_TOKEN_TYPE)

    def sign_id_token(self, claims: Mapping[str, Any], alg: str) -> str:
        """A signed ID token, ``typ: JWT``. Raises as ``sign_access_token``, and for a wrong alg."""
        _check_algorithm(alg)
        return self._sign(claims, alg, ID_TOKEN_TYPE)

    def _sign(self, claims: Mapping[str, Any], alg: str, typ: str) -> str:
        if claims.get("iss") != self.issuer:
            raise ValueError("claims are not of this issuer: iss must be its identifier")
        key = self._ring().signer(alg)
        token = seal(_encode_json(dict(claims)).encode("utf-8"), key, typ)
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenTooLarge(
                f"the token would be {len(token)} characters long; at most {MAX_TOKEN_LENGTH} are"
                " allowed: ask for fewer or shorter scopes"
            )
        return token


def _check_algorithm(alg: str) -> None:
    if alg not in ALGORITHMS:
        raise ValueError(f"{alg!r} is no signing algorithm; choose one of {', '.join(ALGORITHMS)}")
