"""Secrets of service accounts over the management API."""

from __future__ import annotations

import re

import pytest

from app.services import policies
from tests.support.api import ROOT_B as B
from tests.support.api import ApiCaller, machine, root, user_that_may, user_with
from tests.support.world import World, allow


def base(world: World) -> str:
    return f"/accounts-api/v1/service-accounts/{world.service_account_id}"


def secrets(world: World) -> str:
    return f"{base(world)}/secrets"


def opens(world: World, secret: str) -> bool:
    """Whether a secret gets a token."""
    grant = {"grant_type": "client_credentials"}
    return world.token_call(grant, auth=(world.client_id, secret)).status_code == 200


def test_a_second_secret_stands_beside_the_first_until_that_is_retired(world: World) -> None:
    caller = root(world, B)
    (first,) = caller.get(secrets(world)).json["data"]

    made = caller.post(secrets(world))
    assert made.status_code == 201
    assert set(made.json) == {"id", "createdAt", "clientSecret"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", made.json["clientSecret"])
    assert opens(world, world.client_secret)
    assert opens(world, made.json["clientSecret"])

    assert caller.delete(f"{secrets(world)}/{first['id']}").status_code == 204
    assert not opens(world, world.client_secret)
    assert opens(world, made.json["clientSecret"])


def test_no_more_than_two_live_at_a_time(world: World) -> None:
    caller = root(world, B)
    second = caller.post(secrets(world)).json

    third = caller.post(secrets(world))
    assert third.status_code == 409
    assert "2 live secrets" in third.json["detail"]
    assert caller.delete(f"{secrets(world)}/{second['id']}").status_code == 204
    assert caller.post(secrets(world)).status_code == 201


def test_a_list_says_when_and_never_what(world: World) -> None:
    caller = root(world, B)
    world.clock.advance(60)
    made = caller.post(secrets(world)).json

    listed = caller.get(secrets(world))
    assert [each["createdAt"] for each in listed.json["data"]] == [
        "2027-01-15T08:00:00Z",
        "2027-01-15T08:01:00Z",
    ]
    assert listed.json["data"][1]["id"] == made["id"]
    assert all(set(each) == {"id", "createdAt"} for each in listed.json["data"])


def test_a_reset_replaces_all_of_them(world: World) -> None:
    caller = root(world, B)
    second = caller.post(secrets(world)).json["clientSecret"]
    token = world.machine_token().json["access_token"]

    reset = caller.post(f"{base(world)}/reset-secret")

    assert reset.status_code == 201
    assert opens(world, reset.json["clientSecret"])
    assert not opens(world, second)
    assert not opens(world, world.client_secret)
    assert len(caller.get(secrets(world)).json["data"]) == 1
    # What the old secret opened lives on until it expires, as at the clouds.
    assert world.introspect(token)["active"]


@pytest.mark.parametrize("door", ["secrets", "reset-secret"])
def test_a_call_that_is_sent_again_has_no_secret_and_makes_none(world: World, door: str) -> None:
    caller = root(world, B)
    path = f"{base(world)}/{door}"

    first = caller.post(path, Idempotency_Key="k-1")
    again = caller.post(path, Idempotency_Key="k-1")

    assert first.status_code == again.status_code == 201
    assert again.json == {"id": first.json["id"], "createdAt": first.json["createdAt"]}
    assert opens(world, first.json["clientSecret"])
    assert first.json["clientSecret"] not in str(world.rows("SELECT * FROM idempotency_keys"))


def test_each_call_asks_for_its_own_action(world: World) -> None:
    second = root(world, B).post(secrets(world)).json["id"]
    nobody = user_that_may(world, "iam:UpdateServiceAccount", account="60108")
    calls = {
        "iam:GetServiceAccount": lambda who: who.get(secrets(world)),
        "iam:DeleteSecret": lambda who: who.delete(f"{secrets(world)}/{second}"),
        "iam:CreateSecret": lambda who: who.post(secrets(world)),
        "iam:ResetSecret": lambda who: who.post(f"{base(world)}/reset-secret"),
    }
    for action, call in calls.items():
        refused = call(nobody)
        allowed = user_with(world, allow(action), "vServerFullAccess", account="60108")
        assert refused.status_code == 403
        assert f"{action} on {world.vrn}" in refused.json["detail"]
        assert call(allowed).status_code < 300


@pytest.mark.parametrize(
    ("door", "action"), [("secrets", "iam:CreateSecret"), ("reset-secret", "iam:ResetSecret")]
)
def test_nobody_takes_hold_of_one_who_may_more(world: World, door: str, action: str) -> None:
    path = f"{base(world)}/{door}"
    short = user_with(world, allow(action), "vServerReadOnlyAccess", account="60108")
    beyond = user_with(world, allow(action), allow("iam:GrantBeyondOwn"), account="60108")

    refused = short.post(path)
    assert refused.status_code == 403
    assert "vserver:" in refused.json["detail"]
    assert "clientSecret" not in refused.text
    assert opens(world, world.client_secret)
    (row,) = world.rows(f"SELECT * FROM audit_events WHERE id = '{refused.json['decisionId']}'")
    assert (row.outcome, row.owner_account_id, row.resource) == ("denied", "60108", world.vrn)
    assert beyond.post(path).status_code == 201


@pytest.mark.parametrize("door", ["secrets", "reset-secret"])
@pytest.mark.parametrize("who", ["itself", "through it"])
def test_a_service_account_makes_no_secret_for_itself(world: World, door: str, who: str) -> None:
    policies.attach(world.runtime, "IAMFullAccess", "service-account", world.service_account_id)
    if who == "itself":
        caller = machine(world)
    else:
        caller = ApiCaller(world, world.impersonate(audience="iam").json["access_token"])

    refused = caller.post(f"{base(world)}/{door}")
    assert refused.status_code == 403
    assert "does not widen its own trust, secrets or keys" in refused.json["detail"]
    assert opens(world, world.client_secret)
    # To see them, or to have fewer of them, widens nothing; and another's are another's.
    (only,) = caller.get(secrets(world)).json["data"]
    assert caller.delete(f"{secrets(world)}/{only['id']}").status_code == 204
    other = caller.post("/accounts-api/v1/service-accounts", {"name": "Other"}).json["id"]
    assert caller.post(f"/accounts-api/v1/service-accounts/{other}/{door}").status_code == 201


def test_another_accounts_secrets_are_not_there(world: World) -> None:
    (only,) = root(world, B).get(secrets(world)).json["data"]
    for caller in (root(world), user_with(world, "IAMFullAccess")):
        assert caller.get(secrets(world)).status_code == 404
        assert caller.post(secrets(world)).status_code == 404
        assert caller.post(f"{base(world)}/reset-secret").status_code == 404
        assert caller.delete(f"{secrets(world)}/{only['id']}").status_code == 404
    assert opens(world, world.client_secret)


def test_a_secret_is_retired_on_its_own_service_account_alone(world: World) -> None:
    caller = root(world, B)
    (only,) = caller.get(secrets(world)).json["data"]
    other = caller.post("/accounts-api/v1/service-accounts", {"name": "Other"}).json["id"]

    path = f"/accounts-api/v1/service-accounts/{other}/secrets/{only['id']}"
    assert caller.delete(path).status_code == 404
    assert opens(world, world.client_secret)


def test_making_and_retiring_is_written_down_without_the_secret(world: World) -> None:
    caller = root(world, B)
    made = caller.post(secrets(world)).json
    caller.delete(f"{secrets(world)}/{made['id']}")
    reset = caller.post(f"{base(world)}/reset-secret").json

    rows = world.rows(
        "SELECT * FROM audit_events WHERE event LIKE 'service-account:secret:%' ORDER BY rowid"
    )
    assert [row.event.rpartition(":")[2] for row in rows] == ["create", "delete", "create"]
    for row in rows:
        assert (row.actor_type, row.owner_account_id) == ("root-user", "60108")
        assert row.resource == world.vrn
    assert made["id"] in rows[0].detail
    assert made["clientSecret"] not in str(rows)
    assert reset["clientSecret"] not in str(rows)
