"""An account's settings: what they are when nothing was set, and what they may be set to."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.account_settings import (
    DEFAULTS,
    AccountSettings,
    PasswordPolicy,
    Quota,
    Quotas,
    TokenLifetimes,
    read_settings,
)
from app.domain.problems import InvalidDocument


def faults_of(source: dict[str, Any]) -> list[str]:
    with pytest.raises(InvalidDocument) as caught:
        read_settings(source)
    return [problem.path for problem in caught.value.problems]


@pytest.mark.parametrize("source", [None, {}])
def test_an_account_that_set_nothing_has_the_defaults(source: dict[str, Any] | None) -> None:
    settings = read_settings(source)

    assert settings == DEFAULTS
    assert settings.password_policy == PasswordPolicy(8, False)
    assert settings.session_timeout is None
    assert settings.max_token_lifetime == TokenLifetimes(43_200, 43_200)
    assert [settings.quotas.of(quota) for quota in Quota] == [5_000] * 5


def test_only_what_differs_from_the_defaults_is_kept() -> None:
    assert DEFAULTS.changes() == {}
    settings = AccountSettings(
        PasswordPolicy(12), 900, TokenLifetimes(iam_user=900), Quotas(groups=0)
    )

    assert settings.changes() == {
        "password_policy": {"min_length": 12},
        "session_timeout": 900,
        "max_token_lifetime": {"iam_user": 900},
        "quotas": {"groups": 0},
    }


@pytest.mark.parametrize(
    "settings",
    [
        DEFAULTS,
        AccountSettings(PasswordPolicy(128, True)),
        AccountSettings(session_timeout=3600),
        AccountSettings(max_token_lifetime=TokenLifetimes(900, 43_200)),
        AccountSettings(quotas=Quotas(0, 1, 2, 3, 5_000)),
    ],
)
def test_what_is_kept_is_read_as_it_was(settings: AccountSettings) -> None:
    assert read_settings(settings.changes()) == settings


@pytest.mark.parametrize("seconds", [None, 900, 1800, 3600])
def test_a_session_may_end_sooner_or_as_the_server_has_it(seconds: int | None) -> None:
    assert read_settings({"session_timeout": seconds}).session_timeout == seconds


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ({"colour": "red"}, "colour"),
        ({"colours": {"red": 1}}, "colours"),
        ({"quotas": 5}, "quotas"),
        ({"session_timeout": 901}, "session_timeout"),
        ({"session_timeout": 900.0}, "session_timeout"),
        ({"password_policy": {"min_length": 7}}, "password_policy.min_length"),
        ({"password_policy": {"min_length": 129}}, "password_policy.min_length"),
        ({"password_policy": {"min_length": True}}, "password_policy.min_length"),
        ({"password_policy": {"require_digit": 1}}, "password_policy.require_digit"),
        ({"password_policy": {"history": 3}}, "password_policy.history"),
        ({"max_token_lifetime": {"iam_user": 899}}, "max_token_lifetime.iam_user"),
        ({"max_token_lifetime": {"service_account": 43_201}}, "max_token_lifetime.service_account"),
        ({"quotas": {"groups": -1}}, "quotas.groups"),
        ({"quotas": {"policies": 5_001}}, "quotas.policies"),
        ({"quotas": {"policies": None}}, "quotas.policies"),
    ],
)
def test_settings_that_cannot_be_are_not_taken_for_the_defaults(
    source: dict[str, Any], fault: str
) -> None:
    assert faults_of(source) == [fault]


def test_all_faults_are_told_at_once() -> None:
    assert faults_of({"quotas": {"groups": -1, "people": 1}, "session_timeout": 1}) == [
        "quotas.groups",
        "quotas.people",
        "session_timeout",
    ]


@pytest.mark.parametrize(
    ("policy", "password", "problem"),
    [
        (PasswordPolicy(), "seven77", "a password has at least 8 characters"),
        (PasswordPolicy(), "eight888", None),
        (PasswordPolicy(12), "eleven11111", "a password has at least 12 characters"),
        (PasswordPolicy(12), "twelve121212", None),
        (PasswordPolicy(8, True), "no-digit", "a password has at least one digit in it"),
        (PasswordPolicy(8, True), "1-digit-", None),
        (PasswordPolicy(8, False), "no-digit", None),
    ],
)
def test_a_password_is_as_the_policy_wants_it(
    policy: PasswordPolicy, password: str, problem: str | None
) -> None:
    assert policy.problem_of(password) == problem
