"""Service accounts over the management API."""

from __future__ import annotations

from typing import Any

import pytest

from app.services import policies
from tests.support.api import ROOT_B as B
from tests.support.api import ApiCaller, machine, root, user_that_may, user_with
from tests.support.assertions import MINE, by_assertion, jwks, proof
from tests.support.world import World, allow, claims_of

PATH = "/accounts-api/v1/service-accounts"
VSERVER = "managed-vserver-full-access"
KEYS = jwks(MINE)


def one(world: World) -> str:
    return f"{PATH}/{world.service_account_id}"


def user_of_b(world: World, *documents: dict[str, Any] | str) -> ApiCaller:
    return user_with(world, *documents, account="60108")


def client_token(world: World, client_id: str, secret: str, **fields: str) -> Any:
    form = {"grant_type": "client_credentials", **fields}
    return world.token_call(form, auth=(client_id, secret))


# ------------------------------------------------------------------------------------- making


def test_a_service_account_that_was_made_gets_a_token(world: World) -> None:
    answer = root(world, B).post(
        PATH, {"name": "Nightly backup", "description": "by night", "accessTokenLifeSpan": 900}
    )

    assert answer.status_code == 201
    made = answer.json
    assert made["vrn"] == f"iam::60108:service-account/{made['id']}"
    assert (made["enabled"], made["accessTokenLifeSpan"]) == (True, 900)
    assert made["createdAt"] == "2027-01-15T08:00:00Z"
    token = client_token(world, made["clientId"], made["clientSecret"])
    assert claims_of(token.json["access_token"])["sub"] == made["id"]
    assert token.json["expires_in"] == 900


def test_it_is_made_with_policies_and_trust_in_one_call(world: World) -> None:
    made = root(world, B).post(
        PATH,
        {
            "name": "Shared",
            "policyIds": [VSERVER],
            "trustedRelationships": [
                {"trustedRootUserId": "53461", "expiresAt": "2027-01-15T09:00:00Z"},
                {"trustedRootUserId": "70000", "condition": {"bool": {"iam:MfaPresent": [True]}}},
            ],
        },
    )
    assert made.status_code == 201
    vrn, secret = made.json["vrn"], made.json["clientSecret"]
    document = allow("iam:ImpersonateServiceAccount", vrn)
    policy = policies.create(world.runtime, "53461", "Shared", document)
    policies.attach(world.runtime, policy, "iam-user", world.user_id)

    token = client_token(world, made.json["clientId"], secret)
    assert token.json["scope"] == "vserver:*"
    assert world.impersonate(requested_subject=made.json["id"]).status_code == 200
    events = world.rows("SELECT event FROM audit_events WHERE owner_account_id = '60108'")
    assert {
        "service-account:create",
        "policy:attach",
        "service-account:trust:add",
    } <= {row.event for row in events}


@pytest.mark.parametrize(
    ("extra", "pointer"),
    [
        ({"policyIds": [VSERVER, "no-such"]}, "/policyIds/1"),
        ({"jwks": {"keys": []}}, "/jwks"),
        ({"trustedRelationships": [{"trustedRootUserId": "7"}] * 2}, "/trustedRelationships"),
        (
            {"trustedRelationships": [{"trustedRootUserId": "60108"}]},
            "/trustedRelationships/0/trustedRootUserId",
        ),
        (
            {"trustedRelationships": [{"trustedRootUserId": "7", "condition": {"odd": {}}}]},
            "/trustedRelationships/0/condition/odd",
        ),
        (
            {"trustedRelationships": [{"trustedRootUserId": "7", "expiresAt": "2020-01-01"}]},
            "/trustedRelationships/0/expiresAt",
        ),
        ({"accessTokenLifeSpan": 899}, "/accessTokenLifeSpan"),
        ({"name": "a/b"}, "/name"),
    ],
)
def test_one_thing_that_is_wrong_leaves_nothing_behind(
    world: World, extra: dict[str, Any], pointer: str
) -> None:
    answer = root(world, B).post(PATH, {"name": "Half made", **extra})

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]
    assert world.rows("SELECT 1 FROM service_accounts WHERE name = 'Half made'") == []
    assert len(world.rows("SELECT 1 FROM oauth_clients WHERE account_id = '60108'")) == 1


