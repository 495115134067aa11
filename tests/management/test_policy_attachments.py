"""Attaching policies over the management API, and what is attached to what."""

from __future__ import annotations

import json

import pytest

from app.services import policies as policy_service
from app.services import service_accounts
from tests.support.api import ROOT_A, ROOT_B, USERS, ApiCaller, root, user_that_may, user_with
from tests.support.world import World, allow, deny

ACCOUNTS = "/accounts-api/v1"
POLICIES = "/policies-api/v1/policies"
LIST, STOP = "vserver:ListServers", "vserver:StopServer"
KINDS = {"iam-users": "iam-user", "groups": "group", "service-accounts": "service-account"}
READ = {"iam-users": "IamUser", "groups": "Group", "service-accounts": "ServiceAccount"}
everywhere = pytest.mark.parametrize("collection", KINDS)


def policy(caller: ApiCaller, name: str, document: dict[str, object]) -> str:
    """The path of a new policy."""
    return f"{POLICIES}/{caller.post(POLICIES, {'name': name, **document}).json['id']}"


def target(world: World, collection: str, account: str = "53461", name: str = "Target1") -> str:
    """The id of a new user, service account, or group with a member."""
    admin = root(world) if account == "53461" else root(world, ROOT_B)
    if collection == "service-accounts":
        return service_accounts.create(world.runtime, account, name).account.id
    user = admin.post(USERS, {"username": name, "password": "a-long-password"}).json["id"]
    if collection == "iam-users":
        return str(user)
    group = admin.post(f"{ACCOUNTS}/groups", {"name": name}).json["id"]
    assert admin.post(f"{ACCOUNTS}/groups/{group}/iam-users/{user}").status_code == 204
    return str(group)


def attachments(world: World, target_id: str) -> int:
    rows = world.rows("SELECT 1 FROM policy_attachments WHERE principal_id = :id", id=target_id)
    return len(rows)


@everywhere
def test_attaching_twice_is_attaching_once(world: World, collection: str) -> None:
    caller = root(world)
    one = target(world, collection)
    path = f"{policy(caller, 'Stopping', allow(STOP))}/{collection}/{one}"

    answers = [caller.post(path), caller.post(path)]
    assert attachments(world, one) == 1
    answers += [caller.delete(path), caller.delete(path)]
    assert attachments(world, one) == 0

    assert [answer.status_code for answer in answers] == [204] * 4
    for event in ("policy:attach", "policy:detach"):
        rows = world.rows(
            "SELECT detail, resource FROM audit_events"
            " WHERE event = :event AND actor_type = 'root-user'",
            event=event,
        )
        assert sorted(json.loads(row.detail)["changed"] for row in rows) == [False, True]
        assert {row.resource for row in rows} == {f"iam::53461:policy/{path.split('/')[4]}"}
        assert {json.loads(row.detail)["principal_type"] for row in rows} == {KINDS[collection]}
        assert {json.loads(row.detail)["principal_id"] for row in rows} == {one}


def test_what_a_policy_gives_is_in_force_for_the_next_request(world: World) -> None:
    caller = root(world)
    member = user_with(world, name="Operator1")
    (me,) = caller.get(USERS, name="Operator1").json["data"]
    path = f"{policy(caller, 'Listing', allow('iam:ListIamUser'))}/iam-users/{me['id']}"

    statuses = [member.get(USERS).status_code]
    for send in (caller.post, caller.delete):
        send(path)
        statuses.append(member.get(USERS).status_code)

    assert statuses == [403, 200, 403]


@everywhere
@pytest.mark.parametrize("action", ["iam:AttachPolicy", "iam:DetachPolicy"])
def test_it_is_asked_of_the_policy_and_of_the_target(
    world: World, collection: str, action: str
) -> None:
    """A managed policy is asked about as one of the caller's own account."""
    one = target(world, collection)
    path = f"{POLICIES}/managed-vserver-full-access/{collection}/{one}"
    own = "iam::53461:policy/managed-vserver-full-access"
    whom = f"iam::53461:{KINDS[collection]}/{one}"
    holds = allow("vserver:*")

    def by(*resources: str) -> tuple[int, str]:
        caller = user_with(world, holds, *(allow(action, each) for each in resources))
        answer = (caller.post if action == "iam:AttachPolicy" else caller.delete)(path)
        return answer.status_code, answer.json["detail"] if answer.json else ""

    assert by(own)[0] == 403
    assert whom in by(own)[1]
    assert by(whom)[0] == 403
    assert own in by(whom)[1]
    assert by(own, whom)[0] == 204


