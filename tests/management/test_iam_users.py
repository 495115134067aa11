"""IAM users over the management API."""

from __future__ import annotations

from tests.support.api import ROOT_B, USERS, root, user_that_may, user_with
from tests.support.world import World, allow, deny


def test_a_root_user_creates_a_user_who_can_then_sign_in(world: World) -> None:
    answer = root(world).post(
        USERS, {"username": "Operator1", "password": "a-long-password", "email": "o@example.com"}
    )

    assert answer.status_code == 201
    user = answer.json
    assert user["username"] == "Operator1"
    assert user["vrn"] == f"iam::53461:iam-user/{user['id']}"
    assert user["enabled"] is True
    assert "password" not in answer.text
    assert world.rows("SELECT id FROM iam_users WHERE username = 'Operator1'") == [(user["id"],)]


def test_nobody_creates_a_user_whom_no_policy_allows_to(world: World) -> None:
    answer = user_that_may(world, "iam:ListIamUser").post(
        USERS, {"username": "Operator1", "password": "a-long-password"}
    )

    assert answer.status_code == 403
    assert answer.content_type == "application/problem+json"
    (row,) = world.rows(
        "SELECT outcome, resource, detail FROM audit_events WHERE id = ?1".replace(
            "?1", f"'{answer.json['decisionId']}'"
        )
    )
    assert row.outcome == "denied"
    assert row.resource == "iam::53461:iam-user/*"
    assert "iam:CreateIamUser" in row.detail


def test_a_body_that_is_wrong_is_told_all_that_is_wrong(world: World) -> None:
    answer = root(world).post(USERS, {"username": "no", "password": "short", "admin": True})

    assert answer.status_code == 400
    assert {error["pointer"] for error in answer.json["errors"]} == {
        "/username",
        "/password",
        "/admin",
    }
    assert "short" not in answer.text.replace("too short", "")


def test_a_create_that_is_sent_again_creates_nothing(world: World) -> None:
    caller = root(world)
    body = {"username": "Operator1", "password": "a-long-password"}

    first = caller.post(USERS, body, Idempotency_Key="k-1")
    again = caller.post(USERS, body, Idempotency_Key="k-1")
    other = caller.post(USERS, {**body, "username": "Operator2"}, Idempotency_Key="k-1")

    assert first.status_code == again.status_code == 201
    assert again.json == first.json
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.status_code == 422
    assert len(world.rows("SELECT id FROM iam_users WHERE username LIKE 'Operator%'")) == 1


def test_a_lost_update_is_refused(world: World) -> None:
    caller = root(world)
    path = f"{USERS}/{world.user_id}"
    seen = caller.get(path).headers["ETag"]

    first = caller.patch(path, {"email": "one@example.com"}, If_Match=seen)
    lost = caller.patch(path, {"email": "two@example.com"}, If_Match=seen)

    assert first.status_code == 200
    assert first.headers["ETag"] != seen
    assert lost.status_code == 412
    assert caller.get(path).json["email"] == "one@example.com"


def test_a_disabled_user_cannot_go_on(world: World) -> None:
    caller = user_that_may(world, "iam:ListIamUser")
    (mine,) = caller.get(USERS, name="user-").json["data"]

    root(world).patch(f"{USERS}/{mine['id']}", {"enabled": False})

    assert caller.get(USERS).status_code == 401


def test_a_list_comes_in_pages_and_by_name(world: World) -> None:
    caller = root(world)
    for number in range(5):
        caller.post(USERS, {"username": f"Pager{number}", "password": "a-long-password"})

    page = caller.get(USERS, name="pager", pageSize=2, pageNumber=1).json

    assert [user["username"] for user in page["data"]] == ["Pager2", "Pager3"]
    assert (page["totalItems"], page["totalPages"]) == (5, 3)


def test_another_accounts_user_is_not_there(world: World) -> None:
    for caller in (root(world, ROOT_B), user_with(world, "IAMFullAccess", account="60108")):
        assert caller.get(f"{USERS}/{world.user_id}").status_code == 404
        assert caller.patch(f"{USERS}/{world.user_id}", {"enabled": False}).status_code == 404
        assert caller.delete(f"{USERS}/{world.user_id}").status_code == 404


def test_a_user_with_something_on_it_is_kept_unless_all_of_it_is_to_go(world: World) -> None:
    caller = root(world)
    path = f"{USERS}/{world.user_id}"

    kept = caller.delete(path)
    gone = caller.delete(path, cascade="true")

    assert kept.status_code == 409
    assert "1 policies" in kept.json["detail"]
    assert gone.status_code == 204
    assert caller.get(path).status_code == 404
    assert world.rows("SELECT 1 FROM policy_attachments WHERE principal_type = 'iam-user'") == []


def test_a_password_of_one_who_may_more_is_not_reset(world: World) -> None:
    helper = user_with(world, allow("iam:ResetPassword"))
    body = {"password": "another-long-password"}
    path = f"{USERS}/{world.user_id}/reset-password"

    refused = helper.post(path, body)
    granted = user_with(world, "IAMFullAccess").post(path, body)

    assert refused.status_code == 403
    assert "iam:ImpersonateServiceAccount" in refused.json["detail"]
    assert granted.status_code == 204


def test_a_denied_administrator_is_denied(world: World) -> None:
    caller = user_with(world, "IAMFullAccess", deny("iam:DeleteIamUser"))

    assert caller.delete(f"{USERS}/{world.user_id}", cascade="true").status_code == 403
