"""What a tenant lets its client ask for at most, at the authorization and the token endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from app.services import policies
from tests.support.api import root
from tests.support.changes import give, new_product
from tests.support.lifecycle import (
    APP_CALLBACK,
    Application,
    another_product,
    ask,
    code_from,
    redeem,
    refresh,
    refused,
    signed_in_browser,
    tenant_client,
    tokens_of,
)
from tests.support.world import (
    ACCESS_TOKEN,
    EXCHANGE,
    VSERVER,
    World,
    allow,
    claims_of,
    redirect_parameters,
)

ISSUER = "http://127.0.0.1:8000"
IMPERSONATE = "iam:ImpersonateServiceAccount"


def exchange(world: World, app: Application, token: str, **fields: Any) -> Any:
    form = {
        "grant_type": EXCHANGE,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        **fields,
    }
    return world.token_call(form, auth=app.auth)


def lower(world: World, app: Application, **limits: list[str]) -> None:
    """The account's root user sets a narrower limit."""
    answer = root(world).patch(f"/accounts-api/v1/oauth-clients/{app.id}", limits)
    assert answer.status_code == 200, answer.json


# ------------------------------------------------------------------- the authorization endpoint


@pytest.mark.parametrize(
    "scope",
    ["openid", "openid vserver:List*", "vserver:ListServers", "vserver:List* vserver:GetServer"],
)
def test_what_the_client_may_ask_for_gets_to_the_approval_page(world: World, scope: str) -> None:
    app = tenant_client(world, allowed_scopes=("openid", "vserver:List*", "vserver:GetServer"))

    assert ask(signed_in_browser(world), app, scope=scope).status_code == 200


@pytest.mark.parametrize(
    ("scope", "named"),
    [
        ("openid vserver:*", "vserver:*"),
        ("openid *", "*"),
        ("openid vserver:StopServer", "vserver:StopServer"),
        ("openid profile", "profile"),
        ("openid offline_access", "offline_access"),
        ("vserver:Get*", "vserver:Get*"),
        (f"openid {IMPERSONATE}", IMPERSONATE),
    ],
)
def test_a_scope_outside_is_invalid_scope_before_anybody_approves(
    world: World, scope: str, named: str
) -> None:
    app = tenant_client(world, allowed_scopes=("openid", "vserver:List*", "vserver:GetServer"))

    answer = redirect_parameters(ask(signed_in_browser(world), app, scope=scope))

    assert answer["error"] == "invalid_scope"
    assert f"'{named}'" in answer["error_description"]
    assert world.rows("SELECT 1 FROM authorization_codes") == []


def test_a_client_without_limits_asks_for_what_it_likes(world: World) -> None:
    app = tenant_client(world)

    assert ask(signed_in_browser(world), app, scope="openid *", resource=VSERVER).status_code == 200


@pytest.mark.parametrize("named", ["vserver", VSERVER])
def test_an_api_that_is_allowed_may_be_named_either_way(world: World, named: str) -> None:
    browser = signed_in_browser(world)
    for allowed in ("vserver", VSERVER):
        app = tenant_client(world, allowed_audiences=(allowed,))
        assert ask(browser, app, scope="vserver:List*", resource=named).status_code == 200


def test_an_api_outside_is_invalid_target_before_anybody_approves(world: World) -> None:
    another_product(world, "vstorage")
    app = tenant_client(world, allowed_audiences=("vstorage",))

    answer = ask(signed_in_browser(world), app, scope="vserver:List*", resource=VSERVER)

    assert redirect_parameters(answer)["error"] == "invalid_target"


def test_people_sign_in_whatever_the_apis_are(world: World) -> None:
    """A token for the issuer that names none of its actions opens userinfo and no more."""
    app = tenant_client(world, allowed_audiences=())

    got = tokens_of(world, app, scope="openid profile")

    assert claims_of(got["access_token"])["aud"] == [ISSUER]


@pytest.mark.parametrize("scope", ["iam:List*", "*", IMPERSONATE])
def test_the_issuers_own_api_is_an_api_like_others(world: World, scope: str) -> None:
    browser = signed_in_browser(world)
    without = tenant_client(world, allowed_audiences=("vserver",))
    including = tenant_client(world, allowed_audiences=("iam",))

    refusal = redirect_parameters(ask(browser, without, scope=f"openid {scope}"))
    assert refusal["error"] == "invalid_target"
    assert ask(browser, including, scope=f"openid {scope}").status_code == 200


# --------------------------------------------------------------------------- the token endpoint


def test_a_limit_that_came_after_the_approval_holds_at_the_redemption(world: World) -> None:
    app = tenant_client(world)
    browser = signed_in_browser(world)
    wide, other = (
        code_from(ask(browser, app, scope=scope), browser)
        for scope in ("openid vserver:*", "openid vserver:ListServers")
    )

    lower(world, app, allowedScopes=["openid", "vserver:List*"])

    refused(redeem(world, app, wide), "invalid_scope")
    assert redeem(world, app, other).status_code == 200