def test_a_refusal_is_written_down(world: World) -> None:
    caller = user_that_may(world, "iam:DetachPolicy")

    answer = caller.post(f"{POLICIES}/managed-iam-full-access/iam-users/{world.user_id}")

    assert answer.status_code == 403
    (row,) = world.rows("SELECT * FROM audit_events WHERE id = :id", id=answer.json["decisionId"])
    assert (row.outcome, row.resource) == (
        "denied",
        "iam::53461:policy/managed-iam-full-access",
    )


@everywhere
def test_between_two_accounts_nothing_is_attached(world: World, collection: str) -> None:
    ours, theirs = target(world, collection), target(world, collection, "60108")
    own, foreign = (policy(root(world, each), "P", allow(LIST)) for each in (ROOT_A, ROOT_B))

    for caller in (root(world), user_with(world, "IAMFullAccess")):
        for path in (
            f"{own}/{collection}/{theirs}",
            f"{foreign}/{collection}/{ours}",
            f"{foreign}/{collection}/{theirs}",
            f"{POLICIES}/managed-iam-full-access/{collection}/{theirs}",
            f"{own}/{collection}/nobody",
            f"{POLICIES}/nothing/{collection}/{ours}",
            f"{POLICIES}/IAMFullAccess/{collection}/{ours}",
        ):
            assert caller.post(path).status_code == 404
            assert caller.delete(path).status_code == 404
        assert caller.get(f"{ACCOUNTS}/{collection}/{theirs}/policies").status_code == 404
    assert attachments(world, ours) == attachments(world, theirs) == 0


@everywhere
def test_an_id_is_of_its_kind(world: World, collection: str) -> None:
    caller = root(world)
    path = policy(caller, "Listing", allow(LIST))
    one = target(world, collection)

    for other in KINDS:
        expected = 204 if other == collection else 404
        assert caller.post(f"{path}/{other}/{one}").status_code == expected


@everywhere
def test_what_is_attached_is_listed_from_both_ends(world: World, collection: str) -> None:
    caller = root(world)
    one = target(world, collection, name="Target1")
    paths = [policy(caller, f"Listing {number}", allow(LIST)) for number in range(3)]
    for path in (*paths, f"{POLICIES}/managed-vserver-full-access"):
        caller.post(f"{path}/{collection}/{one}")

    mine = caller.get(f"{ACCOUNTS}/{collection}/{one}/policies").json
    page = caller.get(
        f"{ACCOUNTS}/{collection}/{one}/policies", name="LISTING", pageSize=2, pageNumber=1
    ).json
    usage = caller.get(f"{paths[0]}/usage").json

    assert [each["name"] for each in mine["data"]] == [
        "Listing 0",
        "Listing 1",
        "Listing 2",
        "vServerFullAccess",
    ]
    assert [each["manager"] for each in mine["data"]] == ["user"] * 3 + ["managed"]
    assert [each["name"] for each in page["data"]] == ["Listing 2"]
    assert (page["totalItems"], page["totalPages"]) == (3, 2)
    assert usage["data"] == [
        {
            "type": KINDS[collection],
            "id": one,
            "vrn": f"iam::53461:{KINDS[collection]}/{one}",
            "name": "Target1",
        }
    ]


@everywhere
def test_a_list_of_what_is_attached_is_for_those_who_may_read_the_target(
    world: World, collection: str
) -> None:
    one = target(world, collection)
    path = f"{ACCOUNTS}/{collection}/{one}/policies"

    assert user_with(world, allow(f"iam:Get{READ[collection]}")).get(path).status_code == 200
    assert user_that_may(world, "iam:ListPolicy", "iam:GetPolicy").get(path).status_code == 403


