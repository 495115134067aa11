"""RFC 7662, OAuth 2.0 Token Introspection."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import changes
from tests.support.world import CLI, World, basic


def introspect(world: World, **form: str) -> Any:
    return world.client.post(
        "/oauth2/introspect",
        data=form,
        headers={"Authorization": basic(world.product_client_id, world.product_client_secret)},
    )


@pytest.fixture
def held(world: World, token: str) -> str:
    return str(world.impersonate(token).json["access_token"])


def test_2_1_the_token_is_required(world: World) -> None:
    assert introspect(world, x="y").json["error"] == "invalid_request"


def test_2_1_an_unknown_hint_is_ignored(world: World, held: str) -> None:
    assert introspect(world, token=held, token_type_hint="x").json["active"] is True


def test_2_1_some_form_of_authorization_is_required(world: World, held: str) -> None:
    answer = world.client.post("/oauth2/introspect", data={"token": held, "client_id": CLI})

    assert answer.status_code == 401


def test_2_2_active_is_the_one_required_member(world: World, held: str) -> None:
    answer = introspect(world, token=held)

    assert answer.content_type == "application/json"
    assert answer.json["active"] is True


def test_2_2_the_members_have_their_types(world: World, held: str) -> None:
    state = introspect(world, token=held).json

    for name in ("scope", "client_id", "username", "token_type", "sub", "iss", "jti"):
        assert isinstance(state[name], str)
    for name in ("exp", "iat"):
        assert isinstance(state[name], int)
    assert isinstance(state["aud"], list)


@pytest.mark.parametrize("token", ["x", "a.b.c", "é"])
def test_2_2_what_is_not_active_tells_nothing_more(world: World, token: str) -> None:
    """Not why, and not whether it ever was: no error, and status 200."""
    answer = introspect(world, token=token)

    assert answer.status_code == 200
    assert answer.json == {"active": False}


def test_2_2_nor_does_what_is_not_for_the_asker(world: World, token: str) -> None:
    assert introspect(world, token=token).json == {"active": False}


def test_2_3_a_wrong_client_secret_is_invalid_client(world: World, held: str) -> None:
    answer = world.client.post(
        "/oauth2/introspect",
        data={"token": held},
        headers={"Authorization": basic(world.product_client_id, "x")},
    )

    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")


def test_4_a_token_that_was_revoked_is_not_active(world: World, held: str) -> None:
    changes.revoke(world, held)

    assert introspect(world, token=held).json == {"active": False}


def test_4_a_token_that_expired_is_not_active(world: World, held: str) -> None:
    world.clock.advance(3600)

    assert introspect(world, token=held).json == {"active": False}


def test_4_the_answer_is_not_cached(world: World, held: str) -> None:
    assert introspect(world, token=held).headers["Cache-Control"] == "no-store"
