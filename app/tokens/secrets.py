"""Secrets: made at random, kept only as hashes.

Two kinds, two hashes. What we make ourselves (client secrets, codes, session cookies) has 256
random bits: nobody guesses it, so one keyed hash is enough and costs microseconds. What people
choose (passwords) can be guessed, so each guess is made expensive with argon2id.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import threading
import unicodedata
import uuid
from collections.abc import Callable
from pathlib import Path

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from app.tokens.key_files import (
    KeyRingError,
    make_folder,
    read_private_text,
    write_private_text,
)

#: A source of that many random bytes. Only the composition root passes ``os.urandom``.
RandomBytes = Callable[[int], bytes]

SECRET_BYTES = 32
PEPPER_BYTES = 32
MAX_PASSWORD_BYTES = 1024

_SALT_BYTES = 16
# Takes the place of a password that is refused, so that refusing costs as much as comparing.
_STAND_IN = b"0" * 16


def new_secret(random_bytes: RandomBytes) -> str:
    """A secret of 256 bits in 43 characters of ``A-Za-z0-9-_``, so no client need encode it."""
    return base64.urlsafe_b64encode(_draw(random_bytes, SECRET_BYTES)).rstrip(b"=").decode("ascii")


def new_identifier(random_bytes: RandomBytes) -> str:
    """A random UUID (version 4, 122 random bits) in its text form."""
    return str(uuid.UUID(bytes=_draw(random_bytes, 16), version=4))


def _draw(random_bytes: RandomBytes, count: int) -> bytes:
    data = random_bytes(count)
    if len(data) != count:
        raise ValueError(f"the randomness source gave {len(data)} bytes instead of {count}")
    return data


class SecretHasher:
    """Keyed hashes of our own secrets: HMAC-SHA256 under a pepper that is not in the database.

    ``purpose`` names what the secret is for (``client-secret``, ``authorization-code``,
    ``session``, ``csrf``, ``external-id``, …). The same secret hashes differently for each, so a
    value stolen from one table is worth nothing in another.
    """

    def __init__(self, pepper: bytes) -> None:
        """Raises ValueError for a pepper of fewer than 32 bytes."""
        if len(pepper) < PEPPER_BYTES:
            raise ValueError(f"the pepper must have at least {PEPPER_BYTES} bytes")
        self._pepper = pepper

    def hash(self, secret: str, purpose: str) -> str:
        """64 hex digits. Raises ValueError for an empty purpose or one with a NUL."""
        if not purpose or "\0" in purpose:
            raise ValueError("purpose must be a non-empty name")
        # The purpose has no NUL, so the first one is where the secret begins. Whatever text comes
        # from outside gets a hash, half surrogate pairs included: it just matches nothing.
        message = f"{purpose}\0{secret}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._pepper, message, "sha256").hex()

    def matches(self, secret: str, digest: str, purpose: str) -> bool:
        """Whether ``digest`` is the hash of ``secret``, in time that tells nothing about either."""
        return hmac.compare_digest(
            self.hash(secret, purpose).encode("ascii"), digest.encode("utf-8", "surrogatepass")
        )

    def __repr__(self) -> str:
        return "SecretHasher(pepper not shown)"


def load_or_create_pepper(path: Path, random_bytes: RandomBytes) -> bytes:
    """The pepper in ``path`` (base64 text, mode 0600), made when there is none yet.

    Of several processes that start at once, one makes it and all return the same. Raises
    KeyRingError, naming the file, when it can't be read, is open to others, or is damaged.
    """
    try:
        return _read_pepper(path)
    except FileNotFoundError:
        pass
    text = base64.b64encode(_draw(random_bytes, PEPPER_BYTES)).decode("ascii") + "\n"
    try:
        make_folder(path.parent)
        write_private_text(path, text, replace=False)
    except FileExistsError:
        pass  # another process was first; its pepper is the one
    except OSError as error:
        raise KeyRingError(f"can't store the pepper in {path} ({error.strerror})") from error
    return _read_pepper(path)


def _read_pepper(path: Path) -> bytes:
    try:
        pepper = base64.b64decode(read_private_text(path).strip(), validate=True)
    except (binascii.Error, ValueError):
        pepper = b""
    if len(pepper) < PEPPER_BYTES:
        raise KeyRingError(
            f"{path} must hold at least {PEPPER_BYTES} bytes in base64; restore it from a backup"
            " (with a new pepper every stored client secret and session stops working)"
        )
    return pepper


class PasswordRefused(ValueError):
    """A password that can't be stored. The message says why and never repeats it."""


