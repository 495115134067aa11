"""Claim sets of access tokens (RFC 9068, RFC 8693) and ID tokens (OpenID Connect Core). Pure.

Absent means absent: a claim without a value is left out, never sent as null or empty.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

#: ``typ`` of an access token (RFC 9068 section 2.1) and of an ID token. They keep the two kinds
#: apart, whatever claims they hold.
ACCESS_TOKEN_TYPE = "at+jwt"
ID_TOKEN_TYPE = "JWT"

#: No token of ours is longer, in characters. The issuer refuses to make one and the checker to
#: read one; the usual limit of an HTTP header line is the reason for the number.
MAX_TOKEN_LENGTH = 8 * 1024

#: Claims with a meaning that the authorization server alone decides. Configured or user-supplied
#: extras can never set them, even where this token would have gone without.
PROTOCOL_CLAIMS = frozenset(
    {
        *("iss", "sub", "aud", "exp", "nbf", "iat", "jti"),  # RFC 7519
        *("client_id", "scope", "act", "may_act"),  # RFC 8693, RFC 9068
        *("groups", "roles", "entitlements"),  # RFC 9068 section 2.2.3.1
        *("auth_time", "acr", "amr", "nonce", "azp", "sid", "sub_jwk"),  # OpenID Connect
        *("at_hash", "c_hash", "s_hash"),
        *("cnf", "authorization_details", "events", "toe", "txn"),  # RFC 7800, 9396, 8417
    }
)
#: Our own claims in access tokens, equally out of reach of extras there.
OWN_CLAIMS = frozenset({"account_id", "user_type", "decision_id", "evaluate"})

_HASH_OF_ALGORITHM = {"ES256": "sha256", "RS256": "sha256", "Ed25519": "sha512"}


def access_token_claims(
    *,
    issuer: str,
    subject: str,
    audience: Sequence[str],
    client_id: str,
    account_id: str,
    user_type: str,
    issued_at: int,
    expires_at: int,
    token_id: str,
    scope: str | None,
    evaluate: bool,
    actor: Mapping[str, Any] | None,
    decision_id: str | None,
    auth_time: int | None,
    amr: Sequence[str] | None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The claims of an access token. Times are epoch seconds, ``scope`` is space-separated.

    ``aud`` is always a list. ``evaluate`` appears only when true: it tells the resource server to
    ask access evaluation, since ``scope`` can't express all that the token may do. ``actor``
    becomes ``act`` (RFC 8693 section 4.1).

    Raises ValueError for an empty audience, an expiry that isn't after the issue, or an ``extra``
    that would take the name of a claim that only the server sets.
    """
    _check_extra(extra, PROTOCOL_CLAIMS | OWN_CLAIMS)
    _check_times(issued_at, expires_at)
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": subject,
        "aud": _audience_list(audience),
        "client_id": client_id,
        "account_id": account_id,
        "user_type": user_type,
    }
    if scope:
        claims["scope"] = scope
    if evaluate:
        claims["evaluate"] = True
    if actor is not None:
        claims["act"] = dict(actor)
    if decision_id is not None:
        claims["decision_id"] = decision_id
    if auth_time is not None:
        claims["auth_time"] = auth_time
    if amr:
        claims["amr"] = list(amr)
    claims.update(iat=issued_at, exp=expires_at, jti=token_id)
    return {**claims, **(extra or {})}


def id_token_claims(
    *,
    issuer: str,
    subject: str,
    client_id: str,
    issued_at: int,
    expires_at: int,
    alg: str,
    auth_time: int | None = None,
    nonce: str | None = None,
    amr: Sequence[str] | None = None,
    access_token: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The claims of an ID token (OpenID Connect Core section 2). Times are epoch seconds.

    ``alg`` is the algorithm that the token will be signed with: ``at_hash`` depends on it.
    ``extra`` holds profile claims (``name``, ``email``, …).

    Raises ValueError for an unknown ``alg``, an expiry that isn't after the issue, or an
    ``extra`` that would take the name of a protocol claim.
    """
    _check_extra(extra, PROTOCOL_CLAIMS)
    _check_times(issued_at, expires_at)
    claims: dict[str, Any] = {"iss": issuer, "sub": subject, "aud": client_id}
    claims.update(exp=expires_at, iat=issued_at)
    if auth_time is not None:
        claims["auth_time"] = auth_time
    if nonce is not None:
        claims["nonce"] = nonce
    if amr:
        claims["amr"] = list(amr)
    if access_token is not None:
        claims["at_hash"] = left_half_hash(access_token, alg)
    return {**claims, **(extra or {})}


def left_half_hash(value: str, alg: str) -> str:
    """``at_hash`` and its kin: the left half of the hash that goes with ``alg``, in base64url.

    OpenID Connect Core section 3.1.3.6. SHA-256 for ES256 and RS256, SHA-512 for Ed25519.
    Raises ValueError for another algorithm.
    """
    if alg not in _HASH_OF_ALGORITHM:
        raise ValueError(f"no hash is defined for the signing algorithm {alg!r}")
    digest = hashlib.new(_HASH_OF_ALGORITHM[alg], value.encode("utf-8")).digest()
    half = digest[: len(digest) // 2]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode("ascii")


def _audience_list(audience: Sequence[str]) -> list[str]:
    # A lone string is a sequence of its letters to Python: never what was meant.
    if isinstance(audience, str) or not audience or not all(audience):
        raise ValueError("audience must be a list of at least one identifier, none of them empty")
    return list(audience)


def _check_times(issued_at: int, expires_at: int) -> None:
    if expires_at <= issued_at:
        raise ValueError(f"a token issued at {issued_at} can't expire at {expires_at}")


def _check_extra(extra: Mapping[str, Any] | None, reserved: frozenset[str]) -> None:
    taken = sorted(reserved.intersection(extra or ()))
    if taken:
        raise ValueError(f"extra claims can't set {', '.join(taken)}: only the server does")
