"""RFC 7009: revocation, by whom, of what, and what ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rfc import protocol
from tests.rfc.protocol import APP, introspect, is_live, redeem, refresh, refused, revoke
from tests.support.requirements import rfc
from tests.support.tokens import code_for
from tests.support.world import World, build_world

REVOKE = "/oauth2/revoke"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from protocol.shared_world(tmp_path_factory)


@rfc("7009", "2", "MUST", "https")
def test_the_address_is_https_in_production(tmp_path: Path) -> None:
    world = build_world(tmp_path, environment="production", issuer="https://id.example")
    document = world.client.get("/.well-known/oauth-authorization-server").json
    world.close()

    assert document["revocation_endpoint"] == "https://id.example" + REVOKE


@rfc("7009", "2", "MUST", "refresh tokens")
@rfc("7009", "2.1", "SHOULD", "the refresh token's access tokens")
@rfc("7009", "2.1", "plain", "at once")
def test_a_refresh_token_is_revoked_with_what_came_of_it(shared: World) -> None:
    first = protocol.tokens(shared)
    second = refresh(shared, first["refresh_token"]).json
    became = shared.impersonate(second["access_token"]).json["access_token"]
    assert introspect(shared, became)["active"]

    answer = revoke(shared, second["refresh_token"])

    assert answer.status_code == 200
    refused(refresh(shared, second["refresh_token"]), "invalid_grant")
    for token in (first["access_token"], second["access_token"], became):
        assert not is_live(shared, token)


@rfc("7009", "2", "SHOULD", "access tokens")
@rfc("7009", "2.1", "plain", "at once")
def test_an_access_token_is_revoked(shared: World) -> None:
    token = protocol.tokens(shared)["access_token"]
    assert is_live(shared, token)

    assert revoke(shared, token).status_code == 200

    assert not is_live(shared, token)
    refused(shared.exchange(token), "invalid_request")
    assert protocol.userinfo(shared, token).status_code == 401


@rfc("7009", "2.1", "REQUIRED", "token")
def test_a_request_without_a_token(shared: World) -> None:
    refused(revoke(shared, ""), "invalid_request")


@rfc("7009", "2.1", "MUST", "a wrong hint")
@rfc("7009", "2.2", "plain", "unknown hint")
@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "x", ""])
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_hint_changes_nothing(shared: World, hint: str, kind: str) -> None:
    held = protocol.tokens(shared)

    assert revoke(shared, held[kind], token_type_hint=hint).status_code == 200

    assert not is_live(shared, held["access_token"])


@rfc("7009", "2.1", "plain", "the client's own")
def test_only_the_client_that_it_was_issued_to(shared: World) -> None:
    client_id, secret = protocol.register(shared, "owner")
    code = code_for(shared, scope="openid offline_access", client_id=client_id, redirect_uri=APP)
    held = redeem(shared, code, auth=(client_id, secret), redirect_uri=APP).json

    for token in (held["access_token"], held["refresh_token"]):
        refused(revoke(shared, token), "invalid_grant")
        refused(revoke(shared, token, protocol.product(shared)), "invalid_grant")
        refused(revoke(shared, token, (client_id, "wrong")), "invalid_client", 401)
        refused(protocol.post(shared, REVOKE, token=token), "invalid_client", 401)
        named = protocol.post(shared, REVOKE, token=token, client_id=client_id)
        refused(named, "invalid_client", 401)
    assert is_live(shared, held["access_token"])
    assert revoke(shared, held["access_token"], (client_id, secret)).status_code == 200


@rfc("7009", "2.2", "plain", "unknown tokens")
@pytest.mark.parametrize("token", ["x", "a.b.c", "é", "A" * 43])
def test_a_token_that_is_unknown(shared: World, token: str) -> None:
    assert revoke(shared, token).status_code == 200


@rfc("7009", "2.2", "plain", "unknown tokens")
def test_a_token_that_has_ended(shared: World) -> None:
    held = protocol.tokens(shared)

    for _ in range(2):
        assert revoke(shared, held["access_token"]).status_code == 200
        assert revoke(shared, held["refresh_token"]).status_code == 200


@rfc("7009", "2.2.1", "plain", "503")
def test_a_store_that_does_not_answer(world: World, tmp_path: Path) -> None:
    token = protocol.tokens(world)["access_token"]
    store = tmp_path / "crossroot.db"
    world.close()
    store.rename(tmp_path / "away.db")
    store.mkdir()

    answer = revoke(world, token)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    world.close()
    store.rmdir()
    (tmp_path / "away.db").rename(store)
    assert is_live(world, token)


@rfc("7009", "5", "MUST", "against floods")
def test_requests_of_strangers_cost_little_and_leave_little(world: World) -> None:
    """Too large ones are not read; of failures there is a count, not a row each."""
    huge = world.client.post(
        REVOKE, data=b"token=" + b"x" * 70_000, content_type="application/x-www-form-urlencoded"
    )
    refused(huge, "invalid_request")
    many = protocol.post(world, REVOKE, **{f"x{number}": "y" for number in range(101)})
    refused(many, "invalid_request")
    before = world.rows("SELECT count(*) FROM audit_events")

    for _ in range(20):
        refused(revoke(world, "x", ("nobody", "nothing")), "invalid_client", 401)

    assert world.rows("SELECT count(*) FROM audit_events") == before
