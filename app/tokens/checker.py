"""Checking of our own tokens: those that this issuer signed, and no others.

Nothing in a token chooses how it is checked. The key is looked up in the ring by ``kid`` and
brings its algorithm along; keys, addresses and certificates in the header are refused unread, so
no check can cause an outbound call. Cheap tests come first, the payload is parsed only after its
signature held. Sources: RFC 8725 (JWT best practices), RFC 9068 section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joserfc.errors import JoseError

from app.tokens.claims import ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE
from app.tokens.compact import (
    Rejection,
    TokenRejected,
    parse_object,
    read_compact,
    string_list,
)
from app.tokens.keyring import ALGORITHMS, KeyRing
from app.tokens.sealing import is_sealed_by

__all__ = ["LEEWAY_SECONDS", "Rejection", "TokenChecker", "TokenRejected"]

#: How far the clocks of the machines that share a ring may differ. The only leeway there is.
LEEWAY_SECONDS = 30

#: All that a header of ours holds. Whatever else it has (jwk, jku, x5u, x5c, x5t, x5t#S256, crit,
#: b64, zip, cty, …) is no token of ours.
_HEADER_MEMBERS = frozenset({"alg", "kid", "typ"})
_ACCESS_TOKEN_TYPES = frozenset({ACCESS_TOKEN_TYPE, f"application/{ACCESS_TOKEN_TYPE}"})
_ID_TOKEN_TYPES = frozenset({ID_TOKEN_TYPE.lower()})


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
        header, payload, signature = read_compact(token)
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
            holds = is_sealed_by(token, signature, alg, key.public_key)
        except (JoseError, ValueError):
            holds = False
        if not holds:
            raise TokenRejected(Rejection.SIGNATURE)

        claims = parse_object(payload)
        if claims.get("iss") != self._issuer:
            raise TokenRejected(Rejection.ISSUER)
        # One form for callers: "x in aud" on a string would look for a part of it.
        audience = claims.get("aud")
        claims["aud"] = string_list([audience] if isinstance(audience, str) else audience)
        return claims


def _require_strings(claims: dict[str, Any], *names: str) -> None:
    for name in names:
        if not isinstance(claims.get(name), str) or not claims[name]:
            raise TokenRejected(Rejection.CLAIMS)


def _check_access_token_shape(claims: dict[str, Any]) -> None:
    _require_strings(claims, "sub", "client_id", "jti", "account_id", "user_type")
    _require_strings(claims, *(claims.keys() & {"scope", "decision_id"}))
    if "amr" in claims:
        string_list(claims["amr"])
    if not isinstance(claims.get("act", {}), dict) or claims.get("evaluate", True) is not True:
        raise TokenRejected(Rejection.CLAIMS)


def _check_times(claims: dict[str, Any], now: float) -> None:
    """``exp`` and ``iat`` must be there, ``nbf`` may be; all are numbers, and true is none."""
    for name in ("exp", "iat", *(claims.keys() & {"nbf", "auth_time"})):
        if type(claims.get(name)) not in (int, float):
            raise TokenRejected(Rejection.CLAIMS)
    if max(claims["iat"], claims.get("nbf", claims["iat"])) > now + LEEWAY_SECONDS:
        raise TokenRejected(Rejection.NOT_YET_VALID)
