"""`crossroot products`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Terminal

FILE = """
name = "vdb"
display_name = "vDB"
identifier = "https://vdb.example"

[[actions]]
name = "ListDatabases"
label = "List"
resources = ["database"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vdb.toml"
    path.write_text(FILE)
    return path


def test_a_new_product_gets_a_client(terminal: Terminal, file: Path) -> None:
    new = terminal.json(
        "products", "add", str(file), "--redirect-uri", "https://vdb.example/callback"
    )

    assert (new["product"], new["identifier"]) == ("vdb", "https://vdb.example")
    assert len(new["client_secret"]) == 43
    (row,) = terminal.rows(
        f"SELECT product, redirect_uris FROM oauth_clients WHERE id = '{new['client_id']}'"
    )
    assert tuple(row) == ("vdb", '["https://vdb.example/callback"]')


def test_added_again_its_catalogue_is_brought_up_to_date(terminal: Terminal, file: Path) -> None:
    said = terminal.says("products", "add", str(file))
    assert "Registered product vdb (https://vdb.example) with 1 actions." in said
    assert "(shown this once)" in said
    with file.open("a") as more:
        more.write('\n[[actions]]\nname = "StopDatabase"\nlabel = "Write"\n')

    again = terminal.says("products", "add", str(file))
    assert "Brought product vdb up to date: 2 actions." in again
    assert "secret" not in terminal.json("products", "add", str(file))
    assert "(shown this once)" not in again


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('"vdb"', '"V DB"'), "name: String should match"),
        (('"https://vdb.example"', '"vdb"'), "expected an absolute URI without fragment"),
        (('"https://vdb.example"', '"https://vserver.example"'), "of product vserver"),
        (('"vdb"', '"iam"'), "iam is the server's own API"),
        (("[[actions]]", "[[actions"), "is not valid TOML"),
    ],
)
def test_a_file_that_cannot_be(
    terminal: Terminal, file: Path, change: tuple[str, str], sentence: str
) -> None:
    file.write_text(FILE.replace(*change))

    assert sentence in terminal.fails("products", "add", str(file))


def test_what_it_refuses(terminal: Terminal, file: Path) -> None:
    assert terminal.fails("products", "add", "none.toml") == (
        "cannot read none.toml: No such file or directory"
    )
    said = terminal.fails("products", "add", str(file), "--redirect-uri", "http://vdb.example/")
    assert said.startswith("the redirect URI http://vdb.example/ cannot be registered: ")
    assert terminal.rows("SELECT name FROM products WHERE name = 'vdb'") == []