def test_usage_comes_in_pages_and_is_that_of_the_account(world: World) -> None:
    """B's service account has the policy too, and A is not told."""
    caller = root(world)
    path = f"{POLICIES}/managed-vserver-full-access"
    for number, collection in enumerate(("iam-users", "groups", "service-accounts", "iam-users")):
        caller.post(f"{path}/{collection}/{target(world, collection, name=f'Target{number}')}")

    usage = caller.get(f"{path}/usage", pageSize=2, pageNumber=1).json
    found = caller.get(f"{path}/usage", name="target3").json

    assert [(each["type"], each["name"]) for each in usage["data"]] == [
        ("iam-user", "Target3"),
        ("service-account", "Target2"),
    ]
    assert (usage["totalItems"], usage["totalPages"]) == (4, 2)
    assert [each["name"] for each in found["data"]] == ["Target3"]


def test_the_operator_attaches_to_groups_too(world: World) -> None:
    group = target(world, "groups")

    assert policy_service.attach(world.runtime, "vServerFullAccess", "group", group)
    assert not policy_service.attach(world.runtime, "vServerFullAccess", "group", group)
    assert attachments(world, group) == 1
    assert policy_service.detach(world.runtime, "vServerFullAccess", "group", group)
    assert attachments(world, group) == 0


# ------------------------------------------------------- nobody hands over more than they hold


@everywhere
def test_who_attaches_a_policy_holds_what_it_gives(world: World, collection: str) -> None:
    one = target(world, collection)
    both = {"statements": [*allow(LIST)["statements"], *allow(STOP)["statements"]]}
    path = f"{policy(root(world), 'Both', both)}/{collection}/{one}"
    attach = allow("iam:AttachPolicy")

    short = user_with(world, attach, allow(LIST)).post(path)
    assert short.status_code == 403
    assert STOP in short.json["detail"]
    assert LIST not in short.json["detail"]
    assert attachments(world, one) == 0
    (row,) = world.rows("SELECT * FROM audit_events WHERE id = :id", id=short.json["decisionId"])
    assert (row.event, row.outcome) == ("api:refuse", "denied")

    assert user_with(world, attach, allow(LIST), allow(STOP)).post(path).status_code == 204


@everywhere
def test_an_administrator_attaches_whatever_it_likes(world: World, collection: str) -> None:
    path = f"{POLICIES}/managed-vserver-full-access/{collection}/{target(world, collection)}"

    assert user_that_may(world, "iam:AttachPolicy").post(path).status_code == 403
    caller = user_that_may(world, "iam:AttachPolicy", "iam:GrantBeyondOwn")
    assert caller.post(path).status_code == 204


def test_what_is_there_already_is_not_handed_over_again(world: World) -> None:
    one = target(world, "iam-users")
    path = f"{POLICIES}/managed-vserver-full-access/iam-users/{one}"
    root(world).post(path)

    assert user_that_may(world, "iam:AttachPolicy").post(path).status_code == 204


def test_a_policy_for_a_group_of_nobody_gives_nothing_yet(world: World) -> None:
    group = root(world).post(f"{ACCOUNTS}/groups", {"name": "Nobody"}).json["id"]
    path = f"{POLICIES}/managed-vserver-full-access/groups/{group}"
    caller = user_that_may(world, "iam:AttachPolicy", "iam:AddGroupMember")

    assert caller.post(path).status_code == 204
    joining = caller.post(f"{ACCOUNTS}/groups/{group}/iam-users/{world.user_id}")
    assert joining.status_code == 403


@everywhere
def test_a_deny_that_is_detached_gives_a_right(world: World, collection: str) -> None:
    admin = root(world)
    one = target(world, collection)
    path = f"{policy(admin, 'Restricting', deny(STOP))}/{collection}/{one}"
    admin.post(path)
    admin.post(f"{policy(admin, 'Stopping', allow(STOP))}/{collection}/{one}")
    detach = allow("iam:DetachPolicy")

    assert user_with(world, detach).delete(path).status_code == 403
    assert attachments(world, one) == 2
    assert user_with(world, detach, allow(STOP)).delete(path).status_code == 204
    assert attachments(world, one) == 1


def test_nobody_climbs_by_attaching_to_themselves(world: World) -> None:
    caller = user_with(world, allow("iam:AttachPolicy"), name="Climber1")
    (me,) = root(world).get(USERS, name="Climber1").json["data"]

    answer = caller.post(f"{POLICIES}/managed-iam-full-access/iam-users/{me['id']}")

    assert answer.status_code == 403
