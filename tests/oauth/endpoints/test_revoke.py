"""Revocation (RFC 7009): a client ends what was issued to it, and what came of that."""

from __future__ import annotations

import json

import pytest

from tests.support.lifecycle import (
    COMMAND_LINE,
    Application,
    is_active,
    product_client,
    refresh,
    refused,
    revoke,
    tenant_client,
    tokens_of,
)
from tests.support.world import CLI, VSERVER, World, basic, claims_of


def test_an_access_token_ends_with_all_that_was_exchanged_from_it(world: World) -> None:
    user = tokens_of(world)["access_token"]
    sibling = tokens_of(world)["access_token"]
    narrowed = world.exchange(user).json["access_token"]
    service_account = world.impersonate(narrowed).json["access_token"]
    narrower = world.exchange(service_account, scope="vserver:List*").json["access_token"]

    answer = revoke(world, user)

    assert (answer.status_code, answer.json) == (200, {})
    assert answer.headers["Cache-Control"] == "no-store"
    for token in (user, narrowed, service_account, narrower):
        assert not is_active(world, token)
        refused(world.exchange(token), "invalid_request")
    assert is_active(world, sibling)


def test_what_it_was_exchanged_from_stays(world: World) -> None:
    user = tokens_of(world)["access_token"]
    service_account = world.impersonate(user).json["access_token"]

    revoke(world, service_account)

    assert not is_active(world, service_account)
    assert is_active(world, user)
    assert world.impersonate(user).status_code == 200


def test_an_access_token_leaves_the_refresh_token_alive(world: World) -> None:
    body = tokens_of(world)

    revoke(world, body["access_token"])

    assert refresh(world, body["refresh_token"]).status_code == 200


def test_a_refresh_token_ends_its_whole_authorization(world: World) -> None:
    """Section 2.1: the server also invalidates the access tokens of the same grant."""
    first = tokens_of(world)
    second = refresh(world, first["refresh_token"]).json
    service_account = world.impersonate(first["access_token"]).json["access_token"]
    other = tokens_of(world)

    assert revoke(world, second["refresh_token"]).status_code == 200

    for token in (first["access_token"], second["access_token"], service_account):
        assert not is_active(world, token)
    refused(refresh(world, second["refresh_token"]))
    assert is_active(world, other["access_token"])


def test_a_refresh_token_that_was_used_ends_the_authorization_as_well(world: World) -> None:
    first = tokens_of(world)
    second = refresh(world, first["refresh_token"]).json

    revoke(world, first["refresh_token"])

    refused(refresh(world, second["refresh_token"]))
    assert not is_active(world, second["access_token"])


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "x" * 9000, "ü", "e30.e30."])
def test_a_token_that_is_unknown_is_no_error(world: World, token: str) -> None:
    """Section 2.2: the client could not do anything about it."""
    assert revoke(world, token).status_code == 200


def test_what_has_ended_can_be_revoked_again(world: World) -> None:
    body = tokens_of(world)
    for token in (body["refresh_token"], body["access_token"], body["refresh_token"]):
        assert revoke(world, token).status_code == 200
    world.clock.advance(3631)

    assert revoke(world, tokens_of(world)["access_token"]).status_code == 200


def test_a_token_is_missing(world: World) -> None:
    refused(revoke(world, ""), "invalid_request")


# -------------------------------------------------------------------------------- who may revoke


def test_another_clients_token_is_refused_and_stays_alive(world: World) -> None:
    """Section 2.1: the server verifies whether the token was issued to the client."""
    app, other = tenant_client(world), tenant_client(world, "other")
    body = tokens_of(world, app, scope="openid offline_access")

    for client in (other, COMMAND_LINE, product_client(world)):
        for token in (body["access_token"], body["refresh_token"]):
            refused(revoke(world, token, client))

    assert is_active(world, body["access_token"])
    assert refresh(world, body["refresh_token"], app).status_code == 200


def test_a_product_may_not_end_a_token_that_is_only_for_it(world: World) -> None:
    token = world.impersonate().json["access_token"]
    assert claims_of(token)["aud"] == [VSERVER]

    refused(revoke(world, token, product_client(world)))

    assert is_active(world, token)


def test_a_service_account_ends_its_own_token_but_not_one_that_others_act_through(
    world: World,
) -> None:
    machine = Application(world.client_id, "", world.client_secret)
    own = world.machine_token().json["access_token"]
    acted = world.impersonate().json["access_token"]

    assert revoke(world, own, machine).status_code == 200
    refused(revoke(world, acted, machine))

    assert not is_active(world, own)
    assert is_active(world, acted)


