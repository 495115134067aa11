"""The limits of a token: what they admit, and that narrowing only takes away."""

from __future__ import annotations

import pytest

from app.domain.catalogue import ActionPattern
from app.domain.limits import NO_LIMITS, TokenLimits
from app.domain.names import Vrn
from tests.support.policies import allow, document

WEB = Vrn.parse("vserver::53461:server/web-1")
DB = Vrn.parse("vserver::53461:server/db-1")
WEB_ONLY = document(allow("vserver:*", "vserver::53461:server/web-*"))
STOP_ONLY = document(allow("vserver:StopServer", bool={"iam:MfaPresent": [True]}))


def patterns(*texts: str) -> tuple[ActionPattern, ...]:
    return tuple(ActionPattern(text) for text in texts)


def covers(limits: TokenLimits, action: str, resource: Vrn = WEB, mfa: bool | None = True) -> bool:
    context = {} if mfa is None else {"iam:MfaPresent": mfa}
    return limits.cover("53461", action, resource, context)


def test_without_limits_everything_is_covered() -> None:
    assert covers(NO_LIMITS, "vserver:StopServer")
    assert NO_LIMITS.admit_pattern(ActionPattern("*"))


def test_action_patterns_cover_what_they_match() -> None:
    limits = TokenLimits(patterns("vserver:List*", "vserver:StopServer"))

    assert covers(limits, "vserver:ListVolumes")
    assert covers(limits, "vserver:StopServer")
    assert not covers(limits, "vserver:StartServer")
    assert not covers(limits, "iam:ListPolicy")


def test_no_action_pattern_covers_nothing() -> None:
    assert not covers(TokenLimits(()), "vserver:StopServer")
    assert not TokenLimits(()).admit_pattern(ActionPattern("vserver:StopServer"))


def test_every_inline_policy_has_to_allow() -> None:
    both = TokenLimits(None, (WEB_ONLY, STOP_ONLY))

    assert covers(both, "vserver:StopServer", WEB)
    assert not covers(both, "vserver:StopServer", DB)
    assert not covers(both, "vserver:StartServer", WEB)
    assert not covers(both, "vserver:StopServer", WEB, mfa=False)
    assert not covers(both, "vserver:StopServer", WEB, mfa=None)


def test_action_patterns_and_inline_policies_both_have_to_cover() -> None:
    limits = TokenLimits(patterns("vserver:Stop*"), (WEB_ONLY,))

    assert covers(limits, "vserver:StopServer", WEB)
    assert not covers(limits, "vserver:StopServer", DB)
    assert not covers(limits, "vserver:StartServer", WEB)


@pytest.mark.parametrize(
    ("own", "asked", "admitted"),
    [
        ("vserver:*", "vserver:List*", True),
        ("vserver:List*", "vserver:List*", True),
        ("vserver:List*", "vserver:ListServers", True),
        ("*", "*", True),
        ("*", "iam:*", True),
        ("vserver:List*", "vserver:*", False),
        ("vserver:List*", "vserver:L*", False),
        ("vserver:List*", "vserver:*Servers", False),
        ("vserver:ListServers", "vserver:List*", False),
        ("vserver:*", "*", False),
        ("vserver:*", "iam:*", False),
    ],
)
def test_narrowing_stays_inside_the_patterns(own: str, asked: str, admitted: bool) -> None:
    limits = TokenLimits(patterns("iam:GetPolicy", own))

    assert limits.admit_pattern(ActionPattern(asked)) is admitted


def test_narrowing_replaces_patterns_and_adds_inline_policies() -> None:
    limits = TokenLimits(patterns("vserver:*"), (WEB_ONLY,))

    assert limits.narrowed(None, None) == limits
    assert limits.narrowed(patterns("vserver:Stop*"), STOP_ONLY) == TokenLimits(
        patterns("vserver:Stop*"), (WEB_ONLY, STOP_ONLY)
    )
    assert limits.narrowed((), None) == TokenLimits((), (WEB_ONLY,))


def test_twenty_narrowings_in_a_row_keep_every_inline_policy() -> None:
    limits = NO_LIMITS.narrowed(patterns("vserver:*"), WEB_ONLY)
    for _ in range(20):
        limits = limits.narrowed(None, STOP_ONLY)

    assert limits.patterns == patterns("vserver:*")
    assert limits.inline == (WEB_ONLY, *[STOP_ONLY] * 20)
