"""The signing keys: next, active, retired, and what of them is published.

On disk (``keys/``)::

    next/<kid>.pem          published in the JWKS, so that caches know it; does not sign yet
    active/<kid>.pem        signs; of several for one algorithm the newest does
    retired/<kid>.pub.pem   the public half alone: old tokens still verify, nothing can be signed

The kid is the RFC 7638 SHA-256 thumbprint of the public key. A ring is read as a whole, is valid
as a whole, and never changes; ``live_keyring`` swaps in a new one when the folders change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.jwk import ECKey, OKPKey, RSAKey

from app.tokens.key_files import (
    KeyRingError,
    PrivateKey,
    PublicKey,
    check_folder,
    format_private_key,
    key_paths,
    make_folder,
    parse_key,
    read_private_text,
    write_private_text,
)

__all__ = [
    "ALGORITHMS",
    "KeyRing",
    "KeyRingError",
    "KeyState",
    "SigningKey",
    "generate",
]

#: The algorithms that Crossroot signs with and accepts (RFC 7518 section 3.1, RFC 9864). No other
#: list exists in this package.
ALGORITHMS = ("ES256", "RS256", "Ed25519")

RSA_BITS = 3072
RSA_MINIMUM_BITS = 2048

KeyState = Literal["next", "active", "retired"]
JoseKey = ECKey | RSAKey | OKPKey

#: Folder, file ending and half, in the order in which a key travels. Reading in that order can't
#: miss a key that is moved meanwhile; it may see it twice, and the later state counts.
FOLDERS: tuple[tuple[KeyState, str, bool], ...] = (
    ("next", ".pem", True),
    ("active", ".pem", True),
    ("retired", ".pub.pem", False),
)
_STATES = tuple(state for state, _, _ in FOLDERS)
_PUBLISHED_ORDER: tuple[KeyState, ...] = ("active", "next", "retired")


@dataclass(frozen=True)
class SigningKey:
    """One key of the ring. Only an active key holds its private half; neither half is shown.

    ``created_at`` is in epoch seconds, ``alg`` one of ``ALGORITHMS``.
    """

    kid: str
    alg: str
    created_at: int
    state: KeyState
    public_key: JoseKey = field(repr=False, compare=False)
    private_key: JoseKey | None = field(repr=False, compare=False)

    @classmethod
    def from_native(
        cls, native: PrivateKey | PublicKey, created_at: int, state: KeyState
    ) -> SigningKey:
        """Wrap a key of the ``cryptography`` library.

        Raises KeyRingError for a curve or size that is not signed with, and for an active key
        without its private half.
        """
        alg, wrap = _algorithm_of(native)
        public_native = native.public_key() if isinstance(native, PrivateKey) else native
        public = wrap(public_native, public_native)
        kid = public.thumbprint()
        jwk = {**public.as_dict(), "use": "sig", "alg": alg, "kid": kid}
        private = None
        if state == "active":
            if not isinstance(native, PrivateKey):
                raise KeyRingError(f"active key {kid} lacks its private half, so it can't sign")
            # Given the public JWK as its description, joserfc never exports the private half into
            # a dict, and refuses any algorithm but this one by itself.
            private = wrap(native, jwk)
        return cls(kid, alg, created_at, state, wrap(public_native, jwk), private)

    @classmethod
    def create(cls, alg: str, created_at: int, state: KeyState = "active") -> SigningKey:
        """A new key that lives in memory only, for tests and one-off processes."""
        return cls.from_native(_new_native(alg), created_at, state)

    def public_jwk(self) -> dict[str, Any]:
        """The public half as a JWK (RFC 7517) with ``kid``, ``alg`` and ``use``."""
        return dict(self.public_key.as_dict())


def _algorithm_of(native: PrivateKey | PublicKey) -> tuple[str, Callable[..., JoseKey]]:
    if isinstance(native, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        return "Ed25519", OKPKey
    if isinstance(native, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        if native.key_size < RSA_MINIMUM_BITS:
            raise KeyRingError(
                f"the RSA key has {native.key_size} bits; at least {RSA_MINIMUM_BITS} are needed"
            )
        return "RS256", RSAKey
    if native.curve.name != "secp256r1":
        raise KeyRingError(f"the EC key is on curve {native.curve.name}; only P-256 is signed with")
    return "ES256", ECKey


def _new_native(alg: str) -> PrivateKey:
    if alg == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if alg == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    if alg == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    raise KeyRingError(f"unknown signing algorithm {alg!r}; choose one of {', '.join(ALGORITHMS)}")


class KeyRing:
    """All keys at one moment. Immutable, and safe to share between threads."""

    def __init__(self, keys: Iterable[SigningKey]) -> None:
        """Of two keys with one kid, as a crash in mid-rotation leaves them, the later state counts.

        So a key that someone began to retire never signs again.
        """
        travelled = sorted(keys, key=lambda key: _STATES.index(key.state))
        self._by_kid = {key.kid: key for key in travelled}
        newest_first = sorted(
            self._by_kid.values(), key=lambda key: (key.created_at, key.kid), reverse=True
        )
        # Signers first, for verifiers that take the first key that fits.
        self.keys = tuple(sorted(newest_first, key=lambda key: _PUBLISHED_ORDER.index(key.state)))
        self._signers: dict[str, SigningKey] = {}
        for key in self.keys:
            if key.state == "active":
                self._signers.setdefault(key.alg, key)
        self._jwks = tuple(key.public_jwk() for key in self.keys)
        self._jwks_bytes = json.dumps(self.jwks(), separators=(",", ":")).encode("ascii")

    @classmethod
    def from_keys(cls, keys: Iterable[SigningKey]) -> KeyRing:
        """A ring in memory, for tests: they never read ``keys/``."""
        return cls(keys)

    @classmethod
    def load(cls, directory: Path) -> KeyRing:
        """Read ``next/``, ``active/`` and ``retired/`` below ``directory``.

        A missing folder is an empty one. Hidden files, such as what a crash in ``generate``
        leaves behind, and files that don't end in ``.pem`` are no keys. Raises KeyRingError,
        naming the file, for anything that ends in ``.pem`` and is not a good key in its place.
        """
        if not directory.is_dir():
            raise KeyRingError(f"{directory} is not a folder; run: crossroot keys generate")
        keys: list[SigningKey] = []
        for state, ending, private in FOLDERS:
            for path in key_paths(directory / state):
                try:
                    text = read_private_text(path)
                except FileNotFoundError:
                    continue  # moved on since the folder was listed; its next folder comes next
                native, created_at = parse_key(path, text, private=private)
                try:
                    key = SigningKey.from_native(native, created_at, state)
                except KeyRingError as error:
                    raise KeyRingError(f"{path}: {error}") from None
                if path.name != key.kid + ending:
                    raise KeyRingError(
                        f"{path} is misnamed: this key's thumbprint asks for {key.kid}{ending}"
                    )
                keys.append(key)
        return cls(keys)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that can sign now, for discovery."""
        return tuple(alg for alg in ALGORITHMS if alg in self._signers)

    def signer(self, alg: str) -> SigningKey:
        """The newest active key of ``alg``. Raises KeyRingError when there is none."""
        try:
            return self._signers[alg]
        except KeyError:
            raise KeyRingError(
                f"there is no active {alg} key; run: crossroot keys generate"
            ) from None

    def verification_key(self, kid: str) -> SigningKey | None:
        """The key of that kid in any state, or None. A look-up in memory, whatever ``kid`` says."""
        return self._by_kid.get(kid)

    def jwks(self) -> dict[str, Any]:
        """The published set (RFC 7517 section 5): public halves of all keys, signers first."""
        return {"keys": [dict(jwk) for jwk in self._jwks]}

    def jwks_bytes(self) -> bytes:
        """The same as JSON, encoded once."""
        return self._jwks_bytes

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(f'{key.state} {key.alg} {key.kid}' for key in self.keys)})"


def generate(
    directory: Path, alg: str, now: float, state: Literal["next", "active"] = "next"
) -> SigningKey:
    """Make a key and store it; ``now`` in epoch seconds. Returns it as the ring will load it.

    A crash leaves either no key or the whole key. Raises KeyRingError for an unknown algorithm
    or when the file can't be written.
    """
    native = _new_native(alg)
    key = SigningKey.from_native(native, int(now), state)
    folder = directory / state
    try:
        make_folder(folder)
        check_folder(folder)
        path = folder / f"{key.kid}.pem"
        write_private_text(path, format_private_key(native, key.created_at), replace=True)
    except OSError as error:
        raise KeyRingError(f"can't store a key in {folder} ({error.strerror})") from error
    return key
