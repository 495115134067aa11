"""Which APIs a token is for: products named by the request, or those that its scope is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.catalogue import IAM, ActionPattern, Catalogue
from app.domain.limits import TokenLimits
from app.domain.policy import AttachedPolicy
from app.domain.scopes import GrantedScope, InvalidScope, grant_scope, holds, products_of
from app.services.refusals import Refusal, Refused


@dataclass(frozen=True, slots=True)
class Reach:
    """What a token is for, and what of its rights `scope` can say."""

    audience: tuple[str, ...]
    granted: GrantedScope


def products_named(names: Sequence[str], catalogue: Catalogue) -> tuple[str, ...]:
    """The products that `resource` and `audience` name (RFC 8707 section 2), each once.

    Raises `Refused` for an unknown one, and for the issuer beside another: whoever accepts
    tokens of its own must not hold one that the issuer accepts.
    """
    found: list[str] = []
    for name in names:
        product = catalogue.find_api(name)
        if product is None:
            raise Refused(
                Refusal.UNKNOWN_API,
                "an API named by resource or audience is not registered here; "
                "expected a product name or its identifier URI",
            )
        if product.name not in found:
            found.append(product.name)
    if IAM in found and len(found) > 1:
        raise Refused(
            Refusal.API_WIDENS,
            "a token for the issuer cannot be for another API as well; ask for one at a time",
        )
    return tuple(found)


def require_held(
    patterns: Sequence[ActionPattern], policies: Sequence[AttachedPolicy], limits: TokenLimits
) -> None:
    """Raises `Refused` where a pattern asked for goes beyond the policies or the limits."""
    for pattern in patterns:
        if not (limits.admit_pattern(pattern) and holds(pattern, policies)):
            raise Refused(
                Refusal.SCOPE_WIDENS,
                f"'{pattern.text}' goes beyond what may be granted here",
            )


def reach_of(
    account_id: str,
    policies: Sequence[AttachedPolicy],
    limits: TokenLimits,
    asked: Sequence[ActionPattern],
    named: tuple[str, ...],
    catalogue: Catalogue,
    within: tuple[str, ...] | None = None,
) -> Reach:
    """Audience and scope of a token. `within` are the only products that it may be for.

    Raises `Refused` where the request would lead outside of `within`.
    """
    products = named
    if not products:
        try:
            products = products_of(account_id, policies, limits, asked, catalogue)
        except InvalidScope as error:
            raise Refused(Refusal.SCOPE_WIDENS, str(error)) from None
        if within is not None:
            products = tuple(name for name in products if name in within) or within
    if within is not None and not (products and set(products) <= set(within)):
        # Without any product of its own left, it must not fall back to the issuer's.
        raise Refused(
            Refusal.API_WIDENS,
            "the subject token is for certain APIs only, and the new one may be for no other",
        )
    products = products or (IAM,)
    return Reach(
        tuple(catalogue.products[name].identifier for name in products),
        grant_scope(account_id, policies, limits, products),
    )
