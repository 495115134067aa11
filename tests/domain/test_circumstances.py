"""What conditions are tested on: a value that the door does not know stays absent."""

from __future__ import annotations

import pytest

from app.domain.circumstances import Circumstances, context_of
from app.domain.principals import IamUser, Principal, RootAccount, RootUser, ServiceAccount

ACCOUNT = RootAccount("53461")
USER = IamUser("user-1", "System1", ACCOUNT)
NOW = 1_700_000_000.5


@pytest.mark.parametrize(
    ("principal", "identity", "name", "kind"),
    [
        (USER, "user-1", "System1", "iam-user"),
        (RootUser("root-1", ACCOUNT, "a@example.com"), "root-1", "a@example.com", "root-user"),
        (ServiceAccount("sa-1", "robot", ACCOUNT), "sa-1", "robot", "service-account"),
    ],
)
def test_what_is_always_known(principal: Principal, identity: str, name: str, kind: str) -> None:
    assert context_of(principal, Circumstances(NOW)) == {
        "iam:CurrentTime": NOW,
        "iam:PrincipalId": identity,
        "iam:PrincipalName": name,
        "iam:PrincipalAccount": "53461",
        "iam:PrincipalType": kind,
    }


def test_what_a_request_tells_is_known() -> None:
    circumstances = Circumstances(
        NOW,
        source_ip="192.0.2.7",
        auth_time=1_700_000_000 - 60,
        amr=("pwd", "otp", "mfa"),
        external_id="contract-7",
        reason="",
    )
    context = context_of(USER, circumstances)

    assert context["iam:SourceIp"] == "192.0.2.7"
    assert context["iam:AuthAge"] == 60.5
    assert context["iam:MfaPresent"] is True
    assert context["iam:ExternalId"] == "contract-7"
    assert context["iam:Reason"] == ""


def test_a_sign_in_without_a_second_factor_is_known_to_be_without() -> None:
    context = context_of(USER, Circumstances(NOW, auth_time=1_700_000_000, amr=("pwd",)))

    assert context["iam:MfaPresent"] is False


def test_without_a_sign_in_age_and_second_factor_are_unknown() -> None:
    context = context_of(USER, Circumstances(NOW, amr=("mfa",)))

    assert "iam:AuthAge" not in context
    assert "iam:MfaPresent" not in context


def test_a_sign_in_that_lies_ahead_has_no_age_below_zero() -> None:
    assert context_of(USER, Circumstances(NOW, auth_time=1_800_000_000))["iam:AuthAge"] == 0.0


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("192.0.2.7", "192.0.2.7"),
        ("unknown", "unknown"),
    ],
)
def test_an_address_has_one_spelling(written: str, known: str) -> None:
    """A deny that compares it as text must not be passed by with another spelling."""
    assert context_of(USER, Circumstances(NOW, source_ip=written))["iam:SourceIp"] == known
