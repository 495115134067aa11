"""What a tenant may set for its own account: each can only be stricter than the server's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from app.domain.principals import MAX_TOKEN_LIFETIME, MIN_TOKEN_LIFETIME
from app.domain.problems import InvalidDocument, Problem

SHORTEST_PASSWORD = 8
#: Nobody can be asked for a longer one.
LONGEST_MINIMUM = 128
#: Seconds.
SESSION_TIMEOUTS = (900, 1800, 3600)
DEFAULT_QUOTA = 5_000


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """What a new password has to be like. One that is set already stays good."""

    min_length: int = SHORTEST_PASSWORD
    require_digit: bool = False

    def problem_of(self, password: str) -> str | None:
        """What a password lacks, in words for whoever chose it; None where it is good."""
        if len(password) < self.min_length:
            return f"a password has at least {self.min_length} characters"
        if self.require_digit and not any(character.isdigit() for character in password):
            return "a password has at least one digit in it"
        return None


@dataclass(frozen=True, slots=True)
class TokenLifetimes:
    """The longest that access tokens live, in seconds: caps beside the other ones that apply."""

    service_account: int = MAX_TOKEN_LIFETIME
    iam_user: int = MAX_TOKEN_LIFETIME


class Quota(StrEnum):
    """What is counted."""

    IAM_USERS = "iam_users"
    GROUPS = "groups"
    SERVICE_ACCOUNTS = "service_accounts"
    POLICIES = "policies"
    OAUTH_CLIENTS = "oauth_clients"


@dataclass(frozen=True, slots=True)
class Quotas:
    """How many of each an account may have; its members are named as in `Quota`."""

    iam_users: int = DEFAULT_QUOTA
    groups: int = DEFAULT_QUOTA
    service_accounts: int = DEFAULT_QUOTA
    policies: int = DEFAULT_QUOTA
    oauth_clients: int = DEFAULT_QUOTA

    def of(self, quota: Quota) -> int:
        return int(getattr(self, quota.value))


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """The settings of a root account. `session_timeout` in seconds, None for the server's own."""

    password_policy: PasswordPolicy = field(default_factory=PasswordPolicy)
    session_timeout: int | None = None
    max_token_lifetime: TokenLifetimes = field(default_factory=TokenLifetimes)
    quotas: Quotas = field(default_factory=Quotas)

    def changes(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON values; `read_settings` reads it again.

        Where a default changes one day, it changes for whoever never set the value.
        """
        ours, usual = asdict(self), asdict(DEFAULTS)
        found: dict[str, Any] = {}
        for name, value in ours.items():
            if isinstance(value, dict):
                value = {key: each for key, each in value.items() if each != usual[name][key]}
                if value:
                    found[name] = value
            elif value != usual[name]:
                found[name] = value
        return found


DEFAULTS = AccountSettings()
_GROUPS: dict[str, type[Any]] = {
    "password_policy": PasswordPolicy,
    "max_token_lifetime": TokenLifetimes,
    "quotas": Quotas,
}


def read_settings(source: Mapping[str, Any] | None) -> AccountSettings:
    """The settings behind JSON values; what is left out is the default.

    Raises `InvalidDocument`: settings that cannot be read must not be taken for the defaults,
    which are the widest there are.
    """
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for name, value in (source or {}).items():
        if name == "session_timeout":
            values[name] = _checked(
                value, value is None or _is_one_of(value, SESSION_TIMEOUTS), name, problems
            )
        elif name in _GROUPS and isinstance(value, Mapping):
            values[name] = _group(_GROUPS[name], name, value, problems)
        else:
            problems.append(Problem(name, "no such setting"))
    if problems:
        raise InvalidDocument(problems)
    return AccountSettings(**values)


def _group(
    made: type[Any], path: str, source: Mapping[str, Any], problems: list[Problem]
) -> object:
    known = {each.name for each in fields(made)}
    values = {
        name: _checked(
            value, name in known and _is_good(path, name, value), f"{path}.{name}", problems
        )
        for name, value in source.items()
    }
    return made(**{name: value for name, value in values.items() if name in known})


def _is_good(group: str, name: str, value: object) -> bool:
    if name == "require_digit":
        return isinstance(value, bool)
    lowest, highest = {
        "password_policy": (SHORTEST_PASSWORD, LONGEST_MINIMUM),
        "max_token_lifetime": (MIN_TOKEN_LIFETIME, MAX_TOKEN_LIFETIME),
        "quotas": (0, DEFAULT_QUOTA),
    }[group]
    return type(value) is int and lowest <= value <= highest


def _is_one_of(value: object, choices: tuple[int, ...]) -> bool:
    return type(value) is int and value in choices


def _checked(value: object, is_good: bool, path: str, problems: list[Problem]) -> object:
    if not is_good:
        problems.append(Problem(path, "not a value that this setting can have"))
    return value
