"""Groups over the management API, and who is in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.api import ROOT_B, USERS, ApiCaller, machine, root, user_that_may, user_with
from tests.support.world import World, allow, deny

GROUPS = "/accounts-api/v1/groups"
POLICIES = "/policies-api/v1/policies"
#: What a group hands on in these tests, and what a caller is one right short of.
LIST, STOP = "vserver:ListServers", "vserver:StopServer"


def group(caller: ApiCaller, name: str = "Operators", *documents: dict[str, Any]) -> str:
    """The path of a new group with these policies, made by one who may."""
    made = caller.post(GROUPS, {"name": name}).json
    for number, document in enumerate(documents):
        policy = caller.post(POLICIES, {"name": f"{name}-{number}", **document}).json
        attached = caller.post(f"{POLICIES}/{policy['id']}/groups/{made['id']}")
        assert attached.status_code == 204
    return f"{GROUPS}/{made['id']}"


def user(caller: ApiCaller, name: str = "Operator1") -> str:
    """The id of a new user without rights."""
    return str(caller.post(USERS, {"username": name, "password": "a-long-password"}).json["id"])


def events(world: World, event: str) -> list[Any]:
    return world.rows(
        "SELECT * FROM audit_events WHERE event = :event ORDER BY at, rowid", event=event
    )


def test_a_root_user_creates_a_group(world: World) -> None:
    caller = root(world)

    answer = caller.post(GROUPS, {"name": "Operators", "description": "on call"})

    made = answer.json
    assert answer.status_code == 201
    assert made == {
        "id": made["id"],
        "vrn": f"iam::53461:group/{made['id']}",
        "name": "Operators",
        "description": "on call",
        "createdAt": "2027-01-15T08:00:00Z",
    }
    assert caller.get(f"{GROUPS}/{made['id']}").json == made
    (row,) = events(world, "group:create")
    assert (row.outcome, row.resource) == ("allowed", made["vrn"])


def test_nobody_creates_a_group_whom_no_policy_allows_to(world: World) -> None:
    answer = user_that_may(world, "iam:ListGroup").post(GROUPS, {"name": "Operators"})

    assert answer.status_code == 403
    (row,) = world.rows("SELECT * FROM audit_events WHERE id = :id", id=answer.json["decisionId"])
    assert (row.outcome, row.resource) == ("denied", "iam::53461:group/*")
    assert "iam:CreateGroup" in row.detail
    assert world.rows("SELECT id FROM groups") == []


def test_a_body_that_is_wrong_is_told_all_that_is_wrong(world: World) -> None:
    answer = root(world).post(GROUPS, {"name": " x", "description": "a\nb", "members": []})

    assert answer.status_code == 400
    assert {each["pointer"] for each in answer.json["errors"]} == {
        "/name",
        "/description",
        "/members",
    }


def test_a_create_that_is_sent_again_creates_nothing(world: World) -> None:
    caller = root(world)

    first = caller.post(GROUPS, {"name": "Operators"}, Idempotency_Key="k-1")
    again = caller.post(GROUPS, {"name": "Operators"}, Idempotency_Key="k-1")
    other = caller.post(GROUPS, {"name": "Readers"}, Idempotency_Key="k-1")

    assert first.status_code == again.status_code == 201
    assert again.json == first.json
    assert other.status_code == 422
    assert len(world.rows("SELECT id FROM groups")) == 1


def test_two_groups_of_an_account_have_two_names(world: World) -> None:
    caller = root(world)
    path = group(caller)
    other = group(caller, "Readers")

    assert caller.post(GROUPS, {"name": "OPERATORS"}).status_code == 409
    assert caller.patch(other, {"name": "operators"}).status_code == 409
    assert caller.patch(path, {"name": "operators"}).json["name"] == "operators"
    assert root(world, ROOT_B).post(GROUPS, {"name": "Operators"}).status_code == 201


def test_a_group_is_changed_where_nobody_else_changed_it(world: World) -> None:
    caller = root(world)
    path = group(caller)
    seen = caller.get(path).headers["ETag"]

    first = caller.patch(path, {"description": "one"}, If_Match=seen)
    lost = caller.patch(path, {"description": "two"}, If_Match=seen)
    stale = caller.delete(path, headers={"If_Match": seen})

    assert first.json["description"] == "one"
    assert first.headers["ETag"] == caller.get(path).headers["ETag"] != seen
    assert (lost.status_code, stale.status_code) == (412, 412)
    assert caller.get(path).json["description"] == "one"


def test_a_list_comes_in_pages_and_by_name(world: World) -> None:
    caller = root(world)
    for number in range(5):
        group(caller, f"Pager {number}")
    group(caller, "Readers")

    page = caller.get(GROUPS, name="PAGER", pageSize=2, pageNumber=1).json

    assert [each["name"] for each in page["data"]] == ["Pager 2", "Pager 3"]
    assert (page["totalItems"], page["totalPages"]) == (5, 3)


def test_members_come_in_pages_and_by_name(world: World) -> None:
    caller = root(world)
    path = group(caller)
    for number in range(3):
        caller.post(f"{path}/iam-users/{user(caller, f'Member{number}')}")
    caller.post(f"{path}/iam-users/{world.user_id}")

    page = caller.get(f"{path}/iam-users", name="member", pageSize=2, pageNumber=1).json

    (member,) = page["data"]
    assert member == {
        "id": member["id"],
        "vrn": f"iam::53461:iam-user/{member['id']}",
        "username": "Member2",
        "enabled": True,
    }
    assert (page["totalItems"], page["totalPages"]) == (3, 2)
    assert caller.get(f"{path}/iam-users").json["totalItems"] == 4


def test_who_joins_may_at_once_and_who_leaves_may_no_more(world: World) -> None:
    caller = root(world)
    path = group(caller, "Readers", allow("iam:ListIamUser"))
    member = user_with(world, name="Operator1")
    (found,) = caller.get(USERS, name="Operator1").json["data"]
    assert member.get(USERS).status_code == 403

    assert caller.post(f"{path}/iam-users/{found['id']}").status_code == 204
    assert member.get(USERS).status_code == 200

    assert caller.delete(f"{path}/iam-users/{found['id']}").status_code == 204
    assert member.get(USERS).status_code == 403


def test_joining_twice_is_joining_once(world: World) -> None:
    caller = root(world)
    path = f"{group(caller)}/iam-users/{world.user_id}"

    answers = [caller.post(path), caller.post(path), caller.delete(path), caller.delete(path)]

    assert [answer.status_code for answer in answers] == [204] * 4
    for event in ("group:member:add", "group:member:remove"):
        details = [json.loads(row.detail) for row in events(world, event)]
        assert [each["changed"] for each in details] == [True, False]
        assert {each["user_id"] for each in details} == {world.user_id}
    assert world.rows("SELECT user_id FROM group_members") == []


@pytest.mark.parametrize("action", ["iam:AddGroupMember", "iam:RemoveGroupMember"])
def test_membership_is_asked_of_the_group_and_of_the_user(world: World, action: str) -> None:
    path = group(root(world))
    vrns = {
        "group": f"iam::53461:group/{path.rpartition('/')[2]}",
        "iam-user": f"iam::53461:iam-user/{world.user_id}",
    }
    send = "post" if action == "iam:AddGroupMember" else "delete"

    for kind, missing in (("group", "iam-user"), ("iam-user", "group")):
        caller = user_with(world, allow(action, vrns[kind]))
        answer = getattr(caller, send)(f"{path}/iam-users/{world.user_id}")
        assert answer.status_code == 403
        assert vrns[missing] in answer.json["detail"]
    both = user_with(world, *(allow(action, each) for each in vrns.values()))
    assert getattr(both, send)(f"{path}/iam-users/{world.user_id}").status_code == 204


def test_only_iam_users_are_in_groups(world: World) -> None:
    caller = root(world)
    path = group(caller)
    (row,) = world.rows("SELECT root_user_id FROM accounts WHERE id = '53461'")

    for nobody in (row.root_user_id, world.service_account_id, "nobody"):
        assert caller.post(f"{path}/iam-users/{nobody}").status_code == 404
    assert world.rows("SELECT user_id FROM group_members") == []


def test_another_accounts_groups_and_users_are_not_there(world: World) -> None:
    ours, theirs = root(world), root(world, ROOT_B)
    path, their_path = group(ours), group(theirs)
    their_user = user(theirs)
    ours.post(f"{path}/iam-users/{world.user_id}")

    for caller in (theirs, user_with(world, "IAMFullAccess", account="60108")):
        assert caller.get(path).status_code == 404
        assert caller.patch(path, {"name": "Mine"}).status_code == 404
        assert caller.delete(path, cascade="true").status_code == 404
        assert caller.get(f"{path}/iam-users").status_code == 404
        assert caller.get(f"{path}/policies").status_code == 404
        for each in (their_user, world.user_id):
            assert caller.post(f"{path}/iam-users/{each}").status_code == 404
            assert caller.delete(f"{path}/iam-users/{each}").status_code == 404
        assert caller.post(f"{their_path}/iam-users/{world.user_id}").status_code == 404
    assert caller.get(GROUPS).json["totalItems"] == 1
    assert world.rows("SELECT user_id FROM group_members") == [(world.user_id,)]


def test_a_group_with_something_on_it_is_kept_unless_all_of_it_is_to_go(world: World) -> None:
    caller = root(world)
    path = group(caller, "Readers", allow(LIST))
    caller.post(f"{path}/iam-users/{world.user_id}")

    kept = caller.delete(path)
    assert kept.status_code == 409
    assert "1 members and 1 policies" in kept.json["detail"]
    assert caller.get(path).status_code == 200

    assert caller.delete(path, cascade="true").status_code == 204
    assert caller.get(path).status_code == 404
    assert world.rows("SELECT user_id FROM group_members") == []
    assert world.rows("SELECT 1 FROM policy_attachments WHERE principal_type = 'group'") == []
    (row,) = events(world, "group:delete")
    assert json.loads(row.detail)["members"] == [world.user_id]


def test_an_empty_group_goes_without_more(world: World) -> None:
    caller = root(world)

    assert caller.delete(group(caller)).status_code == 204


# ------------------------------------------------------- nobody hands over more than they hold


def test_who_puts_somebody_in_a_group_holds_what_the_group_gives(world: World) -> None:
    admin = root(world)
    path = f"{group(admin, 'Operators', allow(LIST), allow(STOP))}/iam-users/{user(admin)}"
    join = allow("iam:AddGroupMember")

    short = user_with(world, join, allow(LIST)).post(path)
    assert short.status_code == 403
    assert STOP in short.json["detail"]
    assert LIST not in short.json["detail"]
    assert world.rows("SELECT user_id FROM group_members") == []
    (row,) = world.rows("SELECT * FROM audit_events WHERE id = :id", id=short.json["decisionId"])
    assert (row.event, row.outcome) == ("api:refuse", "denied")

    assert user_with(world, join, allow(LIST), allow(STOP)).post(path).status_code == 204


def test_an_administrator_puts_anybody_in_a_group(world: World) -> None:
    admin = root(world)
    path = f"{group(admin, 'Operators', allow(STOP))}/iam-users/{user(admin)}"

    caller = user_that_may(world, "iam:AddGroupMember", "iam:GrantBeyondOwn")

    assert caller.post(path).status_code == 204


def test_nobody_joins_a_group_for_rights_that_it_lacks(world: World) -> None:
    admin = root(world)
    path = group(admin, "Operators", allow(STOP))
    caller = user_with(world, allow("iam:AddGroupMember"), name="Climber1")
    (me,) = admin.get(USERS, name="Climber1").json["data"]

    assert caller.post(f"{path}/iam-users/{me['id']}").status_code == 403


@pytest.mark.parametrize("how", ["leaving", "deleting"])
def test_a_deny_that_goes_away_gives_a_right(world: World, how: str) -> None:
    """A group's deny keeps its members from what a policy of their own allows."""
    admin = root(world)
    path = group(admin, "Restricted", deny(STOP))
    member = user(admin)
    admin.post(f"{path}/iam-users/{member}")
    policy = admin.post(POLICIES, {"name": "Stopping", **allow(STOP)}).json
    admin.post(f"{POLICIES}/{policy['id']}/iam-users/{member}")
    action = "iam:RemoveGroupMember" if how == "leaving" else "iam:DeleteGroup"

    def by(caller: ApiCaller) -> int:
        if how == "leaving":
            return caller.delete(f"{path}/iam-users/{member}").status_code
        return caller.delete(path, cascade="true").status_code

    assert by(user_with(world, allow(action))) == 403
    assert world.rows("SELECT user_id FROM group_members") == [(member,)]
    if how == "leaving":
        assert by(user_with(world, allow(action), allow(STOP))) == 204
    else:
        assert by(user_that_may(world, action, "iam:GrantBeyondOwn")) == 204
    assert world.rows("SELECT user_id FROM group_members") == []


