"""Policies, requests and situations to try rules on: few names, so that they often meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from app.domain.catalogue import ActionPattern
from app.domain.conditions import Condition, Value, parse_condition
from app.domain.documents import compile_document
from app.domain.impersonation import Facts, Target, TrustedRelationship
from app.domain.limits import TokenLimits
from app.domain.names import Vrn
from app.domain.policy import AttachedPolicy, PolicyDocument
from app.domain.principals import IamUser, Principal, RootAccount, RootUser, ServiceAccount
from tests.support.policies import CATALOGUE

ACCOUNTS = ("1", "12", "2")
ACTIONS = tuple(
    f"{product.name}:{action.name}"
    for product in CATALOGUE.products.values()
    for action in product.actions
)
ACTION_PATTERNS = (
    *ACTIONS,
    *("*", "iam:*", "iam:Imp*", "iam:*ServiceAccount", "iam:ImpersonateServiceAccount*"),
    *("vserver:*", "vserver:List*", "vserver:*Server", "vserver:**", "vserver:S*", "vserver:*t*"),
)
VRNS = tuple(
    Vrn.parse(f"{kind[0]}::{account}:{kind[1]}/{id_}")
    for account in ACCOUNTS
    for kind in (("iam", "service-account"), ("vserver", "server"), ("vserver", "volume"))
    for id_ in ("sa-1", "x", "*")
)
RESOURCE_PATTERNS = (
    *("*", "*::*:*/*", "*::1:*/*", "vserver::1*:*/*", "*::*:service-account/*", "*::2:*/x"),
    *(f"iam::{account}:service-account/sa-1" for account in ACCOUNTS),
    *(f"iam::{account}:service-account/*" for account in ACCOUNTS),
    *(f"vserver::{account}:*/*" for account in ACCOUNTS),
    *(f"vserver::{account}:server/x" for account in ACCOUNTS),
)

CONDITIONS: tuple[dict[str, Any], ...] = (
    {"bool": {"iam:MfaPresent": [True]}},
    {"bool": {"iam:MfaPresent": [False]}, "numberLessThan": {"iam:AuthAge": [60]}},
    {"numberGreaterThanEquals": {"iam:AuthAge": [60]}},
    {"stringNotEquals": {"iam:PrincipalName": ["System1"]}},
    {"stringLike": {"iam:PrincipalName": ["System*"]}, "bool": {"iam:MfaPresent": [True]}},
    {"ipAddress": {"iam:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}},
    {"notIpAddress": {"iam:SourceIp": ["10.0.0.0/8"]}},
)


def contexts() -> st.SearchStrategy[dict[str, Value]]:
    """What a request tells; each key may be missing."""
    optional: dict[str, st.SearchStrategy[Value]] = {
        "iam:MfaPresent": st.booleans(),
        "iam:AuthAge": st.sampled_from((0, 59, 60, 61)),
        "iam:PrincipalName": st.sampled_from(("System1", "System2", "Other")),
        "iam:SourceIp": st.sampled_from(
            ("10.1.2.3", "::ffff:10.1.2.3", "192.0.2.1", "2001:db8::1")
        ),
    }
    return st.fixed_dictionaries({}, optional=optional)


# A fresh sign-in with a second factor, from outside: most conditions hold.
GOOD_CONTEXT: dict[str, Value] = {
    "iam:MfaPresent": True,
    "iam:AuthAge": 0,
    "iam:PrincipalName": "System1",
    "iam:SourceIp": "192.0.2.1",
}


def few(values: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3)


def statements(effect: str | None = None) -> st.SearchStrategy[dict[str, Any]]:
    effects = st.sampled_from(("allow", "allow", "deny")) if effect is None else st.just(effect)
    return st.fixed_dictionaries(
        {"effect": effects, "actions": few(ACTION_PATTERNS), "resources": few(RESOURCE_PATTERNS)},
        optional={"condition": st.sampled_from(CONDITIONS)},
    )


def compiled(rows: list[dict[str, Any]]) -> PolicyDocument:
    return compile_document({"statements": rows}, CATALOGUE)


def attach(rows: list[dict[str, Any]]) -> tuple[AttachedPolicy, ...]:
    """Each statement as a policy of its own, so that a test can take one away."""
    return tuple(
        AttachedPolicy(f"policy-{number}", "policy", 1, compiled([row]))
        for number, row in enumerate(rows)
    )


def policies(min_size: int = 0, max_size: int = 5) -> st.SearchStrategy[tuple[AttachedPolicy, ...]]:
    return st.lists(statements(), min_size=min_size, max_size=max_size).map(attach)


def documents() -> st.SearchStrategy[PolicyDocument]:
    return st.lists(statements(), min_size=1, max_size=3).map(compiled)


def action_patterns(max_size: int = 3) -> st.SearchStrategy[tuple[ActionPattern, ...]]:
    texts = st.lists(st.sampled_from(ACTION_PATTERNS), max_size=max_size)
    return texts.map(lambda found: tuple(ActionPattern(text) for text in found))


def limits() -> st.SearchStrategy[TokenLimits]:
    return st.builds(
        TokenLimits,
        st.none() | action_patterns(),
        st.lists(documents(), max_size=1).map(tuple),
    )


def parsed_condition(source: dict[str, Any]) -> Condition:
    condition = parse_condition(source, "condition", [])
    assert condition is not None
    return condition


def accounts() -> st.SearchStrategy[RootAccount]:
    return st.builds(RootAccount, st.sampled_from(ACCOUNTS), often_true())


def often_true() -> st.SearchStrategy[bool]:
    return st.sampled_from((True, True, True, True, False))


def often(usual: st.SearchStrategy[Any], others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly the usual, so that enough situations come out as a yes."""
    return st.sampled_from((True, True, True, False)).flatmap(
        lambda wanted: usual if wanted else others
    )


