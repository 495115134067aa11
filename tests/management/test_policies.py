"""Policies over the management API: writing, editing, deleting, and their versions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.services import policies as policy_service
from app.services import service_accounts
from tests.support.api import ROOT_B, USERS, ApiCaller, root, user_that_may, user_with
from tests.support.world import World, allow, deny

POLICIES = "/policies-api/v1/policies"
GROUPS = "/accounts-api/v1/groups"
MANAGED = f"{POLICIES}/managed-iam-full-access"
LIST, STOP = "vserver:ListServers", "vserver:StopServer"


def policy(caller: ApiCaller, name: str, *documents: dict[str, Any]) -> str:
    """The path of a new policy with the statements of these documents."""
    statements = [one for document in documents for one in document["statements"]]
    return (
        f"{POLICIES}/{caller.post(POLICIES, {'name': name, 'statements': statements}).json['id']}"
    )


def user(caller: ApiCaller, name: str = "Operator1") -> str:
    """The id of a new user without rights."""
    return str(caller.post(USERS, {"username": name, "password": "a-long-password"}).json["id"])


def events(world: World, event: str) -> list[Any]:
    return world.rows(
        "SELECT * FROM audit_events WHERE event = :event AND actor_type <> 'operator'"
        " ORDER BY at, rowid",
        event=event,
    )


def test_a_root_user_writes_a_policy(world: World) -> None:
    caller = root(world)
    document = allow(STOP, condition={"bool": {"iam:MfaPresent": [True]}})

    answer = caller.post(POLICIES, {"name": "Stopping", "description": "on call", **document})

    made = answer.json
    assert answer.status_code == 201
    assert made == {
        "id": made["id"],
        "vrn": f"iam::53461:policy/{made['id']}",
        "name": "Stopping",
        "description": "on call",
        "manager": "user",
        "version": 1,
        "createdAt": "2027-01-15T08:00:00Z",
        **document,
    }
    assert caller.get(f"{POLICIES}/{made['id']}").json == made
    (row,) = events(world, "policy:create")
    assert (row.outcome, row.resource) == ("allowed", made["vrn"])


def test_statements_come_back_as_they_were_written(world: World) -> None:
    statements = [
        {
            "effect": "deny",
            "actions": ["iam:*"],
            "resources": ["iam::53461:*/*"],
            "condition": {
                "numberGreaterThan": {"iam:AuthAge": [3600, 0.5]},
                "stringLike": {"iam:PrincipalName": ["Système*"]},
                "bool": {"iam:MfaPresent": [False]},
            },
        },
        *allow("*")["statements"],
    ]

    answer = root(world).post(POLICIES, {"name": "Mixed", "statements": statements})

    assert json.dumps(answer.json["statements"]) == json.dumps(statements)


def test_nobody_writes_a_policy_whom_no_policy_allows_to(world: World) -> None:
    answer = user_that_may(world, "iam:GetPolicy").post(
        POLICIES, {"name": "Stopping", **allow(STOP)}
    )

    assert answer.status_code == 403
    (row,) = world.rows("SELECT * FROM audit_events WHERE id = :id", id=answer.json["decisionId"])
    assert (row.outcome, row.resource) == ("denied", "iam::53461:policy/*")
    assert "iam:CreatePolicy" in row.detail
    assert world.rows("SELECT id FROM policies WHERE name = 'Stopping'") == []


def test_a_document_is_told_all_that_is_wrong_with_it(world: World) -> None:
    statements = [
        {"effect": "allow", "actions": [LIST, "vserver:Fly"], "resources": ["server 1"]},
        {"effect": "permit", "actions": [], "resources": ["*"], "principal": "*"},
        {**allow(STOP)["statements"][0], "condition": {"bool": {"iam:MfaPresent": ["yes"]}}},
        "allow all",
    ]
    caller = root(world)
    path = policy(caller, "Stopping", allow(STOP))

    answers = [
        caller.post(POLICIES, {"name": "Wrong", "statements": statements}),
        caller.patch(path, {"statements": statements}),
    ]

    for answer in answers:
        assert answer.status_code == 400
        assert {each["pointer"] for each in answer.json["errors"]} == {
            "/statements/0/actions/1",
            "/statements/0/resources/0",
            "/statements/1/effect",
            "/statements/1/actions",
            "/statements/1/principal",
            "/statements/2/condition/bool/iam:MfaPresent/0",
            "/statements/3",
        }
    assert caller.get(path).json["version"] == 1
    assert world.rows("SELECT id FROM policies WHERE name = 'Wrong'") == []


@pytest.mark.parametrize("statements", [[], {}, "all", 5, allow(STOP)["statements"] * 51])
def test_what_is_no_list_of_statements_is_refused(world: World, statements: Any) -> None:
    answer = root(world).post(POLICIES, {"name": "Wrong", "statements": statements})

    assert answer.status_code == 400
    assert [each["pointer"] for each in answer.json["errors"]] == ["/statements"]


def test_a_body_that_is_wrong_is_told_all_that_is_wrong(world: World) -> None:
    answer = root(world).post(POLICIES, {"name": "", "description": "a\tb", "version": 3})

    assert answer.status_code == 400
    assert {each["pointer"] for each in answer.json["errors"]} == {
        "/name",
        "/description",
        "/version",
        "/statements",
    }


def test_a_create_that_is_sent_again_creates_nothing(world: World) -> None:
    caller = root(world)
    body = {"name": "Stopping", **allow(STOP)}

    first = caller.post(POLICIES, body, Idempotency_Key="k-1")
    again = caller.post(POLICIES, body, Idempotency_Key="k-1")
    other = caller.post(POLICIES, {**body, **allow(LIST)}, Idempotency_Key="k-1")

    assert first.status_code == again.status_code == 201
    assert again.json == first.json
    assert other.status_code == 422
    assert len(world.rows("SELECT id FROM policies WHERE name = 'Stopping'")) == 1


def test_two_policies_of_an_account_have_two_names(world: World) -> None:
    caller = root(world)
    path = policy(caller, "Stopping", allow(STOP))

    for taken in ("STOPPING", "IAMFullAccess", "ImpersonateToRootUserAccountB"):
        assert caller.post(POLICIES, {"name": taken, **allow(STOP)}).status_code == 409
    assert caller.patch(path, {"name": "vserverfullaccess"}).status_code == 409
    assert caller.patch(path, {"name": "stopping"}).json["name"] == "stopping"
    assert (
        root(world, ROOT_B).post(POLICIES, {"name": "Stopping", **allow(STOP)}).status_code == 201
    )


def test_a_list_has_the_managed_ones_and_the_accounts_own(world: World) -> None:
    caller = root(world)
    for number in range(3):
        policy(caller, f"Own {number}", allow(STOP))
    policy(root(world, ROOT_B), "Own of B", allow(STOP))

    def names(**query: Any) -> list[str]:
        return [each["name"] for each in caller.get(POLICIES, **query).json["data"]]

    managed = ["IAMFullAccess", "IAMReadOnlyAccess", "vServerFullAccess", "vServerReadOnlyAccess"]
    own = ["ImpersonateToRootUserAccountB", "Own 0", "Own 1", "Own 2"]
    assert names() == [*managed, *own]
    assert names(manager="managed") == managed
    assert names(manager="user") == own
    assert names(name="readonly") == ["IAMReadOnlyAccess", "vServerReadOnlyAccess"]
    assert names(manager="user", name="OWN", pageSize=2, pageNumber=1) == ["Own 2"]
    page = caller.get(POLICIES, pageSize=3).json
    assert (page["totalItems"], page["totalPages"]) == (8, 3)
    assert page["data"][0]["vrn"] == "iam::53461:policy/managed-iam-full-access"
    assert "statements" not in page["data"][0]
    assert caller.get(POLICIES, manager="operator").status_code == 400


def test_a_managed_policy_is_read_by_all_and_changed_by_none(world: World) -> None:
    for caller in (root(world), user_with(world, "IAMFullAccess", account="60108")):
        seen = caller.get(MANAGED)
        assert seen.json["manager"] == "managed"
        assert seen.json["statements"] == allow("iam:*")["statements"]
        assert caller.get(f"{MANAGED}/versions/1").status_code == 200

        for answer in (
            caller.patch(MANAGED, allow("*")),
            caller.patch(MANAGED, {"name": "Mine"}),
            caller.delete(MANAGED, cascade="true"),
        ):
            assert answer.status_code == 409
            assert "a policy of your own" in answer.json["detail"]
        assert caller.get(MANAGED).json == seen.json


def test_an_edit_makes_a_version_and_keeps_the_old_ones(world: World) -> None:
    caller = root(world)
    path = policy(caller, "Stopping", allow(STOP))
    world.clock.advance(60)

    renamed = caller.patch(path, {"name": "Listing", "description": "more"}).json
    edited = caller.patch(path, allow(LIST)).json

    assert (renamed["name"], renamed["description"], renamed["version"]) == ("Listing", "more", 1)
    assert (edited["name"], edited["version"]) == ("Listing", 2)
    assert edited["statements"] == allow(LIST)["statements"]
    assert edited["createdAt"] == "2027-01-15T08:00:00Z"
    assert caller.get(f"{path}/versions").json["data"] == [
        {"version": 2, "createdAt": "2027-01-15T08:01:00Z"},
        {"version": 1, "createdAt": "2027-01-15T08:00:00Z"},
    ]
    assert caller.get(f"{path}/versions", pageSize=1, pageNumber=1).json["data"][0]["version"] == 1
    assert caller.get(f"{path}/versions/1").json["statements"] == allow(STOP)["statements"]
    assert caller.get(f"{path}/versions/2").json["statements"] == allow(LIST)["statements"]
    for version in ("3", "0", "-1", "01", "one", "9" * 40):
        assert caller.get(f"{path}/versions/{version}").status_code == 404
    assert [json.loads(row.detail) for row in events(world, "policy:update")] == [
        {"action": "iam:UpdatePolicy", "changed": ["name", "description"], "version": 1},
        {"action": "iam:UpdatePolicy", "changed": ["statements"], "version": 2},
    ]


def test_an_edit_is_in_force_for_the_next_request(world: World) -> None:
    caller = root(world)
    path = policy(caller, "Reading", allow("iam:ListIamUser"))
    reader = user_with(world, name="Operator1")
    (me,) = caller.get(USERS, name="Operator1").json["data"]
    caller.post(f"{path}/iam-users/{me['id']}")
    assert reader.get(USERS).status_code == 200

    caller.patch(path, allow("iam:ListGroup"))

    assert reader.get(USERS).status_code == 403
    assert reader.get(GROUPS).status_code == 200


def test_a_lost_update_is_refused(world: World) -> None:
    caller = root(world)
    path = policy(caller, "Stopping", allow(STOP))
    seen = caller.get(path).headers["ETag"]

    first = caller.patch(path, allow(LIST), If_Match=seen)
    lost = caller.patch(path, allow("vserver:*"), If_Match=seen)
    stale = caller.delete(path, headers={"If_Match": seen})

    assert first.status_code == 200
    assert first.headers["ETag"] == caller.get(path).headers["ETag"] != seen
    assert (lost.status_code, stale.status_code) == (412, 412)
    assert caller.get(path).json["version"] == 2


def test_another_accounts_policy_is_not_there(world: World) -> None:
    path = policy(root(world), "Stopping", allow(STOP))
    before = root(world).get(path).json

    for caller in (root(world, ROOT_B), user_with(world, "IAMFullAccess", account="60108")):
        for read in (path, f"{path}/versions", f"{path}/versions/1", f"{path}/usage"):
            assert caller.get(read).status_code == 404
        assert caller.patch(path, allow(LIST)).status_code == 404
        assert caller.delete(path, cascade="true").status_code == 404
    assert root(world).get(path).json == before


def test_a_policy_in_use_is_kept_unless_it_is_to_go_everywhere(world: World) -> None:
    caller = root(world)
    path = policy(caller, "Stopping", allow(STOP))
    group = caller.post(GROUPS, {"name": "Operators"}).json["id"]
    caller.post(f"{path}/groups/{group}")
    caller.post(f"{path}/iam-users/{world.user_id}")

    kept = caller.delete(path)
    assert kept.status_code == 409
    assert "group Operators, iam-user System1;" in kept.json["detail"]
    assert caller.get(path).status_code == 200

    assert caller.delete(path, cascade="true").status_code == 204
    assert caller.get(path).status_code == 404
    assert caller.get(f"{GROUPS}/{group}/policies").json["data"] == []
    (row,) = events(world, "policy:delete")
    assert json.loads(row.detail) == {
        "action": "iam:DeletePolicy",
        "name": "Stopping",
        "attached": [f"group/{group}", f"iam-user/{world.user_id}"],
    }


def test_what_much_hangs_on_a_policy_is_named_in_part(world: World) -> None:
    caller = root(world)
    path = policy(caller, "Stopping", allow(STOP))
    for number in range(7):
        caller.post(f"{path}/iam-users/{user(caller, f'Member{number}')}")

    detail = caller.delete(path).json["detail"]

    assert "iam-user Member4 and 2 more;" in detail
    assert "Member5" not in detail


def test_a_deleted_policy_is_gone_but_for_its_history(world: World) -> None:
    """Decisions that rest on it can still be explained."""
    caller = root(world)
    path = policy(caller, "Stopping", allow(STOP))
    caller.patch(path, allow(LIST))

    assert caller.delete(path).status_code == 204

    assert caller.get(path).status_code == 404
    assert caller.get(f"{path}/versions/1").status_code == 404
    assert caller.post(f"{path}/iam-users/{world.user_id}").status_code == 404
    assert caller.get(POLICIES, name="Stopping").json["totalItems"] == 0
    versions = "SELECT version FROM policy_versions WHERE policy_id = :id ORDER BY version"
    assert world.rows(versions, id=path.rpartition("/")[2]) == [(1,), (2,)]
    again = policy(caller, "Stopping", allow(STOP))
    assert again != path
    assert caller.delete(again).status_code == 204


# ------------------------------------------------------- nobody hands over more than they hold


def in_use_by(world: World, path: str, how: str) -> None:
    """A policy that reaches somebody: a user, a member of a group, or a service account of A."""
    admin = root(world)
    if how == "iam-users":
        admin.post(f"{path}/iam-users/{user(admin)}")
    elif how == "groups":
        group = admin.post(GROUPS, {"name": "Operators"}).json["id"]
        admin.post(f"{GROUPS}/{group}/iam-users/{user(admin)}")
        admin.post(f"{path}/groups/{group}")
    else:
        made = service_accounts.create(world.runtime, "53461", "Machine")
        name = path.rpartition("/")[2]
        policy_service.attach(world.runtime, name, "service-account", made.account.id)


@pytest.mark.parametrize("how", ["iam-users", "groups", "service-accounts"])
def test_who_edits_a_policy_in_use_holds_what_it_gives(world: World, how: str) -> None:
    path = policy(root(world), "Listing", allow(LIST))
    in_use_by(world, path, how)
    edit = allow("iam:UpdatePolicy")
    wider = {"statements": [*allow(LIST)["statements"], *allow(STOP)["statements"]]}

    short = user_with(world, edit).patch(path, wider)
    assert short.status_code == 403
    assert STOP in short.json["detail"]
    assert LIST not in short.json["detail"]
    assert root(world).get(path).json["version"] == 1

    assert user_with(world, edit, allow(STOP)).patch(path, wider).status_code == 200
    narrower = user_with(world, edit).patch(path, allow(LIST))
    assert (narrower.status_code, narrower.json["version"]) == (200, 3)
    granted = user_that_may(world, "iam:UpdatePolicy", "iam:GrantBeyondOwn").patch(path, wider)
    assert granted.status_code == 200


def test_a_policy_that_reaches_nobody_gives_nothing(world: World) -> None:
    caller = user_that_may(world, "iam:CreatePolicy", "iam:UpdatePolicy", "iam:DeletePolicy")

    path = policy(caller, "Stopping", allow(STOP))

    assert caller.patch(path, allow("*")).status_code == 200
    assert caller.delete(path).status_code == 204


@pytest.mark.parametrize("how", ["editing", "deleting"])
def test_a_deny_that_goes_away_gives_a_right(world: World, how: str) -> None:
    admin = root(world)
    path = policy(admin, "Restricting", deny(STOP))
    member = user(admin)
    for each in (path, policy(admin, "Stopping", allow(STOP))):
        admin.post(f"{each}/iam-users/{member}")
    action = "iam:UpdatePolicy" if how == "editing" else "iam:DeletePolicy"

    def by(caller: ApiCaller) -> int:
        if how == "editing":
            return caller.patch(path, deny(LIST)).status_code
        return caller.delete(path, cascade="true").status_code

    assert by(user_with(world, allow(action))) == 403
    assert admin.get(path).json["statements"] == deny(STOP)["statements"]
    assert by(user_with(world, allow(action), allow(STOP))) in (200, 204)


def test_a_policy_that_is_gone_takes_no_room(world: World) -> None:
    caller = root(world)
    room = 1 + len(caller.get(POLICIES, manager="user").json["data"])
    caller.patch("/accounts-api/v1/account", {"quotas": {"policies": room}})
    made = caller.post(POLICIES, {"name": "First", **allow("vserver:ListServers")}).json

    full = caller.post(POLICIES, {"name": "Second", **allow("vserver:ListServers")})
    caller.delete(f"{POLICIES}/{made['id']}")
    again = caller.post(POLICIES, {"name": "Second", **allow("vserver:ListServers")})

    assert (full.status_code, again.status_code) == (409, 201)
