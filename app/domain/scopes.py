"""What `scope` says, and what it leaves to access evaluation.

A scope holds action patterns that are true without "but": on every resource of the account,
under no condition, with no deny inside. Any narrower right is left out, and the token then
says ``evaluate``. A resource server that reads `scope` alone can only be too strict.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.domain.catalogue import IAM, ActionPattern, Catalogue, parse_action_pattern
from app.domain.limits import TokenLimits
from app.domain.policy import IMPERSONATE, AttachedPolicy, Effect, Statement

IDENTITY_SCOPES = ("openid", "profile", "email", "offline_access")

#: Of what is no scope; as long as any action pattern that somebody may have meant.
_LONGEST_SHOWN = 40


class InvalidScope(ValueError):
    """A scope cannot be granted; the message says which part, and why."""


@dataclass(frozen=True, slots=True)
class RequestedScope:
    """A `scope` parameter, read: identity scopes in their usual order, and action patterns."""

    identity: tuple[str, ...] = ()
    patterns: tuple[ActionPattern, ...] = ()


def parse_scope(text: str) -> RequestedScope:
    """Read a `scope` parameter (RFC 6749 section 3.3).

    Raises `InvalidScope` where a part is neither an identity scope nor an action pattern.
    """
    identity: set[str] = set()
    patterns: dict[ActionPattern, None] = {}  # in the order asked for, each once
    for token in text.split(" "):
        if not token:
            continue
        if token in IDENTITY_SCOPES:
            identity.add(token)
            continue
        pattern = parse_action_pattern(token)
        if pattern is None:
            raise InvalidScope(
                f"'{_printable(token)}' is no scope; expected an action pattern "
                "such as vserver:List*"
            )
        patterns[pattern] = None
    return RequestedScope(
        tuple(name for name in IDENTITY_SCOPES if name in identity), tuple(patterns)
    )


def _printable(token: str) -> str:
    """RFC 6749 section 5.2 keeps quotes, backslashes and non-ASCII out of descriptions.

    Secrets of ours have 43 characters and tokens more: what somebody pasted into the wrong
    field is not repeated, neither to a log of the client's nor in a redirect.
    """
    kept = "".join(c if " " < c <= "~" and c not in "\"\\'" else "?" for c in token)
    return kept if len(kept) <= _LONGEST_SHOWN else kept[:8] + "..."


@dataclass(frozen=True, slots=True)
class GrantedScope:
    """`patterns` go into `scope`; `evaluate` says that there are rights beside them."""

    patterns: tuple[ActionPattern, ...] = ()
    evaluate: bool = False


def holds(pattern: ActionPattern, policies: Iterable[AttachedPolicy]) -> bool:
    """Whether some allow speaks of all that `pattern` names, be it on one resource only."""
    return any(
        own.covers(pattern)
        for statement in _statements(policies, Effect.ALLOW)
        for own in statement.actions
    )


def grant_scope(
    account_id: str,
    policies: Sequence[AttachedPolicy],
    limits: TokenLimits,
    products: Sequence[str],
) -> GrantedScope:
    """The scope of a token of a principal of `account_id`, for these products.

    `limits.patterns` narrow it; an inline policy leaves nothing in it.
    """
    denies = tuple(_statements(policies, Effect.DENY))
    patterns = _without_covered(
        rest.value
        for statement in _statements(policies, Effect.ALLOW)
        for own in statement.actions
        for product in products
        for rest in _within(own, limits, product)
        if rest.exact
        and not limits.inline
        and _unconditional(statement, product, account_id)
        and not _has_exception(rest.value, denies, account_id)
    )
    evaluate = _adds_rights(account_id, policies, limits, products, patterns)
    return GrantedScope(patterns, evaluate)


@dataclass(frozen=True, slots=True)
class _Narrowed:
    """What is left of an allow under a limit; not `exact` where one pattern can't say it."""

    value: ActionPattern
    exact: bool = True


