"""What an impersonation decision tells each side, and what it must not betray.

The decisions themselves are in ``cases``: the five rules, trust, targets and token limits.
"""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.conditions import Condition, parse_condition
from app.domain.impersonation import (
    OwnerHalf,
    Reason,
    Target,
    TrustEvidence,
    may_impersonate,
)
from app.domain.policy import IMPERSONATE, Match
from app.domain.principals import RootAccount, ServiceAccount
from tests.support.impersonation import CALLERS_POLICY, NOW, SERVICE_ACCOUNT, A, B, facts, trust
from tests.support.policies import allow, deny, policy


def condition(source: dict[str, Any]) -> Condition:
    parsed = parse_condition(source, "condition", [])
    assert parsed is not None
    return parsed


SECOND_FACTOR = condition({"bool": {"iam:MfaPresent": [True]}})


def test_yes_names_the_trust_and_the_statement_that_made_it() -> None:
    decision = may_impersonate(facts(trust=trust(version=4, expires_at=int(NOW) + 60)))

    assert decision.allowed
    assert decision.owner_half == OwnerHalf(
        True, (), trust=TrustEvidence("trust-1", 4, True, (), int(NOW) + 60)
    )
    assert decision.caller_half.allowed
    assert decision.caller_half.policy.allowed
    assert decision.caller_half.accounts == (B.id,)
    assert decision.caller_half.policy.allows == (
        Match(CALLERS_POLICY.id, CALLERS_POLICY.name, 1, 0, True),
    )


@pytest.mark.parametrize(
    ("context", "outcome", "keys"),
    [
        ({"iam:MfaPresent": True}, True, ()),
        ({"iam:MfaPresent": False}, False, ("iam:MfaPresent",)),
        ({}, None, ("iam:MfaPresent",)),
    ],
)
def test_the_owner_reads_how_the_condition_of_its_trust_came_out(
    context: dict[str, Any], outcome: bool | None, keys: tuple[str, ...]
) -> None:
    decision = may_impersonate(facts(trust=trust(condition=SECOND_FACTOR), context=context))

    assert decision.allowed is (outcome is True)
    assert decision.owner_half.trust == TrustEvidence("trust-1", 1, outcome, keys, None)


def test_without_trust_there_is_no_evidence_of_it() -> None:
    assert may_impersonate(facts(trust=None)).owner_half == OwnerHalf(False, (Reason.NOT_TRUSTED,))


def test_at_home_the_owner_reads_that_it_was_its_own_account() -> None:
    own = ServiceAccount("sa-1", "own robot", A)
    decision = may_impersonate(
        facts(
            target=Target("sa-1", A.id),
            service_account=own,
            trust=None,
            policies=(policy(allow(IMPERSONATE)),),
        )
    )

    assert decision.allowed
    assert decision.owner_half == OwnerHalf(True, (), same_account=True)


def test_a_missing_service_account_and_a_foreign_one_look_the_same_to_the_owner_of_the_name() -> (
    None
):
    """Whoever asks for another account's id under B's name learns nothing of the other account."""
    elsewhere = ServiceAccount(SERVICE_ACCOUNT.id, "x", RootAccount("70000"))
    missing = may_impersonate(facts(service_account=None, trust=None))
    foreign = may_impersonate(facts(service_account=elsewhere, trust=trust()))

    assert missing.owner_half == foreign.owner_half
    assert missing.caller_half == foreign.caller_half


def test_a_bare_id_is_asked_for_in_the_accounts_that_the_policies_name() -> None:
    decision = may_impersonate(
        facts(
            target=Target(SERVICE_ACCOUNT.id),
            policies=(
                CALLERS_POLICY,
                policy(allow(IMPERSONATE, "iam::70000:service-account/*"), name="elsewhere"),
                policy(allow(IMPERSONATE, "iam::80000:service-account/sa-9"), name="other-id"),
                policy(allow(IMPERSONATE, "*"), name="home"),
                policy(deny(IMPERSONATE, "iam::70000:service-account/sa-1"), name="not-there"),
            ),
        )
    )

    assert decision.allowed
    assert decision.caller_half.accounts == (A.id, B.id)
    assert [match.policy_id for match in decision.caller_half.policy.allows] == [
        "home",
        CALLERS_POLICY.id,
    ]


def test_a_statement_that_speaks_for_two_accounts_is_named_once() -> None:
    both = policy(allow(IMPERSONATE, ["iam::60108:service-account/*", "iam::7:*/*"]))
    decision = may_impersonate(facts(target=Target(SERVICE_ACCOUNT.id), policies=(both,)))

    assert decision.caller_half.accounts == ("60108", "7")
    assert len(decision.caller_half.policy.allows) == 1


def test_a_refused_bare_id_shows_what_stood_against_it_in_any_account() -> None:
    decision = may_impersonate(
        facts(
            target=Target(SERVICE_ACCOUNT.id),
            policies=(
                policy(
                    allow(IMPERSONATE, "iam::60108:*/*", bool={"iam:MfaPresent": [True]}),
                    name="withheld",
                ),
                policy(deny(IMPERSONATE, "iam::53461:*/*"), name="denied"),
            ),
        )
    )

    assert not decision.caller_half.policy.allowed
    assert decision.caller_half.reasons == (Reason.DENIED,)
    assert [match.policy_id for match in decision.caller_half.policy.withheld] == ["withheld"]
    assert [match.policy_id for match in decision.caller_half.policy.denies] == ["denied"]


def test_a_deny_that_was_spared_is_in_the_decision() -> None:
    spared = policy(deny(IMPERSONATE, "*", bool={"iam:MfaPresent": [False]}), name="spared")
    decision = may_impersonate(
        facts(policies=(CALLERS_POLICY, spared), context={"iam:MfaPresent": True})
    )

    assert decision.allowed
    assert [match.policy_id for match in decision.caller_half.policy.spared] == ["spared"]
