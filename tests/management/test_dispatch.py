"""What all calls of the management API have in common."""

from __future__ import annotations

import pytest

from tests.support.api import USERS, ApiCaller, root, user_with
from tests.support.world import World, allow


@pytest.mark.parametrize("tag", ["", "no quotes", '"open', '"a" "b"'])
def test_an_if_match_that_is_none_is_refused(world: World, tag: str) -> None:
    answer = root(world).patch(f"{USERS}/{world.user_id}", {"enabled": True}, If_Match=tag)

    assert answer.status_code == 400
    assert "If-Match" in answer.json["detail"]


def test_without_a_token_nothing_is_told(world: World) -> None:
    answer = world.app.test_client().get(USERS)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="crossroot"'
    assert answer.content_type == "application/problem+json"


def test_a_token_for_an_api_is_none_for_this_one(world: World) -> None:
    borrowed = world.impersonate().json["access_token"]

    answer = ApiCaller(world, borrowed).get(USERS)

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_token_that_was_narrowed_does_only_that(world: World) -> None:
    caller = user_with(world, "IAMFullAccess")
    narrow = world.exchange(caller.token, scope="iam:List*").json["access_token"]

    assert ApiCaller(world, narrow).get(USERS).status_code == 200
    assert ApiCaller(world, narrow).get(f"{USERS}/{world.user_id}").status_code == 403


def test_what_was_read_is_in_the_log(world: World) -> None:
    root(world).get(f"{USERS}/{world.user_id}")

    (row,) = world.rows("SELECT * FROM audit_events WHERE event = 'api:read'")
    assert row.resource == f"iam::53461:iam-user/{world.user_id}"
    assert "iam:GetIamUser" in row.detail
    assert (row.actor_type, row.actor_account_id) == ("root-user", "53461")


def test_a_right_that_is_taken_away_is_gone_with_the_next_request(world: World) -> None:
    caller = user_with(world, allow("iam:ListIamUser"))
    assert caller.get(USERS).status_code == 200
    (mine,) = caller.get(USERS, name="user-").json["data"]

    policies = root(world).get(f"{USERS}/{mine['id']}/policies").json["data"]
    root(world).delete(f"/policies-api/v1/policies/{policies[0]['id']}/iam-users/{mine['id']}")

    assert caller.get(USERS).status_code == 403
