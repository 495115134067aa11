"""`crossroot keys`."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.tokens.keyring import KeyRing, SigningKey, generate
from tests.cli.conftest import Terminal
from tests.support.processes import DEADLINE, ROOT, command

ES256 = "ES256"


def states(terminal: Terminal) -> list[tuple[str, str]]:
    return sorted((key["alg"], key["state"]) for key in terminal.json("keys", "list")["keys"])


def test_list(terminal: Terminal) -> None:
    assert states(terminal) == [("ES256", "active"), ("RS256", "active")]
    head, *lines = terminal.says("keys", "list").splitlines()
    assert head.split() == ["KID", "ALGORITHM", "STATE", "CREATED", "NOTE"]
    assert all(re.search(r" active +20\d\d-\S*Z  signs$", line) for line in lines)


def test_a_new_key_waits_until_it_is_known(terminal: Terminal) -> None:
    key = terminal.json("keys", "generate")

    assert (key["alg"], key["state"]) == ("ES256", "next")
    assert (terminal.folder / "keys" / "next" / f"{key['kid']}.pem").exists()
    said = terminal.says("keys", "generate", "--alg", "RS256")
    assert "does not sign yet" in said
    assert said.splitlines()[-1].startswith("Next, after that: crossroot keys promote ")
    assert states(terminal) == [
        ("ES256", "active"),
        ("ES256", "next"),
        ("RS256", "active"),
        ("RS256", "next"),
    ]
    events = terminal.rows("SELECT detail FROM audit_events WHERE event = 'signing-key:generate'")
    assert len(events) == 4


def test_at_once(terminal: Terminal) -> None:
    assert "It signs from now on" in terminal.says("keys", "generate", "--activate")
    assert states(terminal)[:2] == [("ES256", "active"), ("ES256", "active")]


def test_the_first_of_an_algorithm_signs_at_once(terminal: Terminal) -> None:
    assert terminal.json("keys", "generate", "--alg", "Ed25519")["state"] == "active"
    assert terminal.json("keys", "generate", "--alg", "Ed25519")["state"] == "next"


def test_before_there_is_anything_else(empty: Terminal) -> None:
    assert "run: crossroot keys generate" in empty.fails("keys", "list")
    assert empty.json("keys", "generate", "--alg", "RS256")["state"] == "active"
    assert empty.json("keys", "generate")["state"] == "active"
    assert not (empty.folder / "var").exists(), "nothing else is made"


def test_over_an_empty_store(empty: Terminal) -> None:
    """A key can be made before the migrations have run; there is no log to write it into."""
    empty.says("db", "upgrade")
    (empty.folder / "var" / "crossroot.db").write_bytes(b"")

    assert empty.json("keys", "generate")["state"] == "active"


def test_what_it_refuses(terminal: Terminal) -> None:
    assert "is not one of" in terminal.fails("keys", "generate", "--alg", "HS256", status=2)
    (pem, *_) = (terminal.folder / "keys" / "active").iterdir()
    pem.chmod(0o644)
    assert f"run: chmod 600 {pem}" in terminal.fails("keys", "list")


# ------------------------------------------------------------------------------------- rotation


def second_of(text: str) -> int:
    """Epoch seconds of `2026-11-24T22:33:31Z`."""
    return int(datetime.fromisoformat(text).timestamp())


@dataclass(frozen=True)
class Rotation:
    """A server whose ES256 key `old` signs and `new` is known to everybody and comes next."""

    terminal: Terminal
    old: SigningKey
    new: SigningKey

    @property
    def folder(self) -> Path:
        return self.terminal.folder / "keys"

    def state(self, key: SigningKey) -> str | None:
        """As the folders have it."""
        found = KeyRing.load(self.folder).verification_key(key.kid)
        return None if found is None else found.state

    def signer(self) -> str:
        return KeyRing.load(self.folder).signer(ES256).kid

    def listed(self, key: SigningKey) -> Any:
        """As `list` has it."""
        (found,) = (
            each for each in self.terminal.json("keys", "list")["keys"] if each["kid"] == key.kid
        )
        return found

    def row(self, key: SigningKey) -> str:
        """The line of `list`."""
        (line,) = (
            line for line in self.terminal.says("keys", "list").splitlines() if key.kid in line
        )
        return line

    def events(self) -> list[tuple[str, str]]:
        """The rotation in the audit log: what was done, and to which key."""
        rows = self.terminal.rows(
            "SELECT event, resource, actor_type FROM audit_events "
            "WHERE event LIKE 'signing-key:%' AND event != 'signing-key:generate' ORDER BY at"
        )
        assert {row.actor_type for row in rows} <= {"operator"}
        return [
            (row.event.rpartition(":")[2], row.resource.removeprefix("signing-key/"))
            for row in rows
        ]


@pytest.fixture
def rotation(terminal: Terminal) -> Rotation:
    return rotation_of(terminal, lambda _key: True)


def rotation_of(terminal: Terminal, wanted: Callable[[SigningKey], bool]) -> Rotation:
    """With a new key of a certain kind."""
    folder, now = terminal.folder / "keys", time.time()
    for key in KeyRing.load(folder).keys:
        if key.alg == ES256:
            (folder / key.state / f"{key.kid}.pem").unlink()
    old = generate(folder, ES256, now - 5000, "active")
    new = generate(folder, ES256, now - 1000)
    while not wanted(new):
        (folder / "next" / f"{new.kid}.pem").unlink()
        new = generate(folder, ES256, now - 1000)
    return Rotation(terminal, old, new)


def test_from_the_first_day_to_the_last(rotation: Rotation) -> None:
    terminal, old, new = rotation.terminal, rotation.old, rotation.new
    assert "may sign from" in rotation.row(new)

    said = terminal.says("keys", "promote", new.kid).splitlines()
    assert said[0].startswith(f"Promoted: key {new.kid} signs ES256 from now on")
    assert f"Key {old.kid} signs no more and stays published" in said[1]
    assert said[2:] == [f"Next: crossroot keys retire {old.kid}"]
    assert rotation.row(new).endswith(" signs")
    assert rotation.row(old).endswith("a newer key signs; retire it")

    said = terminal.says("keys", "retire", old.kid).splitlines()
    ends = rotation.listed(old)["last_token_ends"]
    assert said[0].startswith(f"Retired: key {old.kid} signs no more")
    assert f"key {new.kid} signs ES256" in said[0]
    assert f"ends by {ends} at the latest" in said[1]
    assert said[2:] == [f"Next, after that: crossroot keys revoke {old.kid}"]
    assert rotation.row(old).endswith(f"published for tokens that end by {ends}")

    said = terminal.says("keys", "revoke", old.kid, "--yes").splitlines()
    assert said[0].startswith(f"Revoked: the ES256 key {old.kid} is gone from the JWKS")
    assert (rotation.state(new), rotation.state(old)) == ("active", None)
    assert rotation.events() == [("promote", new.kid), ("retire", old.kid), ("revoke", old.kid)]


def test_the_same_for_machines(rotation: Rotation) -> None:
    terminal, old, new = rotation.terminal, rotation.old, rotation.new
    waits = rotation.listed(new)
    assert (waits["state"], waits["signs"], waits["last_token_ends"]) == ("next", False, None)
    assert second_of(waits["may_sign_from"]) == new.created_at + 360

    promoted = terminal.json("keys", "promote", new.kid)
    assert promoted == {**rotation.listed(new), "superseded": [old.kid]}
    assert (promoted["state"], promoted["signs"]) == ("active", True)
    assert rotation.listed(old)["signs"] is False

    retired = terminal.json("keys", "retire", old.kid)
    assert retired == rotation.listed(old)
    assert 0 <= second_of(retired["last_token_ends"]) - (time.time() + 43_200 - 60) < 600

    assert terminal.json("keys", "revoke", old.kid, "--yes") == {
        "kid": old.kid,
        "alg": "ES256",
        "state": "revoked",
        "was": "retired",
    }


def test_a_key_that_nobody_knows_yet(rotation: Rotation) -> None:
    """Only where waiting is worse it signs at once."""
    terminal = rotation.terminal
    terminal.says("keys", "promote", rotation.new.kid)
    kid = terminal.json("keys", "generate")["kid"]

    refused = terminal.fails("keys", "promote", kid)
    assert re.fullmatch(
        rf"key {kid} was published \d+ s ago, and verifiers may not have seen it yet: "
        r"promote it in \d+ s, or with --force",
        refused,
    )
    assert rotation.signer() == rotation.new.kid
    said = terminal.says("keys", "promote", kid, "--force")
    assert "may refuse its tokens until they look again" in said
    assert rotation.signer() == kid


def test_a_key_older_than_the_one_that_signs(rotation: Rotation) -> None:
    """It is not said to sign when it does not."""
    terminal, new = rotation.terminal, rotation.new
    newer = terminal.json("keys", "generate", "--activate")["kid"]

    said = terminal.says("keys", "promote", new.kid).splitlines()
    assert said == [
        f"Promoted: key {new.kid} may sign ES256, but key {newer} is newer and signs.",
        f"To let it sign: crossroot keys retire {newer}",
    ]
    assert f"key {new.kid} signs ES256" in terminal.says("keys", "retire", newer)


def test_what_a_step_refuses(rotation: Rotation) -> None:
    terminal, old, new = rotation.terminal, rotation.old, rotation.new
    folders = f"{rotation.folder}/"
    for step in ("promote", "retire", "revoke"):
        assert terminal.fails("keys", step, "unknown") == (
            f"there is no key unknown in {rotation.folder}; see: crossroot keys list"
        )
        assert "Missing argument 'KID'" in terminal.fails("keys", step, status=2)

    assert terminal.fails("keys", "promote", old.kid) == (
        f"there is no key {old.kid} in {folders}next: it is active already"
    )
    assert terminal.fails("keys", "retire", old.kid) == (
        f"key {old.kid} is the last that signs ES256: promote another before retiring it"
    )
    assert terminal.fails("keys", "retire", new.kid) == (
        f"there is no key {new.kid} in {folders}active: it is published and does not sign yet"
    )
    assert terminal.fails("keys", "revoke", old.kid, "--yes") == (
        f"key {old.kid} is the last that signs ES256: "
        "run `crossroot keys generate --alg ES256 --activate` first"
    )
    terminal.says("keys", "promote", new.kid)
    terminal.says("keys", "retire", old.kid)
    assert terminal.fails("keys", "retire", old.kid) == (
        f"there is no key {old.kid} in {folders}active: it is retired and signs no more"
    )
    assert [step for step, _ in rotation.events()] == ["promote", "retire"]


def test_before_there_is_a_store(bare: Terminal) -> None:
    (kid, *_) = (key.kid for key in KeyRing.load(bare.folder / "keys").keys)

    for step in (("promote", kid), ("retire", kid), ("revoke", kid, "--yes")):
        assert bare.fails("keys", *step).endswith("yet; run: crossroot init")


@pytest.mark.parametrize("letter", ["h", ""])
def test_a_kid_that_begins_with_a_hyphen(terminal: Terminal, letter: str) -> None:
    """One key in 64 has such a name. `-h` begins one of them, and is an option by itself."""
    wanted = re.compile(f"-[^-]*{letter}")
    rotation = rotation_of(terminal, lambda key: bool(wanted.match(key.kid)))
    kid = rotation.new.kid

    assert terminal.json("keys", "promote", kid, "--force")["kid"] == kid
    terminal.says("keys", "retire", "--", rotation.old.kid)
    terminal.says("keys", "generate", "--activate")
    assert terminal.json("keys", "revoke", "--yes", kid)["was"] == "active"


@pytest.mark.parametrize("kid", ["-abc", "-h" + "x" * 41, "--" + "x" * 41, "-", "-json"])
def test_a_kid_with_hyphens_that_is_not_there(terminal: Terminal, kid: str) -> None:
    for step in ("promote", "retire", "revoke"):
        assert terminal.fails("keys", step, kid).startswith(f"there is no key {kid} in ")
        assert terminal.fails("keys", step, "--", kid).startswith(f"there is no key {kid} in ")


def test_options_are_still_options(rotation: Rotation) -> None:
    kid = rotation.new.kid
    for asks in ("-h", "--help"):
        assert "Usage: crossroot keys promote" in rotation.terminal.says("keys", "promote", asks)
    assert "--forse" in rotation.terminal.fails("keys", "promote", kid, "--forse", status=2)
    assert "extra argument" in rotation.terminal.fails("keys", "retire", kid, "-y", status=2)
    assert rotation.state(rotation.new) == "next"


# ------------------------------------------------------------------------------ before revoking


def asked(terminal: Terminal, *arguments: str, answer: str) -> tuple[int, str]:
    """The command at a terminal where somebody answers. Exit status, and what it said to them."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            command(*arguments),
            env=terminal.env,
            cwd=ROOT,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            os.write(ours, f"{answer}\n".encode())
            said, _ = process.communicate(timeout=DEADLINE)
            return process.returncode, said
    finally:
        os.close(ours)
        os.close(theirs)


