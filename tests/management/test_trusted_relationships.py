"""Trusted relationships over the management API."""

from __future__ import annotations

from typing import Any

import pytest

from app.services import policies
from tests.support.api import ROOT_B as B
from tests.support.api import ApiCaller, machine, root, user_that_may, user_with
from tests.support.world import START, World, allow

MFA = {"bool": {"iam:MfaPresent": [True]}}
HOME = {"ipAddress": {"iam:SourceIp": ["10.0.0.0/8"]}}
EIGHT, NINE, TEN = (f"2027-01-15T{hour}:00:00Z" for hour in ("08", "09", "10"))


def trusts(world: World) -> str:
    return f"/accounts-api/v1/service-accounts/{world.service_account_id}/trusted-relationships"


def trust_in_a(world: World) -> str:
    """The path of the relationship that the story begins with."""
    (found,) = root(world, B).get(trusts(world), name="53461").json["data"]
    return f"{trusts(world)}/{found['id']}"


def user_of_b(world: World, *documents: dict[str, Any] | str) -> ApiCaller:
    return user_with(world, *documents, account="60108")


# ------------------------------------------------------------------------------ what it is for


def test_trust_that_is_added_lets_a_user_in_and_removing_it_shuts_the_door(world: World) -> None:
    caller = root(world, B)
    token = world.user_token()
    assert caller.delete(trust_in_a(world)).status_code == 204
    assert world.impersonate(token).json["error"] == "invalid_target"

    added = caller.post(trusts(world), {"trustedRootUserId": "53461"})
    assert added.status_code == 201
    assert world.impersonate(token).status_code == 200

    assert caller.delete(f"{trusts(world)}/{added.json['id']}").status_code == 204
    assert world.impersonate(token).json["error"] == "invalid_target"


def test_trust_comes_back_as_it_was_given(world: World) -> None:
    caller = root(world, B)
    body = {"trustedRootUserId": "70000", "condition": MFA, "expiresAt": NINE}

    added = caller.post(trusts(world), body).json

    assert added == {**body, "id": added["id"], "version": 1, "createdAt": EIGHT}
    assert caller.get(f"{trusts(world)}/{added['id']}").json == added


def test_whether_the_account_exists_is_not_said(world: World) -> None:
    caller = root(world, B)
    caller.delete(trust_in_a(world))

    there = caller.post(trusts(world), {"trustedRootUserId": "53461"})
    nowhere = caller.post(trusts(world), {"trustedRootUserId": "70000"})
    assert there.status_code == nowhere.status_code == 201
    assert set(there.json) == set(nowhere.json)


def test_a_list_comes_in_pages_and_by_account(world: World) -> None:
    caller = root(world, B)
    for account_id in ("70002", "70001", "80000"):
        caller.post(trusts(world), {"trustedRootUserId": account_id})

    def listed(**query: Any) -> list[str]:
        page = caller.get(trusts(world), **query).json
        return [each["trustedRootUserId"] for each in page["data"]]

    assert listed() == ["53461", "70001", "70002", "80000"]
    assert listed(pageSize=2, pageNumber=1) == ["70002", "80000"]
    assert listed(name="700") == ["70001", "70002"]
    assert caller.get(trusts(world), pageSize=3).json["totalPages"] == 2


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, {"/trustedRootUserId"}),
        ({"trustedRootUserId": "012"}, {"/trustedRootUserId"}),
        ({"trustedRootUserId": 53461}, {"/trustedRootUserId"}),
        ({"trustedRootUserId": "60108"}, {"/trustedRootUserId"}),
        ({"trustedRootUserId": "7", "expiresAt": EIGHT}, {"/expiresAt"}),
        ({"trustedRootUserId": "7", "expiresAt": "2027-01-15"}, {"/expiresAt"}),
        ({"trustedRootUserId": "7", "expiresAt": "2027-02-30T08:00:00Z"}, {"/expiresAt"}),
        ({"trustedRootUserId": "7", "expiresAt": "2027-W05-1T08:00:00Z"}, {"/expiresAt"}),
        ({"trustedRootUserId": "7", "expiresAt": START + 60}, {"/expiresAt"}),
        ({"trustedRootUserId": "7", "condition": {}}, {"/condition"}),
        (
            {"trustedRootUserId": "7", "condition": {"odd": {}, "bool": {"iam:Odd": [True]}}},
            {"/condition/odd", "/condition/bool/iam:Odd"},
        ),
        ({"trustedRootUserId": "no", "expiresAt": "no"}, {"/trustedRootUserId", "/expiresAt"}),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    world: World, body: dict[str, Any], pointers: set[str]
) -> None:
    answer = root(world, B).post(trusts(world), body)

    assert answer.status_code == 400
    assert {error["pointer"] for error in answer.json["errors"]} == pointers
    assert len(world.rows("SELECT 1 FROM trusted_relationships")) == 1


