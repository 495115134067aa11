"""What is written down of a decision, a refusal and a principal."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from app.domain.clients import Client, ClientKind
from app.domain.events import Event, Outcome
from app.domain.impersonation import Decision, Facts, Target, may_impersonate
from app.services import audit
from app.services.refusals import Refusal, Refused
from app.storage.audit import AuditEvent
from tests.support.impersonation import SERVICE_ACCOUNT, SYSTEM1, facts, trust
from tests.support.observation import newest_event, row_counts
from tests.support.policies import allow, deny, policy
from tests.support.stores import MACHINE, ROOT_A
from tests.support.world import START, World

WHEN = {"bool": {"iam:MfaPresent": [True]}}


def decision(**changes: Any) -> Decision:
    bent: Facts = facts(**changes)
    return may_impersonate(bent)


# ------------------------------------------------------------------------------ the two halves


def test_no_row_grows_with_the_policies_of_whoever_is_refused() -> None:
    many = [deny("*")] * 40
    held = tuple(policy(*many, name=f"p{number}") for number in range(5))

    half = audit.caller_half_of(decision(policies=held))

    assert not half["allowed"]
    assert len(half["denies"]) == audit.MOST_STATEMENTS


def test_a_yes_is_kept_with_what_made_it() -> None:
    made = decision()

    assert audit.caller_half_of(made) == {
        "allowed": True,
        "reasons": [],
        "accounts": ["60108"],
        "allows": [
            {
                "policy_id": "ImpersonateToRootUserAccountB",
                "policy_name": "ImpersonateToRootUserAccountB",
                "version": 1,
                "statement": 0,
                "condition": True,
                "undecided_keys": (),
            }
        ],
        "denies": [],
        "withheld": [],
        "spared": [],
    }
    assert audit.owner_half_of(made) == {
        "allowed": True,
        "reasons": [],
        "same_account": False,
        "trust": {
            "id": "trust-1",
            "version": 1,
            "condition": True,
            "undecided_keys": (),
            "expires_at": None,
        },
    }


def test_each_no_is_kept_with_its_reason() -> None:
    made = decision(
        trust=None,
        policies=(
            policy(deny("iam:*"), name="no"),
            policy(allow("iam:ImpersonateServiceAccount", str(SERVICE_ACCOUNT.vrn), **WHEN)),
        ),
    )

    caller, owner = audit.caller_half_of(made), audit.owner_half_of(made)
    assert (caller["allowed"], caller["reasons"]) == (False, ["denied-by-statement"])
    assert [each["policy_id"] for each in caller["denies"]] == ["no"]
    assert [each["undecided_keys"] for each in caller["withheld"]] == [("iam:MfaPresent",)]
    assert owner == {
        "allowed": False,
        "reasons": ["not-trusted"],
        "same_account": False,
        "trust": None,
    }


def test_no_half_speaks_of_the_other() -> None:
    """Readers of one account get their column alone: nothing of the other may be in it."""
    made = decision(trust=trust(id="trust-of-b", expires_at=1), service_account=None)

    assert "trust" not in json.dumps(audit.caller_half_of(made))
    assert "no-such-service-account" not in json.dumps(audit.caller_half_of(made))
    assert "ImpersonateToRootUserAccountB" not in json.dumps(audit.owner_half_of(made))


@pytest.mark.parametrize(
    "made",
    [decision(), decision(trust=None), decision(service_account=None), decision(policies=())],
    ids=["yes", "not trusted", "unknown", "not permitted"],
)
def test_a_half_is_json(made: Decision) -> None:
    for half in (audit.caller_half_of(made), audit.owner_half_of(made)):
        assert json.loads(json.dumps(half))["allowed"] is half["allowed"]


def test_an_unknown_target_is_told_apart() -> None:
    assert audit.is_unknown_target(decision(service_account=None))
    assert audit.is_unknown_target(decision(target=Target(SERVICE_ACCOUNT.id, "70000")))
    assert not audit.is_unknown_target(decision(trust=None))
    assert not audit.is_unknown_target(decision())


# ---------------------------------------------------------------------------------- who acted


def test_the_fields_of_who_acted() -> None:
    assert audit.by_principal(SYSTEM1) == {
        "actor_type": "iam-user",
        "actor_id": "user-1",
        "actor_name": "System1",
        "actor_account_id": "53461",
    }
    assert audit.by_principal(ROOT_A)["actor_name"] == "root-a@example.com"
    assert audit.by_principal(SERVICE_ACCOUNT)["actor_type"] == "service-account"
    assert audit.by_client(MACHINE) == {
        "actor_type": "client",
        "actor_id": "machine",
        "actor_name": "AllowAccessFromRootUserAccountA",
        "actor_account_id": "60108",
    }
    assert audit.by_operator()["actor_type"] == "operator"


@pytest.mark.parametrize("fields", [audit.by_principal(SYSTEM1), audit.by_client(MACHINE)])
def test_they_fit_an_event(fields: dict[str, Any]) -> None:
    event = AuditEvent(id="1", at=1.0, event=Event.SIGN_IN, **fields)

    assert event.actor_id == fields["actor_id"]


# ----------------------------------------------------------------------------------- refusals

PRODUCT = Client("p", ClientKind.PRODUCT, "vServer", product="vserver")


def refused(**changes: Any) -> Refused:
    return Refused(Refusal.SCOPE_WIDENS, "'secret:thing' goes beyond", **changes)


def test_a_refusal_to_a_client_names_the_client(world: World) -> None:
    world.clock.advance(0.25)
    audit.record_refused_request(world.runtime, PRODUCT, refused(), "192.0.2.7")

    event = newest_event(world)
    assert (event.event, event.outcome, event.reason) == ("token:refuse", "denied", "scope-widens")
    assert (event.actor_type, event.actor_id, event.client_id) == ("client", "p", "p")
    assert (event.source_ip, event.at) == ("192.0.2.7", START + 0.25)
    assert (event.owner_account_id, event.acting_as, event.caller_half) == (None, None, None)
    # The message may quote the request.
    assert "secret:thing" not in str(event)


def test_a_refusal_to_a_service_account_names_it(world: World) -> None:
    audit.record_refused_request(world.runtime, MACHINE, refused(), None)

    event = newest_event(world)
    assert (event.actor_type, event.actor_id, event.actor_account_id, event.client_id) == (
        "service-account",
        SERVICE_ACCOUNT.id,
        "60108",
        MACHINE.id,
    )


def test_a_refusal_after_a_valid_subject_token_names_its_subject(world: World) -> None:
    audit.record_refused_request(world.runtime, MACHINE, refused(subject=SYSTEM1), None)

    event = newest_event(world)
    assert (event.actor_type, event.actor_id, event.client_id) == (
        "iam-user",
        "user-1",
        MACHINE.id,
    )


def test_a_refusal_after_a_yes_keeps_the_decision_for_both_accounts(world: World) -> None:
    after = refused(subject=SYSTEM1, decision_id="the-decision")
    after.accepted = (SERVICE_ACCOUNT, decision())

    audit.record_refused_request(world.runtime, PRODUCT, after, None)

    event = newest_event(world)
    assert (event.id, event.actor_account_id, event.owner_account_id) == (
        "the-decision",
        "53461",
        "60108",
    )
    assert (event.acting_as, event.resource) == (SERVICE_ACCOUNT.id, str(SERVICE_ACCOUNT.vrn))
    assert json.loads(event.caller_half)["allowed"] is True
    assert json.loads(event.owner_half)["allowed"] is True
    assert event.outcome == "denied"


# -------------------------------------------------------------------------- writing and counting


def test_an_event_is_written_in_a_transaction_of_its_own(world: World) -> None:
    event = AuditEvent(id="1", at=1.5, event=Event.SIGN_OUT, outcome=Outcome.ALLOWED)
    audit.record(world.runtime, event)

    assert (newest_event(world).id, newest_event(world).at) == ("1", 1.5)


def test_failures_of_nobody_are_counted_by_the_hour(world: World) -> None:
    before = row_counts(world)
    for _ in range(3):
        audit.count_failure(world.runtime, "token:client-authentication")
    world.clock.advance(3600)
    audit.count_failure(world.runtime, "token:client-authentication")

    assert world.rows("SELECT kind, hour, count FROM failure_counts ORDER BY hour") == [
        ("token:client-authentication", START // 3600, 3),
        ("token:client-authentication", START // 3600 + 1, 1),
    ]
    assert row_counts(world)["audit_events"] == before["audit_events"]


def test_a_write_of_the_operator_stands_or_falls_with_its_row(world: World) -> None:
    before = row_counts(world)

    def write(connection: Any) -> None:
        audit.write_by_operator(
            world.runtime, connection, Event.ACCOUNT_ENABLE, "53461", "account/53461", why="test"
        )
        raise LookupError

    with pytest.raises(LookupError):
        world.runtime.database.write(write)
    assert row_counts(world) == before

    world.runtime.database.write(
        lambda connection: audit.write_by_operator(
            world.runtime, connection, Event.ACCOUNT_ENABLE, "53461", "account/53461", why="test"
        )
    )
    event = newest_event(world)
    assert (event.event, event.owner_account_id, event.resource, event.detail) == (
        "account:enable",
        "53461",
        "account/53461",
        '{"why": "test"}',
    )
    assert (event.actor_type, event.actor_id, event.outcome) == ("operator", "operator", "allowed")


def test_a_decision_says_the_same_whatever_was_not_asked() -> None:
    """Nothing of an attempt but the facts goes into a half."""
    assert audit.owner_half_of(decision()) == audit.owner_half_of(
        replace(decision(), allowed=False)
    )
