"""What an impersonation decision tells each side, and what it must not betray.

The decisions themselves are in ``cases``: the five rules, trust, targets and token limits.
"""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.conditions import Condition, parse_condition
from app.domain.impersonation import (
    MOST_COMPARISONS,
    OwnerHalf,
    Reason,
    Target,
    TrustEvidence,
    effort_of,
    may_impersonate,
)
from app.domain.policy import IMPERSONATE, AttachedPolicy, Match
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


def policies_naming(accounts: int) -> tuple[AttachedPolicy, ...]:
    """Policies that spell out so many accounts, the service account's among them."""
    names = [f"iam::{60108 + number}:service-account/*" for number in range(accounts)]
    return tuple(
        policy(allow(IMPERSONATE, names[start : start + 300]), name=f"p{start}")
        for start in range(0, accounts, 300)
    )


def test_an_id_alone_is_looked_for_in_many_accounts() -> None:
    decision = may_impersonate(
        facts(target=Target(SERVICE_ACCOUNT.id), policies=policies_naming(600))
    )

    assert decision.allowed


@pytest.mark.parametrize("target", [SERVICE_ACCOUNT, None])
def test_in_too_many_accounts_only_a_full_name_is_looked_for(
    target: ServiceAccount | None,
) -> None:
    """All policies are asked about each account: the work grows with the square of them."""
    held = policies_naming(1200)
    assert MOST_COMPARISONS < 1200 * 1200

    by_id = may_impersonate(
        facts(target=Target(SERVICE_ACCOUNT.id), service_account=target, policies=held)
    )
    in_full = may_impersonate(facts(policies=held))

    assert by_id.caller_half.reasons == (Reason.TOO_MANY_ACCOUNTS,)
    assert Reason.TOO_MANY_ACCOUNTS.value == "named-by-id-alone"
    assert not by_id.caller_half.policy.allowed
    assert not by_id.allowed
    assert in_full.allowed


@pytest.mark.parametrize(("padding", "allowed"), [(447, True), (448, False)])
def test_how_many_are_too_many(padding: int, allowed: bool) -> None:
    """799 accounts and the caller's own, each asked of three statements and of one that pads."""
    assert MOST_COMPARISONS == 800 * (3 + 799 + 1 + 447)
    other = allow("iam:GetPolicy", [f"iam::53461:policy/p{number}" for number in range(padding)])

    decision = may_impersonate(
        facts(
            target=Target(SERVICE_ACCOUNT.id),
            policies=(*policies_naming(799), policy(other, name="other")),
        )
    )

    assert decision.allowed is allowed


def test_the_effort_is_all_that_each_account_is_compared_with() -> None:
    names = ["iam::60108:service-account/*", "iam::60109:service-account/*"]
    held = (
        policy(
            allow(IMPERSONATE, names, stringEquals={"iam:Reason": ["a", "b", "c"]}),
            allow("iam:GetPolicy"),
        ),
    )

    assert effort_of(facts(policies=held)) == (1 + 2 + 3) + (1 + 1)
    assert effort_of(facts(policies=held, target=Target(SERVICE_ACCOUNT.id))) == 3 * 8
    assert effort_of(facts(policies=(), target=Target(SERVICE_ACCOUNT.id))) == 0


def test_where_no_account_is_looked_in_the_effort_is_that_of_one() -> None:
    found = effort_of(facts(policies=policies_naming(1200), target=Target(SERVICE_ACCOUNT.id)))

    assert found == 1200 + 4