def test_another_accounts_policy_is_as_unknown_as_none(world: World) -> None:
    theirs = policies.create(world.runtime, "53461", "Theirs", allow("vserver:*"))
    answers = [
        root(world, B).post(PATH, {"name": "Curious", "policyIds": [policy]})
        for policy in (theirs, "00000000-0000-4000-8000-000000000000")
    ]

    assert [answer.status_code for answer in answers] == [400, 400]
    details = [answer.json["errors"][0]["detail"] for answer in answers]
    assert details[0].replace(theirs, "") == details[1].replace(
        "00000000-0000-4000-8000-000000000000", ""
    )


def test_a_create_that_is_sent_again_has_no_secret_and_makes_nothing(world: World) -> None:
    caller = root(world, B)
    first = caller.post(PATH, {"name": "Once"}, Idempotency_Key="k-1")
    again = caller.post(PATH, {"name": "Once"}, Idempotency_Key="k-1")
    other = caller.post(PATH, {"name": "Twice"}, Idempotency_Key="k-1")

    assert first.status_code == again.status_code == 201
    secret = first.json["clientSecret"]
    assert again.json == {name: first.json[name] for name in first.json if name != "clientSecret"}
    assert other.status_code == 422
    assert len(world.rows("SELECT 1 FROM service_accounts WHERE name = 'Once'")) == 1
    kept = world.rows("SELECT answer FROM idempotency_keys")
    assert len(kept) == 1
    assert secret not in str(kept)


def test_the_secret_is_in_no_other_answer_and_in_no_row(world: World) -> None:
    caller = root(world, B)
    made = caller.post(PATH, {"name": "Discreet"}).json
    path = f"{PATH}/{made['id']}"
    answers = [caller.get(PATH), caller.get(path), caller.patch(path, {"description": "x"})]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    for answer in answers:
        assert "clientSecret" not in answer.text
    assert made["clientSecret"] not in str(world.rows("SELECT * FROM audit_events"))


def test_an_account_has_room_for_so_many(world: World) -> None:
    caller = root(world, B)
    caller.patch("/accounts-api/v1/account", {"quotas": {"serviceAccounts": 2}})

    assert caller.post(PATH, {"name": "Second"}).status_code == 201
    full = caller.post(PATH, {"name": "Third"})
    assert full.status_code == 409
    assert "2 service accounts" in full.json["detail"]


def test_a_policy_that_was_deleted_is_attached_to_nobody(world: World) -> None:
    policy = policies.create(world.runtime, "60108", "Gone", allow("vserver:*"))
    caller = root(world, B)
    assert caller.delete(f"/policies-api/v1/policies/{policy}").status_code == 204

    assert caller.post(PATH, {"name": "Late", "policyIds": [policy]}).status_code == 400


def test_a_name_is_given_once_in_an_account(world: World) -> None:
    caller = root(world, B)
    name = "ALLOWACCESSfromRootUserAccountA"
    made = caller.post(PATH, {"name": "Other"}).json

    assert caller.post(PATH, {"name": name}).status_code == 409
    assert caller.patch(f"{PATH}/{made['id']}", {"name": name}).status_code == 409
    assert root(world).post(PATH, {"name": name}).status_code == 201


# ------------------------------------------------------------------------------ who may make it


def test_policies_and_trust_need_their_own_permissions(world: World) -> None:
    trust = {"trustedRelationships": [{"trustedRootUserId": "53461"}]}
    attach = {"policyIds": [VSERVER]}
    create = allow("iam:CreateServiceAccount")
    plain = user_of_b(world, create, "vServerFullAccess")
    attacher = user_of_b(
        world,
        create,
        "vServerFullAccess",
        allow("iam:AttachPolicy", "iam::60108:service-account/*"),
    )

    assert plain.post(PATH, {"name": "one"}).status_code == 201
    refused = plain.post(PATH, {"name": "two", **trust})
    assert refused.status_code == 403
    assert "iam:AddTrustedRelationship on iam::60108:service-account/*" in refused.json["detail"]
    refused = plain.post(PATH, {"name": "two", **attach})
    assert "iam:AttachPolicy on iam::60108:service-account/*" in refused.json["detail"]
    refused = attacher.post(PATH, {"name": "two", **attach})
    assert f"iam:AttachPolicy on iam::60108:policy/{VSERVER}" in refused.json["detail"]
    assert world.rows("SELECT 1 FROM service_accounts WHERE name = 'two'") == []