def test_a_confidential_client_has_to_authenticate(world: World) -> None:
    """Section 2.1; section 2.2.1 for the errors."""
    app = tenant_client(world)
    token = tokens_of(world, app)["access_token"]

    for pretender in (
        Application(app.id, app.redirect_uri),
        Application(app.id, app.redirect_uri, "wrong"),
        Application("nobody", app.redirect_uri),
    ):
        answer = revoke(world, token, pretender)
        refused(answer, "invalid_client", 401)
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")

    assert is_active(world, token)
    posted = revoke(
        world, token, Application(app.id, ""), client_secret=str(app.secret)
    )  # client_secret_post
    assert posted.status_code == 200
    assert not is_active(world, token)


def test_nobody_in_particular_may_revoke(world: World) -> None:
    token = tokens_of(world)["access_token"]

    refused(world.client.post("/oauth2/revoke", data={"token": token}), "invalid_client", 401)
    bearer = {"Authorization": f"Bearer {token}"}
    refused(
        world.client.post("/oauth2/revoke", data={"token": token}, headers=bearer),
        "invalid_client",
        401,
    )

    assert is_active(world, token)
    [row] = world.rows("SELECT * FROM failure_counts WHERE kind LIKE 'revoke:%'")
    assert row.count == 2


def test_two_ways_of_authentication_are_refused(world: World) -> None:
    app = tenant_client(world)

    refused(revoke(world, "x", app, client_secret=str(app.secret)), "invalid_request")


@pytest.mark.parametrize(
    "hint",
    ["access_token", "refresh_token", "unknown", "pat", "access_token x"],
)
def test_a_hint_right_wrong_or_unknown_changes_nothing(world: World, hint: str) -> None:
    """Section 2.1: the server may ignore it, and has to look further where it is wrong."""
    body = tokens_of(world)

    assert revoke(world, body["access_token"], token_type_hint=hint).status_code == 200
    assert not is_active(world, body["access_token"])
    assert revoke(world, body["refresh_token"], token_type_hint=hint).status_code == 200
    refused(refresh(world, body["refresh_token"]))


def test_only_a_form_in_the_body_counts(world: World) -> None:
    token = tokens_of(world)["access_token"]
    query = {"token": token, "client_id": CLI}

    assert world.client.get("/oauth2/revoke", query_string=query).status_code == 405
    refused(
        world.client.post("/oauth2/revoke", query_string=query, data={"x": "y"}),
        "invalid_client",
        401,
    )
    refused(world.client.post("/oauth2/revoke", json=query), "invalid_request")
    twice = f"token={token}&token={token}&client_id={CLI}"
    form = "application/x-www-form-urlencoded"
    refused(world.client.post("/oauth2/revoke", data=twice, content_type=form), "invalid_request")

    assert is_active(world, token)


def test_other_tokens_of_ours_are_none_to_revoke(world: World) -> None:
    body = tokens_of(world)

    assert revoke(world, body["id_token"]).status_code == 200

    assert is_active(world, body["access_token"])


# --------------------------------------------------------------------------------------- the log


def test_each_revocation_is_one_row(world: World) -> None:
    body = tokens_of(world)
    world.impersonate(body["access_token"])
    for token in (body["access_token"], body["access_token"], "nonsense", body["refresh_token"]):
        revoke(world, token)

    rows = world.rows("SELECT * FROM audit_events WHERE event = 'token:revoke' ORDER BY rowid")
    assert [(row.actor_id, row.client_id, row.outcome) for row in rows] == [
        (world.user_id, CLI, "allowed")
    ] * 2
    assert rows[0].token_id == claims_of(body["access_token"])["jti"]
    assert json.loads(rows[0].detail)["tokens_ended"] == 2
    assert json.loads(rows[1].detail)["tokens_ended"] == 0
    assert rows[0].source_ip == "127.0.0.1"


def test_the_row_of_a_machines_own_token_names_the_service_account(world: World) -> None:
    machine = Application(world.client_id, "", world.client_secret)
    revoke(world, world.machine_token().json["access_token"], machine)

    [row] = world.rows("SELECT * FROM audit_events WHERE event = 'token:revoke'")
    assert (row.actor_type, row.actor_id) == ("service-account", world.service_account_id)
    assert row.actor_account_id == "60108"


def test_no_token_is_in_the_log(world: World) -> None:
    body = tokens_of(world)
    for token in (body["access_token"], body["refresh_token"]):
        revoke(world, token)

    logged = " ".join(str(tuple(row)) for row in world.rows("SELECT * FROM audit_events"))
    for secret in (body["access_token"], body["refresh_token"], basic(CLI, "")):
        assert secret not in logged