def callers() -> st.SearchStrategy[Principal]:
    usual = IamUser("user-1", "System1", RootAccount("1"))
    return often(
        st.just(usual),
        st.builds(IamUser, st.just("user-1"), st.just("System1"), accounts(), often_true())
        | st.builds(RootUser, st.just("root"), accounts())
        | st.builds(ServiceAccount, st.just("sa-9"), st.just("robot"), accounts(), often_true()),
    )


def service_accounts() -> st.SearchStrategy[ServiceAccount | None]:
    usual = ServiceAccount("sa-1", "robot", RootAccount("2"))
    ids = st.sampled_from(("sa-1", "x"))
    return often(
        st.just(usual),
        st.none() | st.builds(ServiceAccount, ids, st.just("robot"), accounts(), often_true()),
    )


def trusts() -> st.SearchStrategy[TrustedRelationship | None]:
    plain = TrustedRelationship("trust-1", 1, "1")
    wary = TrustedRelationship("trust-1", 1, "1", parsed_condition(CONDITIONS[0]), 101)
    return often(
        st.sampled_from((plain, wary)),
        st.none()
        | st.builds(
            TrustedRelationship,
            st.just("trust-1"),
            st.just(1),
            st.sampled_from(ACCOUNTS),
            st.none() | st.sampled_from(CONDITIONS).map(parsed_condition),
            st.none() | st.sampled_from((99, 100, 101)),
        ),
    )


def targets() -> st.SearchStrategy[Target]:
    ids = st.sampled_from(("sa-1", "x"))
    return often(
        st.sampled_from((Target("sa-1", "2"), Target("sa-1"))),
        st.builds(Target, ids, st.none() | st.sampled_from(ACCOUNTS)),
    )


USUAL_ALLOW: dict[str, Any] = {
    "effect": "allow",
    "actions": ["iam:ImpersonateServiceAccount"],
    "resources": ["iam::2:service-account/sa-1"],
}


def callers_policies() -> st.SearchStrategy[tuple[AttachedPolicy, ...]]:
    """Mostly with the one statement that reaches the usual service account."""
    others = st.lists(statements(), max_size=3)
    return st.builds(
        lambda rows, helped: attach([USUAL_ALLOW, *rows] if helped else rows), others, often_true()
    )


def callers_limits() -> st.SearchStrategy[TokenLimits]:
    patterns = (ActionPattern("vserver:*"), ActionPattern("iam:*"))
    narrow = TokenLimits(patterns, (compiled([USUAL_ALLOW]),))
    return often(st.sampled_from((TokenLimits(), narrow)), limits())


def situations() -> st.SearchStrategy[Facts]:
    """Facts of an impersonation; about a third of them come out as a yes."""
    return st.builds(
        Facts,
        caller=callers(),
        target=targets(),
        service_account=service_accounts(),
        trust=trusts(),
        policies=callers_policies(),
        context=often(st.just(GOOD_CONTEXT), contexts()),
        now=st.just(100.0),
        limits=callers_limits(),
        token_live=often_true(),
    )
