"""What a hostile caller of the API tries: names, repeats, odd bodies, and work without an end."""

from __future__ import annotations

from typing import Any

import pytest

from app.services import accounts, authority, handing_over, policies, users
from app.services import service_accounts as machines
from app.services.runtime import StaleFacts
from app.storage import groups
from app.storage.groups import GroupDetails
from tests.support.api import ROOT_B, USERS, ApiCaller, root, user_that_may, user_with
from tests.support.world import World, allow, deny

GROUPS = "/accounts-api/v1/groups"
POLICIES = "/policies-api/v1/policies"
SERVICE_ACCOUNTS = "/accounts-api/v1/service-accounts"
SIMULATIONS = "/policies-api/v1/simulations"


def named(name: str) -> dict[str, Any]:
    return {"condition": {"stringEquals": {"iam:PrincipalName": [name]}}}


def id_of(caller: ApiCaller) -> str:
    return str(caller.get("/accounts-api/v1/auth/userinfo").json["userId"])


# A name is a right where a policy asks for it


def test_nobody_takes_the_name_that_a_policy_allows(world: World) -> None:
    caller = user_with(world, allow("iam:UpdateIamUser"), allow("iam:*", **named("Leader")))

    answer = caller.patch(f"{USERS}/{id_of(caller)}", {"username": "Leader"})

    assert answer.status_code == 403
    assert "more than you hold" in answer.json["detail"]
    assert caller.get(USERS).status_code == 403


def test_nobody_gives_up_the_name_that_a_policy_denies(world: World) -> None:
    mine = f"user-{'x' * 8}"
    caller = user_with(
        world, allow("iam:UpdateIamUser"), allow("iam:List*"), deny("iam:List*", **named(mine)),
        name=mine,
    )  # fmt: skip

    answer = caller.patch(f"{USERS}/{id_of(caller)}", {"username": "Somebody"})

    assert answer.status_code == 403
    assert caller.get(USERS).status_code == 403


def test_a_name_that_no_policy_asks_for_is_free(world: World) -> None:
    caller = user_that_may(world, "iam:UpdateIamUser")

    assert caller.patch(f"{USERS}/{id_of(caller)}", {"username": "Leader"}).status_code == 200


def test_who_holds_what_the_name_gives_may_give_the_name(world: World) -> None:
    other = user_with(world, allow("vserver:StopServer", **named("Leader")))
    caller = user_that_may(world, "iam:UpdateIamUser", "vserver:*")

    assert caller.patch(f"{USERS}/{id_of(other)}", {"username": "Leader"}).status_code == 200


@pytest.mark.parametrize("other", ["iam:GrantBeyondOwn", "iam:GetIamUser"])
def test_a_service_account_is_renamed_by_the_same_rule(world: World, other: str) -> None:
    made = machines.create(world.runtime, "53461", "Worker")
    policy = policies.create(
        world.runtime, "53461", "ForLeaders", allow("iam:*", **named("Leader"))
    )
    policies.attach(world.runtime, policy, "service-account", made.account.id)
    caller = user_that_may(world, "iam:UpdateServiceAccount", other)

    answer = caller.patch(f"{SERVICE_ACCOUNTS}/{made.account.id}", {"name": "Leader"})

    assert answer.status_code == (200 if other == "iam:GrantBeyondOwn" else 403)


# A repeated create is a call as well


def test_a_kept_answer_is_for_those_who_still_may(world: World) -> None:
    caller = user_with(world, "IAMFullAccess")
    body = {"name": "Readers"}
    first = caller.post(GROUPS, body, Idempotency_Key="once")
    narrow = ApiCaller(world, world.exchange(caller.token, scope="iam:List*").json["access_token"])

    refused = narrow.post(GROUPS, body, Idempotency_Key="once")
    policies.detach(world.runtime, "IAMFullAccess", "iam-user", id_of(caller))
    late = caller.post(GROUPS, body, Idempotency_Key="once")

    assert first.status_code == 201
    assert (refused.status_code, late.status_code) == (403, 403)
    assert "id" not in refused.json
    assert world.rows("SELECT id FROM audit_events WHERE id = :id", id=late.json["decisionId"])


def test_a_kept_answer_is_in_the_log(world: World) -> None:
    caller = root(world)
    for _ in range(2):
        answer = caller.post(GROUPS, {"name": "Readers"}, Idempotency_Key="once")

    assert answer.status_code == 201
    (row,) = world.rows("SELECT * FROM audit_events WHERE event = 'api:read'")
    assert (row.resource, row.detail) == ("iam::53461:group/*", '{"action": "iam:CreateGroup"}')


# What is no JSON, and what no store takes


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_json_has_not_is_refused(world: World, number: str) -> None:
    """Kept somewhere, it would be read by nobody: no JSON column of PostgreSQL takes it."""
    key = '{"kty": "EC", "crv": "P-256", "x": "%s", "y": "%s", "more": %s}'
    x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
    y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
    body = '{"name": "Worker", "jwks": {"keys": [%s]}}' % (key % (x, y, number))

    answer = world.app.test_client().post(
        SERVICE_ACCOUNTS,
        data=body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {root(world).token}"},
    )

    assert answer.status_code == 400
    assert "JSON" in answer.json["detail"]


@pytest.mark.parametrize("path", [USERS, GROUPS, SERVICE_ACCOUNTS, POLICIES])
def test_no_name_has_a_nul_in_it(world: World, path: str) -> None:
    """PostgreSQL takes none in text, not even to look for it."""
    assert root(world).get(path, name="a\0b").status_code == 400