def test_a_limit_that_came_after_the_sign_in_holds_at_the_refresh(world: World) -> None:
    give(world, allow("vserver:*"))
    app = tenant_client(world)
    browser = signed_in_browser(world)
    query = {"scope": "openid offline_access vserver:List*", "resource": VSERVER}
    got = tokens_of(world, app, browser=browser, **query)

    lower(world, app, allowedScopes=["openid", "offline_access", "vserver:ListServers"])

    refused(refresh(world, got["refresh_token"], app), "invalid_scope")
    # Refused is not used up: the client may ask for less.
    narrower = refresh(
        world, got["refresh_token"], app, scope="openid offline_access vserver:ListServers"
    )
    assert claims_of(narrower.json["access_token"])["scope"] == "vserver:ListServers"


def test_an_api_that_was_taken_away_is_refused_at_the_refresh(world: World) -> None:
    give(world, allow("vserver:*"))
    app = tenant_client(world)
    got = tokens_of(world, app, scope="offline_access vserver:List*", resource=VSERVER)

    lower(world, app, allowedAudiences=["iam"])

    refused(refresh(world, got["refresh_token"], app), "invalid_target")


def test_an_exchange_asks_for_no_more_than_the_client_may(world: World) -> None:
    app = tenant_client(world, allowed_scopes=(IMPERSONATE, "vserver:List*"))
    token = tokens_of(world, app, scope=IMPERSONATE)["access_token"]
    become = {"requested_subject": world.service_account_id}

    inside = exchange(world, app, token, scope="vserver:ListServers", **become)
    outside = exchange(world, app, token, scope="vserver:StopServer", **become)

    assert inside.json["scope"] == "vserver:ListServers"
    refused(outside, "invalid_scope")
    assert outside.json["decision_id"]


def test_an_exchange_without_scope_gives_what_the_client_may_have(world: World) -> None:
    """The service account may do everything with servers: its client here may only list."""
    app = tenant_client(world, allowed_scopes=(IMPERSONATE, "vserver:List*"))
    token = tokens_of(world, app, scope=IMPERSONATE)["access_token"]

    answer = exchange(world, app, token, requested_subject=world.service_account_id)

    assert answer.json["scope"] == "vserver:List*"
    assert claims_of(answer.json["access_token"])["scope"] == "vserver:List*"
    (row,) = world.rows("SELECT patterns FROM tokens WHERE decision_id IS NOT NULL")
    assert row.patterns == f'["{IMPERSONATE}", "vserver:List*"]'


def test_an_exchange_names_no_api_but_the_clients(world: World) -> None:
    new_product(world, "vstorage")
    policies.create(world.runtime, "60108", "storage", allow("vstorage:*"))
    policies.attach(world.runtime, "storage", "service-account", world.service_account_id)
    app = tenant_client(world, allowed_audiences=("iam", "vserver"))
    token = tokens_of(world, app, scope=IMPERSONATE)["access_token"]
    become = {"requested_subject": world.service_account_id}

    named = exchange(world, app, token, audience="vserver", **become)
    outside = exchange(world, app, token, audience="vstorage", **become)
    unnamed = exchange(world, app, token, **become)

    assert claims_of(named.json["access_token"])["aud"] == [VSERVER]
    refused(outside, "invalid_target")
    refused(unnamed, "invalid_target")
    assert "vstorage" in unnamed.json["error_description"]


def test_a_narrowing_is_held_to_a_limit_that_was_set_since(world: World) -> None:
    give(world, allow("vserver:*"))
    app = tenant_client(world)
    token = tokens_of(world, app, scope="vserver:List*", resource=VSERVER)["access_token"]

    lower(world, app, allowedScopes=["vserver:ListServers"])

    refused(exchange(world, app, token), "invalid_scope")
    narrower = exchange(world, app, token, scope="vserver:ListServers")
    assert narrower.json["scope"] == "vserver:ListServers"


def test_a_refused_exchange_is_in_the_log(world: World) -> None:
    app = tenant_client(world, allowed_scopes=(IMPERSONATE,))
    token = tokens_of(world, app, scope=IMPERSONATE)["access_token"]

    answer = exchange(
        world, app, token, scope="vserver:*", requested_subject=world.service_account_id
    )

    row = world.rows(f"SELECT outcome FROM audit_events WHERE id = '{answer.json['decision_id']}'")
    assert [each.outcome for each in row] == ["denied"]
    assert world.rows("SELECT 1 FROM tokens WHERE decision_id IS NOT NULL") == []


def test_the_limits_are_those_of_the_client_that_asks(world: World) -> None:
    narrow = tenant_client(world, allowed_scopes=("openid",))
    wide = tenant_client(world, name="wide")
    browser = signed_in_browser(world)

    assert redirect_parameters(ask(browser, narrow, scope="vserver:*"))["error"] == "invalid_scope"
    assert ask(browser, wide, scope="vserver:*").status_code == 200
    assert wide.redirect_uri == APP_CALLBACK
