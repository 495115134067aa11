"""refresh_token (RFC 6749 section 6, RFC 9700 section 4.14.2): one use, one family, one end."""

from __future__ import annotations

import pytest

from tests.support.lifecycle import (
    APP_CALLBACK,
    Application,
    built_anew,
    is_active,
    product_client,
    refresh,
    refreshed,
    refused,
    tenant_client,
    tokens_of,
)
from tests.support.world import CLI, World, claims_of

DAY = 24 * 3600


# ------------------------------------------------------------------------------------- rotation


def test_each_use_gives_an_access_token_and_the_next_refresh_token(world: World) -> None:
    first = tokens_of(world, scope="openid profile")
    world.clock.advance(100)

    answer = refresh(world, first["refresh_token"])

    body = refreshed(answer)
    assert body.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert body["refresh_token"] != first["refresh_token"]
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert body["scope"] == "openid profile"
    assert answer.headers["Cache-Control"] == "no-store"
    before, after = claims_of(first["access_token"]), claims_of(body["access_token"])
    assert after["jti"] != before["jti"]
    assert after["exp"] == before["exp"] + 100
    for claim in ("sub", "aud", "client_id", "account_id", "user_type", "auth_time", "amr"):
        assert after[claim] == before[claim]


def test_the_next_one_works_and_the_ones_before_do_not_count_as_ended(world: World) -> None:
    body = tokens_of(world)
    access = [body["access_token"]]
    for _ in range(5):
        body = refreshed(refresh(world, body["refresh_token"]))
        access.append(body["access_token"])

    assert all(is_active(world, token) for token in access)


def test_only_keyed_hashes_are_kept(world: World) -> None:
    body = refreshed(refresh(world, tokens_of(world)["refresh_token"]))
    world.close()
    path = str(world.runtime.database.engine.url.database)

    with open(path, "rb") as file:  # noqa: PTH123 - the store as a thief would read it
        assert body["refresh_token"].encode() not in file.read()


def test_a_refresh_is_in_the_audit_log_with_who_and_through_what(world: World) -> None:
    body = refreshed(refresh(world, tokens_of(world)["refresh_token"]))

    [row] = world.rows("SELECT * FROM audit_events WHERE event = 'token:refresh'")
    assert (row.outcome, row.actor_id, row.client_id) == ("allowed", world.user_id, CLI)
    assert row.token_id == claims_of(body["access_token"])["jti"]


# ---------------------------------------------------------------------------------------- reuse


def test_a_second_use_ends_everything_of_the_authorization(world: World) -> None:
    first = tokens_of(world)
    second = refreshed(refresh(world, first["refresh_token"]))
    service_account = world.impersonate(second["access_token"]).json["access_token"]
    narrowed = world.exchange(service_account, scope="vserver:List*").json["access_token"]
    other = tokens_of(world)

    refused(refresh(world, first["refresh_token"]))

    for token in (first["access_token"], second["access_token"], service_account, narrowed):
        assert not is_active(world, token)
        refused(world.exchange(token), "invalid_request")
    refused(refresh(world, second["refresh_token"]))
    assert is_active(world, other["access_token"])
    assert refresh(world, other["refresh_token"]).status_code == 200


def test_a_reuse_is_one_row_in_the_audit_log(world: World) -> None:
    first = tokens_of(world)
    refresh(world, first["refresh_token"])
    for _ in range(3):
        refused(refresh(world, first["refresh_token"]))

    [row] = world.rows("SELECT * FROM audit_events WHERE event = 'refresh-token:reuse'")
    assert (row.outcome, row.actor_id, row.client_id) == ("denied", world.user_id, CLI)


def test_whoever_holds_a_dead_token_cannot_fill_the_log(world: World) -> None:
    """It proves nothing any more: from a public client it is counted, as any guess is."""
    first = tokens_of(world)
    refresh(world, first["refresh_token"])
    refused(refresh(world, first["refresh_token"]))
    before = world.rows("SELECT count(*) FROM audit_events")

    for _ in range(5):
        refused(refresh(world, first["refresh_token"]))

    assert world.rows("SELECT count(*) FROM audit_events") == before
    [row] = world.rows("SELECT * FROM failure_counts WHERE kind = 'token:grant'")
    assert row.count == 6


