"""`crossroot accounts`."""

from __future__ import annotations

from tests.cli.conftest import Terminal


def test_create_and_list(terminal: Terminal) -> None:
    said = terminal.says(
        "accounts", "create", "60108", "--email", "root-b@example.com", "--password-stdin",
        stdin="root-b-password\n",
    )  # fmt: skip

    assert said.startswith("Created root account 60108; its root user signs in as root-b@")
    assert "root-b-password" not in said
    found = terminal.json("accounts", "list")["accounts"]
    assert [(each["account_id"], each["root_email"], each["enabled"]) for each in found] == [
        ("53461", "root-a@example.com", True),
        ("60108", "root-b@example.com", True),
    ]
    assert terminal.says("accounts", "list").splitlines() == [
        "ACCOUNT  ROOT E-MAIL         STATE",
        "53461    root-a@example.com  enabled",
        "60108    root-b@example.com  enabled",
    ]


def test_a_password_that_we_make_is_shown(terminal: Terminal) -> None:
    arguments = ("accounts", "create", "7", "--email", "seven@example.com", "--generate-password")
    said = terminal.says(*arguments)

    (line,) = [line for line in said.splitlines() if line.startswith("Password: ")]
    assert line.endswith(" (shown this once)")
    assert terminal.fails(*arguments) == "there is a root account 7 already"


def test_disable_and_enable(terminal: Terminal) -> None:
    assert "have ended" in terminal.says("accounts", "disable", "53461")
    assert terminal.json("accounts", "list")["accounts"][0]["enabled"] is False
    assert terminal.says("accounts", "list").splitlines()[1].endswith("disabled")
    assert "can sign in again" in terminal.says("accounts", "enable", "53461")
    assert terminal.json("accounts", "list")["accounts"][0]["enabled"] is True


def test_what_it_refuses(terminal: Terminal) -> None:
    create = ("accounts", "create", "--password-stdin")
    assert terminal.fails("accounts", "disable", "999") == "there is no root account 999"
    assert terminal.fails("accounts", "enable", "999") == "there is no root account 999"
    assert terminal.fails(*create, "053", "--email", "a@example.com", stdin="long enough") == (
        "an account id is 1 to 20 digits, the first not 0"
    )
    assert "is the e-mail of another root account" in terminal.fails(
        *create, "8", "--email", "ROOT-A@example.com", stdin="long enough"
    )
    assert "Missing option '--email'" in terminal.fails(*create, "8", status=2)
