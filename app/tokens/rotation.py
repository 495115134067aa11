"""The life of a signing key: made, published, signing, retired, gone.

    generate  ->  next/     published, does not sign
    promote   ->  active/   signs
    retire    ->  retired/  the public half alone: checks what it signed, signs nothing more
    revoke    ->  gone      nothing that it signed is believed any more

Each step is one atomic rename (or, for `retire`, a write and then a removal whose half-done
state counts as retired), so that a crash at any point leaves a ring that works.
"""

from __future__ import annotations

from pathlib import Path

from app.tokens.key_files import (
    KeyRingError,
    PrivateKey,
    format_public_key,
    make_folder,
    parse_key,
    read_private_text,
    remove_file,
    rename_file,
    write_private_text,
)
from app.tokens.keyring import KeyRing, KeyState, SigningKey

#: For as long may others keep our key set (the `max-age` of JWKS), and a little on top.
PUBLISHED_BEFORE_SIGNING = 300 + 60


def promote(directory: Path, kid: str, now: float, *, force: bool = False) -> SigningKey:
    """Let a published key sign; the newest signs from now on.

    Raises `KeyRingError` where it is not in `next/`, or has not been published for as long as
    verifiers may keep an older key set: they would not know the key. `force` is for the case
    that waiting is worse (a stolen key).
    """
    key = _find(directory, kid, "next")
    age = now - key.created_at
    if age < PUBLISHED_BEFORE_SIGNING and not force:
        wait = int(PUBLISHED_BEFORE_SIGNING - age) + 1
        raise KeyRingError(
            f"key {kid} was published {int(age)} s ago, and verifiers may not have seen it yet: "
            f"promote it in {wait} s, or with --force"
        )
    make_folder(directory / "active")
    rename_file(directory / "next" / f"{kid}.pem", directory / "active" / f"{kid}.pem")
    return _find(directory, kid, "active")


def retire(directory: Path, kid: str) -> SigningKey:
    """Take the private half of a key away; what it signed is still believed until it expires.

    Finishes what a crash interrupted. Raises `KeyRingError` where the key is not active, or is
    the last that signs with its algorithm.
    """
    key = KeyRing.load(directory).verification_key(kid)
    halves = [] if key is None else _private_halves(directory, kid)
    if key is None or key.state == "next" or not halves:
        raise _not_there(directory, kid, "active", key)
    if key.state == "active":
        _require_another(directory, key, "promote another before retiring it")
        path = directory / "active" / f"{kid}.pem"
        native, created_at = parse_key(path, read_private_text(path), private=True)
        public = native.public_key() if isinstance(native, PrivateKey) else native
        make_folder(directory / "retired")
        write_private_text(
            directory / "retired" / f"{kid}.pub.pem",
            format_public_key(public, created_at),
            replace=True,
        )
    for path in halves:
        remove_file(path)
    return _find(directory, kid, "retired")


def _private_halves(directory: Path, kid: str) -> list[Path]:
    """More than one only after a crash, or where a backup was put back."""
    paths = (directory / state / f"{kid}.pem" for state in ("next", "active"))
    return [path for path in paths if path.exists()]


def _require_another(directory: Path, key: SigningKey, remedy: str) -> None:
    """Raises `KeyRingError` where no other key could sign in the place of this one."""
    for other in KeyRing.load(directory).keys:
        if other.state == "active" and other.alg == key.alg and other.kid != key.kid:
            return
    raise KeyRingError(f"key {key.kid} is the last that signs {key.alg}: {remedy}")


def revoke(directory: Path, kid: str) -> SigningKey:
    """Remove a key in whatever state: nothing that it signed is believed any more.

    Raises `KeyRingError` where there is none, or where no other key could sign in its place.
    """
    key = require_revocable(directory, kid)
    retired = directory / "retired" / f"{kid}.pub.pem"
    for path in (*_private_halves(directory, kid), retired):
        if path.exists():
            remove_file(path)
    return key


def require_revocable(directory: Path, kid: str) -> SigningKey:
    """The key as it is before `revoke`. Raises what that would raise, and changes nothing."""
    key = KeyRing.load(directory).verification_key(kid)
    if key is None:
        raise _not_there(directory, kid, None, None)
    if key.state == "active":
        remedy = f"run `crossroot keys generate --alg {key.alg} --activate` first"
        _require_another(directory, key, remedy)
    return key


def _find(directory: Path, kid: str, state: KeyState) -> SigningKey:
    key = KeyRing.load(directory).verification_key(kid)
    if key is None or key.state != state:
        raise _not_there(directory, kid, state, key)
    return key


def _not_there(
    directory: Path, kid: str, wanted: KeyState | None, found: SigningKey | None
) -> KeyRingError:
    """Where the key was looked for, and in which state it is instead."""
    if found is None or wanted is None:
        return KeyRingError(f"there is no key {kid} in {directory}; see: crossroot keys list")
    instead = {
        "next": "it is published and does not sign yet",
        "active": "it is active already",
        "retired": "it is retired and signs no more",
    }
    return KeyRingError(f"there is no key {kid} in {directory / wanted}: {instead[found.state]}")