# Work without an end, for a cheap request


def statements(count: int) -> dict[str, Any]:
    one = {"effect": "allow", "actions": ["vserver:List*"], "resources": ["*"]}
    return {"statements": [one] * count}


def test_a_change_that_takes_long_to_compare_is_refused(world: World) -> None:
    """The store's lock is held meanwhile, and everybody else waits for it."""
    group = GroupDetails("many", "53461", "Many", "", 1)
    world.runtime.database.write(lambda connection: groups.add(connection, group))
    for number in range(handing_over.MOST_STATEMENTS // 50 + 1):
        name = f"many-{number}"
        policies.create(world.runtime, "53461", name, statements(50))
        policies.attach(world.runtime, name, "group", group.id)
    caller = user_that_may(world, "iam:AddGroupMember", "vserver:List*")
    path = f"{GROUPS}/{group.id}/iam-users/{world.user_id}"

    answer = caller.post(path)

    assert answer.status_code == 403
    assert "too many statements" in answer.json["detail"]
    assert root(world).post(path).status_code == 204


def test_many_members_are_as_much_work_as_many_policies(world: World) -> None:
    group = GroupDetails("many", "53461", "Many", "", 1)
    world.runtime.database.write(lambda connection: groups.add(connection, group))
    policies.create(world.runtime, "53461", "Fifty", statements(50))
    policies.create(world.runtime, "53461", "One", statements(1))
    policies.attach(world.runtime, "Fifty", "group", group.id)
    for number in range(handing_over.MOST_STATEMENTS // 100 + 1):
        user = accounts.create_user(world.runtime, "53461", f"Member{number}", "a-long-password")
        world.runtime.database.write(
            lambda connection, id_=user.id: groups.add_member(connection, group.id, id_)
        )
        # Each of another kind.
        name = policies.create(world.runtime, "53461", f"p{number}", statements(1))
        policies.attach(world.runtime, name, "iam-user", user.id)
    caller = user_that_may(world, "iam:AttachPolicy", "vserver:List*")
    held = root(world).get(POLICIES, name="One").json["data"][0]["id"]
    path = f"{POLICIES}/{held}/groups/{group.id}"

    answer = caller.post(path)

    assert answer.status_code == 403
    assert "too many statements" in answer.json["detail"]
    assert root(world).post(path).status_code == 204


def test_a_replay_ends_with_the_work_that_it_may_do(world: World) -> None:
    """With eight hundred accounts spelled out, each exchange is asked about all of them."""
    many = [f"iam::{number}:*/*" for number in range(1000, 1800)]
    document = {
        "statements": [
            {"effect": "allow", "actions": ["iam:ImpersonateServiceAccount"], "resources": many}
        ]
    }
    policies.create(world.runtime, "53461", "Eight-hundred", document)
    policies.attach(world.runtime, "Eight-hundred", "iam-user", world.user_id)
    token = world.user_token()
    for _ in range(4):
        world.impersonate(token, requested_subject="sa-nobody")

    answer = root(world).post(
        SIMULATIONS,
        {
            "principal": {"type": "iam-user", "id": world.user_id},
            "action": "iam:ImpersonateServiceAccount",
            "resource": world.vrn,
            "replay": {"days": 1},
        },
    )

    assert answer.json["replay"]["considered"] == 2
    assert answer.json["replay"]["isCut"]


def test_the_writes_of_others_keep_nobody_from_writing(world: World) -> None:
    """A password takes long to hash: whoever writes all the time would always be in between."""
    runtime, token = world.runtime, user_with(world, "IAMFullAccess").token
    caller = authority.caller_by_token(runtime, token, None)
    root(world, ROOT_B).post(GROUPS, {"name": "Readers"})

    made = users.create(runtime, caller, "Newcomer", "a-long-password", None)

    assert made.user.account.id == "53461"


def test_a_right_that_is_taken_away_meanwhile_is_gone(world: World) -> None:
    runtime, somebody = world.runtime, user_with(world, "IAMFullAccess")
    caller = authority.caller_by_token(runtime, somebody.token, None)
    policies.detach(runtime, "IAMFullAccess", "iam-user", id_of(somebody))

    with pytest.raises(StaleFacts):
        users.create(runtime, caller, "Newcomer", "a-long-password", None)


def test_whoever_is_disabled_meanwhile_writes_nothing(world: World) -> None:
    runtime, somebody = world.runtime, user_with(world, "IAMFullAccess")
    caller = authority.caller_by_token(runtime, somebody.token, None)
    accounts.set_user_enabled(runtime, id_of(somebody), enabled=False)

    with pytest.raises(StaleFacts):
        users.create(runtime, caller, "Newcomer", "a-long-password", None)


def test_values_of_conditions_are_not_compared_without_an_end(world: World) -> None:
    networks = [f"10.{number // 256}.{number % 256}.0/24" for number in range(500)]
    within = {"condition": {"ipAddress": {"iam:SourceIp": networks}}}
    made = machines.create(world.runtime, "53461", "Worker")
    policy = policies.create(world.runtime, "53461", "Offices", allow("vserver:*", **within))
    policies.attach(world.runtime, policy, "service-account", made.account.id)
    caller = user_with(world, allow("iam:CreateSecret"), allow("vserver:*", **within))

    answer = caller.post(f"{SERVICE_ACCOUNTS}/{made.account.id}/secrets")

    assert answer.status_code == 403
    assert "too many" in answer.json["detail"]
