"""Key material on disk: the text form, who may read it, and what a crash leaves."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from app.tokens.key_files import (
    KeyRingError,
    PrivateKey,
    check_folder,
    format_private_key,
    key_paths,
    make_folder,
    parse_key,
    read_private_text,
    write_private_text,
)

CREATED_LINE = "Created: 2026-11-24T22:33:31Z\n"
CREATED_AT = 1_795_559_611
PATH = Path("keys/active/some.pem")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def private_pem(key: ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: PrivateKey) -> str:
    form = PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(Encoding.PEM, form).decode()


@pytest.fixture
def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


# ------------------------------------------------------------------------------- the text form


@pytest.mark.parametrize("alg", ["ES256", "RS256", "Ed25519"])
def test_a_key_and_its_age_survive_the_round_trip(
    alg: str, native_keys: dict[str, PrivateKey]
) -> None:
    text = format_private_key(native_keys[alg], CREATED_AT)
    key, created_at = parse_key(PATH, text, private=True)
    assert text.startswith(CREATED_LINE + "-----BEGIN PRIVATE KEY-----\n")
    assert created_at == CREATED_AT
    assert isinstance(key, PrivateKey)
    assert key.public_key() == native_keys[alg].public_key()


def test_other_tools_can_read_the_file(p256: ec.EllipticCurvePrivateKey) -> None:
    key = load_pem_private_key(format_private_key(p256, CREATED_AT).encode(), None)
    assert key.public_key() == p256.public_key()


def test_a_public_half_is_read_where_one_is_wanted(p256: ec.EllipticCurvePrivateKey) -> None:
    key, created_at = parse_key(PATH, CREATED_LINE + public_pem(p256), private=False)
    assert (key, created_at) == (p256.public_key(), CREATED_AT)


def test_other_lines_before_the_block_are_allowed(p256: ec.EllipticCurvePrivateKey) -> None:
    text = f"Khóa của máy ký\r\n{CREATED_LINE.strip()}\r\nNote: moved\r\n{private_pem(p256)}"
    assert parse_key(PATH, text, private=True)[1] == CREATED_AT


@pytest.mark.parametrize(
    "preamble",
    [
        "",
        "created: 2026-11-24T22:33:31Z\n",
        "Created: yesterday\n",
        "Created: 2026-13-24T22:33:31Z\n",
        "Created: 2026-11-24T22:33:31+07:00\n",
        CREATED_LINE * 2,
    ],
)
def test_a_key_without_one_readable_age_is_refused(
    preamble: str, p256: ec.EllipticCurvePrivateKey
) -> None:
    with pytest.raises(KeyRingError, match=r"some\.pem needs exactly one line .* 'Created: "):
        parse_key(PATH, preamble + private_pem(p256), private=True)


def test_the_age_must_stand_before_the_block(p256: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(KeyRingError, match="exactly one line"):
        parse_key(PATH, private_pem(p256) + CREATED_LINE, private=True)


def test_anything_but_one_block_is_refused(p256: ec.EllipticCurvePrivateKey) -> None:
    for text in ("", CREATED_LINE, CREATED_LINE + private_pem(p256) + public_pem(p256)):
        with pytest.raises(KeyRingError, match="exactly one PEM block"):
            parse_key(PATH, text, private=True)


def test_the_wrong_half_is_refused(p256: ec.EllipticCurvePrivateKey) -> None:
    with pytest.raises(KeyRingError, match="takes a private key"):
        parse_key(PATH, CREATED_LINE + public_pem(p256), private=True)
    with pytest.raises(KeyRingError, match="takes the public half alone"):
        parse_key(PATH, CREATED_LINE + private_pem(p256), private=False)


def test_an_encrypted_key_is_refused(p256: ec.EllipticCurvePrivateKey) -> None:
    cipher = BestAvailableEncryption(b"passphrase")
    block = p256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, cipher).decode()
    with pytest.raises(KeyRingError, match=r"some\.pem is encrypted"):
        parse_key(PATH, CREATED_LINE + block, private=True)


@pytest.mark.parametrize("private", [True, False])
def test_a_damaged_key_is_refused_without_quoting_it(
    private: bool, p256: ec.EllipticCurvePrivateKey
) -> None:
    lines = (private_pem(p256) if private else public_pem(p256)).splitlines()
    lines[1] = lines[1][:-8]
    with pytest.raises(KeyRingError, match=r"some\.pem is damaged") as caught:
        parse_key(PATH, CREATED_LINE + "\n".join(lines), private=private)
    assert lines[1] not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_key_of_another_kind_is_refused() -> None:
    text = CREATED_LINE + private_pem(ed448.Ed448PrivateKey.generate())
    with pytest.raises(KeyRingError, match="of a kind that Crossroot doesn't sign with"):
        parse_key(PATH, text, private=True)


# ------------------------------------------------------------------------------- reading


def test_a_missing_file_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_private_text(tmp_path / "missing")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644])
def test_a_file_that_others_may_use_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("text")
    path.chmod(mode)
    with pytest.raises(KeyRingError, match=rf"mode 0{mode:o}\); run: chmod 600 .*key\.pem"):
        read_private_text(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_the_owner_alone_is_read(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("văn bản", encoding="utf-8")
    path.chmod(mode)
    assert read_private_text(path) == "văn bản"


def test_a_link_counts_by_what_it_leads_to(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("text")
    target.chmod(0o600)
    link = tmp_path / "link.pem"
    link.symlink_to(target)
    assert read_private_text(link) == "text"
    target.chmod(0o644)
    with pytest.raises(KeyRingError, match="open to group or others"):
        read_private_text(link)


def test_what_is_no_plain_file_is_refused_and_never_hangs(tmp_path: Path) -> None:
    folder = tmp_path / "folder.pem"
    folder.mkdir(mode=0o700)
    pipe = tmp_path / "pipe.pem"
    os.mkfifo(pipe, 0o600)
    for path in (folder, pipe):
        with pytest.raises(KeyRingError, match="is not a plain file"):
            read_private_text(path)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    loop = tmp_path / "loop.pem"
    loop.symlink_to(loop)
    with pytest.raises(KeyRingError, match=r"loop\.pem can't be read .* mode 0600"):
        read_private_text(loop)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key.der"
    path.write_bytes(b"\x30\x81\xff")
    path.chmod(0o600)
    with pytest.raises(KeyRingError, match=r"key\.der is not a text file"):
        read_private_text(path)


# ------------------------------------------------------------------------------- folders


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_may_write_to_is_refused(mode: int, tmp_path: Path) -> None:
    folder = tmp_path / "active"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(KeyRingError, match=rf"mode 0{mode:o}\); run: chmod 700 .*active"):
        check_folder(folder)
    folder.chmod(0o700)
    check_folder(folder)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "active"
    path.touch()
    with pytest.raises(KeyRingError, match="is not a folder"):
        check_folder(path)


def test_folders_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "keys" / "active"
    make_folder(folder)
    make_folder(folder)
    assert mode_of(folder) == mode_of(folder.parent) == 0o700


def test_only_visible_pem_files_claim_to_be_keys(tmp_path: Path) -> None:
    for name in ("b.pem", "a.pub.pem", ".hidden.pem", ".tmpx.tmp", "README.md", "c.pem.bak"):
        (tmp_path / name).touch()
    assert [path.name for path in key_paths(tmp_path)] == ["a.pub.pem", "b.pem"]
    assert key_paths(tmp_path / "missing") == []


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    loop = tmp_path / "active"
    loop.symlink_to(loop)
    with pytest.raises(KeyRingError, match="active can't be listed"):
        key_paths(loop)


# ------------------------------------------------------------------------------- writing


def test_a_written_file_is_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o277)
    try:
        write_private_text(tmp_path / "a.pem", "text", replace=True)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "a.pem") == 0o600
    assert read_private_text(tmp_path / "a.pem") == "text"


def test_replacing_leaves_the_new_text_and_nothing_else(tmp_path: Path) -> None:
    for text in ("first", "second"):
        write_private_text(tmp_path / "a.pem", text, replace=True)
    assert (tmp_path / "a.pem").read_text() == "second"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.pem"]


def test_without_replacing_the_first_one_stays(tmp_path: Path) -> None:
    write_private_text(tmp_path / "a.pem", "first", replace=False)
    with pytest.raises(FileExistsError):
        write_private_text(tmp_path / "a.pem", "second", replace=False)
    assert (tmp_path / "a.pem").read_text() == "first"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.pem"]


def test_a_disk_that_fails_leaves_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_private_text(tmp_path / "a.pem", "text", replace=True)
    assert list(tmp_path.iterdir()) == []
