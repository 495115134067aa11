"""`crossroot service-accounts` and `crossroot trust`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal

FIVE_O_CLOCK = int(datetime(2096, 1, 31, 5, tzinfo=UTC).timestamp())


@pytest.fixture
def account(terminal: Terminal) -> str:
    """The id of a service account of 53461."""
    new = terminal.json("service-accounts", "create", "53461", "Deployer")
    return str(new["service_account_id"])


def test_create_and_list(terminal: Terminal) -> None:
    said = terminal.says(
        "service-accounts", "create", "53461", "Deployer", "--description", "deploys",
        "--token-lifetime", "900",
    )  # fmt: skip

    (new,) = terminal.json("service-accounts", "list", "53461")["service_accounts"]
    assert new["vrn"] == f"iam::53461:service-account/{new['service_account_id']}"
    assert new["max_token_lifetime"] == 900
    for word in ("Client ID:", "(shown this once)", new["service_account_id"], new["vrn"]):
        assert word in said
    assert terminal.says("service-accounts", "list", "53461").splitlines()[1].split() == [
        "Deployer",
        new["service_account_id"],
        "enabled",
    ]


def test_a_secret_is_shown_once_and_kept_as_a_hash(terminal: Terminal) -> None:
    new = terminal.json("service-accounts", "create", "53461", "Deployer")

    assert len(new["client_secret"]) == 43
    stored = (terminal.folder / "var" / "crossroot.db").read_bytes()
    assert new["client_secret"].encode() not in stored
    assert "client_secret" not in json.dumps(terminal.json("service-accounts", "list", "53461"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create", "999", "Deployer"), "there is no root account 999"),
        (("create", "53461", "a/b"), "a name is 1 to 50 of A-Z a-z 0-9 . _ - and space"),
        (
            ("create", "53461", "Deployer", "--token-lifetime", "60"),
            "a token lifetime is 900 to 43200 seconds",
        ),
        (("list", "999"), "there is no root account 999"),
    ],
)
def test_what_it_refuses(terminal: Terminal, arguments: tuple[str, ...], sentence: str) -> None:
    assert terminal.fails("service-accounts", *arguments) == sentence


class TestTrust:
    def test_add_and_remove(self, terminal: Terminal, account: str) -> None:
        assert f"{account} trusts root account 60108." in terminal.says(
            "trust", "add", account, "60108"
        )
        assert terminal.fails("trust", "add", account, "60108") == (
            f"{account} trusts account 60108 already"
        )
        assert "the next exchange is refused" in terminal.says("trust", "remove", account, "60108")
        assert terminal.fails("trust", "remove", account, "60108") == (
            f"{account} does not trust account 60108"
        )

    def test_with_a_condition_and_an_end(
        self, terminal: Terminal, account: str, tmp_path: Path
    ) -> None:
        condition = {"bool": {"iam:MfaPresent": [True]}}
        file = tmp_path / "condition.json"
        file.write_text(json.dumps(condition))
        data = terminal.json(
            "trust", "add", account, "60108", "--condition", str(file),
            "--expires-at", "2096-01-31T12:00:00+07:00",
        )  # fmt: skip

        assert data["condition"] == condition
        assert data["expires_at"] == "2096-01-31T05:00:00Z"
        (row,) = terminal.rows("SELECT condition, expires_at FROM trusted_relationships")
        assert (json.loads(row.condition), row.expires_at) == (condition, FIVE_O_CLOCK)

    def test_the_end_is_said(self, terminal: Terminal, account: str) -> None:
        said = terminal.says(
            "trust", "add", account, "60108", "--expires-at", "2096-01-31T12:00:00Z"
        )
        assert "trusts root account 60108 until 2096-01-31T12:00:00Z." in said

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("{", "not valid JSON"),
            ("[]", "expected a JSON object"),
            ('{"bool": {}, "bool": {}}', "appears twice"),
            ('{"equals": {"iam:SourceIp": ["::1"]}}', "condition.equals: "),
            ("\xff", "not UTF-8 text"),
        ],
    )
    def test_a_condition_that_cannot_be(
        self, terminal: Terminal, account: str, tmp_path: Path, text: str, sentence: str
    ) -> None:
        file = tmp_path / "condition.json"
        file.write_bytes(text.encode("latin-1"))

        said = terminal.fails("trust", "add", account, "60108", "--condition", str(file))
        assert sentence in said
        assert terminal.rows("SELECT id FROM trusted_relationships") == []

    @pytest.mark.parametrize(
        ("text", "word"),
        [
            ("tomorrow", "'tomorrow' is no time such as 2027-01-31T12:00:00Z"),
            ("2027-01-31T12:00:00", "has no time zone"),
        ],
    )
    def test_an_end_that_is_no_time(
        self, terminal: Terminal, account: str, text: str, word: str
    ) -> None:
        assert word in terminal.fails(
            "trust", "add", account, "60108", "--expires-at", text, status=2
        )

    def test_what_it_refuses(self, terminal: Terminal, account: str) -> None:
        for arguments, sentence in (
            (("add", "sa-none", "60108"), "there is no service account sa-none"),
            (("add", account, "abc"), "an account id is 1 to 20 digits"),
            (("add", account, "53461"), "a service account need not trust its own account"),
            (
                ("add", account, "60108", "--expires-at", "2001-01-01T00:00:00Z"),
                "the expiry has to lie in the future",
            ),
            (("remove", "sa-none", "60108"), "there is no service account sa-none"),
        ):
            assert terminal.fails("trust", *arguments) == sentence