class PasswordHasher:
    """argon2id (RFC 9106) at the strength that the OWASP cheat sheet names: 19 MiB, 2 passes.

    Passwords are brought to Unicode NFC before hashing, so that the same characters typed on
    another keyboard or system match. RFC 8265 (OpaqueString) asks for the same, and for mapping
    unusual spaces as well, which is left out: it would only merge passwords.

    At most ``max_parallel`` hashes run at once in the process and the others wait, so that a
    flood of sign-ins can't take the memory of the machine.
    """

    def __init__(
        self,
        random_bytes: RandomBytes,
        *,
        memory_kib: int = 19456,
        passes: int = 2,
        lanes: int = 1,
        max_parallel: int = 2,
    ) -> None:
        self._random_bytes = random_bytes
        self._argon2 = argon2.PasswordHasher(
            time_cost=passes, memory_cost=memory_kib, parallelism=lanes, salt_len=_SALT_BYTES
        )
        self._slots = threading.BoundedSemaphore(max_parallel)
        # Of a password that nobody knows, so that it can't be guessed into a match.
        self._dummy = self._hash_bytes(_draw(random_bytes, SECRET_BYTES))

    def hash(self, password: str) -> str:
        """The encoded hash, with its parameters and salt.

        Raises PasswordRefused for a password that is empty, has more than 1,024 bytes in UTF-8,
        or holds a NUL or text that is not Unicode.
        """
        return self._hash_bytes(_password_bytes(password))

    def verify(self, password: str, encoded: str | None) -> bool:
        """Whether ``encoded`` is the hash of ``password``.

        Without ``encoded`` (no such user, no password set), with a damaged one, and for a
        password that ``hash`` would refuse, the answer is False after the same work.
        """
        try:
            data, known = _password_bytes(password), encoded is not None
        except PasswordRefused:
            data, known = _STAND_IN, False
        if known and encoded is not None:
            try:
                return self._compare(encoded, data)
            except (InvalidHashError, ValueError):
                pass
        self._compare(self._dummy, data)
        return False

    def needs_rehash(self, encoded: str) -> bool:
        """Whether ``encoded`` was made with other parameters: hash again at the next sign-in."""
        try:
            return self._argon2.check_needs_rehash(encoded)
        except InvalidHashError:
            return True

    def _hash_bytes(self, data: bytes) -> str:
        with self._slots:
            return self._argon2.hash(data, salt=_draw(self._random_bytes, _SALT_BYTES))

    def _compare(self, encoded: str, data: bytes) -> bool:
        with self._slots:
            try:
                return self._argon2.verify(encoded, data)
            except VerificationError:
                return False


def _password_bytes(password: str) -> bytes:
    if not password:
        raise PasswordRefused("the password is empty")
    if "\0" in password:
        raise PasswordRefused("the password holds a NUL character")
    # NFC joins at most four code points, so a text of more than four times the bytes is too long
    # in any form: known before the work of normalising it is done.
    if len(password) <= 4 * MAX_PASSWORD_BYTES:
        try:
            data = unicodedata.normalize("NFC", password).encode("utf-8")
        except UnicodeEncodeError:
            raise PasswordRefused("the password holds text that is not Unicode") from None
        if len(data) <= MAX_PASSWORD_BYTES:
            return data
    raise PasswordRefused(f"the password is longer than {MAX_PASSWORD_BYTES:,} bytes in UTF-8")
