"""`scope` may be too strict, never too lenient; and `evaluate` is said wherever there is more."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.catalogue import ActionPattern
from app.domain.conditions import Context
from app.domain.limits import TokenLimits
from app.domain.names import Vrn
from app.domain.policy import AttachedPolicy, evaluate
from app.domain.scopes import GrantedScope, grant_scope, holds, products_of
from tests.domain import strategies
from tests.support.policies import CATALOGUE

PRODUCTS = (("vserver",), ("iam",), ("iam", "vserver"), ())
# Actions that no catalogue has count as well: a resource server may run ahead of ours.
ACTIONS = (*strategies.ACTIONS, "vserver:", "vserver:StopServerNow", "vserver:t", "iam:Imp")
# Circumstances under which each condition of the strategies holds, fails, and is unknown.
CONTEXTS: tuple[Context, ...] = (
    {},
    {"iam:MfaPresent": True, "iam:AuthAge": 0, "iam:PrincipalName": "System1"},
    {"iam:MfaPresent": True, "iam:AuthAge": 99, "iam:PrincipalName": "System2"},
    {"iam:MfaPresent": False, "iam:AuthAge": 0, "iam:SourceIp": "10.1.2.3"},
    {"iam:MfaPresent": False, "iam:AuthAge": 99, "iam:SourceIp": "192.0.2.1"},
    {"iam:PrincipalName": "Other", "iam:SourceIp": "192.0.2.1"},
)


def product_of(name: str) -> str:
    return name.partition(":")[0]


def in_scope(granted: GrantedScope, action: str) -> bool:
    """What a resource server does that reads `scope` alone."""
    return any(pattern.matches(action) for pattern in granted.patterns)


def resources_of(action: str) -> list[Vrn]:
    return [vrn for vrn in strategies.VRNS if vrn.product == product_of(action)]


def may(
    policies: tuple[AttachedPolicy, ...],
    limits: TokenLimits,
    action: str,
    resource: Vrn,
    context: Context,
) -> bool:
    allowed = evaluate("1", action, resource, context, policies).allowed
    return allowed and limits.cover("1", action, resource, context)


@settings(max_examples=150)
@given(strategies.policies(1), strategies.limits(), st.sampled_from(PRODUCTS))
def test_what_is_in_scope_is_allowed_on_every_resource_of_the_account_under_every_context(
    policies: tuple[AttachedPolicy, ...], limits: TokenLimits, products: tuple[str, ...]
) -> None:
    granted = grant_scope("1", policies, limits, products)

    for action in ACTIONS:
        if in_scope(granted, action):
            assert product_of(action) in products
            for resource in resources_of(action):
                if resource.account_id == "1":
                    for context in CONTEXTS:
                        assert may(policies, limits, action, resource, context)


@settings(max_examples=150)
@given(strategies.policies(1), strategies.limits(), st.sampled_from(PRODUCTS))
def test_where_evaluate_is_not_said_there_is_nothing_beside_the_scope(
    policies: tuple[AttachedPolicy, ...], limits: TokenLimits, products: tuple[str, ...]
) -> None:
    granted = grant_scope("1", policies, limits, products)
    if granted.evaluate:
        return

    for action in ACTIONS:
        if product_of(action) in products:
            for resource in resources_of(action):
                if not (in_scope(granted, action) and resource.account_id == "1"):
                    for context in CONTEXTS:
                        assert not may(policies, limits, action, resource, context)


@given(strategies.policies(1), strategies.limits(), st.sampled_from(PRODUCTS))
def test_a_scope_repeats_nothing_and_spells_out_products(
    policies: tuple[AttachedPolicy, ...], limits: TokenLimits, products: tuple[str, ...]
) -> None:
    patterns = grant_scope("1", policies, limits, products).patterns

    assert [pattern.text for pattern in patterns] == sorted(pattern.text for pattern in patterns)
    assert all(pattern.product in products for pattern in patterns)
    for one in patterns:
        assert not any(one is not other and other.covers(one) for other in patterns)
        assert limits.admit_pattern(one)
        assert holds(one, policies)


@given(strategies.policies(1), strategies.limits(), st.sampled_from(ACTIONS))
def test_an_inline_policy_leaves_nothing_in_scope(
    policies: tuple[AttachedPolicy, ...], limits: TokenLimits, action: str
) -> None:
    document = strategies.compiled([{"effect": "allow", "actions": ["*"], "resources": ["*"]}])
    granted = grant_scope("1", policies, limits.narrowed(None, document), ("iam", "vserver"))

    assert not granted.patterns


@given(strategies.policies(1), strategies.limits())
def test_a_token_of_no_named_api_is_for_products_with_something_in_scope(
    policies: tuple[AttachedPolicy, ...], limits: TokenLimits
) -> None:
    products = products_of("1", policies, limits, [], CATALOGUE)
    widest = TokenLimits(limits.patterns)

    assert products in ((), ("iam",), ("vserver",))
    for product in products:
        assert grant_scope("1", policies, widest, (product,)).patterns
    if not products:
        assert not grant_scope("1", policies, widest, tuple(CATALOGUE.products)).patterns


@given(strategies.policies(1), st.sampled_from(strategies.ACTION_PATTERNS))
def test_a_pattern_that_is_granted_holds(policies: tuple[AttachedPolicy, ...], text: str) -> None:
    asked = ActionPattern(text)
    granted = grant_scope("1", policies, TokenLimits((asked,)), ("iam", "vserver"))

    assert all(holds(pattern, policies) for pattern in granted.patterns)
