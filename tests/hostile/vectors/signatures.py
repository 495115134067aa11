"""The header and the claims are sound, the signature is not: in the manner of Wycheproof."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from tests.hostile.forge import Case, Forge, cases
from tests.hostile.signing import (
    ED25519_ORDER,
    P256_ORDER,
    P256_PRIME,
    b64,
    ecdsa_der,
    ecdsa_numbers,
    ecdsa_numbers_changed,
    raw,
    rsa_pkcs1,
    sign_with,
)

_N = P256_ORDER
_ZERO = bytes(32)
#: Signatures of ES256 that no key ever made.
_MADE_UP: dict[str, bytes] = {
    "empty": b"",
    "one byte": b"\0",
    "r = s = 0": raw(0, 0),
    "r = 0, s = 1": raw(0, 1),
    "r = 1, s = 0": raw(1, 0),
    "r = s = 1": raw(1, 1),
    "r = s = n": raw(_N, _N),
    "r = n, s = 1": raw(_N, 1),
    "r = 1, s = n": raw(1, _N),
    "r = s = n - 1": raw(_N - 1, _N - 1),
    "r = n + 1, s = n + 1": raw(_N + 1, _N + 1),
    "r = p, s = 1": raw(P256_PRIME, 1),
    "r = p - n, s = 1": raw(P256_PRIME - _N, 1),
    "all ones": b"\xff" * 64,
    "63 zeroes": bytes(63),
    "65 zeroes": bytes(65),
    "96 zeroes": bytes(96),
    "DER of 0, 0": bytes.fromhex("3006020100020100"),
    "DER of 1, 1": bytes.fromhex("3006020101020101"),
    "DER of an empty sequence": bytes.fromhex("3000"),
    "DER of endless length": bytes.fromhex("30800000"),
    "text": b"signature",
    "a kilobyte": bytes(1024),
}
_LENGTHS = (1, 16, 31, 32, 33, 63)

Change = Callable[[int, int], tuple[int, int]]
_CHANGED: dict[str, Change] = {
    "r and s exchanged": lambda r, s: (s, r),
    "r + 1": lambda r, s: ((r + 1) % 2**256, s),
    "s + 1": lambda r, s: (r, (s + 1) % 2**256),
    "-r": lambda r, s: (_N - r, s),
    "-r and -s": lambda r, s: (_N - r, _N - s),
    "r zeroed": lambda _r, s: (0, s),
    "s zeroed": lambda r, _s: (r, 0),
    "r = n": lambda _r, s: (_N, s),
    "s = n": lambda r, _s: (r, _N),
    "s doubled": lambda r, s: (r, 2 * s % _N),
}


def _made_up(forge: Forge, alg: str, signature: bytes) -> bytes:
    return forge.token(alg, sign=signature)


def _ecdsa_changed(forge: Forge, change: Change) -> bytes:
    return forge.token(sign=ecdsa_numbers_changed(forge.ec_key, change))


def _reshaped(forge: Forge, shape: Callable[[bytes], bytes], alg: str = "ES256") -> bytes:
    """A sound signature, its bytes rearranged."""
    sign = sign_with(forge.keys[alg])
    return forge.token(alg, sign=lambda signed: shape(sign(signed)))


def _padded_numbers(forge: Forge) -> bytes:
    """r and s with a zero byte before each, as from a careless conversion."""
    return forge.token(sign=lambda signed: raw(*ecdsa_numbers(forge.ec_key, signed), 33))


def _of_digest_itself(forge: Forge) -> bytes:
    """The first bytes of the text, taken for its digest."""
    hashed = ec.ECDSA(Prehashed(SHA256()))
    return forge.token(
        sign=lambda signed: b64(forge.ec_key.sign(signed[:32], hashed)),
    )


def _over(forge: Forge, cut: Callable[[bytes, bytes], bytes], alg: str = "ES256") -> bytes:
    """A sound signature of something else than what stands there."""
    sign = sign_with(forge.keys[alg])
    return forge.token(alg, sign=lambda signed: sign(cut(*signed.split(b"."))))


def _borrowed(forge: Forge, alg: str) -> bytes:
    """The signature of another token, as sound."""
    other = forge.token(alg, claims={"jti": "00000000-0000-4000-8000-000000000000"})
    body, _, _ = forge.token(alg).rpartition(b".")
    return body + b"." + other.rpartition(b".")[2]


def _swapped_payload(forge: Forge, alg: str) -> bytes:
    """Header and signature of one token, claims of another."""
    header, _, signature = forge.token(alg).split(b".")
    other = forge.token(alg, claims={"sub": "somebody-else"}).split(b".")[1]
    return b".".join((header, other, signature))


def _rsa_number(forge: Forge, change: Callable[[int, int], int]) -> bytes:
    """The signature as a number, changed with the modulus at hand."""
    modulus = forge.rsa_key.public_key().public_numbers().n

    def sign(signed: bytes) -> bytes:
        number = change(int.from_bytes(rsa_pkcs1(forge.rsa_key)(signed), "big"), modulus)
        size = max(forge.rsa_key.key_size // 8, (number.bit_length() + 7) // 8)
        return number.to_bytes(size, "big")

    return forge.token("RS256", sign=sign)


def _ed25519_malleated(forge: Forge) -> bytes:
    """S + L: the same equation, which RFC 8032 section 5.1.7 forbids to accept."""

    def add_order(signature: bytes) -> bytes:
        number = int.from_bytes(signature[32:], "little") + ED25519_ORDER
        return signature[:32] + number.to_bytes(32, "little")

    return _reshaped(forge, add_order, "Ed25519")


def _all() -> Iterator[Case]:
    for alg in ("ES256", "RS256", "Ed25519"):
        made_up = _MADE_UP if alg == "ES256" else dict(list(_MADE_UP.items())[:3])
        yield from cases(
            f"{alg} made up",
            {n: partial(_made_up, alg=alg, signature=s) for n, s in made_up.items()},
        )
        shapes: dict[str, Any] = {
            f"first {n} bytes": partial(_reshaped, shape=lambda s, n=n: s[:n], alg=alg)
            for n in _LENGTHS
        }
        shapes |= {
            "last byte missing": partial(_reshaped, shape=lambda s: s[:-1], alg=alg),
            "first byte missing": partial(_reshaped, shape=lambda s: s[1:], alg=alg),
            "a zero after": partial(_reshaped, shape=lambda s: s + b"\0", alg=alg),
            "a zero before": partial(_reshaped, shape=lambda s: b"\0" + s, alg=alg),
            "twice": partial(_reshaped, shape=lambda s: s + s, alg=alg),
            "backwards": partial(_reshaped, shape=lambda s: s[::-1], alg=alg),
            "inverted": partial(_reshaped, shape=lambda s: bytes(b ^ 255 for b in s), alg=alg),
            "in base64 once more": partial(_reshaped, shape=b64, alg=alg),
            "in hex": partial(_reshaped, shape=lambda s: s.hex().encode(), alg=alg),
            "of the header alone": partial(_over, cut=lambda h, _p: h, alg=alg),
            "of the payload alone": partial(_over, cut=lambda _h, p: p, alg=alg),
            "of both without the dot": partial(_over, cut=lambda h, p: h + p, alg=alg),
            "of the empty text": partial(_over, cut=lambda _h, _p: b"", alg=alg),
            "borrowed": partial(_borrowed, alg=alg),
            "of other claims": partial(_swapped_payload, alg=alg),
        }
        yield from cases(f"{alg} signature", shapes)
    yield from cases(
        "ES256 numbers", {n: partial(_ecdsa_changed, change=c) for n, c in _CHANGED.items()}
    )
    yield from cases(
        "ES256 shape",
        {
            "DER": lambda f: f.token(sign=ecdsa_der(f.ec_key)),
            "33 bytes each": _padded_numbers,
            "r alone, twice": partial(_reshaped, shape=lambda s: s[:32] * 2),
            "of the text as a digest": _of_digest_itself,
        },
    )
    yield from cases(
        "RS256 number",
        {
            "zero": partial(_rsa_number, change=lambda _s, _n: 0),
            "one": partial(_rsa_number, change=lambda _s, _n: 1),
            "n - 1": partial(_rsa_number, change=lambda _s, n: n - 1),
            "n": partial(_rsa_number, change=lambda _s, n: n),
            "s + n": partial(_rsa_number, change=lambda s, n: s + n),
            "n - s": partial(_rsa_number, change=lambda s, n: n - s),
        },
    )
    yield from cases(
        "Ed25519 shape",
        {
            "S + L": _ed25519_malleated,
            "R and S exchanged": partial(_reshaped, shape=lambda s: s[32:] + s[:32], alg="Ed25519"),
            "S = 0": partial(_reshaped, shape=lambda s: s[:32] + _ZERO, alg="Ed25519"),
            "R = 1, S = 0": partial(_made_up, alg="Ed25519", signature=b"\1" + bytes(63)),
        },
    )


CASES = tuple(_all())