@pytest.mark.parametrize(
    "written", ["2027-01-15T09:00:00+00:00", "2027-01-15t09:00:00.5z", "2027-01-15T10:00:00+01:00"]
)
def test_the_end_is_shown_in_utc(world: World, written: str) -> None:
    body = {"trustedRootUserId": "70000", "expiresAt": written}

    assert root(world, B).post(trusts(world), body).json["expiresAt"] == NINE


def test_an_account_is_trusted_once_unless_the_trust_has_ended(world: World) -> None:
    caller = root(world, B)
    body = {"trustedRootUserId": "70000", "expiresAt": NINE}
    first = caller.post(trusts(world), body).json
    assert caller.post(trusts(world), body).status_code == 409

    world.clock.advance(3600)
    caller = root(world, B)
    again = caller.post(trusts(world), {"trustedRootUserId": "70000"})
    assert again.status_code == 201
    assert again.json["id"] != first["id"]
    assert caller.get(f"{trusts(world)}/{first['id']}").status_code == 404


def test_a_create_that_is_sent_again_creates_nothing(world: World) -> None:
    caller = root(world, B)
    body = {"trustedRootUserId": "70000"}

    first = caller.post(trusts(world), body, Idempotency_Key="k-1")
    again = caller.post(trusts(world), body, Idempotency_Key="k-1")

    assert again.json == first.json
    assert len(world.rows("SELECT 1 FROM trusted_relationships")) == 2


# ------------------------------------------------------------------------------------ changing


def test_a_change_counts_the_version_up_and_null_takes_away(world: World) -> None:
    caller = root(world, B)
    path = trust_in_a(world)

    both = caller.patch(path, {"condition": MFA, "expiresAt": NINE}).json
    assert (both["condition"], both["expiresAt"], both["version"]) == (MFA, NINE, 2)
    assert world.impersonate().json["error"] == "invalid_target"

    bare = caller.patch(path, {"condition": None}).json
    assert (bare.get("condition"), bare["expiresAt"], bare["version"]) == (None, NINE, 3)
    assert world.impersonate().json["expires_in"] == 3600
    endless = caller.patch(path, {"expiresAt": None}).json
    assert "expiresAt" not in endless
    same = caller.patch(path, {"expiresAt": None}).json
    assert endless["version"] == same["version"] == 4


def test_a_lost_update_is_refused(world: World) -> None:
    caller = root(world, B)
    path = trust_in_a(world)
    seen = caller.get(path).headers["ETag"]

    first = caller.patch(path, {"expiresAt": NINE}, If_Match=seen)
    lost = caller.patch(path, {"expiresAt": TEN}, If_Match=seen)
    kept = caller.delete(path, headers={"If-Match": seen})

    assert (first.status_code, lost.status_code, kept.status_code) == (200, 412, 412)
    assert caller.get(path).json["expiresAt"] == NINE


@pytest.mark.parametrize(
    ("before", "change", "widens"),
    [
        ({}, {"condition": MFA}, False),
        ({}, {"expiresAt": NINE}, False),
        ({"expiresAt": TEN}, {"expiresAt": NINE}, False),
        ({"expiresAt": TEN}, {"expiresAt": TEN}, False),
        ({"condition": MFA}, {"condition": {**MFA, **HOME}}, False),
        (
            {"condition": HOME},
            {"condition": {"ipAddress": {"iam:SourceIp": ["10.1.0.0/16"]}}},
            False,
        ),
        ({"expiresAt": NINE}, {"expiresAt": TEN}, True),
        ({"expiresAt": NINE}, {"expiresAt": None}, True),
        ({"condition": MFA}, {"condition": None}, True),
        ({"condition": MFA}, {"condition": HOME}, True),
        ({"condition": {**MFA, **HOME}}, {"condition": MFA}, True),
        ({"condition": MFA}, {"condition": {"bool": {"iam:MfaPresent": [True, False]}}}, True),
        ({"condition": MFA, "expiresAt": NINE}, {"condition": HOME, "expiresAt": EIGHT}, True),
    ],
)
def test_trusting_more_than_before_is_held_to_the_rules_of_adding(
    world: World, before: dict[str, Any], change: dict[str, Any], widens: bool
) -> None:
    world.clock.advance(-60)
    path = trust_in_a(world)
    root(world, B).patch(path, before)
    short = user_of_b(world, allow("iam:AddTrustedRelationship"))
    covered = user_of_b(world, allow("iam:AddTrustedRelationship"), "vServerFullAccess")

    assert short.patch(path, change).status_code == (403 if widens else 200)
    assert covered.patch(path, change).status_code == 200


