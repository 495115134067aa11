"""What a policy decision tells beside yes or no: who reads it has to find the statement.

The decisions themselves are in ``cases/policies.toml`` and ``cases/reach.toml``.
"""

from __future__ import annotations

from app.domain.names import Vrn
from app.domain.policy import (
    IMPERSONATE,
    AttachedPolicy,
    Match,
    accounts_named,
    evaluate,
    root_user_policies,
)
from tests.support.policies import allow, deny, document, policy

WEB = Vrn.parse("vserver::53461:server/web-1")
MFA, AGE = "iam:MfaPresent", "iam:AuthAge"


def test_a_match_names_policy_version_statement_and_how_its_condition_came_out() -> None:
    attached = AttachedPolicy(
        "id-7",
        "Stopping",
        3,
        document(
            allow("vserver:List*"),
            allow("vserver:StopServer"),
            allow("vserver:*", bool={MFA: [True]}, numberLessThan={AGE: [60]}),
            deny("vserver:*", bool={MFA: [False]}),
        ),
    )

    decision = evaluate("53461", "vserver:StopServer", WEB, {AGE: 99}, [attached])

    assert not decision.allowed
    assert decision.allows == (Match("id-7", "Stopping", 3, 1, True),)
    assert decision.withheld == (Match("id-7", "Stopping", 3, 2, False, (MFA, AGE)),)
    assert decision.denies == (Match("id-7", "Stopping", 3, 3, None, (MFA,)),)


def test_a_deny_that_is_known_not_to_apply_is_spared() -> None:
    attached = policy(allow("*"), deny("*", bool={MFA: [False]}))

    decision = evaluate("53461", "vserver:StopServer", WEB, {MFA: True}, [attached])

    assert decision.allowed
    assert decision.denies == ()
    assert decision.spared == (Match("policy", "policy", 1, 1, False, (MFA,)),)


def test_a_statement_without_a_say_does_not_hide_those_behind_it() -> None:
    attached = policy(
        allow("vserver:GetServer"),
        allow("vserver:StopServer", "vserver::53461:server/other"),
        allow("vserver:StopServer", str(WEB)),
    )

    decision = evaluate("53461", "vserver:StopServer", WEB, {}, [attached])

    assert [match.statement for match in decision.allows] == [2]


def test_the_accounts_that_a_policy_names_for_impersonation() -> None:
    attached = [
        policy(allow([IMPERSONATE, "iam:*"], ["iam::1:service-account/*", "*"])),
        policy(allow("iam:*", "iam::2:service-account/*")),
        policy(allow(IMPERSONATE, "iam::3*:service-account/*")),
        policy(deny(IMPERSONATE, "iam::4:service-account/*")),
        policy(allow(IMPERSONATE, "iam::5:*/*"), allow(IMPERSONATE, "iam::1:*/*")),
    ]

    assert accounts_named(IMPERSONATE, attached) == {"1", "5"}
    assert accounts_named("iam:GetPolicy", [policy(allow("iam:GetPolicy", "iam::1:a/b"))]) == set()


def test_a_root_user_may_do_everything_inside_its_account_and_nothing_outside() -> None:
    everything = root_user_policies()

    def allowed(action: str, resource: str) -> bool:
        return evaluate("53461", action, Vrn.parse(resource), {}, everything).allowed

    assert allowed("vserver:DeleteServer", "vserver::53461:server/web-1")
    assert allowed("iam:CreatePolicy", "iam::53461:policy/*")
    assert not allowed("vserver:DeleteServer", "vserver::60108:server/web-1")
    assert not allowed(IMPERSONATE, "iam::60108:service-account/sa-1")
    assert accounts_named(IMPERSONATE, everything) == set()


def test_the_policy_that_nobody_wrote_is_named_like_any_other() -> None:
    decision = evaluate("53461", "vserver:StopServer", WEB, {}, root_user_policies())

    assert decision.allows == (Match("root-user", "root user", 1, 0, True),)
