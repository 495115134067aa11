"""`crossroot policies`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.support.world import allow

DOCUMENT = json.dumps(allow("vserver:List*"))


@pytest.fixture
def user(terminal: Terminal) -> str:
    """The id of System1."""
    new = terminal.json("users", "create", "53461", "System1", "--generate-password")
    return str(new["user_id"])


def create(terminal: Terminal, text: str = DOCUMENT) -> str:
    new = terminal.json(
        "policies", "create", "-", "--account", "53461", "--name", "Lists", stdin=text
    )
    return str(new["policy_id"])


def test_create_from_a_file_and_list(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "lists.json"
    file.write_text(DOCUMENT)
    said = terminal.says("policies", "create", str(file), "--account", "53461", "--name", "Lists")

    assert "Created policy Lists in account 53461; its id is " in said
    found = terminal.json("policies", "list", "--account", "53461")["policies"]
    assert [(each["name"], each["manager"]) for each in found] == [
        ("IAMFullAccess", "managed"),
        ("IAMReadOnlyAccess", "managed"),
        ("vServerFullAccess", "managed"),
        ("vServerReadOnlyAccess", "managed"),
        ("Lists", "user"),
    ]
    assert found[-1]["policy_id"] in said
    assert terminal.says("policies", "list", "--account", "53461").splitlines()[-1].split() == [
        "Lists",
        found[-1]["policy_id"],
        "customer",
    ]


def test_attach_and_detach(terminal: Terminal, user: str) -> None:
    policy = create(terminal)
    attach, detach = (
        lambda name, verb=verb: terminal.says("policies", verb, name, "--user", user)
        for verb in ("attach", "detach")
    )

    assert attach("Lists") == f"Attached: policy Lists, iam-user {user}.\n"
    assert attach(policy).startswith("Nothing to do: already attached")
    assert len(terminal.rows("SELECT * FROM policy_attachments")) == 1
    assert detach(policy).startswith("Detached: ")
    assert detach("Lists").startswith("Nothing to do: not attached")
    assert terminal.rows("SELECT * FROM policy_attachments") == []


def test_attach_to_a_service_account(terminal: Terminal) -> None:
    account = terminal.json("service-accounts", "create", "53461", "Deployer")
    data = terminal.json(
        "policies", "attach", "vServerFullAccess",
        "--service-account", account["service_account_id"],
    )  # fmt: skip

    assert data == {
        "policy": "vServerFullAccess",
        "principal_type": "service-account",
        "principal_id": account["service_account_id"],
        "attached": True,
        "changed": True,
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "<stdin>: not valid JSON at line 1"),
        ('{"statements": []}', "statements: expected a list with at least one statement"),
        (json.dumps(allow("vserver:Fly")), "statements[0].actions[0]: "),
    ],
)
def test_a_document_that_cannot_be(terminal: Terminal, text: str, sentence: str) -> None:
    said = terminal.fails(
        "policies", "create", "-", "--account", "53461", "--name", "Lists", stdin=text
    )
    assert said.startswith(sentence)


def test_what_it_refuses(terminal: Terminal, user: str) -> None:
    attach = ("policies", "attach", "vServerFullAccess")
    assert "give --user ID or --service-account ID" in terminal.fails(*attach, status=2)
    assert "give --user ID or --service-account ID" in terminal.fails(
        *attach, "--user", user, "--service-account", "sa-1", status=2
    )
    assert terminal.fails(*attach, "--user", "nobody") == "there is no iam-user nobody"
    assert terminal.fails("policies", "detach", "None", "--user", user) == (
        "account 53461 has no policy None"
    )
    assert terminal.fails("policies", "list", "--account", "9") == "there is no root account 9"
    assert "No such file or directory" in terminal.fails(
        "policies", "create", "none.json", "--account", "53461", "--name", "x", status=2
    )
