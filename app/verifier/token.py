"""The verified token: who it speaks for, who acts, and what its scope allows.

The values here are made from the claims of a token whose signature has been checked
(`app.verifier.checker`). `read_claims` judges the claims, with the time given to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

LEEWAY = 30
"""Seconds that our clock and the issuer's may differ."""

_LAST_DATE = 2**53
# RFC 6749 section 3.3: what a scope token may hold, one space between two.
_SCOPE = re.compile(r"[!#-\[\]-~]+( [!#-\[\]-~]+)*")
_ACTION_PATTERN = re.compile(r"\*|[a-z][a-z0-9-]*:[A-Za-z0-9*]+")


class TokenInvalid(Exception):
    """The token proves nothing. `reason` is one sentence that may be shown to the caller.

    It holds nothing of the token itself.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts through the subject (RFC 8693 section 4.1, the `act` claim).

    For an impersonation token: the IAM user who became the service account. `account_id` is the
    actor's own root account. `username` is what the issuer knows them by; `name` is what they
    called themselves for the occasion: show it, never decide by it.
    """

    subject: str
    account_id: str
    user_type: str
    username: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """An access token that this API may rely on.

    `subject`, `user_type` (``service-account``, ``iam-user``, ``root-user``) and `account_id`
    say whose rights are used; `actor` says who uses them, None if the subject itself does.

    `scope` has the action patterns that hold on every resource of the account. `evaluate` says
    that the subject may have narrower rights as well, which only access evaluation knows; a
    resource server that reads `scope` alone is then too strict, never too lenient.

    `decision_id` names the decision in the issuer's audit log that let the actor in.
    `expires_at` is in epoch seconds. `claims` is the whole claim set, read-only all through.
    """

    subject: str
    user_type: str
    account_id: str
    client_id: str
    scope: tuple[str, ...]
    evaluate: bool
    actor: Actor | None
    decision_id: str | None
    token_id: str
    expires_at: float
    claims: Mapping[str, Any] = field(repr=False, hash=False)

    def allows(self, action: str, account_id: str) -> bool:
        """Whether the scope alone allows `action` on any resource of `account_id`.

        `action` is spelled out, ``vserver:StopServer``. The account is the one that owns the
        resource: rights end at the token's own root account.
        """
        return account_id == self.account_id and any(
            matches(pattern, action) for pattern in self.scope
        )


def matches(pattern: str, action: str) -> bool:
    """Whether an action pattern matches an action; `*` is any run of characters, also none.

    The text is walked once: what stands between two stars is looked for from left to right.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return action == pattern
    *middle, last = rest
    if len(action) < len(first) + len(last):
        return False
    if not (action.startswith(first) and action.endswith(last)):
        return False
    position, end = len(first), len(action) - len(last)
    for piece in middle:
        found = action.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


def read_claims(
    claims: Mapping[str, Any], *, issuer: str, audience: str, now: float
) -> VerifiedToken:
    """Judge a claim set (RFC 9068 section 4) at `now`, in epoch seconds.

    Raises `TokenInvalid`.
    """
    if _text(claims, "iss") != issuer:
        raise TokenInvalid("The token comes from another issuer.")
    if audience not in _audiences(claims):
        raise TokenInvalid("The token is not for this API.")
    expires_at = _check_times(claims, now)
    if "cnf" in claims:
        # A token bound to a key (RFC 7800) is no bearer token. This kit can't ask for the proof.
        raise TokenInvalid("The token is bound to a key, which this API does not support.")
    return VerifiedToken(
        subject=_text(claims, "sub"),
        user_type=_text(claims, "user_type"),
        account_id=_text(claims, "account_id"),
        client_id=_text(claims, "client_id"),
        scope=_action_patterns(claims),
        evaluate=_flag(claims, "evaluate"),
        actor=_actor(claims),
        decision_id=_optional_text(claims, "decision_id"),
        token_id=_text(claims, "jti"),
        expires_at=expires_at,
        claims=_freeze(claims),
    )


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    """Returns `exp`."""
    issued_at, expires_at = _date(claims, "iat"), _date(claims, "exp")
    starts_at = _date(claims, "nbf") if "nbf" in claims else issued_at
    if now >= expires_at + LEEWAY:
        raise TokenInvalid("The token has expired.")
    if now < max(issued_at, starts_at) - LEEWAY:
        raise TokenInvalid("The token is not valid yet.")
    return expires_at


def _audiences(claims: Mapping[str, Any]) -> list[str]:
    value = claims.get("aud")
    members = value if isinstance(value, list) else [value]
    audiences = [each for each in members if isinstance(each, str) and each]
    if not audiences or len(audiences) != len(members):
        raise _wrong("aud")
    return audiences


def _action_patterns(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The action patterns of `scope`; identity scopes such as ``openid`` are none."""
    scope = _optional_text(claims, "scope")
    if scope is None:
        return ()
    if not _SCOPE.fullmatch(scope):
        raise _wrong("scope")
    return tuple(each for each in scope.split(" ") if _ACTION_PATTERN.fullmatch(each))


def _actor(claims: Mapping[str, Any]) -> Actor | None:
    if "act" not in claims:
        return None
    act = claims["act"]
    if not isinstance(act, dict):
        raise _wrong("act")
    return Actor(
        subject=_text(act, "sub", within="act"),
        account_id=_text(act, "account_id", within="act"),
        user_type=_text(act, "user_type", within="act"),
        username=_optional_text(act, "username", within="act"),
        name=_optional_text(act, "name", within="act"),
    )


def _text(claims: Mapping[str, Any], name: str, within: str = "") -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise _wrong(name, within)
    return value


def _optional_text(claims: Mapping[str, Any], name: str, within: str = "") -> str | None:
    return _text(claims, name, within) if name in claims else None


def _flag(claims: Mapping[str, Any], name: str) -> bool:
    value = claims.get(name, False)
    if not isinstance(value, bool):
        raise _wrong(name)
    return value


def _date(claims: Mapping[str, Any], name: str) -> float:
    """A NumericDate (RFC 7519 section 2). True is an int to Python, but no date."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(name)
    if not 0 <= value <= _LAST_DATE:
        raise _wrong(name)
    return float(value)


def _wrong(name: str, within: str = "") -> TokenInvalid:
    path = f"{within}.{name}" if within else name
    return TokenInvalid(f"The claim {path} is missing or malformed.")


def _freeze(value: Any) -> Any:
    """The same JSON value with read-only mappings and tuples in place of objects and arrays."""
    if isinstance(value, Mapping):
        return MappingProxyType({name: _freeze(member) for name, member in value.items()})
    if isinstance(value, list):
        return tuple(_freeze(member) for member in value)
    return value
