"""A forger that signs whatever it likes, with the server's own key where that hides the attack."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.world import RING

OWN_KID = RING.signer("ES256").kid
ATTACKERS_KEY = ec.generate_private_key(ec.SECP256R1())


def b64(data: bytes | str | dict[str, Any]) -> str:
    if isinstance(data, dict):
        data = json.dumps(data, separators=(",", ":"))
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def own_key(alg: str) -> Any:
    """The server's private key, as no attacker has it."""
    private = RING.signer(alg).private_key
    assert private is not None
    return private.get_op_key("sign")


def public_pem(alg: str = "ES256") -> bytes:
    key = own_key(alg).public_key()
    return bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def public_jwk(key: ec.EllipticCurvePrivateKey = ATTACKERS_KEY) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": b64(numbers.x.to_bytes(32, "big")),
        "y": b64(numbers.y.to_bytes(32, "big")),
    }


def sign_es256(signed: str, key: Any = None) -> str:
    r, s = decode_dss_signature((key or own_key("ES256")).sign(signed.encode(), ec.ECDSA(SHA256())))
    return b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def forge(
    claims: dict[str, Any] | str, header: dict[str, Any] | str | None = None, key: Any = None
) -> str:
    """Header and claims as given (None takes a member away), signed by ES256."""
    if not isinstance(header, str):
        members = {"alg": "ES256", "typ": "at+jwt", "kid": OWN_KID, **(header or {})}
        header = json.dumps({n: v for n, v in members.items() if v is not None})
    if isinstance(claims, dict):
        claims = json.dumps({n: v for n, v in claims.items() if v is not None})
    signed = f"{b64(header)}.{b64(claims)}"
    return f"{signed}.{sign_es256(signed, key)}"


def hs256(claims: dict[str, Any], secret: bytes, **header: Any) -> str:
    """Signed by HMAC with what everybody knows (CVE-2024-37568)."""
    head = {"alg": "HS256", "typ": "at+jwt", "kid": OWN_KID, **header}
    signed = f"{b64(head)}.{b64(claims)}"
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}"


def rs256(claims: dict[str, Any], **header: Any) -> str:
    """Signed by the server's RSA key, whatever the header says."""
    head = {"alg": "RS256", "typ": "at+jwt", "kid": RING.signer("RS256").kid, **header}
    signed = f"{b64(head)}.{b64(claims)}"
    signature = own_key("RS256").sign(signed.encode(), padding.PKCS1v15(), SHA256())
    return f"{signed}.{b64(signature)}"