# ------------------------------------------------------------------------------ who may do what


def test_each_call_asks_for_its_own_action(world: World) -> None:
    path = trust_in_a(world)
    nobody = user_that_may(world, "iam:UpdateServiceAccount", account="60108")
    add, remove = "iam:AddTrustedRelationship", "iam:RemoveTrustedRelationship"
    calls = (
        ("iam:GetServiceAccount", lambda who: who.get(trusts(world))),
        ("iam:GetServiceAccount", lambda who: who.get(path)),
        (add, lambda who: who.post(trusts(world), {"trustedRootUserId": "70000"})),
        (add, lambda who: who.patch(path, {"expiresAt": NINE})),
        (remove, lambda who: who.delete(path)),
    )
    for action, call in calls:
        refused = call(nobody)
        assert refused.status_code == 403
        assert f"{action} on {world.vrn}" in refused.json["detail"]
        assert call(user_of_b(world, allow(action), "vServerFullAccess")).status_code < 300


def test_nobody_lends_out_one_who_may_more(world: World) -> None:
    add = allow("iam:AddTrustedRelationship")
    body = {"trustedRootUserId": "70000"}

    refused = user_of_b(world, add, "vServerReadOnlyAccess").post(trusts(world), body)
    assert refused.status_code == 403
    assert "vserver:" in refused.json["detail"]
    assert world.rows("SELECT 1 FROM trusted_relationships WHERE trusted_account_id='70000'") == []
    beyond = user_of_b(world, add, allow("iam:GrantBeyondOwn"))
    assert beyond.post(trusts(world), body).status_code == 201


@pytest.mark.parametrize("who", ["itself", "through it"])
def test_a_service_account_does_not_widen_its_own_trust(world: World, who: str) -> None:
    policies.attach(world.runtime, "IAMFullAccess", "service-account", world.service_account_id)
    path = trust_in_a(world)
    root(world, B).patch(path, {"expiresAt": NINE})
    if who == "itself":
        caller = machine(world)
    else:
        caller = ApiCaller(world, world.impersonate(audience="iam").json["access_token"])

    for refused in (
        caller.post(trusts(world), {"trustedRootUserId": "70000"}),
        caller.patch(path, {"expiresAt": TEN}),
    ):
        assert refused.status_code == 403
        assert "does not widen its own trust, secrets or keys" in refused.json["detail"]
    assert len(world.rows("SELECT 1 FROM trusted_relationships")) == 1
    # Less trust is no more than it had.
    assert caller.patch(path, {"condition": MFA}).status_code == 200
    assert caller.delete(path).status_code == 204


def test_another_accounts_trust_is_not_there(world: World) -> None:
    path = trust_in_a(world)
    for caller in (root(world), user_with(world, "IAMFullAccess")):
        assert caller.get(trusts(world)).status_code == 404
        assert caller.post(trusts(world), {"trustedRootUserId": "53461"}).status_code == 404
        assert caller.get(path).status_code == 404
        assert caller.patch(path, {"condition": MFA}).status_code == 404
        assert caller.delete(path).status_code == 404
    assert world.impersonate().status_code == 200


def test_trust_is_found_on_its_own_service_account_alone(world: World) -> None:
    caller = root(world, B)
    which = trust_in_a(world).rpartition("/")[2]
    other = caller.post("/accounts-api/v1/service-accounts", {"name": "Other"}).json["id"]

    path = f"/accounts-api/v1/service-accounts/{other}/trusted-relationships/{which}"
    assert caller.get(path).status_code == 404
    assert caller.patch(path, {"condition": MFA}).status_code == 404
    assert caller.delete(path).status_code == 404
    assert world.impersonate().status_code == 200


def test_what_was_done_is_in_the_owners_log_alone(world: World) -> None:
    caller = root(world, B)
    external = {"stringEquals": {"iam:ExternalId": ["a-shared-secret"]}}
    body = {"trustedRootUserId": "53461", "condition": external}
    caller.delete(trust_in_a(world))
    added = caller.post(trusts(world), body).json
    caller.patch(f"{trusts(world)}/{added['id']}", {"expiresAt": NINE})

    rows = world.rows(
        "SELECT * FROM audit_events WHERE event LIKE 'service-account:trust:%'"
        " AND actor_type = 'root-user' ORDER BY rowid"
    )
    assert [row.event.rpartition(":")[2] for row in rows] == ["remove", "add", "update"]
    for row in rows:
        assert (row.actor_account_id, row.owner_account_id) == ("60108", "60108")
        assert row.resource == world.vrn
    assert added["id"] in rows[1].detail
    assert "a-shared-secret" not in str(rows)
