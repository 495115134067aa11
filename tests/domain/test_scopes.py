"""Reading a `scope` parameter. What is granted: ``cases/scopes.toml``, ``cases/products.toml``."""

from __future__ import annotations

import pytest

from app.domain.catalogue import Action, ActionPattern, Catalogue, Label, Product
from app.domain.limits import NO_LIMITS
from app.domain.scopes import (
    GrantedScope,
    InvalidScope,
    RequestedScope,
    holds,
    parse_scope,
    products_of,
)
from tests.support.policies import IAM_PRODUCT, VSERVER_PRODUCT, allow, deny, policy


def requested(identity: str, *patterns: str) -> RequestedScope:
    return RequestedScope(
        tuple(identity.split()), tuple(ActionPattern(pattern) for pattern in patterns)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", requested("")),
        ("   ", requested("")),
        ("openid", requested("openid")),
        ("email openid profile", requested("openid profile email")),
        ("openid openid offline_access", requested("openid offline_access")),
        ("vserver:List*", requested("", "vserver:List*")),
        ("vserver:b iam:a vserver:b", requested("", "vserver:b", "iam:a")),
        ("  openid  vserver:*  ", requested("openid", "vserver:*")),
        ("*", requested("", "*")),
        # Whether a product or an action exists is not for the parser to say.
        ("vstorage:Anything", requested("", "vstorage:Anything")),
    ],
)
def test_a_scope_is_read(text: str, expected: RequestedScope) -> None:
    assert parse_scope(text) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("OpenID", "OpenID"),
        ("openid address", "address"),
        ("vserver", "vserver"),
        ("vserver:List* vserver:", "vserver:"),
        ("vserver:a\tvserver:b", "vserver:a?vserver:b"),
        ("openid\n", "openid?"),
        ("**", "**"),
        ("a\"b\\c'd", "a?b?c?d"),
        ("é", "?"),
        ("a~b", "a~b"),
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 8 + "..."),
    ],
)
def test_a_part_that_is_no_scope_is_refused_and_shown_safely(text: str, shown: str) -> None:
    """RFC 6749 section 5.2: a description has no quote, backslash or control character."""
    with pytest.raises(InvalidScope) as caught:
        parse_scope(text)

    assert str(caught.value) == (
        f"'{shown}' is no scope; expected an action pattern such as vserver:List*"
    )


def test_a_pattern_holds_where_some_allow_speaks_of_all_of_it() -> None:
    policies = [
        policy(deny("iam:*")),
        policy(allow("vserver:List*", "vserver::1:server/web-1", bool={"iam:MfaPresent": [True]})),
        policy(allow(["vserver:StartServer", "vserver:StopServer"])),
    ]

    assert holds(ActionPattern("vserver:ListServers"), policies)
    assert holds(ActionPattern("vserver:List*"), policies)
    assert holds(ActionPattern("vserver:StopServer"), policies)
    assert not holds(ActionPattern("vserver:*"), policies)
    assert not holds(ActionPattern("iam:GetPolicy"), policies)
    assert not holds(ActionPattern("*"), policies)


def test_nothing_is_granted_unless_said() -> None:
    assert GrantedScope() == GrantedScope((), evaluate=False)


def test_products_other_than_iam_may_share_a_token() -> None:
    storage = Product("vstorage", "https://vstorage.example", (Action("GetFile", Label.READ),))
    catalogue = Catalogue.of((IAM_PRODUCT, storage, VSERVER_PRODUCT))
    everything = [policy(allow("*"))]

    def products(*asked: str) -> tuple[str, ...]:
        patterns = [ActionPattern(text) for text in asked]
        return products_of("1", everything, NO_LIMITS, patterns, catalogue)

    assert products("vserver:*", "vstorage:GetFile") == ("vstorage", "vserver")
    assert products() == ("vstorage", "vserver")
    with pytest.raises(InvalidScope, match="a token for iam cannot be for another API as well"):
        products("vserver:*", "iam:*")
