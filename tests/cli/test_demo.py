"""`crossroot demo --setup-only`: the same story, whatever has happened to it."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

import app.cli.demo
from tests.cli.conftest import Terminal
from tests.support.processes import environment

SETUP = ("demo", "--setup-only")


@pytest.fixture(scope="module")
def told(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the story was told."""
    folder = tmp_path_factory.mktemp("told")
    shutil.copytree(template / "keys", folder / "keys")
    Terminal(folder, environment(folder)).says(*SETUP)
    return folder


@pytest.fixture
def home(told: Path, tmp_path: Path) -> Terminal:
    shutil.copytree(told, tmp_path, dirs_exist_ok=True)
    return Terminal(tmp_path, environment(tmp_path))


@pytest.fixture
def story(home: Terminal) -> Any:
    file = home.folder / "var" / "demo.json"
    return {"file": str(file), **json.loads(file.read_text())}


def ids(story: Any) -> tuple[str, ...]:
    """What must never change."""
    return (
        story["A"]["user_id"],
        story["B"]["service_account_id"],
        story["B"]["vrn"],
        story["B"]["client_id"],
        story["vserver_client_id"],
    )


def secrets(story: Any) -> set[str]:
    return {
        story["A"]["root_password"],
        story["A"]["password"],
        story["B"]["root_password"],
        story["B"]["client_secret"],
        story["vserver_client_secret"],
    }


def test_again(home: Terminal, story: Any) -> None:
    said = home.says(*SETUP)

    file = home.folder / "var" / "demo.json"
    assert said == f"Set up; everything is in {file}.\nNext: crossroot demo\n"
    assert {"file": str(file), **json.loads(file.read_text())} == story
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(secrets(story)) == 5
    assert home.rows("SELECT COUNT(*) FROM trusted_relationships") == [(1,)]


@pytest.mark.parametrize("content", [None, "{", "[]", '{"A": 1, "B": {"client_secret": 5}}'])
def test_without_what_was_written_down(home: Terminal, story: Any, content: str | None) -> None:
    """The ids stay; nobody knows the old secrets any more, and so they stop working."""
    file = home.folder / "var" / "demo.json"
    file.unlink()
    if content is not None:
        file.write_text(content)
    again = home.json(*SETUP)

    assert ids(again) == ids(story)
    assert secrets(again).isdisjoint(secrets(story))
    assert len(home.rows("SELECT id FROM client_secrets")) == 2
    resets = home.rows("SELECT resource FROM audit_events WHERE event = 'user:password:reset'")
    assert len(resets) == 3
    assert home.json(*SETUP) == again


def test_what_somebody_changed_is_put_right(home: Terminal, story: Any, tmp_path: Path) -> None:
    account, user = story["B"]["service_account_id"], story["A"]["user_id"]
    condition = tmp_path / "condition.json"
    condition.write_text('{"bool": {"iam:MfaPresent": [true]}}')
    home.says("accounts", "disable", "53461")
    home.says("accounts", "disable", "60108")
    home.says("trust", "remove", account, "53461")
    home.says("trust", "add", account, "53461", "--condition", str(condition))
    home.says("policies", "detach", "vServerFullAccess", "--service-account", account)
    home.says("policies", "detach", "ImpersonateToRootUserAccountB", "--user", user)

    assert home.json(*SETUP) == story
    assert home.rows("SELECT enabled FROM accounts") == [(1,), (1,)]
    assert home.rows("SELECT expires_at, condition FROM trusted_relationships") == [(None, None)]
    assert len(home.rows("SELECT policy_id FROM policy_attachments")) == 2


def test_ports_and_names(bare: Terminal) -> None:
    story = bare.json(*SETUP, "--port", "8123", "--vserver-port", "8124")

    assert story["issuer"] == "http://127.0.0.1:8123"
    assert story["vserver"] == "http://localhost:8124"
    bare.env["CROSSROOT_ISSUER"] = "https://id.example.com"
    bare.env["VSERVER_PORT"] = "8125"
    again = bare.json(*SETUP)
    assert again["issuer"] == "https://id.example.com"
    assert again["vserver"] == "http://localhost:8125"
    assert ids(again) == ids(story)


def test_an_account_of_somebody_else(terminal: Terminal) -> None:
    terminal.says(
        "accounts", "create", "60108", "--email", "b@company.example", "--generate-password"
    )

    assert terminal.fails(*SETUP) == (
        "root account 60108 is not the demo's: its e-mail is not root-b@example.com; "
        "give the demo a store of its own (CROSSROOT_DATABASE_URL)"
    )


def test_not_in_production(empty: Terminal) -> None:
    empty.env["CROSSROOT_ENVIRONMENT"] = "production"
    empty.env["CROSSROOT_ISSUER"] = "https://id.example.com"

    assert "is not for CROSSROOT_ENVIRONMENT=production" in empty.fails(*SETUP)
    assert list(empty.folder.iterdir()) == []


def test_the_sample_is_found_in_a_checkout_and_in_a_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = Path(__file__).parents[2] / "examples" / "vserver"
    assert app.cli.demo.sample_folder() == checkout

    monkeypatch.setattr(app.cli.demo, "_PACKAGE", tmp_path / "app")
    carried = tmp_path / "app" / "_examples" / "vserver"
    with pytest.raises(app.cli.demo.CannotDo, match="not installed along"):
        app.cli.demo.sample_folder()
    carried.mkdir(parents=True)
    (carried / "__main__.py").touch()
    assert app.cli.demo.sample_folder() == carried
