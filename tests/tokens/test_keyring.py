"""The ring: what is published, what signs, what is refused, and change while running."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import KeySet, KeySetSerialization, RSAKey, thumbprint

from app.tokens.key_files import PrivateKey, format_private_key, key_paths
from app.tokens.keyring import (
    ALGORITHMS,
    KeyRing,
    KeyRingError,
    KeyState,
    SigningKey,
    generate,
)
from app.tokens.live_keyring import LiveKeyRing

NOW = 1_795_000_000.75
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def store(directory: Path, native: PrivateKey, state: KeyState, created_at: int = 100) -> Path:
    """Put a key where an operator would, by hand."""
    key = SigningKey.from_native(native, created_at, state)
    text = format_private_key(native, created_at)
    ending = ".pem"
    if state == "retired":
        form = PublicFormat.SubjectPublicKeyInfo
        block = native.public_key().public_bytes(Encoding.PEM, form).decode()
        text, ending = text[: text.index("-----")] + block, ".pub.pem"
    folder = directory / state
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{key.kid}{ending}"
    path.write_text(text)
    path.chmod(0o600)
    return path


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


# ------------------------------------------------------------------------------- one key


@pytest.mark.parametrize(("alg", "kty"), [("ES256", "EC"), ("RS256", "RSA"), ("Ed25519", "OKP")])
def test_the_algorithm_follows_from_the_kind_of_key(
    alg: str, kty: str, native_keys: dict[str, PrivateKey]
) -> None:
    key = SigningKey.from_native(native_keys[alg], 5, "active")
    jwk = key.public_jwk()
    assert (key.alg, key.created_at, key.state) == (alg, 5, "active")
    assert jwk["kty"] == kty
    assert {"alg": alg, "kid": key.kid, "use": "sig"}.items() <= jwk.items()


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_the_kid_is_the_rfc_7638_thumbprint(alg: str, ring: KeyRing) -> None:
    key = ring.signer(alg)
    jwk = key.public_jwk()
    required = {
        "EC": ("crv", "kty", "x", "y"),
        "RSA": ("e", "kty", "n"),
        "OKP": ("crv", "kty", "x"),
    }
    assert key.kid == thumbprint({name: jwk[name] for name in required[jwk["kty"]]})


def test_only_an_active_key_holds_its_private_half() -> None:
    native = p256()
    held = {
        state: SigningKey.from_native(native, 5, state).private_key is not None
        for state in ("next", "active", "retired")
    }
    assert held == {"next": False, "active": True, "retired": False}


def test_an_active_key_needs_its_private_half() -> None:
    with pytest.raises(KeyRingError, match="lacks its private half"):
        SigningKey.from_native(p256().public_key(), 5, "active")


def test_an_rsa_key_that_is_too_short_is_refused() -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    with pytest.raises(KeyRingError, match="has 1024 bits; at least 2048"):
        SigningKey.from_native(short, 5, "active")


def test_another_curve_is_refused() -> None:
    with pytest.raises(KeyRingError, match="secp384r1; only P-256"):
        SigningKey.from_native(ec.generate_private_key(ec.SECP384R1()), 5, "active")


def test_create_makes_new_keys() -> None:
    first, second = (SigningKey.create("ES256", 7) for _ in range(2))
    assert first.kid != second.kid
    assert (first.state, first.created_at) == ("active", 7)
    assert SigningKey.create("Ed25519", 7, "next").state == "next"


def test_a_new_rsa_key_has_3072_bits() -> None:
    key = SigningKey.create("RS256", 7)
    assert isinstance(key.public_key, RSAKey)
    assert key.public_key.public_key.key_size == 3072


@pytest.mark.parametrize("alg", ["EdDSA", "HS256", "none", "ES384", ""])
def test_no_key_is_made_for_another_algorithm(alg: str, tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match="choose one of ES256, RS256, Ed25519"):
        generate(tmp_path, alg, NOW)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------- what is shown


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_no_text_form_shows_key_material(
    alg: str, native_keys: dict[str, PrivateKey], ring: KeyRing
) -> None:
    key = ring.signer(alg)
    assert key.private_key is not None
    shown = f"{key!r} {key} {ring!r} {ring} {key.private_key!r} {key.public_key!r}"
    text = format_private_key(native_keys[alg], 0)
    lines = [line for line in text.splitlines() if len(line) > 40]
    assert lines
    assert not any(line in shown for line in lines)
    assert not any(value in shown for name, value in key.public_jwk().items() if name in "nxy")
    assert key.kid in shown


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_signing_exports_no_private_member(alg: str, ring: KeyRing) -> None:
    key = ring.signer(alg)
    assert key.private_key is not None
    jws.serialize_compact({"alg": alg}, b"payload", key.private_key, algorithms=[alg])
    assert not PRIVATE_MEMBERS & key.private_key.dict_value.keys()


def test_the_jwks_holds_the_public_halves_of_all_states(
    native_keys: dict[str, PrivateKey],
) -> None:
    keys = [
        SigningKey.from_native(native_keys["ES256"], 1, "active"),
        SigningKey.from_native(native_keys["RS256"], 2, "next"),
        SigningKey.from_native(native_keys["Ed25519"], 3, "retired"),
    ]
    published = KeyRing.from_keys(keys).jwks()["keys"]
    assert [jwk["kid"] for jwk in published] == [key.kid for key in keys]
    assert not any(PRIVATE_MEMBERS & jwk.keys() for jwk in published)
    assert {jwk["use"] for jwk in published} == {"sig"}
    assert [jwk["alg"] for jwk in published] == ["ES256", "RS256", "Ed25519"]


def test_the_jwks_serves_a_stock_client(ring: KeyRing) -> None:
    imported = KeySet.import_key_set(cast(KeySetSerialization, ring.jwks()))
    for alg in ALGORITHMS:
        key = ring.signer(alg)
        assert key.private_key is not None
        token = jws.serialize_compact(
            {"alg": alg, "kid": key.kid}, b"payload", key.private_key, algorithms=[alg]
        )
        assert jws.deserialize_compact(token, imported, algorithms=[alg]).payload == b"payload"


def test_the_jwks_cannot_be_changed_through_a_copy(ring: KeyRing) -> None:
    copy = ring.jwks()
    copy["keys"][0]["kid"] = "changed"
    copy["keys"].clear()
    ring.keys[0].public_jwk()["kid"] = "changed"
    assert json.loads(ring.jwks_bytes()) == ring.jwks()
    assert [jwk["kid"] for jwk in ring.jwks()["keys"]] == [key.kid for key in ring.keys]


def test_an_empty_ring_publishes_an_empty_set() -> None:
    empty = KeyRing.from_keys([])
    assert empty.jwks_bytes() == b'{"keys":[]}'
    assert (empty.keys, empty.algorithms) == ((), ())


# ------------------------------------------------------------------------------- which one signs


def test_the_newest_active_key_of_an_algorithm_signs() -> None:
    old, new = SigningKey.create("ES256", 100), SigningKey.create("ES256", 200)
    coming = SigningKey.create("ES256", 300, "next")
    gone = SigningKey.create("ES256", 400, "retired")
    ring = KeyRing.from_keys([gone, new, coming, old])
    assert ring.signer("ES256") == new
    assert ring.keys == (new, old, coming, gone)


def test_keys_of_one_second_are_told_apart_by_kid() -> None:
    keys = sorted((SigningKey.create("ES256", 100) for _ in range(4)), key=lambda key: key.kid)
    assert KeyRing.from_keys(keys).signer("ES256") == keys[-1]
    assert KeyRing.from_keys(reversed(keys)).signer("ES256") == keys[-1]


def test_each_algorithm_has_its_own_signer(ring: KeyRing) -> None:
    assert {alg: ring.signer(alg).alg for alg in ALGORITHMS} == {alg: alg for alg in ALGORITHMS}
    assert ring.algorithms == ALGORITHMS


@pytest.mark.parametrize("state", ["next", "retired"])
def test_without_an_active_key_nothing_signs(state: KeyState) -> None:
    ring = KeyRing.from_keys([SigningKey.create("ES256", 100, state)])
    assert ring.algorithms == ()
    with pytest.raises(KeyRingError, match="no active ES256 key; run: crossroot keys generate"):
        ring.signer("ES256")


@given(order=st.permutations(("next", "active", "retired")))
def test_of_one_key_in_several_states_the_last_state_counts(order: list[KeyState]) -> None:
    """A crash in mid-rotation leaves a key twice; one that was being retired never signs."""
    key = SigningKey.create("ES256", 100)
    copies = [replace(key, state=state) for state in order]
    assert KeyRing.from_keys(copies).verification_key(key.kid) == replace(key, state="retired")
    copies = [copy for copy in copies if copy.state != "retired"]
    assert KeyRing.from_keys(copies).signer("ES256").state == "active"


@pytest.mark.parametrize("state", ["next", "active", "retired"])
def test_every_state_verifies(state: KeyState) -> None:
    key = SigningKey.create("ES256", 100, state)
    assert KeyRing.from_keys([key]).verification_key(key.kid) is key


def test_an_unknown_kid_is_nobody(ring: KeyRing) -> None:
    for kid in ("", "unknown", "../active/x", "/etc/passwd", ring.keys[0].kid + "\0"):
        assert ring.verification_key(kid) is None


# ------------------------------------------------------------------------------- loading


def test_a_directory_is_read_as_it_lies(tmp_path: Path, native_keys: dict[str, PrivateKey]) -> None:
    store(tmp_path, native_keys["ES256"], "active", 100)
    store(tmp_path, native_keys["RS256"], "next", 200)
    store(tmp_path, native_keys["Ed25519"], "retired", 50)
    ring = KeyRing.load(tmp_path)
    assert [(key.state, key.alg, key.created_at) for key in ring.keys] == [
        ("active", "ES256", 100),
        ("next", "RS256", 200),
        ("retired", "Ed25519", 50),
    ]
    assert ring.algorithms == ("ES256",)


def test_age_survives_copying(tmp_path: Path) -> None:
    old, new = p256(), p256()
    new_path, old_path = store(tmp_path, new, "active", 200), store(tmp_path, old, "active", 100)
    os.utime(new_path, (0, 0))
    os.utime(old_path, (9e8, 9e8))
    assert KeyRing.load(tmp_path).signer("ES256").created_at == 200


def test_missing_folders_are_empty_ones(tmp_path: Path) -> None:
    assert KeyRing.load(tmp_path).keys == ()


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match="nowhere is not a folder; run: crossroot keys generate"):
        KeyRing.load(tmp_path / "nowhere")


def test_leftovers_of_a_crash_and_notes_are_no_keys(tmp_path: Path) -> None:
    store(tmp_path, p256(), "active")
    (tmp_path / "active" / ".tmpabc.tmp").write_text("-----BEGIN PRIVATE KEY-----\nhalf")
    (tmp_path / "active" / ".x.pem").write_text("half")
    (tmp_path / "active" / "README.md").write_text("what these are")
    assert len(KeyRing.load(tmp_path).keys) == 1


def test_a_misnamed_key_is_refused(tmp_path: Path) -> None:
    path = store(tmp_path, p256(), "active")
    other = path.with_name("main.pem")
    path.rename(other)
    with pytest.raises(KeyRingError, match=rf"main\.pem is misnamed: .* {path.name}"):
        KeyRing.load(tmp_path)


def test_a_private_key_among_the_retired_is_refused(tmp_path: Path) -> None:
    path = store(tmp_path, p256(), "active")
    retired = tmp_path / "retired"
    retired.mkdir(mode=0o700)
    path.rename(retired / path.name)
    with pytest.raises(KeyRingError, match="takes the public half alone"):
        KeyRing.load(tmp_path)


def test_a_retired_key_keeps_its_ending(tmp_path: Path) -> None:
    path = store(tmp_path, p256(), "retired")
    path.rename(path.with_name(path.name.replace(".pub.pem", ".pem")))
    with pytest.raises(KeyRingError, match=r"asks for .*\.pub\.pem"):
        KeyRing.load(tmp_path)


def test_a_key_that_is_not_signed_with_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "active" / "p384.pem"
    path.parent.mkdir(mode=0o700)
    path.write_text(format_private_key(ec.generate_private_key(ec.SECP384R1()), 0))
    path.chmod(0o600)
    with pytest.raises(KeyRingError, match=r"active/p384\.pem: the EC key is on curve secp384r1"):
        KeyRing.load(tmp_path)


def test_an_open_file_is_refused_by_name(tmp_path: Path) -> None:
    path = store(tmp_path, p256(), "active")
    path.chmod(0o640)
    with pytest.raises(KeyRingError, match=f"{path.name} is open to group or others"):
        KeyRing.load(tmp_path)


def test_an_open_folder_is_refused_by_name(tmp_path: Path) -> None:
    store(tmp_path, p256(), "active")
    (tmp_path / "active").chmod(0o770)
    with pytest.raises(KeyRingError, match=r"group or others may write to .*active"):
        KeyRing.load(tmp_path)


def test_a_key_that_moves_on_while_it_is_read_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rename of a rotation falls between the listing of next/ and the reading of its file."""
    path = store(tmp_path, p256(), "next")
    (tmp_path / "active").mkdir(mode=0o700)

    def list_then_promote(folder: Path) -> list[Path]:
        paths = key_paths(folder)
        if folder.name == "next":
            path.rename(tmp_path / "active" / path.name)
        return paths

    monkeypatch.setattr("app.tokens.keyring.key_paths", list_then_promote)
    assert [key.state for key in KeyRing.load(tmp_path).keys] == ["active"]


