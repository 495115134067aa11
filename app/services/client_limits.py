"""What a tenant lets a client of its own ask for at most: `allowedScopes` and `allowedAudiences`.

Every door asks here: the authorization endpoint before a person is asked anything, and
`app.services.issuing` before any token goes out, whatever grant it is of.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.catalogue import IAM, ActionPattern, Catalogue, parse_action_pattern
from app.domain.clients import Client
from app.domain.limits import TokenLimits
from app.services.refusals import Refusal, Refused

_OF_IAM = ActionPattern(f"{IAM}:*")


def require_within(
    client: Client,
    identity_scopes: Sequence[str],
    patterns: tuple[ActionPattern, ...] | None,
    audience: Sequence[str],
    catalogue: Catalogue,
) -> None:
    """Raises `Refused` where a token would be wider than the client may ask for.

    `patterns` is None for a token that is as wide as its subject's policies. A client without
    limits, as all are that no tenant registered, passes.
    """
    _require_scopes(client, identity_scopes, patterns)
    _require_audience(client, patterns, audience, catalogue)


def is_limited(client: Client) -> bool:
    return client.allowed_scopes is not None or client.allowed_audiences is not None


def narrowed(
    client: Client, patterns: tuple[ActionPattern, ...] | None
) -> tuple[ActionPattern, ...] | None:
    """The patterns that a token is limited to; where none were asked for, the client's own."""
    return patterns if patterns is not None else _allowed(client)


def _allowed(client: Client) -> tuple[ActionPattern, ...] | None:
    if client.allowed_scopes is None:
        return None
    found = (parse_action_pattern(each) for each in client.allowed_scopes)
    return tuple(pattern for pattern in found if pattern is not None)


def _require_scopes(
    client: Client, identity_scopes: Sequence[str], patterns: tuple[ActionPattern, ...] | None
) -> None:
    allowed = client.allowed_scopes
    if allowed is None:
        return
    beyond = [name for name in identity_scopes if name not in allowed]
    limits = TokenLimits(_allowed(client))
    beyond += [each.text for each in patterns or () if not limits.admit_pattern(each)]
    if beyond:
        raise Refused(
            Refusal.SCOPE_WIDENS,
            f"this client may not ask for '{beyond[0]}': see its allowedScopes",
        )
    if patterns is None:
        raise Refused(
            Refusal.SCOPE_WIDENS, "this client has to say which of its scopes it asks for"
        )


def _require_audience(
    client: Client,
    patterns: tuple[ActionPattern, ...] | None,
    audience: Sequence[str],
    catalogue: Catalogue,
) -> None:
    if client.allowed_audiences is None:
        return
    allowed = {
        product.name
        for product in map(catalogue.find_api, client.allowed_audiences)
        if product is not None
    }
    for identifier in audience:
        product = catalogue.find_api(identifier)
        if product is not None and product.name in allowed:
            continue
        if product is not None and product.name == IAM and _is_for_sign_in(patterns):
            continue
        name = identifier if product is None else product.name
        raise Refused(
            Refusal.API_WIDENS,
            f"this client may not ask for a token for {name}: name one of its allowedAudiences",
        )


def _is_for_sign_in(patterns: tuple[ActionPattern, ...] | None) -> bool:
    """Whether a token for the issuer says no more than who signed in: none of its API's actions."""
    return patterns is not None and not any(each.overlaps(_OF_IAM) for each in patterns)
