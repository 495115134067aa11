"""What an impersonation token rests on, and whether that still stands: one fact bent a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from app.services import policies, service_accounts, standing
from app.storage import epoch, tokens
from tests.support.api import ROOT_B, ApiCaller, machine, token_of
from tests.support.changes import (
    change,
    disable_account,
    disable_service_account,
    disable_user,
    give,
    new_user,
    replace_trust,
    take_impersonation,
)
from tests.support.tokens import user_token
from tests.support.world import START, World, allow, claims_of, deny

IMPERSONATE = "iam:ImpersonateServiceAccount"
SOON = {"numberLessThan": {"iam:CurrentTime": [START + 60]}}
EXTERNAL = {"stringEquals": {"iam:ExternalId": ["ext-1"]}}
NOT_EXTERNAL = {"stringNotEquals": {"iam:ExternalId": ["ext-1"]}}


def stands(world: World, token: str) -> bool:
    with world.runtime.database.read() as connection:
        record = tokens.find(connection, claims_of(token)["jti"])
        assert record is not None
        return standing.still_stands(world.runtime, connection, epoch.current(connection), record)


def become(world: World, **fields: Any) -> str:
    """A token that stands, to begin with."""
    answer = world.impersonate(**fields)
    assert answer.status_code == 200, answer.json
    token = str(answer.json["access_token"])
    assert stands(world, token)
    return token


def run(world: World, statement: str, **values: Any) -> None:
    """An administrative write of columns that no service writes yet."""
    change(world, lambda connection: connection.execute(text(statement), values))


def edit(world: World, name: str, document: dict[str, Any]) -> None:
    """The second version of a policy."""
    policy_id = policies.find(world.runtime, "53461", name)
    run(
        world,
        "INSERT INTO policy_versions (policy_id, version, document, created_at)"
        " VALUES (:id, 2, :document, :now)",
        id=policy_id,
        document=json.dumps(document),
        now=START,
    )
    run(world, "UPDATE policies SET version = 2 WHERE id = :id", id=policy_id)


def edit_trust(world: World, condition: dict[str, Any] | None, expires_at: int | None) -> None:
    run(
        world,
        "UPDATE trusted_relationships SET version = version + 1, condition = :condition,"
        " expires_at = :expires_at",
        condition=None if condition is None else json.dumps(condition),
        expires_at=expires_at,
    )


def may_become(world: World, **statement: Any) -> dict[str, Any]:
    return allow(IMPERSONATE, world.vrn, **statement)


def only(world: World, document: dict[str, Any], name: str = "Only") -> None:
    """System1 may become the service account by this policy alone."""
    take_impersonation(world)
    give(world, document, name)


# What stands


def test_a_token_that_nobody_acts_through_rests_on_nothing_else(world: World) -> None:
    assert stands(world, str(world.machine_token().json["access_token"]))
    assert stands(world, user_token(world))


def test_time_alone_changes_nothing(world: World) -> None:
    token = become(world)
    world.clock.advance(3599)

    assert stands(world, token)


def test_a_decision_that_nothing_is_known_of_carries_nothing(world: World) -> None:
    token = become(world)
    run(world, "DELETE FROM audit_events WHERE id = :id", id=claims_of(token)["decision_id"])

    assert not stands(world, token)


# The owner's half


GONE: dict[str, Callable[[World], Any]] = {
    "removed": lambda world: service_accounts.remove_trust(
        world.runtime, world.service_account_id, "53461"
    ),
    "removed and given anew": replace_trust,
    "expired": lambda world: edit_trust(world, None, START),
    "changed to a condition that is false": lambda world: edit_trust(
        world, {"stringEquals": {"iam:PrincipalName": ["Somebody"]}}, None
    ),
    "of a disabled service account": disable_service_account,
    "of a disabled account": lambda world: disable_account(world, "60108"),
    "for a disabled account": lambda world: disable_account(world, "53461"),
    "for a disabled user": disable_user,
}


@pytest.mark.parametrize("how", GONE)
def test_a_trust_that_is_gone(world: World, how: str) -> None:
    token = become(world)

    GONE[how](world)

    assert not stands(world, token)


@pytest.mark.parametrize(
    "condition",
    [None, SOON, {"bool": {"iam:MfaPresent": [True]}}, EXTERNAL],
    ids=["none", "true", "unknown", "unknown text"],
)
def test_a_trust_that_changed_to_a_condition_that_is_not_false(
    world: World, condition: dict[str, Any] | None
) -> None:
    token = become(world)

    edit_trust(world, condition, START + 7200)

    assert stands(world, token)


def test_an_unchanged_trust_is_not_asked_again(world: World) -> None:
    replace_trust(world, SOON)
    token = become(world)
    world.clock.advance(61)

    assert stands(world, token)
    edit_trust(world, SOON, None)
    assert not stands(world, token)


def test_a_trust_ends_at_its_second(world: World) -> None:
    token = become(world)
    edit_trust(world, None, START + 10)
    world.clock.advance(9.9)
    assert stands(world, token)
    world.clock.advance(0.1)

    assert not stands(world, token)


def test_in_one_account_no_trust_is_needed(world: World) -> None:
    user = new_user(world, "60108", "System2")
    policies.create(world.runtime, "60108", "Own", allow(IMPERSONATE, world.vrn))
    policies.attach(world.runtime, "Own", "iam-user", user)
    subject = user_token(world, username="System2", email=ROOT_B)
    token = become(world, subject_token=subject)
    service_accounts.remove_trust(world.runtime, world.service_account_id, "53461")
    assert stands(world, token)

    policies.detach(world.runtime, "Own", "iam-user", user)

    assert not stands(world, token)


# The caller's half: allows


def test_a_permission_that_is_gone(world: World) -> None:
    token = become(world)

    take_impersonation(world)

    assert not stands(world, token)


def test_another_permission_will_do(world: World) -> None:
    token = become(world)
    give(world, may_become(world, condition=SOON))
    take_impersonation(world)
    assert stands(world, token)

    world.clock.advance(60)

    assert not stands(world, token), "its condition is false now"


def test_an_allow_of_the_decision_whose_condition_cannot_be_known(world: World) -> None:
    only(world, may_become(world, condition=EXTERNAL))
    token = become(world, external_id="ext-1")

    edit(world, "Only", may_become(world, condition=EXTERNAL))

    assert not stands(world, token), "the new version was no allow of the decision"


def test_an_allow_that_came_later_and_cannot_be_known(world: World) -> None:
    token = become(world, external_id="ext-1")
    give(world, may_become(world, condition=EXTERNAL))

    take_impersonation(world)

    assert not stands(world, token)


def test_an_allow_that_was_withheld_at_the_decision(world: World) -> None:
    give(world, may_become(world, condition=EXTERNAL))
    token = become(world, external_id="ext-2")

    take_impersonation(world)

    assert not stands(world, token)


def test_of_one_policy_the_statement_counts(world: World) -> None:
    """The second statement allowed it; the first one, which cannot be known, did not."""
    both = may_become(world, condition={"stringEquals": {"iam:Reason": ["drill"]}})
    both["statements"] += may_become(world, condition=SOON)["statements"]
    only(world, both)
    token = become(world, reason="incident")

    world.clock.advance(60)

    assert not stands(world, token)


# The caller's half: denies


@pytest.mark.parametrize(
    ("condition", "still"),
    [
        (None, False),
        ({"numberGreaterThan": {"iam:CurrentTime": [0]}}, False),
        ({"numberLessThan": {"iam:CurrentTime": [START]}}, True),
        (NOT_EXTERNAL, False),
        ({"bool": {"iam:MfaPresent": [False]}}, False),
    ],
    ids=["none", "true", "false", "unknown", "unknown sign-in"],
)
def test_a_deny_that_came_later(
    world: World, condition: dict[str, Any] | None, still: bool
) -> None:
    token = become(world, external_id="ext-1")

    give(world, deny(IMPERSONATE, **({} if condition is None else {"condition": condition})))

    assert stands(world, token) is still


def test_a_deny_that_was_spared_at_the_decision(world: World) -> None:
    give(world, deny(IMPERSONATE, condition=NOT_EXTERNAL), "Guarded")
    token = become(world, external_id="ext-1")

    edit(world, "Guarded", deny(IMPERSONATE, condition=NOT_EXTERNAL))

    assert not stands(world, token), "nobody knows what the new version would have said"


def test_a_deny_that_was_there_and_of_which_the_condition_is_true_now(world: World) -> None:
    late = {"numberGreaterThan": {"iam:CurrentTime": [START + 60]}}
    give(world, deny(IMPERSONATE, condition=late))
    token = become(world)

    world.clock.advance(61)

    assert not stands(world, token)


def test_a_deny_that_was_spared_and_attached_again(world: World) -> None:
    give(world, deny(IMPERSONATE, condition=NOT_EXTERNAL), "Guarded")
    token = become(world, external_id="ext-1")

    policies.detach(world.runtime, "Guarded", "iam-user", world.user_id)
    assert stands(world, token)
    policies.attach(world.runtime, "Guarded", "iam-user", world.user_id)

    assert stands(world, token)


# Where it is asked


def test_the_management_api_asks_for_each_call(world: World) -> None:
    give(world, allow("iam:List*"), "Lists", service_account=world.service_account_id)
    token = become(world, resource="iam", scope="iam:List*")
    caller = ApiCaller(world, token)
    assert caller.get("/accounts-api/v1/iam-users").status_code == 200

    service_accounts.remove_trust(world.runtime, world.service_account_id, "53461")

    assert caller.get("/accounts-api/v1/iam-users").status_code == 401
    assert machine(world).get("/accounts-api/v1/iam-users").status_code == 200
    assert (
        ApiCaller(world, token_of(world, ROOT_B)).get("/accounts-api/v1/iam-users").status_code
        == 200
    )
