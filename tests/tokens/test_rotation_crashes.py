"""What a crash in the middle of a rotation leaves behind, and how it is finished."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.tokens.key_files import KeyRingError
from app.tokens.keyring import KeyRing, SigningKey, generate
from app.tokens.rotation import PUBLISHED_BEFORE_SIGNING, promote, retire, revoke

NOW = 1_800_000_000
LATER = NOW + PUBLISHED_BEFORE_SIGNING
ALG = "Ed25519"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def old(keys: Path) -> SigningKey:
    """The key that signs at the start."""
    return generate(keys, ALG, NOW - 1000, state="active")


@pytest.fixture
def new(keys: Path, old: SigningKey) -> SigningKey:
    """The key that is published to come next."""
    return generate(keys, ALG, NOW)


def state_of(keys: Path, key: SigningKey) -> str | None:
    found = KeyRing.load(keys).verification_key(key.kid)
    return None if found is None else found.state


def signer(keys: Path) -> str:
    return KeyRing.load(keys).signer(ALG).kid


def files(keys: Path) -> dict[str, list[str]]:
    """The folders as `ls` shows them, with kids in place of names."""
    return {
        folder.name: sorted(path.name.partition(".")[0] for path in folder.iterdir())
        for folder in sorted(keys.iterdir())
        if folder.is_dir() and any(folder.iterdir())
    }


def private_half_is_on_disk(keys: Path, key: SigningKey) -> bool:
    return any(
        "PRIVATE" in path.read_text() for path in keys.rglob("*") if path.name.startswith(key.kid)
    )


def refused(call: object, *words: str) -> None:
    with pytest.raises(KeyRingError) as caught:
        call()  # type: ignore[operator]
    for word in words:
        assert word in str(caught.value)


def half_retired(keys: Path, old: SigningKey, new: SigningKey) -> None:
    """The public half is written, the private one not taken away yet."""
    promote(keys, new.kid, LATER)
    active = keys / "active" / f"{old.kid}.pem"
    kept = active.read_text()
    retire(keys, old.kid)
    active.write_text(kept)
    active.chmod(0o600)


def test_a_key_half_retired_counts_as_retired(keys: Path, old: SigningKey, new: SigningKey) -> None:
    half_retired(keys, old, new)

    assert state_of(keys, old) == "retired"
    assert signer(keys) == new.kid


def test_retiring_again_finishes_what_was_begun(
    keys: Path, old: SigningKey, new: SigningKey
) -> None:
    half_retired(keys, old, new)
    assert private_half_is_on_disk(keys, old)

    assert retire(keys, old.kid).state == "retired"

    assert not private_half_is_on_disk(keys, old)
    assert files(keys) == {"active": [new.kid], "retired": [old.kid]}


def test_a_key_half_retired_is_not_one_that_signs_in_anothers_place(
    keys: Path, old: SigningKey, new: SigningKey
) -> None:
    half_retired(keys, old, new)

    refused(lambda: retire(keys, new.kid), "is the last that signs")
    refused(lambda: revoke(keys, new.kid), "is the last that signs")


def test_revoking_takes_away_every_half(keys: Path, old: SigningKey, new: SigningKey) -> None:
    half_retired(keys, old, new)

    revoke(keys, old.kid)

    assert files(keys) == {"active": [new.kid]}


@pytest.mark.parametrize("gone", ["active", "retired"])
def test_revoking_again_finishes_what_was_begun(
    keys: Path, old: SigningKey, new: SigningKey, gone: str
) -> None:
    """The two files of a key half retired go one after the other."""
    half_retired(keys, old, new)
    suffix = ".pem" if gone == "active" else ".pub.pem"
    (keys / gone / f"{old.kid}{suffix}").unlink()

    revoke(keys, old.kid)

    assert files(keys) == {"active": [new.kid]}


def test_a_copy_left_in_next_goes_with_the_key(
    keys: Path, old: SigningKey, new: SigningKey
) -> None:
    """As a backup that was put back leaves it: an active key counts as active."""
    path = keys / "next" / f"{new.kid}.pem"
    kept = path.read_text()
    promote(keys, new.kid, LATER)
    path.write_text(kept)
    path.chmod(0o600)
    assert signer(keys) == new.kid

    retire(keys, new.kid)

    assert not private_half_is_on_disk(keys, new)
    assert files(keys) == {"active": [old.kid], "retired": [new.kid]}


def test_a_temporary_file_is_no_key(keys: Path, old: SigningKey, new: SigningKey) -> None:
    """A crash before a file gets its name."""
    for folder in ("next", "active", "retired"):
        (keys / folder).mkdir(exist_ok=True)
        (keys / folder / ".abc.tmp").write_text("-----BEGIN PRIV")
    promote(keys, new.kid, LATER)
    retire(keys, old.kid)

    assert signer(keys) == new.kid
    assert len(KeyRing.load(keys).keys) == 2


def test_every_order_of_copies_loads(keys: Path, old: SigningKey, new: SigningKey) -> None:
    """Whatever a restore mixes up, the ring can be read and the later state counts."""
    shutil.copy(keys / "next" / f"{new.kid}.pem", keys / "active")
    shutil.copy(keys / "active" / f"{old.kid}.pem", keys / "next")

    assert (state_of(keys, old), state_of(keys, new)) == ("active", "active")
