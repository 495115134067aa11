"""The algorithm is not what it should be: none, a MAC under a public key, another one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from tests.hostile.forge import ABSENT, Case, Forge, cases, strangers_key
from tests.hostile.signing import (
    HASHES,
    ecdsa,
    eddsa,
    mac,
    public_encodings,
    rsa_pkcs1,
    rsa_pss,
    rsa_sha1,
    sign_with,
)

#: Names of `public_encodings`.
_FORMS = (
    "PEM",
    "PEM without its last line break",
    "PEM with CRLF",
    "DER",
    "JWK",
    "JWK as Python prints it",
    "JWKS",
)
_FORMS_OF = {
    "ES256": ("uncompressed point", "compressed point", "x"),
    "RS256": ("PKCS 1 PEM", "modulus"),
    "Ed25519": ("raw",),
}
_NONES = ["none", "None", "NONE", "nOnE", "none ", " none", "none\0", "NoneType", "null", ""]
_NO_ALGORITHMS: dict[str, Any] = {
    "absent": ABSENT,
    "null": None,
    "true": True,
    "zero": 0,
    "list": ["ES256"],
    "list with none": ["none", "ES256"],
    "object": {"name": "ES256"},
    "lower case": "es256",
    "with a space": "ES256 ",
    "with NUL": "ES256\0",
    "the number alone": 256,
    "two": "ES256,none",
    "a full-width digit": "ES25\uff16",
    "JWE's": "ECDH-ES",
    "direct": "dir",
    "unknown": "ES257",
}


def _none(forge: Forge, alg: str, **header: Any) -> bytes:
    return forge.token(header={"alg": alg, **header}, sign=b"")


def _none_signed(forge: Forge, alg: str) -> bytes:
    return forge.token(header={"alg": alg})


def _under_public_key(forge: Forge, alg: str, form: str, bits: str) -> bytes:
    secret = public_encodings(forge.keys[alg])[form]
    return forge.token(alg, header={"alg": f"HS{bits}"}, sign=mac(secret, bits))


def _under_word(forge: Forge, word: str, bits: str = "256") -> bytes:
    secret = forge.loot.get(word, word).encode()
    return forge.token(header={"alg": f"HS{bits}"}, sign=mac(secret, bits))


def _says_other(forge: Forge, alg: Any) -> bytes:
    """Soundly signed by the EC key, under another name."""
    return forge.token(header={"alg": alg})


def _crossed(forge: Forge, alg: str, of: str) -> bytes:
    """Signed by a trusted key, but the header names another trusted key."""
    return forge.token(of, header={"alg": alg, "kid": forge.kids[alg]})


def _crossed_kid(forge: Forge, alg: str, of: str) -> bytes:
    """The algorithm of the one key, the name of the other, signed by the first."""
    return forge.token(of, header={"kid": forge.kids[alg]})


def _all() -> Iterator[Case]:
    yield from cases("unsigned", {f"alg {alg!r}": partial(_none, alg=alg) for alg in _NONES})
    yield from cases("alg none, yet signed", {a: partial(_none_signed, alg=a) for a in _NONES[:4]})
    yield from cases(
        "unsigned",
        {
            "without kid": partial(_none, alg="none", kid=ABSENT),
            "without typ": partial(_none, alg="none", typ=ABSENT),
            "alg ES256": partial(_none, alg="ES256"),
            "alg HS256": partial(_none, alg="HS256"),
            "signature none in words": lambda f: f.token(header={"alg": "none"}, sign=b"none"),
        },
    )
    yield from cases(
        "public key as a shared secret",
        {
            f"{alg}'s {form} under HS{bits}": partial(
                _under_public_key, alg=alg, form=form, bits=bits
            )
            for alg in ("ES256", "RS256", "Ed25519")
            for form in (*_FORMS, *_FORMS_OF[alg])
            for bits in (HASHES if form in ("PEM", "JWK") else ["256"])
        },
    )
    words = ["", "secret", "\0", "kid", "client_id", "client_secret", "issuer", "a" * 64]
    yield from cases("guessable secret", {repr(w): partial(_under_word, word=w) for w in words})
    yield from cases(
        "client secret",
        {f"HS{b}": partial(_under_word, word="client_secret", bits=b) for b in HASHES},
    )
    yield from cases(
        "no such algorithm", {n: partial(_says_other, alg=a) for n, a in _NO_ALGORITHMS.items()}
    )
    yield from cases("other algorithms of our keys", _of_our_keys())
    algs = ("ES256", "RS256", "Ed25519")
    pairs = [(a, b) for a in algs for b in algs if a != b]
    yield from cases(
        "keys crossed", {f"{b} signs for {a}": partial(_crossed, alg=a, of=b) for a, b in pairs}
    )
    yield from cases(
        "kids crossed",
        {f"{b} under {a}'s kid": partial(_crossed_kid, alg=a, of=b) for a, b in pairs},
    )
    yield from cases("keys of another kind", _of_other_kinds())


def _of_our_keys() -> dict[str, Any]:
    table: dict[str, Any] = {}
    for bits, name in HASHES.items():
        table[f"PS{bits}"] = lambda f, b=bits, h=name: f.token(
            "RS256", header={"alg": f"PS{b}"}, sign=rsa_pss(f.rsa_key, h)
        )
        table[f"RS256 by PSS, SHA-{bits}"] = lambda f, h=name: f.token(
            "RS256", sign=rsa_pss(f.rsa_key, h)
        )
    for bits in ("384", "512"):
        table[f"RS{bits}"] = lambda f, b=bits: f.token(
            "RS256", header={"alg": f"RS{b}"}, sign=rsa_pkcs1(f.rsa_key, HASHES[b])
        )
        table[f"RS256 over SHA-{bits}"] = lambda f, b=bits: f.token(
            "RS256", sign=rsa_pkcs1(f.rsa_key, HASHES[b])
        )
        table[f"ES{bits} by P-256"] = lambda f, b=bits: f.token(
            header={"alg": f"ES{b}"}, sign=ecdsa(f.ec_key, HASHES[b])
        )
        table[f"ES256 over SHA-{bits}"] = lambda f, b=bits: f.token(sign=ecdsa(f.ec_key, HASHES[b]))
    table["RS256 over SHA-1"] = lambda f: f.token("RS256", sign=rsa_sha1(f.rsa_key))
    table["RS1"] = lambda f: f.token("RS256", header={"alg": "RS1"}, sign=rsa_sha1(f.rsa_key))
    table["PS256 header, PKCS 1 signature"] = lambda f: f.token("RS256", header={"alg": "PS256"})
    for alg in ("EdDSA", "Ed448", "ed25519", "Ed25519ph"):
        table[f"{alg} by Ed25519"] = lambda f, a=alg: f.token("Ed25519", header={"alg": a})
    return table


def _of_other_kinds() -> dict[str, Any]:
    """Signed by a key of another curve or size, under the kid and alg of a trusted one."""
    table: dict[str, Any] = {}
    shapes = {
        "P-384": ("ES384", "384", 48),
        "P-521": ("ES512", "512", 66),
        "secp256k1": ("ES256K", "256", 32),
    }
    for curve, (alg, bits, size) in shapes.items():
        table[f"{curve} as ES256"] = lambda f, c=curve, b=bits, n=size: f.token(
            sign=ecdsa(strangers_key(c), HASHES[b], n)
        )
        table[f"{curve} as {alg}"] = lambda f, c=curve, a=alg, b=bits, n=size: f.token(
            header={"alg": a}, sign=ecdsa(strangers_key(c), HASHES[b], n)
        )
    for kind, alg in {"P-256": "ES256", "RSA-2048": "RS256", "Ed25519": "Ed25519"}.items():
        table[f"a stranger's {kind} under our kid"] = lambda f, k=kind, a=alg: f.token(
            a, sign=sign_with(strangers_key(k))
        )
        table[f"a stranger's {kind} without kid"] = lambda f, k=kind, a=alg: f.token(
            a, header={"kid": ABSENT}, sign=sign_with(strangers_key(k))
        )
    table["RSA of 1024 bits"] = lambda f: f.token(
        "RS256", sign=rsa_pkcs1(strangers_key("RSA-1024"))
    )
    table["Ed25519 as ES256"] = lambda f: f.token(sign=eddsa(strangers_key("Ed25519")))
    return table


CASES = tuple(_all())
