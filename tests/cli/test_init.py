"""`crossroot init`: from nothing to a running state, once and again."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.cli.conftest import Terminal

ARGUMENTS = ("init", "--account-id", "53461", "--email", "Root-A@example.com")


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): f"{stat.S_IMODE(path.stat().st_mode):04o}"
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_everything_is_made(empty: Terminal) -> None:
    data = empty.json(*ARGUMENTS, "--password-stdin", stdin="a good password\n")

    assert data["migrations"]
    assert data["pepper_made"] is True
    assert [key["alg"] for key in data["keys_made"]] == ["ES256", "RS256"]
    assert data["account"]["account_id"] == "53461"
    assert data["account"]["root_email"] == "root-a@example.com"
    assert "password" not in data["account"], "we did not make it"
    keys = [f"keys/active/{key['kid']}.pem" for key in data["keys_made"]]
    assert files(empty.folder) == {
        "var/crossroot.db": "0600",
        "keys/pepper.key": "0600",
        **dict.fromkeys(keys, "0600"),
    }
    assert {row.name for row in empty.rows("SELECT name FROM products")} == {"iam", "vserver"}
    assert [row.id for row in empty.rows("SELECT id FROM oauth_clients")] == ["crossroot-cli"]
    assert len(empty.rows("SELECT id FROM policies WHERE account_id IS NULL")) == 4


def test_each_step_is_in_the_audit_log(empty: Terminal) -> None:
    empty.json(*ARGUMENTS, "--generate-password")

    events = [row.event for row in empty.rows("SELECT event FROM audit_events ORDER BY at")]
    assert events == ["signing-key:generate", "signing-key:generate", "account:create"]


def test_again_nothing_is_made(bare: Terminal) -> None:
    bare.says(*ARGUMENTS, "--password-stdin", stdin="a good password\n")
    before = files(bare.folder)
    said = bare.says(*ARGUMENTS)

    assert said.count("there already") == 4
    assert "its password unchanged" in said
    assert said.splitlines()[-1] == "Next: crossroot serve"
    assert files(bare.folder) == before
    assert bare.json(*ARGUMENTS)["keys_made"] == []


def test_a_password_that_we_make_is_shown_once(bare: Terminal) -> None:
    account = bare.json(*ARGUMENTS, "--generate-password")["account"]

    assert len(account["password"]) >= 40
    assert account["password"] not in bare.says(*ARGUMENTS, "--generate-password")
    assert "password" not in bare.json(*ARGUMENTS, "--generate-password")["account"]


def test_without_an_account_it_says_what_comes_next(bare: Terminal) -> None:
    said = bare.says("init")

    assert said.splitlines()[-1] == "Next: crossroot accounts create ACCOUNT_ID --email E-MAIL"
    assert bare.json("accounts", "list") == {"accounts": []}


def test_the_algorithm_of_the_settings_signs(empty: Terminal) -> None:
    empty.env["CROSSROOT_SIGNING_ALGORITHM"] = "RS256"

    assert [key["alg"] for key in empty.json("init")["keys_made"]] == ["RS256"]


def test_what_it_refuses(bare: Terminal) -> None:
    assert "go together" in bare.fails("init", "--account-id", "53461", status=2)
    assert "use --password-stdin" in bare.fails(*ARGUMENTS, status=2)
    both = ("--password-stdin", "--generate-password")
    assert "not both" in bare.fails(*ARGUMENTS, *both, status=2)
    assert bare.fails(*ARGUMENTS, "--password-stdin", stdin="short\n") == (
        "a password has at least 8 characters"
    )
    bare.says(*ARGUMENTS, "--generate-password")
    assert "with another e-mail address" in bare.fails(
        "init", "--account-id", "53461", "--email", "other@example.com"
    )


def test_a_lost_pepper_is_not_replaced_in_silence(terminal: Terminal) -> None:
    """With a new one no client secret works any more: that is for the operator to decide."""
    (terminal.folder / "keys" / "pepper.key").unlink()

    assert "restore it from a backup" in terminal.fails("accounts", "list")
    assert not (terminal.folder / "keys" / "pepper.key").exists()
    assert "no client secret that was made before works any more" in terminal.says("init")
    terminal.says("accounts", "list")
