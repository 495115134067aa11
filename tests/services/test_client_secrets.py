"""Client authentication: one answer whatever is wrong, and the same work for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.services import accounts, client_secrets, service_accounts
from tests.support.changes import change, disable_service_account, new_client
from tests.support.observation import statements
from tests.support.world import CLI, World


def check(world: World, client_id: str, secret: str | None) -> bool:
    return client_secrets.check(world.runtime, client_id, secret) is not None


def test_the_right_secret_is_the_proof(world: World) -> None:
    assert check(world, world.client_id, world.client_secret)
    assert check(world, world.product_client_id, world.product_client_secret)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(lambda w: None, id="none"),
        pytest.param(lambda w: "", id="empty"),
        pytest.param(lambda w: w.client_secret[:-1], id="cut"),
        pytest.param(lambda w: w.client_secret + "A", id="longer"),
        pytest.param(lambda w: w.client_secret.swapcase(), id="case"),
        pytest.param(lambda w: w.product_client_secret, id="another client's"),
        pytest.param(lambda w: w.rows("SELECT digest FROM client_secrets")[0][0], id="the hash"),
        pytest.param(lambda w: "0" * 64, id="the stand-in hash"),
        pytest.param(lambda w: "\ud800", id="no Unicode"),
    ],
)
def test_anything_else_is_none(world: World, secret: Callable[[World], str | None]) -> None:
    assert not check(world, world.client_id, secret(world))
    assert not check(world, "nobody", secret(world))


def test_a_client_without_secrets_has_no_proof(world: World) -> None:
    change(world, lambda each: service_accounts.clients.remove_secrets(each, world.client_id))

    for secret in (None, "", world.client_secret, "0" * 64):
        assert not check(world, world.client_id, secret)


def test_no_secret_is_not_the_empty_secret(world: World) -> None:
    change(
        world, lambda each: service_accounts.add_secret(world.runtime, each, world.client_id, "")
    )

    assert not check(world, world.client_id, None)


def test_a_public_client_shows_no_secret(world: World) -> None:
    assert check(world, CLI, None)
    assert not check(world, CLI, "")
    assert not check(world, CLI, world.client_secret)


def test_a_public_client_with_a_secret_row_is_still_public(world: World) -> None:
    secret = world.runtime.new_secret()
    change(world, lambda each: service_accounts.add_secret(world.runtime, each, CLI, secret))

    assert not check(world, CLI, secret)
    assert check(world, CLI, None)


@pytest.mark.parametrize(
    "disable",
    [
        pytest.param(disable_service_account, id="service account"),
        pytest.param(lambda w: accounts.disable_account(w.runtime, "60108"), id="account"),
    ],
)
def test_a_disabled_one_is_none_whatever_it_shows(
    world: World, disable: Callable[[World], Any]
) -> None:
    disable(world)

    assert not check(world, world.client_id, world.client_secret)
    assert client_secrets.find_enabled(world.runtime, world.client_id) is None


def test_a_tenants_client_goes_with_its_account(world: World) -> None:
    client_id, secret = new_client(world, "tenant")
    assert check(world, client_id, secret)

    accounts.disable_account(world.runtime, "53461")
    assert not check(world, client_id, secret)
    assert client_secrets.find_enabled(world.runtime, client_id) is None

    accounts.enable_account(world.runtime, "53461")
    assert check(world, client_id, secret)


def test_a_client_is_found_where_nothing_has_to_be_proved(world: World) -> None:
    found = client_secrets.find_enabled(world.runtime, world.client_id)

    assert found is not None
    assert found.id == world.client_id
    assert client_secrets.find_enabled(world.runtime, "nobody") is None


def test_every_refusal_asks_the_store_one_thing(world: World) -> None:
    def asked(client_id: str, secret: str | None) -> list[str]:
        assert not check(world, client_id, secret)
        with statements(world) as seen:
            assert not check(world, client_id, secret)
        return seen

    wrong = asked(world.client_id, "secret")
    disable_service_account(world)
    disabled = asked(world.client_id, world.client_secret)

    assert wrong == disabled
    assert len(wrong) == 1
