"""RFC 7662: introspection, by whom, and what it tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rfc import protocol
from tests.rfc.protocol import introspect, refused
from tests.support.forgery import ATTACKERS_KEY, forge
from tests.support.requirements import rfc
from tests.support.world import CLI, World, build_world, claims_of

INTROSPECT = "/oauth2/introspect"
INACTIVE = {"active": False}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from protocol.shared_world(tmp_path_factory)


@pytest.fixture(scope="module")
def held(shared: World) -> str:
    """A token for vServer, which may ask about it."""
    return str(shared.machine_token().json["access_token"])


@rfc("7662", "2", "MUST", "TLS")
def test_the_address_is_https_in_production(tmp_path: Path) -> None:
    world = build_world(tmp_path, environment="production", issuer="https://id.example")
    document = world.client.get("/.well-known/oauth-authorization-server").json
    world.close()

    assert document["introspection_endpoint"] == "https://id.example" + INTROSPECT


@rfc("7662", "2.1", "REQUIRED", "token")
def test_the_token_is_required_and_comes_by_post(shared: World, held: str) -> None:
    refused(protocol.post(shared, INTROSPECT, protocol.product(shared)), "invalid_request")
    assert shared.client.get(f"{INTROSPECT}?token={held}").status_code == 405


@rfc("7662", "2.1", "MUST", "a wrong hint")
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "x"])
def test_a_hint_changes_nothing(shared: World, held: str, hint: str) -> None:
    assert introspect(shared, held, token_type_hint=hint)["active"] is True


@rfc("7662", "2.1", "MUST", "who asks proves who it is")
def test_nobody_asks_without_authentication(shared: World, held: str) -> None:
    for form in ({}, {"client_id": CLI}, {"client_id": shared.product_client_id}):
        answer = protocol.post(shared, INTROSPECT, token=held, **form)
        refused(answer, "invalid_client", 401)
        assert "active" not in answer.json


@rfc("7662", "2.2", "REQUIRED", "active")
def test_the_answer_is_json_with_active(shared: World, held: str) -> None:
    answer = protocol.post(shared, INTROSPECT, protocol.product(shared), token=held)

    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.json["active"] is True
    claims = claims_of(held)
    for name in ("iss", "sub", "aud", "client_id", "scope", "iat", "exp", "jti"):
        assert answer.json[name] == claims[name]


@rfc("7662", "2.2", "MUST", "not active")
@rfc("7662", "2.2", "SHOULD NOT", "nothing more of the inactive")
def test_what_is_not_active_is_told_alike(shared: World) -> None:
    """Unknown, malformed, revoked, a refresh token, and what is another's."""
    of_the_issuer = protocol.tokens(shared)
    revoked = shared.machine_token().json["access_token"]
    protocol.revoke(shared, revoked, protocol.machine(shared))
    unknown = ["x", "a.b.c", "é", of_the_issuer["refresh_token"], of_the_issuer["access_token"]]

    for token in (*unknown, revoked):
        answer = protocol.post(shared, INTROSPECT, protocol.product(shared), token=token)
        assert (answer.status_code, answer.json) == (200, INACTIVE)


@rfc("7662", "2.3", "plain", "401")
def test_who_fails_to_authenticate(shared: World, held: str) -> None:
    wrong = protocol.post(shared, INTROSPECT, (shared.product_client_id, "x"), token=held)
    refused(wrong, "invalid_client", 401)
    assert wrong.headers["WWW-Authenticate"].startswith("Basic ")

    bearer = {"Authorization": "Bearer x"}
    answer = shared.client.post(INTROSPECT, data={"token": held}, headers=bearer)
    refused(answer, "invalid_token", 401)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


@rfc("7662", "4", "MUST", "expiry")
def test_a_token_that_has_expired(world: World) -> None:
    token = world.machine_token().json["access_token"]
    world.clock.advance(3599)
    assert introspect(world, token)["active"] is True
    world.clock.advance(1)

    assert introspect(world, token) == INACTIVE


@rfc("7662", "4", "MUST", "not yet valid")
@rfc("7662", "4", "MUST", "signature")
def test_a_token_that_does_not_hold(shared: World, held: str) -> None:
    """The first two signed by the server's own key, with the id of a live token."""
    claims, now = claims_of(held), int(shared.clock.now)

    assert introspect(shared, forge(claims))["active"] is True
    assert introspect(shared, forge({**claims, "nbf": now + 60})) == INACTIVE
    assert introspect(shared, forge({**claims, "iat": now + 60})) == INACTIVE
    assert introspect(shared, forge(claims, key=ATTACKERS_KEY)) == INACTIVE
    assert introspect(shared, held[:-6] + "AAAAAA") == INACTIVE


@rfc("7662", "4", "MUST", "revocation")
def test_a_token_that_was_revoked(shared: World) -> None:
    token = shared.machine_token().json["access_token"]
    assert introspect(shared, token)["active"] is True

    protocol.revoke(shared, token, protocol.machine(shared))

    assert introspect(shared, token) == INACTIVE


@rfc("7662", "4", "MUST", "resource server")
@rfc("7662", "4", "SHOULD", "who may ask")
@rfc("7662", "5", "MUST", "private data")
def test_a_token_is_told_of_to_those_whom_it_concerns(shared: World, held: str) -> None:
    """Its resource server, its client, its subject; no other, however well authenticated."""
    stranger = protocol.register(shared, "stranger")
    person = protocol.tokens(shared)["access_token"]

    assert introspect(shared, held, protocol.product(shared))["active"] is True
    assert introspect(shared, held, protocol.machine(shared))["active"] is True
    assert introspect(shared, held, stranger) == INACTIVE
    assert introspect(shared, person, protocol.product(shared)) == INACTIVE
    assert protocol.is_live(shared, person)
    bearer = {"Authorization": f"Bearer {person}"}
    answer = shared.client.post(INTROSPECT, data={"token": held}, headers=bearer)
    assert answer.json == INACTIVE