def test_a_reuse_is_noticed_after_a_restart(world: World) -> None:
    """CVE-2026-9802: what was used up before must not come back with a new process."""
    first = tokens_of(world)
    second = refreshed(refresh(world, first["refresh_token"]))
    world.close()
    world = built_anew(world)

    refused(refresh(world, first["refresh_token"]))

    refused(refresh(world, second["refresh_token"]))
    assert not is_active(world, second["access_token"])
    world.close()


def test_a_family_goes_on_after_a_restart(world: World) -> None:
    second = refreshed(refresh(world, tokens_of(world)["refresh_token"]))
    world.close()
    world = built_anew(world)

    assert refresh(world, second["refresh_token"]).status_code == 200
    world.close()


def test_a_refusal_uses_nothing_up(world: World) -> None:
    first = tokens_of(world, scope="openid")

    refused(refresh(world, first["refresh_token"], scope="openid email"), "invalid_scope")
    refused(refresh(world, first["refresh_token"], resource="https://x.example"), "invalid_target")

    assert refresh(world, first["refresh_token"]).status_code == 200


# -------------------------------------------------------------------------------------- the end


def test_the_end_is_absolute_and_no_rotation_moves_it(world: World) -> None:
    token = tokens_of(world)["refresh_token"]
    for _ in range(29):
        world.clock.advance(DAY)
        token = refreshed(refresh(world, token))["refresh_token"]
    world.clock.advance(DAY - 1)
    token = refreshed(refresh(world, token))["refresh_token"]
    world.clock.advance(1)

    refused(refresh(world, token))


def test_refreshing_outlives_the_browsers_session(world: World) -> None:
    token = tokens_of(world)["refresh_token"]
    world.clock.advance(world.runtime.settings.session_lifetime + 1)

    body = refreshed(refresh(world, token))

    assert claims_of(body["access_token"])["auth_time"] == world.clock.now - 28801


# ------------------------------------------------------------------------------ whose token it is


def test_a_refresh_token_is_its_clients_alone(world: World) -> None:
    """CVE-2026-55672: a token of one client presented by another."""
    mine, other = tenant_client(world), tenant_client(world, "other")
    body = tokens_of(world, mine, scope="openid offline_access")

    refused(refresh(world, body["refresh_token"], other))
    refused(refresh(world, body["refresh_token"]))  # the command line
    refused(refresh(world, body["refresh_token"], product_client(world)))

    used = refreshed(refresh(world, body["refresh_token"], mine))
    refused(refresh(world, body["refresh_token"], other))  # nor does it end the family
    assert refresh(world, used["refresh_token"], mine).status_code == 200


def test_a_confidential_client_has_to_authenticate(world: World) -> None:
    app = tenant_client(world)
    token = tokens_of(world, app, scope="openid offline_access")["refresh_token"]

    for pretender in (Application(app.id, APP_CALLBACK), Application(app.id, APP_CALLBACK, "x")):
        refused(refresh(world, token, pretender), "invalid_client", 401)

    assert refresh(world, token, app).status_code == 200


@pytest.mark.parametrize("token", ["x", "x" * 4000, "a.b.c", "ä", "ZQ" * 21 + "E"])
def test_a_token_that_is_none_is_refused(world: World, token: str) -> None:
    refused(refresh(world, token))


def test_a_token_that_is_missing_is_asked_for(world: World) -> None:
    refused(refresh(world, ""), "invalid_request")


def test_a_part_of_a_token_is_worth_nothing(world: World) -> None:
    """CVE-2026-27840: a token cut short was still valid."""
    token = tokens_of(world)["refresh_token"]

    for part in (token[:-1], token[1:], token + "A", token.swapcase(), f" {token}", f"{token} "):
        refused(refresh(world, part))

    assert refresh(world, token).status_code == 200