def test_one_member_out_of_many_is_enough_to_refuse(world: World) -> None:
    """Nobody else gains by the deny going away; all of them are looked at."""
    admin = root(world)
    path = group(admin, "Restricted", deny(STOP))
    members = [user(admin, f"Member{number}") for number in range(6)]
    for member in members:
        admin.post(f"{path}/iam-users/{member}")
    policy = admin.post(POLICIES, {"name": "Stopping", **allow(STOP)}).json
    remove = user_with(world, allow("iam:DeleteGroup"))

    for member in members:
        attachment = f"{POLICIES}/{policy['id']}/iam-users/{member}"
        admin.post(attachment)
        assert remove.delete(path, cascade="true").status_code == 403
        admin.delete(attachment)
    assert remove.delete(path, cascade="true").status_code == 204


def test_a_service_account_manages_groups_where_its_policies_allow(world: World) -> None:
    caller = machine(world)
    assert caller.post(GROUPS, {"name": "Operators"}).status_code == 403

    admin = root(world, ROOT_B)
    policy = admin.post(POLICIES, {"name": "Grouping", **allow("iam:*Group")}).json
    admin.post(f"{POLICIES}/{policy['id']}/service-accounts/{world.service_account_id}")

    assert caller.post(GROUPS, {"name": "Operators"}).status_code == 201
    assert caller.get(GROUPS).json["totalItems"] == 1
