"""Signing and checking without the library's envelope: the same tokens as with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from app.tokens.key_files import PrivateKey
from app.tokens.keyring import ALGORITHMS, KeyRing, SigningKey
from app.tokens.sealing import is_sealed_by, seal
from tests.tokens.conftest import CREATED

PAYLOAD = '{"sub":"Đội trực"}'.encode()
EACH = pytest.mark.parametrize("alg", ALGORITHMS)


def holds(token: str, alg: str, key: Any) -> bool:
    return is_sealed_by(token, urlsafe_b64decode(token.rpartition(".")[2].encode()), alg, key)


@EACH
def test_others_read_what_we_seal(ring: KeyRing, alg: str) -> None:
    key = ring.signer(alg)

    opened = jws.deserialize_compact(
        seal(PAYLOAD, key, "at+jwt"), key.public_key, algorithms=list(ALGORITHMS)
    )

    assert opened.payload == PAYLOAD
    assert opened.headers() == {"alg": alg, "typ": "at+jwt", "kid": key.kid}


@EACH
def test_we_read_what_others_seal(ring: KeyRing, alg: str) -> None:
    key = ring.signer(alg)
    theirs = jws.serialize_compact(
        {"alg": alg, "kid": key.kid}, PAYLOAD, key.private_key, algorithms=[alg]
    )

    assert holds(theirs, alg, key.public_key)
    assert holds(seal(PAYLOAD, key, "JWT"), alg, key.public_key)


def test_the_form_of_rfc_7515(ring: KeyRing) -> None:
    """Section 3.1: three parts in base64url without padding, the header without spaces."""
    key = ring.signer("ES256")
    token = seal(b"\xff\xfe\xfd", key, "at+jwt")

    header, payload, signature = token.split(".")
    assert token.isascii()
    assert not {"=", "+", "/"} & set(token)
    assert urlsafe_b64decode(header.encode()) == (
        f'{{"alg":"ES256","typ":"at+jwt","kid":"{key.kid}"}}'.encode()
    )
    assert urlsafe_b64decode(payload.encode()) == b"\xff\xfe\xfd"
    assert len(urlsafe_b64decode(signature.encode())) == 64


@EACH
def test_each_header_is_that_of_its_key_and_type(ring: KeyRing, alg: str) -> None:
    """They are remembered: none may be taken for another's."""
    keys = [ring.signer(alg), SigningKey.create("ES256", CREATED)]

    for _ in range(2):
        for key in keys:
            for typ in ("at+jwt", "JWT"):
                header = seal(PAYLOAD, key, typ).partition(".")[0]
                read = json.loads(urlsafe_b64decode(header.encode()))
                assert read == {"alg": key.alg, "typ": typ, "kid": key.kid}


@EACH
@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_bit_that_was_changed(ring: KeyRing, alg: str, part: int) -> None:
    key = ring.signer(alg)
    parts = [urlsafe_b64decode(each.encode()) for each in seal(PAYLOAD, key, "JWT").split(".")]
    for place in (0, len(parts[part]) - 1):
        changed = bytearray(parts[part])
        changed[place] ^= 1
        forged = [*parts[:part], bytes(changed), *parts[part + 1 :]]
        token = ".".join(urlsafe_b64encode(each).decode() for each in forged)

        assert not holds(token, alg, key.public_key)


@EACH
@pytest.mark.parametrize(
    "change",
    [
        lambda signature: b"",
        lambda signature: signature[:-1],
        lambda signature: signature + b"\0",
        lambda signature: b"\0" * len(signature),
        lambda signature: b"\xff" * len(signature),
    ],
)
def test_a_signature_of_another_form(
    ring: KeyRing, alg: str, change: Callable[[bytes], bytes]
) -> None:
    key = ring.signer(alg)
    token = seal(PAYLOAD, key, "JWT")
    signature = change(urlsafe_b64decode(token.rpartition(".")[2].encode()))

    assert not is_sealed_by(token, signature, alg, key.public_key)


def test_a_signature_in_der_is_none(ring: KeyRing, native_keys: dict[str, PrivateKey]) -> None:
    """RFC 7518 section 3.4: two numbers side by side, and one way to write them."""
    key, native = ring.signer("ES256"), native_keys["ES256"]
    assert isinstance(native, ec.EllipticCurvePrivateKey)
    signed, _, signature = seal(PAYLOAD, key, "JWT").rpartition(".")
    raw = urlsafe_b64decode(signature.encode())
    der = encode_dss_signature(*(int.from_bytes(half) for half in (raw[:32], raw[32:])))
    native.public_key().verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))

    assert not is_sealed_by(f"{signed}.{signature}", der, "ES256", key.public_key)


@EACH
def test_another_key_of_the_same_kind(ring: KeyRing, alg: str) -> None:
    other = SigningKey.create(alg, CREATED)

    assert not holds(seal(PAYLOAD, ring.signer(alg), "JWT"), alg, other.public_key)


@EACH
def test_a_key_of_another_kind_is_an_error(ring: KeyRing, alg: str) -> None:
    """Also where the public key is offered as the secret of an HMAC (CVE-2016-10555)."""
    token = seal(PAYLOAD, ring.signer(alg), "JWT")
    wrong = [ring.signer(each).public_key for each in ALGORITHMS if each != alg]
    wrong += [
        OctKey.import_key(b"s" * 32),
        ECKey.generate_key("P-384"),
        OKPKey.import_key(x25519.X25519PrivateKey.generate()),
    ]

    for key in wrong:
        with pytest.raises(JoseError):
            holds(token, alg, key)


@pytest.mark.parametrize("alg", ["none", "HS256", "ES384", "RS512", "PS256", "EdDSA", ""])
def test_an_algorithm_that_nobody_uses_here(ring: KeyRing, alg: str) -> None:
    token = seal(PAYLOAD, ring.signer("ES256"), "JWT")

    with pytest.raises(LookupError):
        holds(token, alg, ring.signer("ES256").public_key)


@pytest.mark.parametrize("state", ["next", "retired"])
@EACH
def test_only_an_active_key_seals(native_keys: dict[str, PrivateKey], alg: str, state: Any) -> None:
    key = SigningKey.from_native(native_keys[alg], CREATED, state)

    with pytest.raises(ValueError, match=f"{key.kid} cannot sign"):
        seal(PAYLOAD, key, "JWT")
