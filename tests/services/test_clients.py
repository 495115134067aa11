"""Registering tenants' clients: what may be registered, and what a client is then held to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.services import clients
from app.services.administration import Invalid, NotFound
from app.services.clients import EXCHANGE, ClientRegistration, RegisteredClient
from tests.support.assertions import MINE, jwks
from tests.support.lifecycle import (
    APP_CALLBACK,
    tenant_client,
    tokens_of,
)
from tests.support.world import World, build_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = build_world(tmp_path)
    yield made
    made.close()


def register(world: World, account_id: str = "53461", **fields: Any) -> RegisteredClient:
    registration = ClientRegistration(**{"name": "app", "redirect_uris": (APP_CALLBACK,), **fields})
    return clients.register(world.runtime, account_id, registration)


def problem_of(world: World, **fields: Any) -> str:
    """Why it cannot be registered; nothing is left behind."""
    before = world.rows("SELECT count(*) FROM oauth_clients")
    with pytest.raises(Invalid) as caught:
        register(world, **fields)
    assert world.rows("SELECT count(*) FROM oauth_clients") == before
    return str(caught.value)


# --------------------------------------------------------------------------------- registration


def test_a_confidential_client_gets_a_secret_this_once(world: World) -> None:
    new = register(world)

    assert new.client_secret is not None
    assert len(new.client_secret) == 43
    assert set(new.client_secret) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )
    stored = "".join(str(tuple(row)) for row in world.rows("SELECT * FROM client_secrets"))
    assert new.client_secret not in stored


def test_others_get_none(world: World) -> None:
    assert register(world, auth_method="none").client_secret is None
    assert register(world, auth_method="private_key_jwt", jwks=jwks(MINE)).client_secret is None


def test_it_is_written_down(world: World) -> None:
    new = register(world)

    [row] = world.rows("SELECT * FROM audit_events WHERE event = 'oauth-client:create'")
    assert row.resource == f"oauth-client/{new.client.id}"
    assert (row.actor_type, row.owner_account_id) == ("operator", "53461")


def test_an_account_has_to_be_there(world: World) -> None:
    with pytest.raises(NotFound):
        register(world, "99999")


@pytest.mark.parametrize("name", ["", " app", "a" * 51, "a\nb", "<b>", "\u0430pp", "a\u202eb"])
def test_a_name_can_be_shown_on_the_approval_page(world: World, name: str) -> None:
    assert problem_of(world, name=name).startswith("a name is 1 to 50 of")


def test_only_grants_for_people_and_exchange_are_to_be_had(world: World) -> None:
    register(world, grant_types=("authorization_code", "refresh_token", EXCHANGE))
    for grant in ("client_credentials", "password", "implicit", ""):
        problem = problem_of(world, grant_types=("authorization_code", grant))
        assert problem.startswith("a client may use the grants authorization_code, refresh_token")


def test_a_grant_that_redirects_needs_somewhere_to(world: World) -> None:
    assert problem_of(world, redirect_uris=()) == "this grant needs a redirect URI"
    register(world, redirect_uris=(), grant_types=(EXCHANGE,))


def test_refreshing_is_for_those_who_can_get_a_refresh_token(world: World) -> None:
    assert problem_of(world, grant_types=("refresh_token",)) == (
        "refresh_token goes with authorization_code"
    )


def test_a_client_has_one_grant_at_least(world: World) -> None:
    assert problem_of(world, grant_types=()) == "a client needs a grant that it may use"


@pytest.mark.parametrize("method", ["", "client_secret_jwt", "tls_client_auth", "NONE"])
def test_other_ways_to_authenticate_are_not_known(world: World, method: str) -> None:
    assert problem_of(world, auth_method=method).startswith("expected as authentication method")


def test_a_key_set_goes_with_private_key_jwt_and_nothing_else(world: World) -> None:
    words = "a key set belongs to private_key_jwt, and private_key_jwt needs one, or else its URI"
    assert problem_of(world, auth_method="private_key_jwt") == words
    assert problem_of(world, jwks=jwks(MINE)) == words
    assert problem_of(world, auth_method="none", jwks=jwks(MINE)) == words
    private = {"keys": [MINE.as_dict(private=True)]}
    problem = problem_of(world, auth_method="private_key_jwt", jwks=private)
    assert problem.startswith("the key set is not valid: a private or symmetric key")


def test_an_id_token_algorithm_has_a_key_that_signs_it(world: World) -> None:
    """Otherwise every sign-in would end in an error of the server."""
    for alg in ("HS256", "none", "Ed25519", "ES384"):
        assert problem_of(world, id_token_alg=alg) == (
            "expected as ID token algorithm one that signs here: ES256, RS256"
        )
    for alg in ("ES256", "RS256"):
        app = tenant_client(world, id_token_alg=alg)
        assert tokens_of(world, app)["id_token"]