def test_nobody_makes_a_service_account_that_may_more(world: World) -> None:
    rights = (allow("iam:CreateServiceAccount"), allow("iam:AttachPolicy"))
    body = {"name": "Mighty", "policyIds": [VSERVER]}

    refused = user_of_b(world, *rights).post(PATH, body)
    assert refused.status_code == 403
    assert "vserver:*" in refused.json["detail"]
    assert world.rows("SELECT 1 FROM service_accounts WHERE name = 'Mighty'") == []

    covered = user_of_b(world, *rights, "vServerFullAccess")
    beyond = user_of_b(world, *rights, allow("iam:GrantBeyondOwn"))
    assert covered.post(PATH, body).status_code == 201
    assert beyond.post(PATH, {**body, "name": "Mightier"}).status_code == 201


# ------------------------------------------------------------------------------------- reading


def test_a_list_comes_in_pages_and_by_name(world: World) -> None:
    caller = root(world, B)
    for number in range(5):
        caller.post(PATH, {"name": f"Pager {number}"})

    page = caller.get(PATH, name="pager", pageSize=2, pageNumber=1).json

    assert [each["name"] for each in page["data"]] == ["Pager 2", "Pager 3"]
    assert (page["totalItems"], page["totalPages"]) == (5, 3)
    assert "clientId" in page["data"][0]


def test_each_call_asks_for_its_own_action(world: World) -> None:
    nobody = user_that_may(world, "iam:CreateGroup", account="60108")
    calls = {
        "iam:ListServiceAccount": lambda who: who.get(PATH),
        "iam:CreateServiceAccount": lambda who: who.post(PATH, {"name": "New"}),
        "iam:GetServiceAccount": lambda who: who.get(one(world)),
        "iam:UpdateServiceAccount": lambda who: who.patch(one(world), {"description": "x"}),
        "iam:DeleteServiceAccount": lambda who: who.delete(one(world), cascade="true"),
    }
    for action, call in calls.items():
        refused = call(nobody)
        assert refused.status_code == 403
        assert action in refused.json["detail"]
        assert call(user_that_may(world, action, account="60108")).status_code < 300


def test_another_accounts_service_account_is_not_there(world: World) -> None:
    for caller in (root(world), user_with(world, "IAMFullAccess")):
        assert caller.get(one(world)).status_code == 404
        assert caller.patch(one(world), {"enabled": False}).status_code == 404
        assert caller.delete(one(world), cascade="true").status_code == 404
        assert world.service_account_id not in caller.get(PATH).text
    assert world.machine_token().status_code == 200


# ------------------------------------------------------------------------------------ changing


def test_what_is_sent_is_changed_and_nothing_else(world: World) -> None:
    caller = root(world, B)
    before = caller.get(one(world)).json

    answer = caller.patch(one(world), {"name": "Renamed", "accessTokenLifeSpan": 1800})

    assert answer.json == {**before, "name": "Renamed", "accessTokenLifeSpan": 1800}
    assert caller.get(one(world)).json == answer.json
    assert world.machine_token().json["expires_in"] == 1800
    clients = world.rows(f"SELECT name FROM oauth_clients WHERE id = '{world.client_id}'")
    assert clients == [("Renamed",)]
    (row,) = world.rows(
        "SELECT owner_account_id, detail FROM audit_events WHERE event = 'service-account:update'"
    )
    assert row.owner_account_id == "60108"
    assert '["name", "accessTokenLifeSpan"]' in row.detail


def test_a_lost_update_is_refused(world: World) -> None:
    caller = root(world, B)
    seen = caller.get(one(world)).headers["ETag"]

    first = caller.patch(one(world), {"description": "one"}, If_Match=seen)
    lost = caller.patch(one(world), {"description": "two"}, If_Match=seen)
    kept = caller.delete(one(world), cascade="true", headers={"If-Match": seen})

    assert first.headers["ETag"] != seen
    assert (first.status_code, lost.status_code, kept.status_code) == (200, 412, 412)
    assert caller.get(one(world)).json["description"] == "one"