# ------------------------------------------------------------------------------- generating


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
def test_a_generated_key_is_loaded_again(alg: str, tmp_path: Path) -> None:
    directory = tmp_path / "new" / "keys"
    key = generate(directory, alg, NOW, state="active")
    assert (key.alg, key.created_at, key.state) == (alg, int(NOW), "active")
    assert KeyRing.load(directory).keys == (key,)
    assert KeyRing.load(directory).signer(alg).private_key is not None


def test_a_generated_key_is_only_the_owners(tmp_path: Path) -> None:
    key = generate(tmp_path / "keys", "ES256", NOW)
    path = tmp_path / "keys" / "next" / f"{key.kid}.pem"
    assert path.read_text().startswith("Created: 2026-11-18T")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_next_key_is_published_and_signs_once_it_is_moved(tmp_path: Path) -> None:
    old = generate(tmp_path, "ES256", 100, state="active")
    new = generate(tmp_path, "ES256", 200)
    ring = KeyRing.load(tmp_path)
    assert ring.signer("ES256") == old
    assert {jwk["kid"] for jwk in ring.jwks()["keys"]} == {old.kid, new.kid}
    name = f"{new.kid}.pem"
    (tmp_path / "next" / name).rename(tmp_path / "active" / name)
    ring = KeyRing.load(tmp_path)
    assert ring.signer("ES256").kid == new.kid
    assert ring.verification_key(old.kid) == old


