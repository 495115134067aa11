"""Secrets and passwords: how they look, how they are kept, and what every guess costs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import stat
import threading
import unicodedata
import uuid
from collections.abc import Callable
from pathlib import Path

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tokens.key_files import KeyRingError
from app.tokens.secrets import (
    PasswordHasher,
    PasswordRefused,
    SecretHasher,
    load_or_create_pepper,
    new_identifier,
    new_secret,
)

PEPPER = bytes(range(32))


# ------------------------------------------------------------------------------- random values


@given(data=st.binary(min_size=32, max_size=32))
def test_a_secret_carries_256_bits_and_needs_no_encoding(data: bytes) -> None:
    asked: list[int] = []

    def source(count: int) -> bytes:
        asked.append(count)
        return data

    secret = new_secret(source)
    assert asked == [32]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)
    assert base64.urlsafe_b64decode(secret + "=") == data


def test_an_identifier_is_a_random_uuid() -> None:
    identifiers = {new_identifier(os.urandom) for _ in range(50)}
    assert len(identifiers) == 50
    assert {uuid.UUID(identifier).version for identifier in identifiers} == {4}
    assert {str(uuid.UUID(identifier)) for identifier in identifiers} == identifiers


@pytest.mark.parametrize("make", [new_secret, new_identifier])
def test_a_source_that_gives_too_little_is_refused(
    make: Callable[[Callable[[int], bytes]], str],
) -> None:
    with pytest.raises(ValueError, match="gave 3 bytes instead of"):
        make(lambda count: b"abc")


# ------------------------------------------------------------------------------- keyed hashes


def test_a_secret_is_kept_as_a_keyed_hash() -> None:
    expected = hmac.new(PEPPER, b"session\0s3cret", hashlib.sha256).hexdigest()
    assert SecretHasher(PEPPER).hash("s3cret", "session") == expected


def test_the_hash_of_a_secret_matches_it_and_nothing_else() -> None:
    hasher = SecretHasher(PEPPER)
    digest = hasher.hash("s3cret", "session")
    assert hasher.matches("s3cret", digest, "session")
    assert not hasher.matches("s3creT", digest, "session")
    assert not hasher.matches("s3cret", digest[:-1], "session")
    for nonsense in ("", "ü" * 64, "\ud800"):
        assert not hasher.matches("s3cret", nonsense, "session")


def test_a_hash_for_one_purpose_is_worth_nothing_for_another() -> None:
    hasher = SecretHasher(PEPPER)
    purposes = ("client-secret", "authorization-code", "session", "csrf", "external-id")
    digests = {purpose: hasher.hash("s3cret", purpose) for purpose in purposes}
    assert len(set(digests.values())) == len(purposes)
    assert not hasher.matches("s3cret", digests["authorization-code"], "session")


def test_another_pepper_gives_another_hash() -> None:
    digest = SecretHasher(PEPPER).hash("s3cret", "session")
    assert not SecretHasher(PEPPER[::-1]).matches("s3cret", digest, "session")


@given(
    first=st.tuples(st.text(alphabet="ab-", min_size=1), st.text()),
    second=st.tuples(st.text(alphabet="ab-", min_size=1), st.text()),
)
def test_purpose_and_secret_never_run_into_each_other(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    hasher = SecretHasher(PEPPER)
    same = hasher.hash(first[1], first[0]) == hasher.hash(second[1], second[0])
    assert same == (first == second)


@given(secret=st.text(st.characters(codec=None)))
def test_any_text_from_outside_can_be_compared(secret: str) -> None:
    hasher = SecretHasher(PEPPER)
    assert hasher.matches(secret, hasher.hash(secret, "csrf"), "csrf")


@pytest.mark.parametrize("purpose", ["", "a\0b"])
def test_a_purpose_is_a_name(purpose: str) -> None:
    with pytest.raises(ValueError, match="purpose must be"):
        SecretHasher(PEPPER).hash("s3cret", purpose)


def test_a_short_pepper_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        SecretHasher(PEPPER[:-1])


def test_the_pepper_is_not_shown() -> None:
    shown = repr(SecretHasher(b"pepper-pepper-pepper-pepper-pepper"))
    assert "pepper-pepper" not in shown


# ------------------------------------------------------------------------------- the pepper file


def test_a_pepper_is_made_once_and_then_read(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "pepper.key"
    pepper = load_or_create_pepper(path, os.urandom)
    assert len(pepper) == 32
    assert base64.b64decode(path.read_text()) == pepper
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_pepper(path, lambda count: b"x" * count) == pepper
    assert list(path.parent.iterdir()) == [path]


def test_of_two_processes_at_once_both_use_the_first_pepper(tmp_path: Path) -> None:
    """The other process writes its pepper while this one draws its own."""
    path = tmp_path / "pepper.key"

    def other_is_faster(count: int) -> bytes:
        load_or_create_pepper(path, lambda count: b"1" * count)
        return b"2" * count

    assert load_or_create_pepper(path, other_is_faster) == b"1" * 32
    assert load_or_create_pepper(path, os.urandom) == b"1" * 32


@pytest.mark.parametrize(
    "text",
    ["", "\n", base64.b64encode(bytes(31)).decode(), "not base64 !", "ü" * 44, "A" * 43],
)
def test_a_damaged_pepper_is_refused_and_never_replaced(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pepper.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(KeyRingError, match=r"pepper\.key must hold at least 32 bytes"):
        load_or_create_pepper(path, os.urandom)
    assert path.read_text(encoding="utf-8") == text


def test_a_longer_pepper_is_used_whole(tmp_path: Path) -> None:
    path = tmp_path / "pepper.key"
    path.write_text(base64.b64encode(bytes(48)).decode())
    path.chmod(0o600)
    assert load_or_create_pepper(path, os.urandom) == bytes(48)


def test_a_pepper_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pepper.key"
    load_or_create_pepper(path, os.urandom)
    path.chmod(0o644)
    with pytest.raises(KeyRingError, match=r"pepper\.key is open to group or others"):
        load_or_create_pepper(path, os.urandom)


def test_a_pepper_that_cannot_be_stored_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(KeyRingError, match=r"pepper\.key \(No space left on device\)"):
        load_or_create_pepper(tmp_path / "pepper.key", os.urandom)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------- passwords

#: "Nguyễn" typed as base letters with marks, and as single characters.
DECOMPOSED = unicodedata.normalize("NFD", "Nguyễn-1234")
COMPOSED = unicodedata.normalize("NFC", DECOMPOSED)

REFUSED = [
    ("", "is empty"),
    ("secret\0tail", "NUL"),
    ("a" * 1025, "longer than 1,024 bytes"),
    ("é" * 513, "longer than 1,024 bytes"),
    ("x" * 1_000_000, "longer than 1,024 bytes"),
    ("half \ud800", "not Unicode"),
]


@pytest.fixture(scope="module")
def hasher() -> PasswordHasher:
    """As cheap as argon2 allows: the strength has a test of its own."""
    return PasswordHasher(os.urandom, memory_kib=8, passes=1)


def test_the_strength_is_the_one_owasp_names() -> None:
    hasher = PasswordHasher(os.urandom)
    encoded = hasher.hash("correct horse")
    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hasher.verify("correct horse", encoded)
    assert not hasher.verify("correct house", encoded)


def test_a_stock_argon2_agrees(hasher: PasswordHasher) -> None:
    assert argon2.PasswordHasher().verify(hasher.hash("correct horse"), "correct horse")


def test_each_hash_has_its_own_salt(hasher: PasswordHasher) -> None:
    first, second = hasher.hash("correct horse"), hasher.hash("correct horse")
    assert first != second
    assert hasher.verify("correct horse", first)
    assert hasher.verify("correct horse", second)


def test_the_same_characters_match_however_they_were_typed(hasher: PasswordHasher) -> None:
    assert DECOMPOSED != COMPOSED
    assert hasher.verify(DECOMPOSED, hasher.hash(COMPOSED))
    assert hasher.verify(COMPOSED, hasher.hash(DECOMPOSED))


@pytest.mark.parametrize(
    ("first", "second"), [("K", "\u212b"), ("fi", "\ufb01"), ("a b", "a\u3000b")]
)
def test_characters_that_only_look_alike_stay_apart(
    first: str, second: str, hasher: PasswordHasher
) -> None:
    assert not hasher.verify(first, hasher.hash(second))


def test_the_limit_is_in_bytes_of_the_normal_form(hasher: PasswordHasher) -> None:
    for longest in ("a" * 1024, "é" * 512, unicodedata.normalize("NFD", "é" * 512)):
        assert hasher.verify(longest, hasher.hash(longest))


def test_the_early_limit_refuses_nothing_that_fits(hasher: PasswordHasher) -> None:
    """U+1F82 is three bytes, and four code points when taken apart: the most that there is."""
    longest = unicodedata.normalize("NFD", "\u1f82" * 341)
    assert len(longest) == 4 * 341
    assert hasher.verify("\u1f82" * 341, hasher.hash(longest))


@pytest.mark.parametrize(("password", "why"), REFUSED)
def test_what_cannot_be_a_password_is_refused(
    password: str, why: str, hasher: PasswordHasher
) -> None:
    with pytest.raises(PasswordRefused, match=why) as caught:
        hasher.hash(password)
    assert "secret" not in str(caught.value)


def test_a_nul_does_not_cut_a_password(hasher: PasswordHasher) -> None:
    assert not hasher.verify("secret\0tail", hasher.hash("secret"))


def test_nothing_matches_where_there_is_no_hash(hasher: PasswordHasher) -> None:
    for password in ("correct horse", "", "0" * 16):
        assert not hasher.verify(password, None)


@pytest.mark.parametrize(
    "encoded",
    ["", "plain text", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$", "$2b$12$abc", "ü"],
)
def test_a_damaged_hash_matches_nothing(encoded: str, hasher: PasswordHasher) -> None:
    assert not hasher.verify("correct horse", encoded)
    assert hasher.needs_rehash(encoded) or encoded.startswith("$argon2id$v=19")


class WatchedHasher(PasswordHasher):
    """Notes the parameters of every argon2 run, and does it."""

    def __init__(self) -> None:
        super().__init__(os.urandom, memory_kib=8, passes=1)
        self.runs: list[str] = []

    def _compare(self, encoded: str, data: bytes) -> bool:
        self.runs.append(encoded.rsplit("$", 2)[0])
        return super()._compare(encoded, data)


def test_every_refusal_costs_the_same_one_run() -> None:
    hasher = WatchedHasher()
    encoded = hasher.hash("correct horse")
    assert hasher.runs == []
    hasher.verify("correct house", encoded)
    hasher.verify("correct horse", None)
    for password, _ in REFUSED:
        hasher.verify(password, encoded)
        hasher.verify(password, None)
    assert hasher.runs == ["$argon2id$v=19$m=8,t=1,p=1"] * (2 + 2 * len(REFUSED))


def test_a_hash_of_other_parameters_asks_to_be_made_again(hasher: PasswordHasher) -> None:
    weaker = PasswordHasher(os.urandom, memory_kib=16, passes=1).hash("correct horse")
    assert hasher.verify("correct horse", weaker)
    assert hasher.needs_rehash(weaker)
    assert not hasher.needs_rehash(hasher.hash("correct horse"))


def test_a_flood_waits_for_its_turn() -> None:
    """Two hashes are under way, held up where they draw their salt: a third run must wait."""
    both_started, release = threading.Barrier(3), threading.Event()
    drawn = [32, 16]  # what making the hasher draws, which is not held up

    def source(count: int) -> bytes:
        if drawn:
            assert drawn.pop(0) == count
        else:
            both_started.wait(10)
            assert release.wait(10)
        return os.urandom(count)

    hasher = PasswordHasher(source, memory_kib=8, passes=1, max_parallel=2)
    first_two = [threading.Thread(target=hasher.hash, args=("correct horse",)) for _ in range(2)]
    third = threading.Thread(target=hasher.verify, args=("correct horse", None))
    for thread in first_two:
        thread.start()
    both_started.wait(10)
    third.start()
    third.join(0.1)
    assert third.is_alive()
    release.set()
    for thread in (*first_two, third):
        thread.join(10)
        assert not thread.is_alive()