def test_disabling_ends_its_tokens_for_good(world: World) -> None:
    caller = user_that_may(world, "iam:UpdateServiceAccount", account="60108")
    token = world.machine_token().json["access_token"]
    assert world.introspect(token)["active"]

    assert caller.patch(one(world), {"enabled": False}).json["enabled"] is False
    assert world.machine_token().status_code == 401
    assert world.impersonate().json["error"] == "invalid_target"

    # Enabling it again hands nothing over: the caller holds nothing of what it may.
    assert caller.patch(one(world), {"enabled": True}).status_code == 200
    assert world.machine_token().status_code == 200
    assert not world.introspect(token)["active"]
    events = world.rows(
        "SELECT event FROM audit_events WHERE event LIKE 'service-account:%able' ORDER BY at"
    )
    assert {row.event for row in events} == {"service-account:disable", "service-account:enable"}


# ---------------------------------------------------------------------------------------- keys


def test_keys_are_taken_and_taken_away(world: World) -> None:
    caller = root(world, B)

    assert by_assertion(world, proof(world)).status_code == 401
    assert caller.patch(one(world), {"jwks": KEYS}).json["jwks"] == KEYS
    assert by_assertion(world, proof(world)).status_code == 200
    assert caller.patch(one(world), {"description": "x"}).json["jwks"] == KEYS
    gone = caller.patch(one(world), {"jwks": None})
    assert gone.status_code == 200
    assert "jwks" not in gone.json
    assert by_assertion(world, proof(world)).status_code == 401
    assert world.rows(f"SELECT jwks FROM oauth_clients WHERE id = '{world.client_id}'") == [(None,)]


def test_keys_of_one_who_may_more_are_not_set(world: World) -> None:
    update = allow("iam:UpdateServiceAccount")
    plain = user_of_b(world, update)

    refused = plain.patch(one(world), {"jwks": KEYS})
    assert refused.status_code == 403
    assert "vserver" in refused.json["detail"]
    beyond = user_of_b(world, update, allow("iam:GrantBeyondOwn"))
    assert beyond.patch(one(world), {"jwks": KEYS}).status_code == 200
    # To take keys away, or to leave them as they are, gives nobody anything.
    assert plain.patch(one(world), {"jwks": KEYS, "description": "x"}).status_code == 200
    assert plain.patch(one(world), {"jwks": None}).status_code == 200


def test_a_service_account_sets_no_keys_for_itself(world: World) -> None:
    policies.attach(world.runtime, "IAMFullAccess", "service-account", world.service_account_id)
    caller = machine(world)

    refused = caller.patch(one(world), {"jwks": KEYS})
    assert refused.status_code == 403
    assert "does not widen its own" in refused.json["detail"]
    assert caller.patch(one(world), {"description": "x"}).status_code == 200


# ------------------------------------------------------------------------------------- deleting


def test_what_hangs_on_it_is_said_and_it_is_kept(world: World) -> None:
    caller = user_that_may(world, "iam:DeleteServiceAccount", account="60108")
    kept = caller.delete(one(world))

    assert kept.status_code == 409
    assert "1 policies attached and trusts 1 accounts" in kept.json["detail"]
    assert world.machine_token().status_code == 200


def test_deleting_takes_all_along(world: World) -> None:
    caller = root(world, B)
    token = world.machine_token().json["access_token"]
    acting = world.impersonate().json["access_token"]

    assert caller.delete(one(world), cascade="true").status_code == 204

    assert caller.get(one(world)).status_code == 404
    assert not world.introspect(token)["active"]
    assert not world.introspect(acting)["active"]
    assert world.machine_token().status_code == 401
    assert world.impersonate().json["error"] == "invalid_target"
    which = world.service_account_id
    for query in (
        f"SELECT 1 FROM policy_attachments WHERE principal_id = '{which}'",
        f"SELECT 1 FROM trusted_relationships WHERE service_account_id = '{which}'",
        f"SELECT 1 FROM client_secrets WHERE client_id = '{world.client_id}'",
        f"SELECT 1 FROM oauth_clients WHERE id = '{world.client_id}'",
    ):
        assert world.rows(query) == []
    (row,) = world.rows(
        "SELECT resource, detail FROM audit_events WHERE event = 'service-account:delete'"
    )
    assert row.resource == world.vrn
    assert "53461" in row.detail
    # The name is free again.
    assert caller.post(PATH, {"name": "AllowAccessFromRootUserAccountA"}).status_code == 201


def test_one_with_nothing_on_it_just_goes(world: World) -> None:
    caller = root(world, B)
    made = caller.post(PATH, {"name": "Plain"}).json

    assert caller.delete(f"{PATH}/{made['id']}").status_code == 204
    assert client_token(world, made["clientId"], made["clientSecret"]).status_code == 401