def test_nothing_is_written_into_an_open_folder(tmp_path: Path) -> None:
    (tmp_path / "next").mkdir()
    (tmp_path / "next").chmod(0o777)
    with pytest.raises(KeyRingError, match="chmod 700"):
        generate(tmp_path, "ES256", NOW)
    assert list((tmp_path / "next").iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys").touch()
    with pytest.raises(KeyRingError, match=r"can't store a key in .*keys/next"):
        generate(tmp_path / "keys", "ES256", NOW)


# ------------------------------------------------------------------------------- while running


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def age_folders(directory: Path) -> None:
    """Set back the folders' times, so that the next change shows however coarse the disk's are."""
    for folder in directory.iterdir():
        os.utime(folder, (1, 1))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def live(tmp_path: Path, clock: Clock) -> LiveKeyRing:
    generate(tmp_path, "ES256", 100, state="active")
    age_folders(tmp_path)
    return LiveKeyRing(tmp_path, clock)


def test_an_unchanged_directory_is_read_once(live: LiveKeyRing, clock: Clock) -> None:
    ring = live.current()
    for _ in range(3):
        clock.now += 5
        assert live.current() is ring


def test_a_change_is_seen_within_a_second(live: LiveKeyRing, clock: Clock, tmp_path: Path) -> None:
    first = live.current()
    new = generate(tmp_path, "ES256", 200, state="active")
    clock.now += 0.99
    assert live.current() is first
    clock.now += 0.01
    second = live.current()
    assert second.signer("ES256") == new
    # The next second counts from that look.
    (tmp_path / "active" / f"{new.kid}.pem").unlink()
    age_folders(tmp_path)
    clock.now += 0.99
    assert live.current() is second
    clock.now += 0.01
    assert live.current().keys == first.keys


def test_a_clock_that_is_set_back_does_not_stop_the_looks(
    live: LiveKeyRing, clock: Clock, tmp_path: Path
) -> None:
    new = generate(tmp_path, "ES256", 200, state="active")
    clock.now -= 3600
    assert live.current().signer("ES256") == new


def test_a_bad_change_keeps_the_last_good_ring_and_is_logged_once(
    live: LiveKeyRing, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    ring = live.current()
    new = generate(tmp_path, "ES256", 200, state="active")
    path = tmp_path / "active" / f"{new.kid}.pem"
    path.chmod(0o644)
    for _ in range(3):
        clock.now += 1
        assert live.current() is ring
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert path.name in caplog.text
    assert not any(line in caplog.text for line in path.read_text().splitlines()[2:-1])
    # The repair moves no folder's time, and is seen all the same.
    path.chmod(0o600)
    clock.now += 1
    assert live.current().signer("ES256") == new


def test_a_second_fault_is_logged_too(
    live: LiveKeyRing, clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = tmp_path / "active" / "bad.pem"
    bad.touch(mode=0o600)
    clock.now += 1
    live.current()
    bad.write_text("-----BEGIN PUBLIC KEY-----")
    clock.now += 1
    live.current()
    assert len(caplog.records) == 2


def test_a_directory_that_vanishes_keeps_the_last_good_ring(
    live: LiveKeyRing, clock: Clock, tmp_path: Path
) -> None:
    ring = live.current()
    tmp_path.rename(tmp_path.with_name("elsewhere"))
    clock.now += 1
    assert live.current() is ring


def test_there_is_no_start_without_a_good_ring(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(KeyRingError, match="nowhere is not a folder"):
        LiveKeyRing(tmp_path / "nowhere", clock)


def test_nobody_waits_for_a_reload_of_another_thread(
    live: LiveKeyRing, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = live.current()
    new = generate(tmp_path, "ES256", 200, state="active")
    clock.now += 1
    loading, go_on = threading.Event(), threading.Event()
    load = KeyRing.load

    def slow_load(directory: Path) -> KeyRing:
        loading.set()
        assert go_on.wait(10)
        return load(directory)

    monkeypatch.setattr(KeyRing, "load", slow_load)
    reloading = threading.Thread(target=live.current)
    reloading.start()
    assert loading.wait(10)
    clock.now += 1
    assert live.current() is first
    go_on.set()
    reloading.join(10)
    assert live.current().signer("ES256") == new