def test_it_asks_first(rotation: Rotation) -> None:
    terminal, old, new = rotation.terminal, rotation.old, rotation.new
    terminal.says("keys", "promote", new.kid)

    status, said = asked(terminal, "keys", "revoke", old.kid, answer="n")
    assert status == 1
    assert f"Revoke the active ES256 key {old.kid}? Every token that it signed is refused" in said
    assert said.endswith("Error: nothing was changed\n")
    assert rotation.state(old) == "active"

    status, said = asked(terminal, "keys", "revoke", old.kid, answer="y")
    assert (status, rotation.state(old)) == (0, None)
    assert "Revoked: the ES256 key" in said


def test_it_does_not_ask_what_it_would_refuse(rotation: Rotation) -> None:
    assert "is the last that signs" in rotation.terminal.fails("keys", "revoke", rotation.old.kid)


def test_without_a_terminal_it_wants_to_be_told(rotation: Rotation) -> None:
    refused = rotation.terminal.fails("keys", "revoke", rotation.new.kid, stdin="y\n", status=2)

    assert "use --yes" in refused
    assert rotation.state(rotation.new) == "next"


def test_it_says_what_revoking_ends(rotation: Rotation) -> None:
    terminal, old, new = rotation.terminal, rotation.old, rotation.new
    waiting = terminal.json("keys", "generate")["kid"]
    assert "It has signed nothing yet" in terminal.says("keys", "revoke", waiting, "--yes")

    terminal.says("keys", "promote", new.kid)
    terminal.says("keys", "retire", old.kid)
    file = rotation.folder / "retired" / f"{old.kid}.pub.pem"
    kept = terminal.folder / "kept.pem"
    shutil.copy2(file, kept)
    assert "Every token that it signed is refused" in terminal.says(
        "keys", "revoke", old.kid, "--yes"
    )
    shutil.copy2(kept, file)
    os.utime(file, (time.time() - 50_000, time.time() - 50_000))
    assert "The last token that it signed has ended" in terminal.says(
        "keys", "revoke", old.kid, "--yes"
    )
