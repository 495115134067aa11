"""The `crossroot` command as a whole: its help, its errors, what it leaves behind."""

from __future__ import annotations

import fcntl
import os
import pty
import subprocess
import termios
from pathlib import Path

import pytest

from app import __version__
from app.cli import _COMMANDS
from app.services import accounts
from tests.cli.conftest import Terminal
from tests.support.processes import DEADLINE, command, crossroot


def test_the_version(empty: Terminal) -> None:
    assert empty.says("--version") == f"crossroot, version {__version__}\n"


def test_help_names_every_command(empty: Terminal) -> None:
    listed = empty.says("--help").partition("Commands:\n")[2]

    assert {line.split()[0] for line in listed.splitlines() if line.startswith("  ")} >= set(
        _COMMANDS
    )
    for name in _COMMANDS:
        said = empty.says(name, "-h")
        assert said.startswith(f"Usage: crossroot {name}")


def test_a_command_that_is_none(empty: Terminal) -> None:
    assert "No such command 'acounts'" in empty.fails("acounts", status=2)


def test_as_a_program_of_its_own(terminal: Terminal) -> None:
    done = crossroot("accounts", "disable", "999", env=terminal.env)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: there is no root account 999\n"


def test_a_reader_that_leaves(terminal: Terminal) -> None:
    """`crossroot … | head -0`: no words about a pipe that nobody reads."""
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as pipe:
        done = subprocess.run(
            command("accounts", "list"),
            env=terminal.env,
            stdout=pipe,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, b"")


def test_settings_that_cannot_be(empty: Terminal) -> None:
    empty.env["CROSSROOT_PORT"] = "eight"

    assert "CROSSROOT_PORT is 'eight'; it must be a whole number from 1 to" in empty.fails(
        "accounts", "list"
    )


def test_a_misspelt_setting(empty: Terminal) -> None:
    empty.env["CROSSROOT_ENVIROMENT"] = "production"

    assert "did you mean CROSSROOT_ENVIRONMENT?" in empty.fails("db", "status")


def test_a_store_that_does_not_answer(terminal: Terminal) -> None:
    (terminal.folder / "var" / "crossroot.db").write_bytes(b"this is no database" * 1000)

    said = terminal.fails("accounts", "list")
    assert said == (
        "the store does not answer (DatabaseError); look at CROSSROOT_DATABASE_URL. "
        "Nothing was changed"
    )


def test_a_folder_that_cannot_be_made(empty: Terminal, tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file is in the way")
    empty.says("keys", "generate")

    assert empty.fails("db", "upgrade") == f"{tmp_path}/var: File exists"


def test_a_fault_of_ours_is_one_sentence_without_its_words(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("the-password")

    monkeypatch.setattr(accounts, "list_accounts", fail)

    said = terminal.fails("accounts", "list")
    assert said.startswith("unexpected RuntimeError in test_main.py, line ")
    assert "the-password" not in said
    shown = terminal.type("--traceback", "accounts", "list")
    assert str(shown.exception) == "the-password"


def test_what_was_there_before_is_there_after(terminal: Terminal) -> None:
    """In a process that goes on, such as this one."""
    before = os.umask(0o027)
    try:
        terminal.says("accounts", "list")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_passwords_are_asked_for_at_a_terminal(terminal: Terminal) -> None:
    """Twice, and without showing them."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("users", "create", "53461", "System1"),
        env=terminal.env,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    with process, os.fdopen(ours, "r+b", buffering=0) as keyboard:
        assert process.stdout is not None
        shown = b""
        for prompt in (b"Password: ", b"Repeat for confirmation: "):
            while not shown.endswith(prompt):
                shown += keyboard.read(1)
            keyboard.write(b"a good password\n")
        said = process.stdout.read()
        assert process.wait(DEADLINE) == 0

    assert said.startswith(b"Created IAM user System1")
    assert b"a good password" not in shown


def test_the_first_account_is_asked_for_at_a_terminal(empty: Terminal) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("init", "--generate-password"),
        env=empty.env,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    with process, os.fdopen(ours, "r+b", buffering=0) as keyboard:
        assert process.stdout is not None
        keyboard.write(b"53461\nroot-a@example.com\n")
        said = process.stdout.read()
        assert process.wait(DEADLINE) == 0

    assert b"Created root account 53461; its root user signs in as root-a@example.com." in said
