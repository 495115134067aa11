"""Signing: what a verifier that knows only the JWKS and the RFCs finds in our tokens."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from joserfc import jws

from app.tokens.issuer import TokenIssuer, TokenTooLarge
from app.tokens.keyring import ALGORITHMS, KeyRing, KeyRingError, SigningKey

ISSUER = "https://auth.example"
CLAIMS = {"iss": ISSUER, "sub": "sa-1", "aud": ["https://vserver.example"], "name": "Nguyễn"}


def header_of(token: str) -> dict[str, Any]:
    part = token.split(".")[0]
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return header


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_access_token_says_what_it_is(alg: str, ring: KeyRing) -> None:
    token = TokenIssuer(lambda: ring, ISSUER, alg).sign_access_token(CLAIMS)
    assert header_of(token) == {"alg": alg, "typ": "at+jwt", "kid": ring.signer(alg).kid}


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_id_token_is_signed_as_its_client_asked(alg: str, ring: KeyRing) -> None:
    token = TokenIssuer(lambda: ring, ISSUER, "ES256").sign_id_token(CLAIMS, alg)
    assert header_of(token) == {"alg": alg, "typ": "JWT", "kid": ring.signer(alg).kid}


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
def test_another_library_verifies_our_tokens(alg: str, ring: KeyRing) -> None:
    token = TokenIssuer(lambda: ring, ISSUER, alg).sign_access_token(CLAIMS)
    jwk = next(jwk for jwk in ring.jwks()["keys"] if jwk["kid"] == header_of(token)["kid"])
    key = jwt.PyJWK.from_dict(jwk)
    claims = jwt.decode(token, key, algorithms=[alg], audience="https://vserver.example")
    assert claims == CLAIMS


def test_an_ed25519_token_verifies_with_the_published_key(ring: KeyRing) -> None:
    token = TokenIssuer(lambda: ring, ISSUER, "Ed25519").sign_access_token(CLAIMS)
    key = ring.signer("Ed25519").public_key
    payload = jws.deserialize_compact(token, key, algorithms=["Ed25519"]).payload
    assert payload is not None
    assert json.loads(payload) == CLAIMS


def test_a_rotation_takes_effect_at_the_next_signature() -> None:
    old, new = SigningKey.create("ES256", 100), SigningKey.create("ES256", 200)
    rings = [KeyRing.from_keys([old])]
    issuer = TokenIssuer(lambda: rings[-1], ISSUER, "ES256")
    assert header_of(issuer.sign_access_token(CLAIMS))["kid"] == old.kid
    rings.append(KeyRing.from_keys([old, new]))
    kids = {header_of(issuer.sign_access_token(CLAIMS))["kid"] for _ in range(8)}
    assert kids == {new.kid}


def test_without_an_active_key_nothing_is_signed() -> None:
    ring = KeyRing.from_keys(
        [SigningKey.create("ES256", 1, "next"), SigningKey.create("ES256", 1, "retired")]
    )
    with pytest.raises(KeyRingError, match="no active ES256 key"):
        TokenIssuer(lambda: ring, ISSUER, "ES256").sign_access_token(CLAIMS)


@pytest.mark.parametrize("alg", ["none", "HS256", "EdDSA", "ES384", ""])
def test_no_other_algorithm_signs(alg: str, ring: KeyRing) -> None:
    with pytest.raises(ValueError, match="is no signing algorithm"):
        TokenIssuer(lambda: ring, ISSUER, alg)
    with pytest.raises(ValueError, match="is no signing algorithm"):
        TokenIssuer(lambda: ring, ISSUER, "ES256").sign_id_token(CLAIMS, alg)


@pytest.mark.parametrize("claims", [{}, {"iss": "https://other.example"}])
def test_nothing_is_signed_in_anothers_name(claims: dict[str, Any], ring: KeyRing) -> None:
    issuer = TokenIssuer(lambda: ring, ISSUER, "ES256")
    with pytest.raises(ValueError, match="not of this issuer"):
        issuer.sign_access_token(claims)
    with pytest.raises(ValueError, match="not of this issuer"):
        issuer.sign_id_token(claims, "ES256")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_is_no_json_is_not_signed(value: Any, ring: KeyRing) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        TokenIssuer(lambda: ring, ISSUER, "ES256").sign_access_token({**CLAIMS, "x": value})


def test_a_token_that_nobody_would_read_is_not_issued(ring: KeyRing) -> None:
    issuer = TokenIssuer(lambda: ring, ISSUER, "ES256")
    assert len(issuer.sign_access_token({**CLAIMS, "x": "x" * 5500})) <= 8192
    with pytest.raises(TokenTooLarge, match="at most 8192 are allowed"):
        issuer.sign_access_token({**CLAIMS, "x": "x" * 6500})


def test_the_claims_are_left_as_they_were(ring: KeyRing) -> None:
    claims = dict(CLAIMS)
    TokenIssuer(lambda: ring, ISSUER, "ES256").sign_access_token(claims)
    assert claims == CLAIMS
