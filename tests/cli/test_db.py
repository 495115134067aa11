"""`crossroot db`."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from tests.cli.conftest import Terminal


def set_revision(terminal: Terminal, revision: str) -> None:
    engine = create_engine(f"sqlite:///{terminal.folder}/var/crossroot.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
    engine.dispose()


def test_upgrade_and_status(empty: Terminal) -> None:
    done = empty.json("db", "upgrade")

    assert done["migrations"][-1] == done["revision"]
    assert empty.json("db", "upgrade")["migrations"] == []
    assert empty.says("db", "upgrade").startswith("Nothing to do: the store is at schema ")
    status = empty.json("db", "status")
    assert status["revision"] == status["newest"] == done["revision"]
    assert status["is_current"] is True
    assert empty.says("db", "status").endswith("It is up to date.\n")


def test_without_a_store(empty: Terminal) -> None:
    assert empty.fails("db", "status").endswith("yet; run: crossroot init")
    assert not (empty.folder / "var").exists(), "looking makes nothing"


def test_an_old_schema(terminal: Terminal) -> None:
    """An empty store stands for one of long ago."""
    (terminal.folder / "var" / "crossroot.db").write_bytes(b"")

    assert terminal.says("db", "status").endswith("Next: crossroot db upgrade\n")
    assert terminal.fails("accounts", "list") == "the store is empty; run: crossroot init"
    assert terminal.json("db", "upgrade")["migrations"]


def test_a_schema_of_the_future(terminal: Terminal) -> None:
    set_revision(terminal, "9999")

    said = terminal.fails("accounts", "list")
    assert said.startswith("the store has schema 9999 and this version of Crossroot needs ")
    assert said.endswith("run: crossroot db upgrade")
    assert "use the version that made it, or a newer one" in terminal.fails("db", "upgrade")
    assert terminal.json("db", "status")["is_current"] is False


def test_the_password_of_the_store_is_not_shown(empty: Terminal) -> None:
    empty.env["CROSSROOT_DATABASE_URL"] = (
        f"sqlite:///{empty.folder}/var/crossroot.db?password=hunter2"
    )
    assert "hunter2" not in empty.fails("db", "upgrade")
