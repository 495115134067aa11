"""What a refresh token is good for: less than was agreed to, for those who may, as what it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.lifecycle import (
    COMMAND_LINE,
    another_product,
    ask,
    code_from,
    is_active,
    product_client,
    redeem,
    refresh,
    refreshed,
    refused,
    signed_in_browser,
    tenant_client,
    tokens_of,
)
from tests.support.world import VSERVER, World, claims_of

# ---------------------------------------------------------------------------- scope and resource


def test_a_scope_narrows_one_access_token_and_not_the_next(world: World) -> None:
    first = tokens_of(world, scope="openid profile iam:List* iam:Get*")

    narrow = refreshed(refresh(world, first["refresh_token"], scope="openid iam:ListPolicies"))
    again = refreshed(refresh(world, narrow["refresh_token"]))

    assert narrow["scope"] == "openid"
    assert patterns_of(world, narrow) == '["iam:ListPolicies"]'
    assert again["scope"] == first["scope"]
    assert patterns_of(world, again) == patterns_of(world, first)


def patterns_of(world: World, body: dict[str, Any]) -> str | None:
    """The limits that the token was issued under, as the store has them."""
    token_id = claims_of(body["access_token"])["jti"]
    [row] = world.rows("SELECT patterns FROM tokens WHERE id = :id".replace(":id", f"'{token_id}'"))
    return row.patterns  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("agreed", "asked"),
    [
        ("openid", "openid profile"),
        ("openid iam:List*", "openid iam:*"),
        ("openid iam:List*", "openid iam:List* iam:GetPolicy"),
        ("openid iam:List*", "iam:*olicies"),
        ("openid iam:List*", "*"),
        ("openid iam:List*", "vserver:*"),
        ("iam:List*", "openid iam:List*"),
        ("iam:List*", "offline_access"),
    ],
)
def test_a_scope_never_widens(world: World, agreed: str, asked: str) -> None:
    body = tokens_of(world, scope=agreed)

    refused(refresh(world, body["refresh_token"], scope=asked), "invalid_scope")


def test_a_scope_without_patterns_leaves_a_limited_token_no_rights(world: World) -> None:
    first = tokens_of(world, scope="openid iam:List*")

    body = refreshed(refresh(world, first["refresh_token"], scope="openid"))

    assert patterns_of(world, body) == "[]"


def test_the_scope_that_was_agreed_to_may_be_sent_again(world: World) -> None:
    """The command line's token is limited by the user's policies alone, then as before."""
    first = tokens_of(world, scope="openid")

    body = refreshed(refresh(world, first["refresh_token"], scope="openid"))

    assert patterns_of(world, body) is patterns_of(world, first) is None
    assert world.impersonate(body["access_token"]).status_code == 200


def test_a_scope_that_is_none_is_malformed(world: World) -> None:
    token = tokens_of(world)["refresh_token"]

    refused(refresh(world, token, scope="no scope"), "invalid_scope")


def test_a_resource_narrows_one_access_token_and_not_the_next(world: World) -> None:
    another_product(world, "dns")
    browser = signed_in_browser(world)
    code = code_from(ask(browser, COMMAND_LINE, scope="openid", resource=[VSERVER, "dns"]), browser)
    first = redeem(world, COMMAND_LINE, code).json

    narrow = refreshed(refresh(world, first["refresh_token"], resource="dns"))
    again = refreshed(refresh(world, narrow["refresh_token"]))

    assert claims_of(first["access_token"])["aud"] == [VSERVER, "https://dns.example"]
    assert claims_of(narrow["access_token"])["aud"] == ["https://dns.example"]
    assert claims_of(again["access_token"])["aud"] == [VSERVER, "https://dns.example"]


@pytest.mark.parametrize(
    ("agreed", "asked"),
    [
        ("", VSERVER),
        (VSERVER, "http://127.0.0.1:8000"),
        (VSERVER, "iam"),
        ("", "https://x.example"),
    ],
)
def test_a_resource_never_widens(world: World, agreed: str, asked: str) -> None:
    token = tokens_of(world, resource=agreed)["refresh_token"]

    refused(refresh(world, token, resource=asked), "invalid_target")


# -------------------------------------------------------------------------------- who gets one


def test_the_command_line_always_gets_one(world: World) -> None:
    assert "refresh_token" in tokens_of(world, scope="openid")


def test_other_clients_get_one_for_offline_access_alone(world: World) -> None:
    for client in (product_client(world), tenant_client(world)):
        assert "refresh_token" not in tokens_of(world, client, scope="openid")
        assert "refresh_token" in tokens_of(world, client, scope="openid offline_access")


def test_a_client_that_may_not_refresh_gets_none(world: World) -> None:
    client = tenant_client(world, grant_types=("authorization_code",))

    assert "refresh_token" not in tokens_of(world, client, scope="openid offline_access")
    refused(refresh(world, "x", client), "unauthorized_client")


def test_none_comes_from_an_exchange_or_a_machines_grant(world: World) -> None:
    user = tokens_of(world, scope="openid offline_access")["access_token"]

    for answer in (
        world.impersonate(user),
        world.exchange(user),
        world.machine_token(),
        world.machine_token(scope="offline_access"),
    ):
        assert "refresh_token" not in answer.json

    families = world.rows("SELECT grant_id FROM refresh_families")
    assert len(families) == 1


# --------------------------------------------------------------------- one kind passed for another


def test_no_other_kind_of_token_refreshes(world: World) -> None:
    """CVE-2026-101023: the refresh grant took access tokens."""
    browser = signed_in_browser(world)
    body = tokens_of(world, browser=browser)
    code = code_from(ask(browser, COMMAND_LINE, scope="openid"), browser)
    cookie = browser.get_cookie("crossroot_session")
    assert cookie is not None

    for other in (body["access_token"], body["id_token"], code, cookie.value):
        refused(refresh(world, other))

    assert redeem(world, COMMAND_LINE, code).status_code == 200  # it was not used up


def test_a_refresh_token_is_no_other_kind_of_token(world: World) -> None:
    token = tokens_of(world)["refresh_token"]

    refused(redeem(world, COMMAND_LINE, token))
    refused(world.exchange(token), "invalid_request")
    assert not is_active(world, token)
    bearer = world.client.get("/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"})
    assert bearer.status_code == 401
    browser = world.app.test_client()
    browser.set_cookie("crossroot_session", token)
    assert browser.get("/signed-in").status_code == 303
    assert refresh(world, token).status_code == 200
