"""`crossroot keys`."""

from __future__ import annotations

import re

from tests.cli.conftest import Terminal


def states(terminal: Terminal) -> list[tuple[str, str]]:
    return sorted((key["alg"], key["state"]) for key in terminal.json("keys", "list")["keys"])


def test_list(terminal: Terminal) -> None:
    assert states(terminal) == [("ES256", "active"), ("RS256", "active")]
    head, *lines = terminal.says("keys", "list").splitlines()
    assert head.split() == ["KID", "ALGORITHM", "STATE", "CREATED"]
    assert all(re.search(r" active +20\d\d-.*Z$", line) for line in lines)


def test_a_new_key_waits_until_it_is_known(terminal: Terminal) -> None:
    key = terminal.json("keys", "generate")

    assert (key["alg"], key["state"]) == ("ES256", "next")
    assert (terminal.folder / "keys" / "next" / f"{key['kid']}.pem").exists()
    assert "does not sign yet" in terminal.says("keys", "generate", "--alg", "RS256")
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
