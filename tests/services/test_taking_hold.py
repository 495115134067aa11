"""Taking hold of a service account: by whom, and never by itself."""

from __future__ import annotations

import pytest

from app.services import authority, policies, taking_hold
from app.services.administration import NotFound
from app.services.authority import OPERATOR, Administrator, BeyondOwn
from app.services.taking_hold import WidensItself
from tests.support.api import ROOT_A, ROOT_B, machine, token_of, user_with
from tests.support.world import World, allow

ACTION = "iam:CreateSecret"


def caller(world: World, token: str) -> Administrator:
    return authority.caller_by_token(world.runtime, token, None)


def take_hold(world: World, by: Administrator) -> None:
    with world.runtime.database.read() as connection:
        account = taking_hold.find(connection, by, world.service_account_id).account
        taking_hold.require(world.runtime, connection, by, ACTION, account)


def test_the_operator_the_root_user_and_who_may_as_much_take_hold(world: World) -> None:
    peer = user_with(world, "vServerFullAccess", account="60108")

    take_hold(world, OPERATOR)
    take_hold(world, caller(world, token_of(world, ROOT_B)))
    take_hold(world, caller(world, peer.token))


def test_whoever_may_less_does_not_unless_it_may_hand_over_what_it_lacks(world: World) -> None:
    less = user_with(world, allow("vserver:List*"), account="60108")
    granting = user_with(world, allow("iam:GrantBeyondOwn"), account="60108")

    with pytest.raises(BeyondOwn, match="vserver:"):
        take_hold(world, caller(world, less.token))
    take_hold(world, caller(world, granting.token))


def test_a_service_account_never_does_it_to_itself(world: World) -> None:
    policies.attach(world.runtime, "IAMFullAccess", "service-account", world.service_account_id)
    acting = world.impersonate(audience="iam").json["access_token"]

    for token in (machine(world).token, acting):
        with pytest.raises(WidensItself, match="does not widen its own trust, secrets or keys"):
            take_hold(world, caller(world, token))


def test_another_accounts_is_not_there(world: World) -> None:
    with pytest.raises(NotFound, match=f"no service account {world.service_account_id}"):
        take_hold(world, caller(world, token_of(world, ROOT_A)))
