"""Keys made once for all token tests: an RSA key takes a noticeable time to find."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from app.tokens.key_files import PrivateKey
from app.tokens.keyring import KeyRing, SigningKey

CREATED = 1_795_000_000


@pytest.fixture(scope="session")
def native_keys() -> dict[str, PrivateKey]:
    """One private key of each algorithm; the smallest RSA key that is accepted."""
    return {
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "Ed25519": ed25519.Ed25519PrivateKey.generate(),
    }


@pytest.fixture(scope="session")
def ring(native_keys: dict[str, PrivateKey]) -> KeyRing:
    """A ring in memory with one active key of each algorithm."""
    return KeyRing.from_keys(
        SigningKey.from_native(native, CREATED, "active") for native in native_keys.values()
    )
