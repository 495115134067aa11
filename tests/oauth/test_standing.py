"""What an impersonation token rests on is asked wherever the token is presented."""

from __future__ import annotations

from app.services import policies, service_accounts
from tests.support.world import World


def test_introspection_says_when_the_trust_behind_a_token_is_gone(world: World) -> None:
    borrowed = world.impersonate().json["access_token"]
    assert world.introspect(borrowed)["active"] is True

    service_accounts.remove_trust(world.runtime, world.service_account_id, "53461")

    assert world.introspect(borrowed) == {"active": False}


def test_introspection_says_when_the_policy_behind_a_token_is_gone(world: World) -> None:
    borrowed = world.impersonate().json["access_token"]

    policies.detach(world.runtime, "ImpersonateToRootUserAccountB", "iam-user", world.user_id)

    assert world.introspect(borrowed) == {"active": False}


def test_what_no_longer_stands_is_not_narrowed(world: World) -> None:
    borrowed = world.impersonate().json["access_token"]
    assert world.exchange(borrowed, scope="vserver:List*").status_code == 200

    service_accounts.remove_trust(world.runtime, world.service_account_id, "53461")
    refused = world.exchange(borrowed, scope="vserver:List*")

    assert refused.status_code == 400
    assert refused.json["error"] == "invalid_request"


def test_a_bearer_that_no_longer_stands_asks_nothing(world: World) -> None:
    borrowed = world.impersonate(resource="iam").json["access_token"]

    def ask() -> int:
        headers = {"Authorization": f"Bearer {borrowed}"}
        answer = world.client.post("/oauth2/introspect", data={"token": borrowed}, headers=headers)
        return answer.status_code

    assert ask() == 200
    service_accounts.remove_trust(world.runtime, world.service_account_id, "53461")

    assert ask() == 401


def test_an_own_token_rests_on_nobody_else(world: World) -> None:
    own = world.machine_token().json["access_token"]

    service_accounts.remove_trust(world.runtime, world.service_account_id, "53461")

    assert world.introspect(own)["active"] is True
