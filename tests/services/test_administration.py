"""What administrative writes have in common."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from app.services.administration import (
    AdministrationError,
    Conflict,
    Invalid,
    NotFound,
    change,
    require,
    require_account,
)
from app.storage import accounts, epoch
from tests.support.observation import statements
from tests.support.world import World


def current(world: World) -> int:
    with world.runtime.database.read() as connection:
        return epoch.current(connection)


def test_a_change_is_there_when_it_returns_and_counts_the_epoch_up(world: World) -> None:
    before = current(world)

    assert change(world.runtime, lambda each: accounts.set_account_enabled(each, "53461", False))

    assert current(world) == before + 1
    assert world.rows("SELECT enabled FROM accounts WHERE id = '53461'") == [(0,)]


def test_a_change_keeps_the_epoch_for_itself_from_its_start(world: World) -> None:
    with statements(world) as seen:
        change(world.runtime, lambda each: accounts.set_account_enabled(each, "53461", False))

    tables = [statement.split()[:4] for statement in seen]
    assert tables == [
        ["SELECT", "epoch.value", "FROM", "epoch"],
        ["UPDATE", "accounts", "SET", "enabled=?"],
        ["UPDATE", "epoch", "SET", "value=(epoch.value"],
    ]


def test_a_change_that_is_refused_leaves_nothing(world: World) -> None:
    before = current(world)

    def work(connection: Connection) -> None:
        accounts.set_account_enabled(connection, "53461", False)
        raise Conflict("there is one already")

    with pytest.raises(Conflict, match="there is one already"):
        change(world.runtime, work)

    assert current(world) == before
    assert world.rows("SELECT enabled FROM accounts WHERE id = '53461'") == [(1,)]


def test_what_is_required_is_said_where_it_is_missing() -> None:
    require(True, "nothing is said")
    with pytest.raises(Invalid, match="a name has letters"):
        require(False, "a name has letters")


def test_an_account_can_be_required(world: World) -> None:
    with world.runtime.database.read() as connection:
        require_account(connection, "53461")
        with pytest.raises(NotFound, match="no root account 70000"):
            require_account(connection, "70000")


@pytest.mark.parametrize("kind", [Invalid, NotFound, Conflict])
def test_a_door_can_catch_them_all(kind: type[AdministrationError]) -> None:
    assert issubclass(kind, AdministrationError)
    assert issubclass(kind, ValueError)
