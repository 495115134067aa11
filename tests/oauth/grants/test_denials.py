"""A denial looks the same from outside, whatever its cause (section 6 of the error order).

Same bytes but for the decision id, same headers, same statements, rows in the same tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from app.services import accounts, service_accounts
from tests.support import changes
from tests.support.observation import grown, newest_event, row_counts, statements
from tests.support.tokens import user_token
from tests.support.world import START, World, allow, deny


@dataclass(frozen=True)
class Cause:
    """How the world is bent, what is asked for, and what the two halves then say."""

    bend: Callable[[World], Any] = lambda world: None
    ask: Callable[[World], str] = lambda world: world.service_account_id
    owner: str | None = None
    caller: str | None = None


def _condition(value: str) -> dict[str, Any]:
    return {"stringEquals": {"iam:ExternalId": [value]}}


def _conditional_policy(world: World) -> None:
    changes.take_impersonation(world)
    mfa = {"bool": {"iam:MfaPresent": [True]}}
    changes.give(world, allow("iam:ImpersonateServiceAccount", world.vrn, condition=mfa))


def _foreign_service_account(world: World) -> str:
    accounts.create_account(world.runtime, "70000", "root-c@example.com", "root-c-password")
    return changes.new_service_account(world, "Other", account_id="70000").account.id


CAUSES = {
    "unknown id": Cause(
        ask=lambda world: "sa-none",
        owner="no-such-service-account",
        caller="no-statement-allows",
    ),
    "unknown VRN": Cause(
        ask=lambda world: "iam::60108:service-account/sa-none",
        owner="no-such-service-account",
        caller="no-statement-allows",
    ),
    "unknown account in the VRN": Cause(
        ask=lambda world: world.vrn.replace("60108", "99999"),
        owner="no-such-service-account",
        caller="no-statement-allows",
    ),
    "caller's account in the VRN": Cause(
        ask=lambda world: world.vrn.replace("60108", "53461"),
        owner="no-such-service-account",
        caller="no-statement-allows",
    ),
    "another's service account": Cause(
        ask=_foreign_service_account, owner="not-trusted", caller="no-statement-allows"
    ),
    "no trust": Cause(
        lambda world: service_accounts.remove_trust(
            world.runtime, world.service_account_id, "53461"
        ),
        owner="not-trusted",
    ),
    "trust expired": Cause(
        lambda world: (
            changes.replace_trust(world, expires_at=START + 60),
            world.clock.advance(60),
        ),
        owner="trust-expired",
    ),
    "trust condition not met": Cause(
        lambda world: changes.replace_trust(world, _condition("x")),
        owner="trust-condition-not-met",
    ),
    "service account disabled": Cause(
        changes.disable_service_account, owner="service-account-disabled"
    ),
    "owner's account disabled": Cause(
        lambda world: changes.disable_account(world, "60108"), owner="owner-account-disabled"
    ),
    "no policy": Cause(changes.take_impersonation, caller="no-statement-allows"),
    "policy for another": Cause(
        lambda world: (
            changes.take_impersonation(world),
            changes.give(world, allow("iam:ImpersonateServiceAccount", world.vrn + "0")),
        ),
        caller="no-statement-allows",
    ),
    "policy for the id elsewhere": Cause(
        lambda world: (
            changes.take_impersonation(world),
            changes.give(
                world,
                allow("iam:ImpersonateServiceAccount", world.vrn.replace("60108", "70000")),
            ),
        ),
    ),
    "policy with a star abroad": Cause(
        lambda world: (
            changes.take_impersonation(world),
            changes.give(world, allow("iam:*", world.vrn)),
        ),
        caller="no-statement-allows",
    ),
    "policy denies": Cause(
        lambda world: changes.give(world, deny("iam:ImpersonateServiceAccount", world.vrn)),
        caller="denied-by-statement",
    ),
    "policy condition not met": Cause(_conditional_policy, caller="condition-not-met"),
    "both halves": Cause(
        lambda world: (
            changes.take_impersonation(world),
            changes.disable_service_account(world),
        ),
        owner="service-account-disabled",
        caller="no-statement-allows",
    ),
}


def without_id(answer: Any) -> bytes:
    """The body with the decision id's letters blanked."""
    decision_id = answer.json["decision_id"]
    assert len(decision_id) == 36
    return bytes(answer.data.replace(decision_id.encode(), b"-" * 36))


@pytest.fixture
def reference(world: World, token: str) -> Any:
    """A denial for a service account that nobody ever heard of."""
    return world.impersonate(token, requested_subject="sa-" + "0" * 36)


@pytest.mark.parametrize("name", CAUSES)
def test_every_denial_is_the_same_answer(
    world: World, token: str, reference: Any, name: str
) -> None:
    cause = CAUSES[name]
    cause.bend(world)

    answer = world.impersonate(token, requested_subject=cause.ask(world))

    assert answer.status_code == reference.status_code == 400
    assert answer.json["error"] == "invalid_target"
    assert without_id(answer) == without_id(reference)
    assert list(answer.headers) == list(reference.headers)


