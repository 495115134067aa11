"""Nobody hands over more than they hold."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.catalogue import ActionPattern
from app.domain.delegation import (
    GRANT_BEYOND_OWN,
    MOST_COMPARISONS,
    MOST_NAMED,
    Grantor,
    Lack,
    Missing,
    find_excess,
)
from app.domain.limits import NO_LIMITS, TokenLimits
from app.domain.policy import AttachedPolicy, root_user_policies
from tests.support.policies import CATALOGUE, allow, deny, document, policy

OURS, THEIRS = "53461", "60108"
WEB = f"vserver::{OURS}:server/web-1"
WEBS = f"vserver::{OURS}:server/web-*"
SERVERS = f"vserver::{OURS}:server/*"
MFA: dict[str, Any] = {"bool": {"iam:MfaPresent": [True]}}
OFFICE: dict[str, Any] = {"ipAddress": {"iam:SourceIp": ["10.0.0.0/8"]}}
BOB_ONLY: dict[str, Any] = {"stringEquals": {"iam:PrincipalName": ["bob.b"]}}
IMPERSONATE = "iam:ImpersonateServiceAccount"
THEIR_ROBOTS = f"iam::{THEIRS}:service-account/*"

FULL = allow("vserver:*")
READ_ONLY = allow(["vserver:List*", "vserver:Get*"])

A_ACTION = "vserver:StopServer"
TOO_MANY = (Missing("", "", 0, "*", "*", Lack.TOO_MANY),)

Rows = list[dict[str, Any]]


def attached(rows: Rows) -> tuple[AttachedPolicy, ...]:
    return tuple(policy(row, name=f"policy-{number}") for number, row in enumerate(rows))


def excess(
    holds: Rows,
    after: Rows,
    before: Rows | None = None,
    limits: TokenLimits = NO_LIMITS,
    account_id: str = OURS,
) -> list[str]:
    """What the caller, who holds these statements, lacks for the change."""
    missing = find_excess(
        Grantor(OURS, attached(holds), limits),
        account_id,
        attached(before or []),
        attached(after),
        CATALOGUE,
    )
    return [str(one) for one in missing]


def lacks(*rights: str, why: Lack = Lack.NOT_ALLOWED) -> list[str]:
    return [f"{right}: {why.value}" for right in rights]


# --- What one holds, one may hand over


@pytest.mark.parametrize(
    ("holds", "after"),
    [
        ([], []),
        ([], [deny("*")]),
        ([FULL], [FULL]),
        ([FULL], [READ_ONLY]),
        ([allow("*")], [FULL, READ_ONLY, allow("iam:*")]),
        ([READ_ONLY], [allow("vserver:ListServers", SERVERS)]),
        ([allow("vserver:*", SERVERS)], [allow("vserver:StopServer", [WEB, WEBS])]),
        # The same resources in other words, and words for nothing in this account.
        ([allow("vserver:*", f"*::{OURS}:*/*")], [FULL]),
        ([allow("vserver:*", "*::5*:*/*")], [allow("vserver:*", f"*::{OURS}:*/*")]),
        ([], [allow("vserver:*", f"vserver::{THEIRS}:*/*")]),
        # Each action by a statement of its own.
        ([allow("vserver:List*"), allow("vserver:GetServer")], [READ_ONLY]),
        ([allow(["vserver:*e*", "vserver:List*"])], [FULL]),
        # One statement of several is enough.
        ([allow("vserver:*", WEB), FULL, allow("vserver:*", WEBS)], [FULL]),
    ],
)
def test_what_one_holds_one_may_hand_over(holds: Rows, after: Rows) -> None:
    assert excess(holds, after) == []


def test_a_root_user_may_hand_over_everything_in_its_account() -> None:
    caller = Grantor(OURS, root_user_policies())
    after = attached([allow("*"), allow("iam:*", f"*::{OURS}:*/*", **MFA)])

    assert find_excess(caller, OURS, (), after, CATALOGUE) == ()


# --- What one lacks, one may not


@pytest.mark.parametrize(
    ("holds", "after", "beyond"),
    [
        ([], [FULL], ["vserver:* on *"]),
        (
            [READ_ONLY],
            [READ_ONLY, FULL],
            [f"vserver:{name}Server on *" for name in ("Start", "Stop", "Delete")],
        ),
        ([allow("vserver:*", WEB)], [allow("vserver:*", WEBS)], [f"vserver:* on {WEBS}"]),
        ([allow("vserver:*", WEBS)], [FULL], ["vserver:* on *"]),
        # Other words for resources, but not for all of them.
        ([allow("vserver:*", f"vserver::{OURS}:*/*")], [FULL], ["vserver:* on *"]),
        ([allow("vserver:*", f"vserver::{THEIRS}:*/*")], [FULL], ["vserver:* on *"]),
        ([deny("vserver:*")], [FULL], ["vserver:* on *"]),
    ],
)
def test_what_one_lacks_is_named(holds: Rows, after: Rows, beyond: list[str]) -> None:
    assert excess(holds, after) == lacks(*beyond)


def test_actions_go_by_the_patterns_of_the_statement_where_all_of_one_is_lacking() -> None:
    after = allow(["vserver:List*", "vserver:Get*", "vserver:*", "vserver:StopServer"], WEB)

    assert excess([], [after]) == lacks(
        f"vserver:List* on {WEB}", f"vserver:Get* on {WEB}", f"vserver:* on {WEB}"
    )
    assert excess([allow("vserver:S*"), allow("vserver:TagServer")], [after]) == lacks(
        f"vserver:List* on {WEB}", f"vserver:Get* on {WEB}", f"vserver:DeleteServer on {WEB}"
    )


def test_a_pattern_inside_another_is_not_named_again() -> None:
    assert excess([], [allow(["vserver:*", "vserver:List*"])]) == lacks("vserver:* on *")


@pytest.mark.parametrize(
    ("holds", "limits", "told"),
    [
        ([], NO_LIMITS, "no statement of yours allows all of it"),
        (
            [allow("vserver:*", **MFA)],
            NO_LIMITS,
            "you have it only under a condition; this gives it under a wider or another one",
        ),
        ([FULL, deny("*", WEB)], NO_LIMITS, "a statement of yours denies some of it"),
        ([FULL], TokenLimits(()), "the token that you use does not reach it"),
    ],
)
def test_the_caller_is_told_why(holds: Rows, limits: TokenLimits, told: str) -> None:
    assert excess(holds, [FULL], limits=limits) == [f"vserver:* on *: {told}"]


def test_only_the_resources_that_are_lacking_are_named() -> None:
    after = allow("vserver:StopServer", [WEB, "vserver::*:volume/x", SERVERS])

    assert excess([allow("vserver:*", SERVERS)], [after]) == lacks(
        "vserver:StopServer on vserver::*:volume/x"
    )


def test_a_missing_right_says_which_statement_gives_it() -> None:
    after = (
        policy(FULL, name="full"),
        policy(READ_ONLY, deny("iam:*", WEB), allow("iam:GetPolicy"), name="mixed", via="group"),
    )
    caller = Grantor(OURS, attached([FULL]))

    assert find_excess(caller, OURS, (), after, CATALOGUE) == (
        Missing("mixed", "mixed", 2, "iam:GetPolicy", "*", Lack.NOT_ALLOWED),
    )


def test_the_first_few_rights_are_named() -> None:
    rows = [allow(f"vserver:{name}") for name in ("ListServers", "GetServer", "StopServer")]

    assert MOST_NAMED == 3
    assert excess([], [*rows, FULL]) == lacks(
        "vserver:ListServers on *", "vserver:GetServer on *", "vserver:StopServer on *"
    )
    assert excess([], rows[:2]) == lacks("vserver:ListServers on *", "vserver:GetServer on *")


# --- Only what is new counts


def test_rights_from_before_need_not_be_the_callers() -> None:
    assert excess([READ_ONLY], [FULL, READ_ONLY], before=[FULL]) == []
    assert excess([], [allow("vserver:*", WEB)], before=[FULL]) == []
    assert excess([], [allow("vserver:*", **MFA)], before=[FULL]) == []
    assert excess([], [FULL, allow("iam:*")], before=[FULL]) == lacks("iam:* on *")


def test_rights_grow_with_the_resources_and_without_the_condition() -> None:
    assert excess([], [FULL], before=[allow("vserver:*", WEB)]) == lacks("vserver:* on *")
    assert excess([], [FULL], before=[allow("vserver:*", **MFA)]) == lacks("vserver:* on *")


def test_a_condition_on_the_principal_says_the_same_before_and_after() -> None:
    bobs = allow("vserver:*", **BOB_ONLY)

    assert excess([], [bobs], before=[bobs]) == []


def test_a_deny_that_goes_away_gives_what_it_kept_back() -> None:
    before = [FULL, deny("vserver:Stop*", WEBS)]

    assert excess([], [FULL], before=before) == lacks(f"vserver:StopServer on {WEBS}")
    assert excess([allow("vserver:*", WEBS)], [FULL], before=before) == []
    assert excess([allow("vserver:*", WEB)], [FULL], before=before) == lacks(
        f"vserver:StopServer on {WEBS}"
    )


def test_a_right_that_is_wholly_new_is_named_once_whatever_was_denied() -> None:
    assert excess([], [FULL], before=[deny("vserver:*", WEBS)]) == lacks("vserver:* on *")


def test_a_deny_that_shrinks_gives_what_it_kept_back() -> None:
    before = [FULL, deny("vserver:*", WEBS)]

    assert excess([], [FULL, deny("vserver:*", WEB)], before=before) == lacks(
        f"vserver:* on {WEBS}"
    )
    assert excess([], [FULL, deny("vserver:*", WEBS, **MFA)], before=before) == lacks(
        f"vserver:* on {WEBS}"
    )
    assert excess([], [FULL, deny("vserver:*", SERVERS)], before=before) == []
    assert excess([], [FULL, deny("vserver:*")], before=before) == []


def test_a_deny_that_never_kept_anything_back_gives_nothing() -> None:
    held = allow("vserver:*", WEBS)

    for idle in (deny("iam:*"), deny("*", f"vserver::{OURS}:server/db"), deny("*", THEIR_ROBOTS)):
        assert excess([], [held], before=[held, idle]) == []


def test_a_deny_that_stays_keeps_back_whatever_else_changes() -> None:
    stays = deny("vserver:*", WEBS, **MFA)

    assert excess([], [FULL, stays], before=[stays, FULL]) == []
    # What one principal's name shuts out, it shuts out before and after.
    bobs = deny("vserver:*", WEBS, **BOB_ONLY)
    assert excess([], [FULL, bobs], before=[bobs, FULL]) == []


def test_a_right_that_a_deny_takes_back_is_none() -> None:
    assert excess([], [FULL, deny("*")]) == []
    assert excess([], [allow("vserver:*", WEB), deny("vserver:*", WEBS)]) == []
    assert excess([], [allow("vserver:*", WEB, **MFA), deny("vserver:*", WEB, **MFA)]) == []
    assert excess([], [allow("vserver:*", WEB), deny("vserver:*", WEB, **MFA)]) == lacks(
        f"vserver:* on {WEB}"
    )


# --- Denies of the caller


def test_what_the_caller_is_denied_it_may_not_hand_over() -> None:
    holds = [FULL, deny("vserver:StopServer", WEBS)]

    assert excess(holds, [FULL]) == lacks("vserver:StopServer on *", why=Lack.DENIED)
    assert excess(holds, [allow("vserver:*", WEB)]) == lacks(
        f"vserver:StopServer on {WEB}", why=Lack.DENIED
    )
    assert excess(holds, [READ_ONLY, allow("vserver:*", f"vserver::{OURS}:server/db")]) == []


def test_a_deny_of_the_caller_is_no_matter_where_the_other_is_denied_as_much() -> None:
    holds = [FULL, deny("vserver:StopServer", WEBS)]

    assert excess(holds, [FULL, deny("vserver:StopServer", WEBS)]) == []
    assert excess(holds, [FULL, deny("vserver:*", SERVERS)]) == []
    assert excess(holds, [allow("vserver:*", WEBS), deny("vserver:S*", "*::*:*/web-*")]) == []
    assert excess(holds, [FULL, deny("vserver:StopServer", WEB)]) == lacks(
        "vserver:StopServer on *", why=Lack.DENIED
    )
    assert excess(holds, [FULL, deny("vserver:StopServer", WEBS, **MFA)]) == lacks(
        "vserver:StopServer on *", why=Lack.DENIED
    )


def test_a_conditional_deny_is_matched_by_the_same_or_a_wider_one() -> None:
    holds = [FULL, deny("vserver:*", WEB, **MFA, **OFFICE)]

    assert excess(holds, [FULL]) == lacks("vserver:* on *", why=Lack.DENIED)
    assert excess(holds, [FULL, deny("vserver:*", WEB, **OFFICE, **MFA)]) == []
    assert excess(holds, [FULL, deny("vserver:*", WEB, **MFA)]) == []
    assert excess(holds, [FULL, deny("vserver:*", WEB)]) == []


def test_a_deny_that_names_its_principal_matches_no_other_principals() -> None:
    holds = [FULL, deny("vserver:*", **BOB_ONLY)]

    assert excess(holds, [FULL, deny("vserver:*", **BOB_ONLY)]) == lacks(
        "vserver:* on *", why=Lack.DENIED
    )
    assert excess(holds, [FULL, deny("vserver:*")]) == []


# --- Conditions of the caller


def test_a_condition_may_be_added_and_has_to_be_kept() -> None:
    conditional = allow("vserver:*", **MFA)

    assert excess([FULL], [conditional]) == []
    assert excess([conditional], [conditional]) == []
    assert excess([conditional], [allow("vserver:*", WEB, **OFFICE, **MFA)]) == []
    for wider in (FULL, allow("vserver:*", **OFFICE)):
        assert excess([conditional], [wider]) == lacks("vserver:* on *", why=Lack.CONDITIONAL)


def test_a_condition_that_names_its_principal_holds_for_no_other() -> None:
    bobs = allow("vserver:*", **BOB_ONLY)

    assert excess([bobs], [bobs]) == lacks("vserver:* on *", why=Lack.CONDITIONAL)
    assert excess([FULL], [bobs]) == []
    assert excess([allow("vserver:*", **MFA)], [allow("vserver:*", **MFA, **BOB_ONLY)]) == []


# --- Other accounts


def test_impersonation_abroad_is_handed_over_by_who_holds_it_spelled_out() -> None:
    abroad = allow(IMPERSONATE, f"iam::{THEIRS}:service-account/sa-1")
    right = f"{IMPERSONATE} on iam::{THEIRS}:service-account/sa-1"

    assert excess([allow(IMPERSONATE, THEIR_ROBOTS)], [abroad]) == []
    assert excess([allow([IMPERSONATE, "iam:*"], THEIR_ROBOTS)], [abroad]) == []
    for short in (allow("*"), allow("iam:*", THEIR_ROBOTS), allow(IMPERSONATE, "iam::*:*/*")):
        assert excess([short], [abroad]) == lacks(right)
    assert excess([allow(IMPERSONATE, "iam::1:service-account/*")], [abroad]) == lacks(right)


def test_a_root_user_hands_over_impersonation_abroad_only_as_an_administrator() -> None:
    caller = Grantor(OURS, root_user_policies())
    after = attached([allow(IMPERSONATE, THEIR_ROBOTS)])

    assert find_excess(caller, OURS, (), after, CATALOGUE) == (
        Missing("policy-0", "policy-0", 0, IMPERSONATE, THEIR_ROBOTS, Lack.NOT_ALLOWED),
    )
    assert GRANT_BEYOND_OWN == "iam:GrantBeyondOwn"


def test_patterns_that_give_nothing_abroad_need_not_be_held() -> None:
    assert excess([], [allow("iam:*", THEIR_ROBOTS)]) == []
    for others in ("iam:GetServiceAccount", "iam:*"):
        for holds in ([], [allow("*")]):
            assert excess(holds, [allow([others, IMPERSONATE], THEIR_ROBOTS)]) == lacks(
                f"{IMPERSONATE} on {THEIR_ROBOTS}"
            )


def test_a_principal_of_another_account_gets_nothing_from_rights_in_ones_own() -> None:
    assert excess([allow("*")], [READ_ONLY], account_id=THEIRS) == lacks(
        "vserver:List* on *", "vserver:Get* on *"
    )
    assert (
        excess(
            [allow(IMPERSONATE, THEIR_ROBOTS)],
            [allow(IMPERSONATE, "iam::*:service-account/sa-1")],
            account_id=THEIRS,
        )
        == []
    )


# --- The token that the caller speaks with


def test_the_token_has_to_reach_it_as_well() -> None:
    patterns = TokenLimits((ActionPattern("iam:*"), ActionPattern("vserver:List*")))

    assert excess([FULL], [allow("vserver:List*")], limits=patterns) == []
    assert excess([FULL], [READ_ONLY], limits=patterns) == lacks(
        "vserver:Get* on *", why=Lack.OUTSIDE_TOKEN
    )
    assert excess([FULL], [FULL], limits=TokenLimits(())) == lacks(
        "vserver:* on *", why=Lack.OUTSIDE_TOKEN
    )


def test_every_inline_policy_has_to_reach_it() -> None:
    webs = document(allow("vserver:*", WEBS))
    with_mfa = document(allow("*", **MFA), deny("vserver:*", WEB, **OFFICE))
    both = TokenLimits(None, (webs, with_mfa))
    web_2 = f"vserver::{OURS}:server/web-2"

    assert excess([FULL], [allow("vserver:*", web_2, **MFA)], limits=both) == []
    for beyond in (SERVERS, WEB):
        assert excess([FULL], [allow("vserver:*", beyond, **MFA)], limits=both) == lacks(
            f"vserver:* on {beyond}", why=Lack.OUTSIDE_TOKEN
        )
    assert excess([FULL], [allow("vserver:*", web_2)], limits=both) == lacks(
        f"vserver:* on {web_2}", why=Lack.OUTSIDE_TOKEN
    )
    lists = TokenLimits(None, (document(allow("vserver:List*")),))
    assert excess([FULL], [READ_ONLY], limits=lists) == lacks(
        "vserver:Get* on *", why=Lack.OUTSIDE_TOKEN
    )
    kept = [allow("vserver:*", WEB, **MFA), deny("vserver:*", WEB, **OFFICE)]
    assert excess([FULL], kept, limits=both) == []


def test_a_token_gives_no_right_that_the_policies_lack() -> None:
    everything = TokenLimits((ActionPattern("*"),), (document(allow("*")),))

    assert excess([], [FULL], limits=everything) == lacks("vserver:* on *")


def test_what_would_take_too_long_to_compare_is_not_handed_over() -> None:
    """The rule is asked while the store's lock is held."""
    many = [allow("*", [f"vserver::{OURS}:server/{n}-{m}" for m in range(300)]) for n in range(3)]
    everything = attached(many)

    assert find_excess(Grantor(OURS, everything), OURS, (), everything, CATALOGUE) == TOO_MANY
    assert str(TOO_MANY[0]) == "* on *: there are too many statements to compare with yours"
    few = find_excess(Grantor(OURS, everything), OURS, (), attached([allow(A_ACTION)]), CATALOGUE)
    assert [one.lack for one in few] == [Lack.NOT_ALLOWED]


