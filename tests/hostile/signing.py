"""Signing by hand: whatever algorithm, whatever shape, whether or not anybody should."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Sign = Callable[[bytes], bytes]

#: The orders of the groups that ES256 and Ed25519 sign in, and the field prime of P-256.
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493

HASHES: dict[str, type[HashAlgorithm]] = {"256": SHA256, "384": SHA384, "512": SHA512}


def b64(data: bytes) -> bytes:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def as_json(value: Any) -> bytes:
    """JSON of a value; text and bytes count as JSON that is already written."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, separators=(",", ":")).encode()


def compact(header: Any, payload: Any, sign: Sign | bytes) -> bytes:
    """A compact JWS (RFC 7515 section 7.1); `sign` is what signs it, or the signature itself."""
    signed = b64(as_json(header)) + b"." + b64(as_json(payload))
    signature = sign if isinstance(sign, bytes) else sign(signed)
    return signed + b"." + b64(signature)


def ecdsa_numbers(key: ec.EllipticCurvePrivateKey, signed: bytes) -> tuple[int, int]:
    return decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))


def raw(r: int, s: int, size: int = 32) -> bytes:
    """r and s as RFC 7518 section 3.4 puts them, each in `size` bytes."""
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def ecdsa(
    key: ec.EllipticCurvePrivateKey, hash_name: type[HashAlgorithm] = SHA256, size: int = 32
) -> Sign:
    def sign(signed: bytes) -> bytes:
        return raw(*decode_dss_signature(key.sign(signed, ec.ECDSA(hash_name()))), size)

    return sign


def ecdsa_numbers_changed(
    key: ec.EllipticCurvePrivateKey, change: Callable[[int, int], tuple[int, int]]
) -> Sign:
    """A sound signature whose numbers are changed afterwards."""
    return lambda signed: raw(*change(*ecdsa_numbers(key, signed)))


def ecdsa_der(key: ec.EllipticCurvePrivateKey) -> Sign:
    """As X.509 writes it, and many libraries by default."""
    return lambda signed: encode_dss_signature(*ecdsa_numbers(key, signed))


def rsa_pkcs1(key: rsa.RSAPrivateKey, hash_name: type[HashAlgorithm] = SHA256) -> Sign:
    return lambda signed: key.sign(signed, padding.PKCS1v15(), hash_name())


def rsa_sha1(key: rsa.RSAPrivateKey) -> Sign:
    return rsa_pkcs1(key, SHA1)


def rsa_pss(key: rsa.RSAPrivateKey, hash_name: type[HashAlgorithm] = SHA256) -> Sign:
    salt = padding.PSS.DIGEST_LENGTH
    return lambda signed: key.sign(
        signed, padding.PSS(padding.MGF1(hash_name()), salt), hash_name()
    )


def eddsa(key: ed25519.Ed25519PrivateKey) -> Sign:
    return key.sign


def mac(secret: bytes, bits: str = "256") -> Sign:
    return lambda signed: hmac.digest(secret, signed, f"sha{bits}")


def sign_with(key: Any) -> Sign:
    """As the algorithm of the key's own type signs."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ecdsa(key)
    return rsa_pkcs1(key) if isinstance(key, rsa.RSAPrivateKey) else eddsa(key)


def public_encodings(key: Any) -> dict[str, bytes]:
    """The public key of a private one, in the forms that somebody may have taken for a secret."""
    public = key.public_key()
    spki = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forms = {
        "PEM": spki,
        "PEM without its last line break": spki.rstrip(b"\n"),
        "PEM with CRLF": spki.replace(b"\n", b"\r\n"),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "JWK": as_json(jwk_of(key)),
        "JWK as Python prints it": json.dumps(jwk_of(key)).encode(),
        "JWKS": as_json({"keys": [jwk_of(key)]}),
    }
    if isinstance(key, ec.EllipticCurvePrivateKey):
        forms["uncompressed point"] = public.public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )
        forms["compressed point"] = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        forms["x"] = public.public_numbers().x.to_bytes(32, "big")
    if isinstance(key, rsa.RSAPrivateKey):
        forms["PKCS 1 PEM"] = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        forms["modulus"] = public.public_numbers().n.to_bytes(key.key_size // 8, "big")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        forms["raw"] = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return forms


def jwk_of(key: Any) -> dict[str, str]:
    """The public half as a JWK (RFC 7517), without kid."""

    def number(value: int, size: int) -> str:
        return b64(value.to_bytes(size, "big")).decode()

    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        x, y = number(point.x, 32), number(point.y, 32)
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    if isinstance(key, rsa.RSAPrivateKey):
        modulus = key.public_key().public_numbers().n
        return {"kty": "RSA", "n": number(modulus, key.key_size // 8), "e": "AQAB"}
    bare = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(bare).decode()}