@pytest.mark.parametrize("name", CAUSES)
def test_every_denial_is_the_same_work(world: World, token: str, reference: Any, name: str) -> None:
    cause = CAUSES[name]
    cause.bend(world)
    asked = cause.ask(world)
    world.impersonate(token, requested_subject="sa-" + "0" * 36)  # the catalogue is read again
    before = row_counts(world)

    with statements(world) as seen:
        world.impersonate(token, requested_subject=asked)
    first = grown(before, row_counts(world))
    with statements(world) as expected:
        world.impersonate(token, requested_subject="sa-" + "0" * 36)

    assert seen == expected
    assert first.pop("audit_events") == 1
    assert set(first) <= {"refusal_counts"}
    assert sum("INTO refusal_counts" in each for each in seen) == 1
    # The caller's policies are remembered; those of a service account that nobody may become
    # are not read: how many it has would show in the time that a denial takes.
    assert sum("FROM policies" in each for each in seen) == 0
    assert sum("FROM service_accounts" in each for each in seen) == 1


@pytest.mark.parametrize("name", CAUSES)
def test_the_log_tells_each_account_its_own_half(world: World, token: str, name: str) -> None:
    cause = CAUSES[name]
    cause.bend(world)

    answer = world.impersonate(token, requested_subject=cause.ask(world))

    event = newest_event(world)
    assert event.id == answer.json["decision_id"]
    assert (event.event, event.outcome) == ("service-account:impersonate", "denied")
    assert (event.actor_id, event.actor_account_id) == (world.user_id, "53461")
    owner, caller = json.loads(event.owner_half), json.loads(event.caller_half)
    assert owner["allowed"] is (cause.owner is None)
    assert caller["allowed"] is (cause.caller is None)
    if cause.owner is not None:
        assert owner["reasons"] == [cause.owner]
    if cause.caller is not None:
        assert caller["reasons"] == [cause.caller]


def test_a_denial_by_the_token_is_the_same_answer(world: World, token: str, reference: Any) -> None:
    """Rule 5: what the token was issued under has to cover it."""
    narrow = world.exchange(token, policy=json.dumps(allow("iam:ListIamUser")))

    answer = world.impersonate(narrow.json["access_token"])

    assert without_id(answer) == without_id(reference)
    assert json.loads(newest_event(world).caller_half)["reasons"] == ["outside-the-token"]


def test_what_would_widen_is_not_looked_at_before_the_decision(
    world: World, token: str, reference: Any
) -> None:
    changes.take_impersonation(world)

    for fields in ({"scope": "iam:*"}, {"audience": "nowhere"}, {"audience": ["iam", "vserver"]}):
        assert without_id(world.impersonate(token, **fields)) == without_id(reference)


class TestCounts:
    """Where the owner's half refuses, its event list has a counted line per account and hour."""

    def counts(self, world: World) -> list[Any]:
        return [tuple(row) for row in world.rows("SELECT * FROM refusal_counts ORDER BY 1, 3")]

    def test_the_owners_refusals_are_one_line(self, world: World, token: str) -> None:
        changes.disable_service_account(world)
        for _ in range(3):
            world.impersonate(token)

        assert self.counts(world) == [("60108", "53461", START // 3600, 3)]
        assert {
            row.owner_listed
            for row in world.rows("SELECT * FROM audit_events WHERE outcome = 'denied'")
        } == {0}

    def test_whatever_the_callers_half_said(self, world: World, token: str) -> None:
        changes.disable_service_account(world)
        world.impersonate(token)
        changes.take_impersonation(world)
        world.impersonate(token)

        assert self.counts(world) == [("60108", "53461", START // 3600, 2)]

    def test_each_hour_has_its_own(self, world: World) -> None:
        world.clock.advance(1800)
        token = user_token(world)
        changes.disable_service_account(world)
        world.impersonate(token)
        world.clock.now = (START // 3600 + 1) * 3600 - 1
        world.impersonate(token)
        world.clock.advance(1)
        world.impersonate(token)

        hour = START // 3600
        assert self.counts(world) == [("60108", "53461", hour, 2), ("60108", "53461", hour + 1, 1)]

    def test_a_refusal_of_the_callers_half_is_listed_with_the_owner(
        self, world: World, token: str
    ) -> None:
        changes.take_impersonation(world)

        world.impersonate(token)

        event = newest_event(world)
        assert (event.owner_account_id, event.owner_listed) == ("60108", 1)
        assert [line for line in self.counts(world) if line[0]] == []

    def test_nobody_owns_what_is_not_there(self, world: World, token: str) -> None:
        world.impersonate(token, requested_subject="sa-none")

        event = newest_event(world)
        assert event.owner_account_id is None
        assert [line for line in self.counts(world) if line[0]] == []

    def test_the_callers_own_row_repeats_only_what_it_asked(self, world: World, token: str) -> None:
        """By id alone, the caller's half does not say whose the service account is."""
        changes.disable_service_account(world)
        world.impersonate(token)

        assert newest_event(world).resource == world.service_account_id
