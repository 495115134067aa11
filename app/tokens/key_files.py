"""Key material on disk: how one file is written, read and protected.

A key file is one PEM block with one line of text before it::

    Created: 2026-11-24T22:33:31Z
    -----BEGIN PRIVATE KEY-----
    …

The line keeps the age of the key through copies and restores, which change file times. RFC 7468
section 2 lets parsers skip text before the block, so other tools still read the file.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey | Ed25519PrivateKey
PublicKey = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey

FILE_MODE = 0o600
FOLDER_MODE = 0o700

_BEGIN = "-----BEGIN "
_CREATED = re.compile(r"^Created:[ \t]*(\S+)[ \t]*\r?$", re.MULTILINE)
_CREATED_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class KeyRingError(Exception):
    """A key or pepper file that can't be used. The message names the file and what to do."""


def read_private_text(path: Path) -> str:
    """The text of a file that nobody but its owner may read.

    Raises FileNotFoundError when there is no such file, and KeyRingError when it is not a plain
    file, is open to group or others, or can't be read as text.
    """
    try:
        return _read_private_bytes(path).decode("utf-8")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise KeyRingError(
            f"{path} can't be read ({error.strerror}); it must belong to the user that runs"
            " Crossroot and have mode 0600"
        ) from error
    except UnicodeDecodeError:
        # The cause is dropped, since it holds the content.
        raise KeyRingError(
            f"{path} is not a text file; expected text as Crossroot wrote it"
        ) from None


def _read_private_bytes(path: Path) -> bytes:
    # Non-blocking, so that a named pipe in the folder can't hang the start.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        # Asked of the open file, not of the path: the answer is about what is then read.
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise KeyRingError(f"{path} is not a plain file; move it out of this folder")
        if mode & 0o077:
            raise KeyRingError(
                f"{path} is open to group or others (mode {stat.S_IMODE(mode):04o});"
                f" run: chmod 600 {path}"
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def check_folder(path: Path) -> None:
    """Refuse a folder in which group or others could plant or replace a key.

    Raises FileNotFoundError when there is no such folder, KeyRingError when it is unsafe.
    """
    mode = path.stat().st_mode
    if not stat.S_ISDIR(mode):
        raise KeyRingError(f"{path} is not a folder")
    if mode & 0o022:
        raise KeyRingError(
            f"group or others may write to {path} (mode {stat.S_IMODE(mode):04o});"
            f" run: chmod 700 {path}"
        )


def key_paths(folder: Path) -> list[Path]:
    """The files in ``folder`` that claim to be keys: ``*.pem``, none of them hidden.

    A missing folder is an empty one. Raises KeyRingError when it is unsafe or can't be listed.
    """
    try:
        check_folder(folder)
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeyRingError(f"{folder} can't be listed ({error.strerror})") from error
    return [path for path in paths if path.suffix == ".pem" and not path.name.startswith(".")]


def make_folder(path: Path) -> None:
    """Create a folder, and any missing one above it, that only its owner may enter."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)
        _sync_folder(path.parent)


def write_private_text(path: Path, text: str, *, replace: bool) -> None:
    """Write a file of mode 0600 so that a reader sees all of it or none, even after a crash.

    The text goes to a hidden temporary file beside the target, which readers of the folder
    ignore, and gets its name in one step. With ``replace`` false, raises FileExistsError where
    the name is taken, and leaves what is there.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, FILE_MODE)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        if replace:
            temporary.rename(path)
        else:
            # A link, unlike a rename, fails where another process was first.
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def rename_file(source: Path, target: Path) -> None:
    """Move a key from one folder to the next in one step that survives a crash."""
    source.rename(target)
    _sync_folder(target.parent)
    _sync_folder(source.parent)


def remove_file(path: Path) -> None:
    """Remove a key file for good."""
    path.unlink()
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def format_private_key(key: PrivateKey, created_at: int) -> str:
    """The text of a key file: the ``Created`` line (from epoch seconds) and the key in PKCS #8."""
    created = datetime.fromtimestamp(created_at, UTC).strftime(_CREATED_FORMAT)
    block = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
    return f"Created: {created}\n{block}"


def format_public_key(key: PublicKey, created_at: int) -> str:
    """The text of a retired key's file: the ``Created`` line and the public half."""
    created = datetime.fromtimestamp(created_at, UTC).strftime(_CREATED_FORMAT)
    block = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
    return f"Created: {created}\n{block}"


def parse_key(path: Path, text: str, *, private: bool) -> tuple[PrivateKey | PublicKey, int]:
    """The key of a file and its creation time in epoch seconds.

    ``private`` says which half this folder must hold. Raises KeyRingError, naming ``path``, for
    the wrong half, no or several PEM blocks, a missing ``Created`` line, an encrypted key, or a
    key of a kind that Crossroot doesn't sign with.
    """
    preamble, begin, rest = text.partition(_BEGIN)
    if not begin or _BEGIN in rest:
        raise KeyRingError(f"{path} must hold exactly one PEM block (-----BEGIN … KEY-----)")
    if ("PRIVATE KEY" in rest.partition("\n")[0]) is not private:
        wanted = "a private key" if private else "the public half alone"
        raise KeyRingError(f"{path} holds the wrong half of a key: this folder takes {wanted}")
    created_at = _parse_created(path, preamble)
    block = (begin + rest).encode("utf-8")
    try:
        key = load_pem_private_key(block, password=None) if private else load_pem_public_key(block)
    except TypeError:
        raise KeyRingError(f"{path} is encrypted; store the key unencrypted, mode 0600") from None
    except (ValueError, UnsupportedAlgorithm):
        # The cause is dropped: parsers may quote what they choked on.
        raise KeyRingError(f"{path} is damaged: its PEM block can't be parsed") from None
    if not isinstance(key, PrivateKey | PublicKey):
        raise KeyRingError(
            f"{path} holds a key of a kind that Crossroot doesn't sign with; expected EC P-256,"
            " RSA of at least 2048 bits, or Ed25519"
        )
    return key, created_at


def _parse_created(path: Path, preamble: str) -> int:
    try:
        [text] = _CREATED.findall(preamble)
        return int(datetime.strptime(text, _CREATED_FORMAT).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise KeyRingError(
            f"{path} needs exactly one line before the PEM block that tells its age in UTC, like"
            " 'Created: 2026-11-24T22:33:31Z'"
        ) from None