@pytest.mark.parametrize(("held", "too_many"), [(499, False), (500, True)])
def test_how_many_comparisons_are_too_many(held: int, too_many: bool) -> None:
    assert MOST_COMPARISONS == 500 * (1 + 499)
    names = [f"vserver::{OURS}:server/{number}" for number in range(500)]
    caller = Grantor(OURS, attached([allow(A_ACTION, names[:held])]))
    after = attached([allow(A_ACTION, [f"{name}-*" for name in names])])

    assert (find_excess(caller, OURS, (), after, CATALOGUE) == TOO_MANY) is too_many


def test_each_pair_of_rights_is_a_comparison() -> None:
    """Two rights that a change gives, against those of before and those of the caller."""
    caller = Grantor(OURS, attached([allow(A_ACTION, SERVERS), deny(A_ACTION, WEB)]))
    after = attached([allow(A_ACTION, WEBS), allow(A_ACTION, SERVERS), deny(A_ACTION, WEB)])
    before = attached([allow(A_ACTION, WEB), deny(A_ACTION, WEBS)])

    # Each of both: 1 + 1 deny after, 1 + 1 * 2 before, 1 + 1 * 2 of the caller.
    assert find_excess(caller, OURS, before, after, CATALOGUE, 16)[:1] != TOO_MANY
    assert find_excess(caller, OURS, before, after, CATALOGUE, 15) == TOO_MANY
