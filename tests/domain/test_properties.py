"""What must hold for every policy and every situation, tried on many.

Most of these say that something can only take away: the safe direction of a mistake.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.conditions import Value
from app.domain.impersonation import Facts, TrustedRelationship, may_impersonate
from app.domain.limits import NO_LIMITS, TokenLimits
from app.domain.names import Vrn
from app.domain.policy import AttachedPolicy, Effect, PolicyDocument, evaluate
from app.domain.principals import RootAccount, ServiceAccount
from tests.domain import strategies

actions = st.sampled_from(strategies.ACTIONS)
resources = st.sampled_from(strategies.VRNS)
accounts = st.sampled_from(strategies.ACCOUNTS)


# --- Access


@given(accounts, actions, resources, strategies.contexts(), strategies.policies())
def test_deny_always_wins_and_nothing_is_allowed_unless_a_statement_allows_it(
    account: str,
    action: str,
    resource: Vrn,
    context: dict[str, Value],
    policies: tuple[AttachedPolicy, ...],
) -> None:
    decision = evaluate(account, action, resource, context, policies)

    assert decision.allowed is (bool(decision.allows) and not decision.denies)
    everywhere = strategies.attach([{"effect": "deny", "actions": ["*"], "resources": ["*"]}])
    assert not evaluate(account, action, resource, context, (*policies, *everywhere)).allowed


@settings(max_examples=150)
@given(accounts, actions, resources, strategies.contexts(), strategies.policies(1), st.data())
def test_taking_an_allow_away_or_adding_a_deny_never_turns_a_no_into_a_yes(
    account: str,
    action: str,
    resource: Vrn,
    context: dict[str, Value],
    policies: tuple[AttachedPolicy, ...],
    data: st.DataObject,
) -> None:
    before = evaluate(account, action, resource, context, policies).allowed
    gone = data.draw(st.sampled_from(policies))
    deny = strategies.attach([data.draw(strategies.statements("deny"))])

    if gone.document.statements[0].effect is Effect.ALLOW:
        fewer = tuple(policy for policy in policies if policy is not gone)
        assert before or not evaluate(account, action, resource, context, fewer).allowed
    more = (*policies, *deny)
    assert before or not evaluate(account, action, resource, context, more).allowed


@settings(max_examples=150)
@given(accounts, actions, resources, strategies.contexts(), strategies.policies(1), st.data())
def test_knowing_less_never_turns_a_no_into_a_yes(
    account: str,
    action: str,
    resource: Vrn,
    context: dict[str, Value],
    policies: tuple[AttachedPolicy, ...],
    data: st.DataObject,
) -> None:
    kept = data.draw(st.sets(st.sampled_from(sorted(context)))) if context else set()
    less = {key: value for key, value in context.items() if key in kept}

    before = evaluate(account, action, resource, context, policies).allowed
    assert before or not evaluate(account, action, resource, less, policies).allowed


@given(accounts, actions, resources, strategies.contexts(), strategies.policies(1), st.data())
def test_the_order_of_policies_says_nothing(
    account: str,
    action: str,
    resource: Vrn,
    context: dict[str, Value],
    policies: tuple[AttachedPolicy, ...],
    data: st.DataObject,
) -> None:
    other = data.draw(st.permutations(policies))

    assert (
        evaluate(account, action, resource, context, policies).allowed
        is evaluate(account, action, resource, context, other).allowed
    )


@settings(max_examples=150)
@given(accounts, actions, resources, strategies.contexts(), strategies.policies())
def test_an_allow_abroad_needs_action_and_account_spelled_out_in_one_statement(
    account: str,
    action: str,
    resource: Vrn,
    context: dict[str, Value],
    policies: tuple[AttachedPolicy, ...],
) -> None:
    if resource.account_id == account:
        return
    spelled_out = any(
        action in [pattern.text for pattern in statement.actions]
        and any(f":{resource.account_id}:" in pattern.text for pattern in statement.resources)
        for policy in policies
        for statement in policy.document.statements
    )
    may = action == "iam:ImpersonateServiceAccount" and spelled_out

    assert may or not evaluate(account, action, resource, context, policies).allowed


@given(st.sampled_from(strategies.CONDITIONS), strategies.contexts(), st.data())
def test_learning_a_key_may_settle_a_condition_but_never_overturns_it(
    source: dict[str, Any], context: dict[str, Value], data: st.DataObject
) -> None:
    condition = strategies.parsed_condition(source)
    kept = data.draw(st.sets(st.sampled_from(sorted(context)))) if context else set()
    less = {key: value for key, value in context.items() if key in kept}

    assert condition.outcome(less) in (None, condition.outcome(context))


# --- Limits


@settings(max_examples=150)
@given(
    strategies.limits(),
    st.none() | strategies.action_patterns(),
    st.none() | strategies.documents(),
    actions,
    resources,
    strategies.contexts(),
)
def test_narrowing_a_token_only_takes_away(
    limits: TokenLimits,
    patterns: Any,
    policy: PolicyDocument | None,
    action: str,
    resource: Vrn,
    context: dict[str, Value],
) -> None:
    if patterns is not None:
        patterns = tuple(pattern for pattern in patterns if limits.admit_pattern(pattern))
    narrower = limits.narrowed(patterns, policy)

    if narrower.cover("1", action, resource, context):
        assert limits.cover("1", action, resource, context)


# --- Impersonation


def may(facts: Facts) -> bool:
    return may_impersonate(facts).allowed


def test_the_situations_tried_come_out_both_ways() -> None:
    """Otherwise the properties below would say little."""
    seen: Counter[str] = Counter()

    @settings(max_examples=300)
    @given(strategies.situations())
    def look(facts: Facts) -> None:
        if not may(facts):
            seen["no"] += 1
            return
        seen["yes"] += 1
        seen["yes, under a condition"] += bool(facts.trust and facts.trust.condition is not None)
        seen["yes, by a bare id"] += facts.target.account_id is None
        seen["yes, by a limited token"] += facts.limits != NO_LIMITS
        seen["yes, by one of several policies"] += len(facts.policies) > 2

    look()

    assert min(seen["yes"], seen["no"]) >= 60, seen
    assert min(seen.values()) >= 5, seen


@settings(max_examples=150)
@given(strategies.situations(), st.data())
def test_nothing_that_takes_away_turns_a_no_into_a_yes(facts: Facts, data: st.DataObject) -> None:
    before = may(facts)
    deny = strategies.attach([data.draw(strategies.statements("deny"))])
    patterns = data.draw(strategies.action_patterns())
    admitted = tuple(pattern for pattern in patterns if facts.limits.admit_pattern(pattern))
    inline = data.draw(strategies.documents())
    poorer = {
        "no trust": replace(facts, trust=None),
        "no policies": replace(facts, policies=()),
        "one more deny": replace(facts, policies=(*facts.policies, *deny)),
        "narrower patterns": replace(facts, limits=facts.limits.narrowed(admitted, None)),
        "one more inline policy": replace(facts, limits=facts.limits.narrowed(None, inline)),
        "a token that ended": replace(facts, token_live=False),
        "nothing known": replace(facts, context={}),
        "no service account": replace(facts, service_account=None),
        "later": replace(facts, now=facts.now + 1),
    }
    if isinstance(facts.trust, TrustedRelationship):
        trust = facts.trust
        stricter = trust.condition or strategies.parsed_condition(strategies.CONDITIONS[0])
        poorer["trust with an end"] = replace(facts, trust=replace(trust, expires_at=100))
        poorer["trust with a condition"] = replace(facts, trust=replace(trust, condition=stricter))
    for policy in facts.policies:
        if policy.document.statements[0].effect is Effect.ALLOW:
            kept = tuple(other for other in facts.policies if other is not policy)
            poorer[f"without {policy.id}"] = replace(facts, policies=kept)

    if not before:
        assert [change for change, changed in poorer.items() if may(changed)] == []


@given(strategies.situations())
def test_what_is_switched_off_gets_nothing(facts: Facts) -> None:
    account = facts.caller.account
    off = replace(facts.caller, account=replace(account, enabled=False))
    target = facts.service_account

    assert not may(replace(facts, token_live=False))
    assert not may(replace(facts, caller=off))
    assert not may(replace(facts, service_account=None))
    if target is not None:
        closed = replace(target, account=replace(target.account, enabled=False))
        assert not may(replace(facts, service_account=replace(target, enabled=False)))
        assert not may(replace(facts, service_account=closed))
        if target.account.id != account.id:
            assert not may(replace(facts, trust=None))


@settings(max_examples=150)
@given(strategies.situations(), strategies.situations())
def test_the_callers_half_does_not_depend_on_the_owners_facts(facts: Facts, other: Facts) -> None:
    changed = replace(facts, service_account=other.service_account, trust=other.trust)

    assert may_impersonate(changed).caller_half == may_impersonate(facts).caller_half


@settings(max_examples=150)
@given(strategies.situations(), strategies.situations())
def test_the_owners_half_does_not_depend_on_the_callers_facts(facts: Facts, other: Facts) -> None:
    """Which account asks, what for and how is all that the owner may know of the caller."""
    caller = replace(
        other.caller, account=RootAccount(facts.caller.account.id, other.caller.account.enabled)
    )
    changed = replace(
        facts,
        caller=caller,
        policies=other.policies,
        limits=other.limits,
        token_live=other.token_live,
    )

    assert may_impersonate(changed).owner_half == may_impersonate(facts).owner_half


@settings(max_examples=150)
@given(strategies.situations())
def test_yes_means_that_all_five_rules_hold(facts: Facts) -> None:
    decision = may_impersonate(facts)
    if not decision.allowed:
        return
    account, caller = facts.service_account, facts.caller
    assert isinstance(account, ServiceAccount)
    vrn = account.vrn
    arguments = (caller.account.id, "iam:ImpersonateServiceAccount", vrn, facts.context)

    assert (caller.type, caller.enabled, caller.account.enabled) == ("iam-user", True, True)
    assert facts.token_live
    assert (account.enabled, account.account.enabled) == (True, True)
    assert account.id == facts.target.service_account_id
    assert facts.target.account_id in (None, account.account.id)
    if account.account.id != caller.account.id:
        trust = facts.trust
        assert trust is not None
        assert trust.trusted_account_id == caller.account.id
        assert trust.expires_at is None or facts.now < trust.expires_at
        assert trust.condition is None or trust.condition.outcome(facts.context) is True
    assert evaluate(*arguments, facts.policies).allowed
    assert facts.limits.cover(*arguments)
    assert not decision.owner_half.reasons
    assert not decision.caller_half.reasons
