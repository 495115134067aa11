"""OAuth clients of an account over the management API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.tokens.remote_keys import PAUSE
from tests.support.api import ROOT_B, root, user_that_may, user_with
from tests.support.assertions import MINE, OTHER, TYPE, jwks, proof
from tests.support.lifecycle import (
    APP_CALLBACK,
    Application,
    ask,
    built_anew,
    code_from,
    is_active,
    redeem,
    refresh,
    refused,
    signed_in_browser,
    tokens_of,
)
from tests.support.world import EXCHANGE, VERIFIER, World

CLIENTS = "/accounts-api/v1/oauth-clients"
BODY: dict[str, Any] = {
    "name": "Shop",
    "redirectUris": [APP_CALLBACK],
    "grantTypes": ["authorization_code", "refresh_token", EXCHANGE],
}


def created(world: World, **fields: Any) -> dict[str, Any]:
    """A client of account A, as its root user gets it."""
    answer = root(world).post(CLIENTS, {**BODY, **fields})
    assert answer.status_code == 201, answer.json
    assert isinstance(answer.json, dict)
    return answer.json


def application(client: dict[str, Any]) -> Application:
    return Application(client["clientId"], APP_CALLBACK, client.get("clientSecret"))


# ---------------------------------------------------------------------------------------- creating


def test_a_client_is_created_and_its_users_sign_in_through_it(world: World) -> None:
    client = created(world)

    assert client["vrn"] == f"iam::53461:oauth-client/{client['clientId']}"
    assert client["tokenEndpointAuthMethod"] == "client_secret_basic"
    assert client["requirePkce"] is True
    assert client["enabled"] is True
    got = tokens_of(world, application(client), scope="openid offline_access")
    assert got.keys() >= {"access_token", "refresh_token", "id_token"}


def test_the_secret_is_shown_this_once(world: World) -> None:
    client = created(world)
    caller = root(world)

    one = caller.get(f"{CLIENTS}/{client['clientId']}")

    assert len(client["clientSecret"]) == 43
    assert one.json == {key: value for key, value in client.items() if key != "clientSecret"}
    assert client["clientSecret"] not in caller.get(CLIENTS).text
    assert world.rows("SELECT 1 FROM audit_events WHERE detail LIKE '%secret_%'") == []


def test_a_create_that_is_sent_again_answers_without_the_secret(world: World) -> None:
    caller = root(world)

    first = caller.post(CLIENTS, BODY, Idempotency_Key="k-1").json
    again = caller.post(CLIENTS, BODY, Idempotency_Key="k-1").json

    assert again == {key: value for key, value in first.items() if key != "clientSecret"}
    assert caller.get(CLIENTS).json["totalItems"] == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"tokenEndpointAuthMethod": "none"},
        {"tokenEndpointAuthMethod": "private_key_jwt", "jwks": jwks()},
    ],
    ids=["public", "private key"],
)
def test_who_has_no_secret_gets_none(world: World, fields: dict[str, Any]) -> None:
    client = created(world, **fields)

    assert "clientSecret" not in client
    assert client["tokenEndpointAuthMethod"] == fields["tokenEndpointAuthMethod"]
    assert client.get("jwks") == fields.get("jwks")
    answer = root(world).post(f"{CLIENTS}/{client['clientId']}/reset-secret")
    assert answer.status_code == 409
    assert "has no secret" in answer.json["detail"]


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"redirectUris": ["http://app.example/"]}, "/redirectUris/0", "loopback"),
        ({"redirectUris": [APP_CALLBACK, "https://a.example/*"]}, "/redirectUris/1", "wildcard"),
        ({"redirectUris": []}, "/redirectUris", "needs a redirect URI"),
        ({"postLogoutRedirectUris": ["data:x"]}, "/postLogoutRedirectUris/0", "scheme"),
        ({"grantTypes": ["client_credentials"]}, "/grantTypes/0", "service account"),
        ({"grantTypes": ["implicit"]}, "/grantTypes/0", "authorization_code"),
        ({"grantTypes": []}, "/grantTypes", "at least 1"),
        ({"grantTypes": ["refresh_token"]}, "/grantTypes", "goes with authorization_code"),
        (
            {"tokenEndpointAuthMethod": "none", "requirePkce": False},
            "/requirePkce",
            "must use PKCE",
        ),
        ({"tokenEndpointAuthMethod": "tls_client_auth"}, "/tokenEndpointAuthMethod", "none"),
        ({"tokenEndpointAuthMethod": "private_key_jwt"}, "/jwks", "needs one"),
        ({"jwks": jwks()}, "/jwks", "private_key_jwt"),
        (
            {"tokenEndpointAuthMethod": "private_key_jwt", "jwks": {"keys": []}},
            "/jwks",
            "1 to 10 keys",
        ),
        ({"allowedScopes": ["openid", "nonsense"]}, "/allowedScopes/1", "action pattern"),
        ({"allowedScopes": ["vserver:Fly"]}, "/allowedScopes/0", "matches some action"),
        ({"allowedAudiences": ["https://x.example"]}, "/allowedAudiences/0", "registered"),
        ({"jwksUri": "https://app.example/jwks"}, "/jwksUri", "private_key_jwt"),
        ({"name": " "}, "/name", ""),
    ],
)
def test_what_cannot_be_registered_is_refused_with_the_reason(
    world: World, fields: dict[str, Any], pointer: str, words: str
) -> None:
    answer = root(world).post(CLIENTS, {**BODY, **fields})

    assert answer.status_code == 400
    (error,) = answer.json["errors"]
    assert error["pointer"] == pointer
    assert words in error["detail"]
    assert world.rows("SELECT 1 FROM oauth_clients WHERE kind = 'tenant'") == []


def test_a_private_key_is_not_kept(world: World) -> None:
    private = {"keys": [MINE.as_dict(private=True)]}
    answer = root(world).post(
        CLIENTS, {**BODY, "tokenEndpointAuthMethod": "private_key_jwt", "jwks": private}
    )

    assert answer.status_code == 400
    assert "register public keys alone" in answer.json["errors"][0]["detail"]


# --------------------------------------------------------------------------------- seeing, changing


def test_a_list_has_the_accounts_own_clients_alone(world: World) -> None:
    names = ["Bazaar", "Shop 1", "shop 2", "Shop 3"]
    for name in reversed(names):
        created(world, name=name)
    caller = root(world)

    every = caller.get(CLIENTS).json
    some = caller.get(CLIENTS, name="SHOP", pageSize=2, pageNumber=1).json

    assert [each["name"] for each in every["data"]] == names
    assert [each["name"] for each in some["data"]] == ["Shop 3"]
    assert (some["totalItems"], some["totalPages"]) == (3, 2)
    # B has a service account, whose client is none of these.
    assert root(world, ROOT_B).get(CLIENTS).json["data"] == []


def test_a_service_accounts_client_is_managed_with_it_and_not_here(world: World) -> None:
    caller = root(world, ROOT_B)
    for client_id in (world.client_id, world.product_client_id, "crossroot-cli"):
        path = f"{CLIENTS}/{client_id}"
        assert caller.get(path).status_code == 404
        assert caller.patch(path, {"enabled": False}).status_code == 404
        assert caller.delete(path).status_code == 404
        assert caller.post(path + "/reset-secret").status_code == 404
    assert world.machine_token().status_code == 200


def test_another_accounts_client_is_not_there(world: World) -> None:
    path = f"{CLIENTS}/{created(world)['clientId']}"
    for caller in (root(world, ROOT_B), user_with(world, "IAMFullAccess", account="60108")):
        assert caller.get(path).status_code == 404
        assert caller.patch(path, {"enabled": False}).status_code == 404
        assert caller.delete(path).status_code == 404
        assert caller.post(path + "/reset-secret").status_code == 404


@pytest.mark.parametrize(
    ("action", "method", "path", "status"),
    [
        ("iam:ListOAuthClient", "get", CLIENTS, 200),
        ("iam:CreateOAuthClient", "post", CLIENTS, 201),
        ("iam:GetOAuthClient", "get", CLIENTS + "/{id}", 200),
        ("iam:UpdateOAuthClient", "patch", CLIENTS + "/{id}", 200),
        ("iam:UpdateOAuthClient", "post", CLIENTS + "/{id}/reset-secret", 200),
        ("iam:DeleteOAuthClient", "delete", CLIENTS + "/{id}", 204),
    ],
)
def test_each_call_needs_its_own_action(
    world: World, action: str, method: str, path: str, status: int
) -> None:
    path = path.format(id=created(world)["clientId"])
    all_actions = {
        f"iam:{verb}OAuthClient" for verb in ("List", "Create", "Get", "Update", "Delete")
    }
    body = {"post": (BODY,), "patch": ({"name": "Store"},)}.get(method, ())

    others = getattr(user_that_may(world, *sorted(all_actions - {action})), method)(path, *body)
    allowed = getattr(user_that_may(world, action), method)(path, *body)

    assert others.status_code == 403
    assert allowed.status_code == status


def test_what_is_sent_is_changed_and_held_to_the_rules_of_a_new_one(world: World) -> None:
    client = created(world)
    caller, path = root(world), f"{CLIENTS}/{client['clientId']}"
    change = {
        "name": "Store",
        "redirectUris": ["https://app.example/other"],
        "grantTypes": ["authorization_code"],
        "requirePkce": False,
        "postLogoutRedirectUris": ["https://app.example/bye"],
        "allowedScopes": ["openid"],
        "allowedAudiences": ["vserver"],
    }

    changed = caller.patch(path, change)

    assert changed.status_code == 200
    assert {key: changed.json[key] for key in change} == change
    assert caller.get(path).json == changed.json
    freed = caller.patch(path, {"allowedScopes": None, "allowedAudiences": None}).json
    assert not {"allowedScopes", "allowedAudiences"} & freed.keys()
    wrong = caller.patch(path, {"redirectUris": []})
    assert wrong.status_code == 400
    assert wrong.json["errors"][0]["pointer"] == "/redirectUris"
    for fixed in ({"tokenEndpointAuthMethod": "none"}, {"clientSecret": "x"}, {"jwks": jwks()}):
        assert caller.patch(path, fixed).status_code == 400


def test_a_lost_update_of_a_client_is_refused(world: World) -> None:
    path = f"{CLIENTS}/{created(world)['clientId']}"
    caller = root(world)
    seen = caller.get(path).headers["ETag"]

    assert caller.patch(path, {"name": "Store"}, If_Match=seen).status_code == 200
    assert caller.patch(path, {"name": "Other"}, If_Match=seen).status_code == 412
    assert caller.delete(path, headers={"If-Match": seen}).status_code == 412
    assert caller.get(path).json["name"] == "Store"


def test_new_keys_take_the_place_of_the_old(world: World) -> None:
    client = created(world, tokenEndpointAuthMethod="private_key_jwt", jwks=jwks(MINE))
    path = f"{CLIENTS}/{client['clientId']}"

    changed = root(world).patch(path, {"jwks": jwks(OTHER)}).json

    assert changed["jwks"] == jwks(OTHER)
    (row,) = world.rows("SELECT jwks FROM oauth_clients WHERE kind = 'tenant'")
    assert "mine" not in row.jwks


def test_a_new_secret_takes_the_place_of_the_old(world: World) -> None:
    client = created(world)
    before = application(client)

    answer = root(world).post(f"{CLIENTS}/{client['clientId']}/reset-secret")

    assert answer.status_code == 200
    assert answer.json["clientId"] == client["clientId"]
    after = application(answer.json)
    browser = signed_in_browser(world)
    refused(redeem(world, before, "x"), "invalid_client", 401)
    assert tokens_of(world, after, browser=browser)["access_token"]


# --------------------------------------------------------------------------------------- its end


@pytest.mark.parametrize("how", ["deleted", "disabled"])
def test_what_was_issued_through_a_client_ends_with_it(world: World, how: str) -> None:
    client = created(world)
    app = application(client)
    browser = signed_in_browser(world)
    got = tokens_of(
        world, app, browser=browser, scope="openid offline_access iam:ImpersonateServiceAccount"
    )
    lent = world.token_call(
        {
            "grant_type": EXCHANGE,
            "subject_token": got["access_token"],
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "requested_subject": world.service_account_id,
        },
        auth=app.auth,
    ).json["access_token"]
    unused = code_from(ask(browser, app, scope="openid"), browser)
    other = world.user_token()
    path = f"{CLIENTS}/{client['clientId']}"
    caller = root(world)

    ended = caller.delete(path) if how == "deleted" else caller.patch(path, {"enabled": False})

    assert ended.status_code in (200, 204)
    assert [is_active(world, each) for each in (got["access_token"], lent, other)] == [
        False,
        False,
        True,
    ]
    refused(redeem(world, app, unused), "invalid_client", 401)
    refused(refresh(world, got["refresh_token"], app), "invalid_client", 401)
    assert ask(browser, app, scope="openid").status_code == 400


def test_what_ended_with_a_disabled_client_does_not_come_back(world: World) -> None:
    client = created(world)
    app = application(client)
    browser = signed_in_browser(world)
    got = tokens_of(world, app, browser=browser, scope="openid offline_access")
    unused = code_from(ask(browser, app, scope="openid"), browser)
    caller, path = root(world), f"{CLIENTS}/{client['clientId']}"

    caller.patch(path, {"enabled": False})
    caller.patch(path, {"enabled": True})

    assert not is_active(world, got["access_token"])
    refused(redeem(world, app, unused))
    refused(refresh(world, got["refresh_token"], app))
    assert is_active(world, tokens_of(world, app, browser=browser)["access_token"])


def test_a_deleted_client_leaves_nothing_but_its_audit_rows(world: World) -> None:
    client = created(world)
    client_id = client["clientId"]
    tokens_of(world, application(client), scope="openid offline_access")

    assert root(world).delete(f"{CLIENTS}/{client_id}").status_code == 204

    for table, column in (
        ("oauth_clients", "id"),
        ("client_secrets", "client_id"),
        ("authorization_codes", "client_id"),
        ("refresh_families", "client_id"),
    ):
        found = world.rows(f"SELECT 1 FROM {table} WHERE {column} = '{client_id}'")
        assert found == [], table
    orphans = "SELECT 1 FROM refresh_tokens WHERE grant_id NOT IN (SELECT grant_id FROM {})"
    assert world.rows(orphans.format("refresh_families")) == []
    events = world.rows("SELECT event FROM audit_events WHERE event LIKE 'oauth-client:%'")
    assert sorted(row.event for row in events) == ["oauth-client:create", "oauth-client:delete"]


# --------------------------------------------------------------------------------- keys at a URI


KEYS_AT = "https://app.example/jwks.json"
BY_URI = {
    "tokenEndpointAuthMethod": "private_key_jwt",
    "jwksUri": KEYS_AT,
    "grantTypes": ["authorization_code"],
}


class Web:
    """What is published at `KEYS_AT`, and how often it was asked for."""

    def __init__(self) -> None:
        self.published = jwks(MINE)
        self.asked = 0

    def fetch(self, uri: str) -> bytes:
        assert uri == KEYS_AT
        self.asked += 1
        return json.dumps(self.published).encode()


def by_key(world: World, client: dict[str, Any], key: Any, code: str = "x") -> TestResponse:
    """A redemption by a client that proves itself with its key."""
    token = proof(world, key=key, iss=client["clientId"], sub=client["clientId"])
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": APP_CALLBACK,
        "code_verifier": VERIFIER,
        "client_assertion_type": TYPE,
        "client_assertion": token,
    }
    return world.token_call(form)


def test_a_client_proves_itself_by_the_keys_that_it_publishes(world: World) -> None:
    web = Web()
    world = built_anew(world, fetch=web.fetch)
    client = created(world, **BY_URI)
    assert client["jwksUri"] == KEYS_AT
    assert "clientSecret" not in client
    assert web.asked == 0  # nobody is made to fetch by a registration alone
    browser = signed_in_browser(world)
    code = code_from(ask(browser, application(client), scope="openid"), browser)

    answer = by_key(world, client, MINE, code)

    assert answer.status_code == 200, answer.json
    refused(by_key(world, client, OTHER), "invalid_client", 401)
    assert web.asked == 1


def test_a_published_key_is_found_and_a_withdrawn_one_ends(world: World) -> None:
    web = Web()
    world = built_anew(world, fetch=web.fetch)
    client = created(world, **BY_URI)
    refused(by_key(world, client, MINE), "invalid_grant")

    web.published = jwks(OTHER)
    world.clock.advance(PAUSE)

    refused(by_key(world, client, OTHER), "invalid_grant")
    refused(by_key(world, client, MINE), "invalid_client", 401)


def test_nothing_is_fetched_for_a_client_that_is_disabled(world: World) -> None:
    web = Web()
    world = built_anew(world, fetch=web.fetch)
    client = created(world, **BY_URI)
    root(world).patch(f"{CLIENTS}/{client['clientId']}", {"enabled": False})

    refused(by_key(world, client, MINE), "invalid_client", 401)
    assert web.asked == 0


def test_keys_and_their_uri_take_each_others_place(world: World) -> None:
    client = created(world, tokenEndpointAuthMethod="private_key_jwt", jwks=jwks())
    caller, path = root(world), f"{CLIENTS}/{client['clientId']}"

    by_uri = caller.patch(path, {"jwksUri": KEYS_AT}).json
    assert by_uri["jwksUri"] == KEYS_AT
    assert "jwks" not in by_uri
    by_value = caller.patch(path, {"jwks": jwks()}).json
    assert by_value["jwks"] == jwks()
    assert "jwksUri" not in by_value
    assert caller.patch(path, {"jwks": jwks(), "jwksUri": KEYS_AT}).status_code == 400


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("http://app.example/jwks", "https"),
        ("https://127.0.0.1/jwks", "no address"),
        ("https://localhost/jwks", "full name"),
        ("https://app.example:8443/jwks", "443"),
    ],
)
def test_keys_are_not_fetched_from_anywhere(world: World, uri: str, words: str) -> None:
    answer = root(world).post(CLIENTS, {**BODY, **BY_URI, "jwksUri": uri})

    assert answer.status_code == 400
    (error,) = answer.json["errors"]
    assert error["pointer"] == "/jwksUri"
    assert words in error["detail"]
