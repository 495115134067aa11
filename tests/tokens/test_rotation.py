"""The life of a signing key: made, published, signing, retired, gone. Step by step, on disk."""

from __future__ import annotations

import stat
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


# ------------------------------------------------------------------------------- the usual order


def test_a_key_travels_from_next_to_active_to_retired_to_nowhere(
    keys: Path, old: SigningKey, new: SigningKey
) -> None:
    assert files(keys) == {"active": [old.kid], "next": [new.kid]}
    assert signer(keys) == old.kid

    assert promote(keys, new.kid, LATER).state == "active"
    assert files(keys) == {"active": sorted([old.kid, new.kid])}
    assert signer(keys) == new.kid

    assert retire(keys, old.kid).state == "retired"
    assert files(keys) == {"active": [new.kid], "retired": [old.kid]}
    assert signer(keys) == new.kid

    assert revoke(keys, old.kid).kid == old.kid
    assert files(keys) == {"active": [new.kid]}


def test_every_step_but_the_last_keeps_it_published(
    keys: Path, old: SigningKey, new: SigningKey
) -> None:
    def published() -> set[str]:
        return {str(key["kid"]) for key in KeyRing.load(keys).jwks()["keys"]}

    both = {old.kid, new.kid}
    assert published() == both
    promote(keys, new.kid, LATER)
    assert published() == both
    retire(keys, old.kid)
    assert published() == both
    revoke(keys, old.kid)
    assert published() == {new.kid}


def test_a_key_keeps_its_age_and_its_privacy_all_the_way(keys: Path, old: SigningKey) -> None:
    new = generate(keys, ALG, NOW)
    for step in (lambda: promote(keys, new.kid, LATER), lambda: retire(keys, new.kid)):
        assert step().created_at == NOW
        for path in keys.rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_retired_key_is_the_public_half_alone(
    keys: Path, old: SigningKey, new: SigningKey
) -> None:
    promote(keys, new.kid, LATER)
    retired = retire(keys, old.kid)

    assert retired.private_key is None
    assert not private_half_is_on_disk(keys, old)


# -------------------------------------------------------------------------------------- promote


def test_a_key_signs_only_when_verifiers_can_have_seen_it(keys: Path, new: SigningKey) -> None:
    for age in (0, 1, PUBLISHED_BEFORE_SIGNING - 1):
        refused(
            lambda age=age: promote(keys, new.kid, NOW + age),  # type: ignore[misc]
            f"was published {age} s ago",
            "promote it in",
            "--force",
        )
        assert state_of(keys, new) == "next"

    promote(keys, new.kid, LATER)
    assert state_of(keys, new) == "active"


def test_a_key_from_the_future_is_not_old_enough(keys: Path, new: SigningKey) -> None:
    refused(lambda: promote(keys, new.kid, NOW - 5000))


def test_a_stolen_key_is_a_reason_not_to_wait(keys: Path, old: SigningKey, new: SigningKey) -> None:
    promote(keys, new.kid, NOW, force=True)
    revoke(keys, old.kid)

    assert files(keys) == {"active": [new.kid]}


def test_only_what_is_in_next_can_be_promoted(keys: Path, old: SigningKey, new: SigningKey) -> None:
    refused(lambda: promote(keys, old.kid, LATER), "there is no key", "next")
    promote(keys, new.kid, LATER)
    refused(lambda: promote(keys, new.kid, LATER), "there is no key", "next")
    retire(keys, old.kid)
    refused(lambda: promote(keys, old.kid, LATER), "there is no key", "next")


# --------------------------------------------------------------------------------------- retire


def test_the_last_key_of_an_algorithm_cannot_be_retired(keys: Path, old: SigningKey) -> None:
    other = generate(keys, "ES256", NOW, state="active")
    generate(keys, ALG, NOW)  # published only: it would sign nothing

    for key in (old, other):
        refused(lambda key=key: retire(keys, key.kid), "is the last that signs", key.alg)  # type: ignore[misc]
        assert state_of(keys, key) == "active"


def test_only_an_active_key_can_be_retired(keys: Path, old: SigningKey, new: SigningKey) -> None:
    refused(lambda: retire(keys, new.kid), "there is no key", "active")
    promote(keys, new.kid, LATER)
    retire(keys, old.kid)
    refused(lambda: retire(keys, old.kid), "there is no key", "active")


def test_the_newest_may_be_retired_and_the_one_before_signs_again(
    keys: Path, old: SigningKey, new: SigningKey
) -> None:
    promote(keys, new.kid, LATER)

    retire(keys, new.kid)

    assert signer(keys) == old.kid


# --------------------------------------------------------------------------------------- revoke


def test_a_key_can_be_revoked_in_every_state(keys: Path, old: SigningKey, new: SigningKey) -> None:
    third = generate(keys, ALG, NOW)
    promote(keys, third.kid, LATER)
    retire(keys, old.kid)
    extra = generate(keys, ALG, NOW, state="active")

    for key in (new, extra, old):
        revoke(keys, key.kid)
        assert state_of(keys, key) is None
    assert files(keys) == {"active": [third.kid]}


def test_the_last_key_that_signs_cannot_be_revoked(
    keys: Path, old: SigningKey, new: SigningKey
) -> None:
    refused(lambda: revoke(keys, old.kid), "is the last that signs", "--activate")

    assert state_of(keys, old) == "active"
    generate(keys, ALG, NOW, state="active")
    revoke(keys, old.kid)
    assert state_of(keys, old) is None


@pytest.mark.parametrize("kid", ["", "unknown", "../active/x", "*", ".", "x" * 5000, "\0"])
def test_a_kid_is_none_of_a_path(keys: Path, old: SigningKey, new: SigningKey, kid: str) -> None:
    before = files(keys)

    for step in (
        lambda: promote(keys, kid, LATER),
        lambda: retire(keys, kid),
        lambda: revoke(keys, kid),
    ):
        refused(step, "there is no key")

    assert files(keys) == before
