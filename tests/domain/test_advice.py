"""A no in words, and the smallest change that makes it a yes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import advice
from app.domain.advice import Advice, Question, advise, in_words
from app.domain.halves import callers_half, owners_half
from app.domain.impersonation import Facts, Reason, why_not
from app.domain.names import Vrn
from app.domain.policy import (
    IMPERSONATE,
    AttachedPolicy,
    PolicyDecision,
    PolicyDocument,
    evaluate,
)
from tests.domain.strategies import (
    ACTIONS,
    VRNS,
    attach,
    compiled,
    contexts,
    policies,
    situations,
)
from tests.support.impersonation import SERVICE_ACCOUNT, A, facts, trust
from tests.support.policies import allow, deny, policy

MFA = {"iam:MfaPresent": [True]}
SERVER = Vrn.parse("vserver::53461:server/web")
STOP = Question(A.id, "vserver:StopServer", SERVER)
BECOME = Question(A.id, IMPERSONATE, SERVICE_ACCOUNT.vrn)


def decided(question: Question, *attached: AttachedPolicy, **context: Any) -> PolicyDecision:
    assert question.resource is not None
    return evaluate(question.account_id, question.action, question.resource, context, attached)


def advised(question: Question, *attached: AttachedPolicy, **context: Any) -> Advice:
    decision = decided(question, *attached, **context)
    return advise(question, (why_not(decision),), decision)


def test_what_no_statement_allows_gets_the_statement_that_allows_just_this() -> None:
    assert advised(STOP) == Advice(
        "Attach a policy with this statement.",
        {
            "effect": "allow",
            "actions": ["vserver:StopServer"],
            "resources": ["vserver::53461:server/web"],
        },
    )


def test_what_no_policy_ever_allows_gets_no_statement() -> None:
    abroad = Question(A.id, "vserver:StopServer", Vrn.parse("vserver::60108:server/web"))

    assert advised(abroad) == Advice(
        "No policy reaches resources of root account 60108: become a service account of that "
        "account, which has its own policies."
    )


def test_becoming_another_accounts_service_account_is_allowed_by_its_full_name() -> None:
    assert advised(BECOME).statement == {
        "effect": "allow",
        "actions": ["iam:ImpersonateServiceAccount"],
        "resources": [str(SERVICE_ACCOUNT.vrn)],
    }


def test_whoever_gave_an_id_alone_is_told_to_spell_out_the_name() -> None:
    found = advise(Question(A.id, IMPERSONATE, None), (Reason.NOT_ALLOWED,))

    assert found == Advice(
        "Attach a policy that allows iam:ImpersonateServiceAccount and spells out the service "
        "account's full name, iam::<its root account>:service-account/<its id>."
    )


def test_a_condition_is_to_be_met_and_never_advised_away() -> None:
    found = advised(STOP, policy(allow("vserver:*", bool=MFA), name="Operators"))

    assert found == Advice(
        "Statement 0 of policy 'Operators' (version 1) allows it once its condition holds: "
        "iam:MfaPresent."
    )


def test_each_statement_that_denies_is_named() -> None:
    found = advised(
        STOP,
        policy(allow("vserver:*"), deny("vserver:Stop*"), name="Careful"),
        policy(deny("vserver:*", bool=MFA), name="Strict"),
        policy(allow("vserver:StopServer", bool=MFA)),
    )

    assert found == Advice(
        "Statement 1 of policy 'Careful' (version 1) denies it: take this action or resource out "
        "of it. "
        "Statement 0 of policy 'Strict' (version 1) denies it, because it is not known that its "
        "condition does not hold (iam:MfaPresent): take this action or resource out of it."
    )


def test_where_nothing_allows_it_either_both_changes_are_named() -> None:
    found = advised(STOP, policy(deny("vserver:Stop*"), name="Careful"))

    assert found.text == (
        "Statement 0 of policy 'Careful' (version 1) denies it: take this action or resource out "
        "of it. Attach a policy with this statement."
    )
    assert found.statement is not None


def test_where_only_a_deny_is_in_the_way_no_statement_is_to_be_attached() -> None:
    found = advised(STOP, policy(allow("vserver:*"), deny("vserver:Stop*"), name="Careful"))

    assert found == Advice(
        "Statement 1 of policy 'Careful' (version 1) denies it: take this action or resource out "
        "of it."
    )


def test_a_deny_and_a_condition_are_both_named() -> None:
    found = advised(
        STOP, policy(deny("vserver:Stop*"), allow("vserver:*", bool=MFA), name="Careful")
    )

    assert "denies it" in found.text
    assert "once its condition holds: iam:MfaPresent." in found.text
    assert found.statement is None


def test_a_key_is_named_once() -> None:
    twice = allow("vserver:*", numberLessThan={"iam:AuthAge": [60]})
    twice["condition"]["numberGreaterThan"] = {"iam:AuthAge": [1]}

    assert advised(STOP, policy(twice)).text.endswith("holds: iam:AuthAge.")


def test_every_key_is_named() -> None:
    both = allow("vserver:*", bool=MFA, numberLessThan={"iam:AuthAge": [60]})

    assert advised(STOP, policy(both)).text.endswith("holds: iam:MfaPresent, iam:AuthAge.")


def test_an_owner_is_told_whom_to_trust() -> None:
    half = owners_half(facts(trust=None))

    assert advise(BECOME, half.reasons, trust=half.trust) == Advice(
        "Add a trusted relationship with root account 53461.", None, "53461"
    )


def test_an_owner_is_told_what_the_trust_asks_for() -> None:
    condition = compiled([allow("iam:*", bool=MFA)]).statements[0].condition
    half = owners_half(facts(trust=trust(condition=condition, expires_at=1)))

    assert advise(BECOME, half.reasons, trust=half.trust) == Advice(
        "Give the trusted relationship a later end. The condition of the trusted relationship "
        "has to hold: iam:MfaPresent."
    )


def test_trust_of_which_no_evidence_was_kept_can_be_spoken_of() -> None:
    found = advise(BECOME, (Reason.TRUST_CONDITION_NOT_MET,))

    assert found.text == "The condition of the trusted relationship has to hold."


REASONS = (
    *Reason,
    advice.NOT_ALLOWED_HERE,
    advice.BEYOND_OWN,
    advice.WIDENS_ITSELF,
)


def test_the_reasons_of_the_management_api_are_recorded_by_these_names() -> None:
    assert REASONS[-3:] == ("not-allowed", "beyond-own", "widens-itself")


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_words_and_something_to_do(reason: str) -> None:
    assert in_words(reason).islower() or "IAM" in in_words(reason)
    assert advise(BECOME, (reason,)).text.endswith(".")


def test_no_two_reasons_are_told_in_the_same_words() -> None:
    assert len({in_words(reason) for reason in REASONS}) == len(REASONS)


def test_what_the_management_api_refused_gets_the_statement_too() -> None:
    assert advise(STOP, (advice.NOT_ALLOWED_HERE,)).statement is not None


def followed(question: Question, decision: PolicyDecision, held: Any) -> Any:
    """The policies after the advice was followed: denies taken out, the statement attached."""
    refused = {(match.policy_id, match.statement) for match in decision.denies}
    kept = tuple(
        replace(
            each,
            document=PolicyDocument(
                tuple(
                    statement
                    for index, statement in enumerate(each.document.statements)
                    if (each.id, index) not in refused
                )
            ),
        )
        for each in held
    )
    statement = advise(question, (why_not(decision),), decision).statement
    return kept if statement is None else (*kept, *attach([statement]))


@given(policies(), st.sampled_from(ACTIONS), st.sampled_from(VRNS), contexts())
def test_following_the_advice_leaves_nothing_but_conditions_in_the_way(
    held: Any, action: str, resource: Vrn, context: Any
) -> None:
    question = Question("1", action, resource)
    before = evaluate("1", action, resource, context, held)
    if before.allowed:
        return

    after = evaluate("1", action, resource, context, followed(question, before, held))

    out_of_reach = resource.account_id != "1" and action != IMPERSONATE
    assert after.allowed or before.withheld or out_of_reach
    assert not after.denies


@given(situations())
def test_whatever_refuses_there_is_something_to_do(situation: Facts) -> None:
    caller, owner = callers_half(situation), owners_half(situation)
    question = Question("1", IMPERSONATE, Vrn.parse("iam::2:service-account/sa-1"))

    for half in (caller, owner):
        found = advise(question, half.reasons, caller.policy, owner.trust)
        assert bool(found.text) is not half.allowed
