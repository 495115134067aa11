"""`crossroot users`."""

from __future__ import annotations

from tests.cli.conftest import Terminal


def test_create_and_list(terminal: Terminal) -> None:
    new = terminal.json("users", "create", "53461", "System1", "--generate-password")
    said = terminal.says(
        "users", "create", "53461", "admin-2", "--email", "two@example.com", "--password-stdin",
        stdin="a good password\n",
    )  # fmt: skip

    assert new["username"] == "System1"
    assert len(new["password"]) >= 40
    assert "Next: crossroot policies attach POLICY --user " in said
    found = terminal.json("users", "list", "53461")["users"]
    assert [each["username"] for each in found] == ["admin-2", "System1"]
    assert found[1]["user_id"] == new["user_id"]
    assert terminal.says("users", "list", "53461").splitlines()[2].split() == [
        "System1",
        new["user_id"],
        "enabled",
    ]


def test_what_it_refuses(terminal: Terminal) -> None:
    create = ("users", "create", "--password-stdin")
    terminal.says(*create, "53461", "System1", stdin="a good password")

    for arguments, sentence in (
        ((*create, "999", "System1"), "there is no root account 999"),
        ((*create, "53461", "system1"), "account 53461 has a user system1 already"),
        ((*create, "53461", "root"), "a username is 5 to 50 of A-Z a-z 0-9 . _ -"),
        ((*create, "53461", "System2", "--email", "no"), "expected an e-mail address, or none"),
        (("users", "list", "999"), "there is no root account 999"),
    ):
        assert terminal.fails(*arguments, stdin="a good password") == sentence
