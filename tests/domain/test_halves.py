"""Each half by itself, and asked again when not everything is known any more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.conditions import EXTERNAL_ID, MFA_PRESENT, REASON, parse_condition
from app.domain.halves import Doubt, callers_half, owners_half, place_of_trust
from app.domain.impersonation import Facts, may_impersonate
from app.domain.limits import TokenLimits
from app.domain.policy import IMPERSONATE
from tests.domain.strategies import situations
from tests.support.impersonation import CALLERS_POLICY, SERVICE_ACCOUNT, facts, trust
from tests.support.policies import allow, deny, document, policy

VRN = str(SERVICE_ACCOUNT.vrn)
SECRET = {"stringEquals": {EXTERNAL_ID: ["deal-7"]}}
BOTH = {**SECRET, "bool": {MFA_PRESENT: [True]}}
FORGOTTEN = frozenset({EXTERNAL_ID})


@given(situations())
def test_the_halves_together_are_the_decision(situation: Facts) -> None:
    decision = may_impersonate(situation)
    account = situation.service_account
    caller, owner = callers_half(situation), owners_half(situation)

    named = account is not None and account.account.id in caller.accounts
    assert decision.allowed is (caller.allowed and owner.allowed and named)
    assert (caller, owner) == (decision.caller_half, decision.owner_half)


@given(situations(), situations())
def test_the_callers_half_knows_nothing_of_the_service_account(
    situation: Facts, other: Facts
) -> None:
    elsewhere = replace(situation, service_account=other.service_account, trust=other.trust)

    assert callers_half(elsewhere) == callers_half(situation)


@given(situations(), situations())
def test_the_owners_half_knows_nothing_of_policies_and_token(
    situation: Facts, other: Facts
) -> None:
    elsewhere = replace(
        situation,
        policies=other.policies,
        limits=other.limits,
        token_live=other.token_live,
    )

    assert owners_half(elsewhere) == owners_half(situation)


def condition(source: dict[str, Any]) -> Any:
    found = parse_condition(source, "condition", [])
    assert found is not None
    return found


def caller_again(doubt: Doubt, **changes: Any) -> bool | None:
    return doubt.ask(facts(**changes), lambda each: callers_half(each).allowed)


def owner_again(doubt: Doubt, **changes: Any) -> bool | None:
    return doubt.ask(facts(**changes), lambda each: owners_half(each).allowed)


NOTHING_TOLD = Doubt({}, FORGOTTEN)
WITH_MFA = Doubt({MFA_PRESENT: True}, FORGOTTEN)
WITHOUT_MFA = Doubt({MFA_PRESENT: False}, FORGOTTEN)


def test_what_hangs_on_nothing_forgotten_is_certain() -> None:
    assert caller_again(NOTHING_TOLD) is True
    assert caller_again(NOTHING_TOLD, policies=()) is False
    assert owner_again(NOTHING_TOLD) is True
    assert owner_again(NOTHING_TOLD, trust=None) is False


@pytest.mark.parametrize(
    ("source", "doubt", "answer"),
    [
        (SECRET, NOTHING_TOLD, None),
        (BOTH, WITH_MFA, None),
        (BOTH, WITHOUT_MFA, False),
        # The second factor was not told, which is known: it cannot hold.
        (BOTH, NOTHING_TOLD, False),
        ({"bool": {MFA_PRESENT: [True]}}, NOTHING_TOLD, False),
        ({"bool": {MFA_PRESENT: [True]}}, WITH_MFA, True),
    ],
)
def test_an_allow_or_a_trust_whose_condition_asks_for_it(
    source: dict[str, Any], doubt: Doubt, answer: bool | None
) -> None:
    context = doubt.context
    statement = allow(IMPERSONATE, VRN, **source)

    assert caller_again(doubt, policies=(policy(statement),), context=context) is answer
    assert owner_again(doubt, trust=trust(condition=condition(source)), context=context) is answer


@pytest.mark.parametrize(
    ("source", "doubt", "answer"),
    [
        (SECRET, NOTHING_TOLD, None),
        (BOTH, WITH_MFA, None),
        (BOTH, WITHOUT_MFA, True),
        (BOTH, NOTHING_TOLD, None),
        ({"bool": {MFA_PRESENT: [True]}}, NOTHING_TOLD, False),
    ],
)
def test_a_deny_whose_condition_asks_for_it(
    source: dict[str, Any], doubt: Doubt, answer: bool | None
) -> None:
    held = (CALLERS_POLICY, policy(deny("iam:*", **source), name="other"))

    assert caller_again(doubt, policies=held, context=doubt.context) is answer


def test_an_inline_policy_of_the_token_that_asks_for_it() -> None:
    limits = TokenLimits(None, (document(allow("iam:*", "*"), allow(IMPERSONATE, VRN, **SECRET)),))

    assert caller_again(NOTHING_TOLD, limits=limits) is None


def test_another_allow_settles_it() -> None:
    held = (CALLERS_POLICY, policy(allow(IMPERSONATE, VRN, **SECRET), name="other"))

    assert caller_again(NOTHING_TOLD, policies=held) is True


def test_what_is_known_to_have_held_still_holds() -> None:
    statement = policy(allow("iam:GetPolicy"), allow(IMPERSONATE, VRN, **SECRET), name="p")
    then = Doubt({}, FORGOTTEN, frozenset({("p", 1, 1), place_of_trust("trust-1", 1)}))
    other_place = Doubt({}, FORGOTTEN, frozenset({("p", 1, 0), ("p", 2, 1), ("trust-1", 1, 0)}))
    kept = trust(condition=condition(SECRET))

    assert caller_again(then, policies=(statement,)) is True
    assert caller_again(other_place, policies=(statement,)) is None
    assert owner_again(then, trust=kept) is True
    assert owner_again(other_place, trust=kept) is None
    assert owner_again(then, trust=replace(kept, version=2)) is None


def test_the_place_of_a_trust_is_that_of_no_statement() -> None:
    assert place_of_trust("trust-1", 2) == ("trust-1", 2, -1)


def test_a_deny_that_is_known_to_have_held_still_denies() -> None:
    held = (CALLERS_POLICY, policy(deny("iam:*", **SECRET), name="other"))

    assert caller_again(Doubt({}, FORGOTTEN, frozenset({("other", 1, 0)})), policies=held) is False


def test_what_held_does_not_hold_against_what_is_known_now() -> None:
    then = Doubt({}, FORGOTTEN, frozenset({("p", 1, 0), place_of_trust("trust-1", 1)}))

    assert (
        caller_again(then, policies=(policy(allow(IMPERSONATE, VRN, **BOTH), name="p"),)) is False
    )
    assert owner_again(then, trust=trust(condition=condition(BOTH))) is False


@given(situations(), st.sets(st.sampled_from((EXTERNAL_ID, REASON, MFA_PRESENT, "iam:SourceIp"))))
def test_an_answer_that_is_certain_is_that_of_the_whole_request(
    situation: Facts, forgotten: set[str]
) -> None:
    """Whatever is forgotten of it."""
    known = {key: value for key, value in situation.context.items() if key not in forgotten}
    doubt = Doubt(known, frozenset(forgotten))
    less = replace(situation, context=known)

    for half in (callers_half, owners_half):
        answer = doubt.ask(less, lambda each, half=half: half(each).allowed)  # type: ignore[misc]
        assert answer in (None, half(situation).allowed)