def _within(own: ActionPattern, limits: TokenLimits, product: str) -> list[_Narrowed]:
    """The part of an allowed pattern that the limits leave, for one product."""
    whole = ActionPattern(f"{product}:*")
    local = whole if own.product is None else own
    if not whole.covers(local):
        return []
    if limits.patterns is None:
        return [_Narrowed(local)]
    kept = []
    for limit in limits.patterns:
        if limit.covers(local):
            kept.append(_Narrowed(local))
        elif local.covers(limit):
            kept.append(_Narrowed(limit))
        elif local.overlaps(limit):
            kept.append(_Narrowed(local, exact=False))
    return kept


def _reaches_home(statement: Statement, account_id: str) -> bool:
    return any(resource.touches_account(account_id) for resource in statement.resources)


def _reaches_abroad(statement: Statement, own: ActionPattern, account_id: str) -> bool:
    """Whether the allow is of the one kind that reaches into another account."""
    return own.text == IMPERSONATE and any(
        resource.literal_account not in (None, account_id) for resource in statement.resources
    )


def _unconditional(statement: Statement, product: str, account_id: str) -> bool:
    return statement.condition is None and any(
        resource.is_whole_product(product, account_id) for resource in statement.resources
    )


def _has_exception(pattern: ActionPattern, denies: Iterable[Statement], account_id: str) -> bool:
    """Whether a deny takes something out of the pattern, whatever its condition says now."""
    return any(
        own.overlaps(pattern)
        for statement in denies
        if _reaches_home(statement, account_id)
        for own in statement.actions
    )


def _adds_rights(
    account_id: str,
    policies: Sequence[AttachedPolicy],
    limits: TokenLimits,
    products: Sequence[str],
    patterns: tuple[ActionPattern, ...],
) -> bool:
    """Whether some allow reaches beyond `patterns`: in actions, or into another account."""
    for statement in _statements(policies, Effect.ALLOW):
        home = _reaches_home(statement, account_id)
        for own in statement.actions:
            abroad = _reaches_abroad(statement, own, account_id)
            for product in products:
                for rest in _within(own, limits, product):
                    covered = any(pattern.covers(rest.value) for pattern in patterns)
                    if abroad or (home and not covered):
                        return True
    return False


def _without_covered(patterns: Iterable[ActionPattern]) -> tuple[ActionPattern, ...]:
    """Each right once, in alphabetical order."""
    kept: list[ActionPattern] = []
    for pattern in sorted(patterns, key=lambda each: (len(each.text), each.text)):
        if not any(other.covers(pattern) for other in kept):
            kept = [other for other in kept if not pattern.covers(other)]
            kept.append(pattern)
    return tuple(sorted(kept, key=lambda each: each.text))


def _statements(policies: Iterable[AttachedPolicy], effect: Effect) -> Iterable[Statement]:
    for policy in policies:
        for statement in policy.document.statements:
            if statement.effect is effect:
                yield statement


def products_of(
    account_id: str,
    policies: Sequence[AttachedPolicy],
    limits: TokenLimits,
    asked: Sequence[ActionPattern],
    catalogue: Catalogue,
) -> tuple[str, ...]:
    """The products that a token is for where the request names no API.

    Those of the patterns asked for, or else those that the granted scope speaks of. The
    issuer's own API (`iam`) never shares a token with another, so it steps back where nobody
    asked for it by name. An empty answer means: nothing is in scope, the issuer alone.
    Raises `InvalidScope` where the patterns asked for are both the issuer's and another's.
    """
    if asked:
        named = {pattern.product for pattern in asked}
        if None not in named:
            products = tuple(name for name in catalogue.products if name in named)
            if IAM in products and len(products) > 1:
                raise InvalidScope(
                    "a token for iam cannot be for another API as well; ask for one at a time"
                )
            return products
    widest = TokenLimits(limits.patterns)
    products = tuple(
        name
        for name in catalogue.products
        if grant_scope(account_id, policies, widest, (name,)).patterns
    )
    return tuple(name for name in products if name != IAM) or products
