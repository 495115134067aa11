"""An account's settings over the management API, and that each of them takes effect."""

from __future__ import annotations

from typing import Any

import pytest

from app.services import accounts, sign_in
from app.services.administration import Invalid
from app.services.sign_in import SignInForm
from tests.support.api import ROOT_B, USERS, ApiCaller, root, user_that_may, user_with
from tests.support.lifecycle import refresh, tokens_of
from tests.support.world import START, World, allow, claims_of

ACCOUNT = "/accounts-api/v1/account"
CLIENTS = "/accounts-api/v1/oauth-clients"
SYSTEM1 = SignInForm("iam", "root-a@example.com", "System1", "System1-password")


def with_settings(world: World, email: str = "root-a@example.com", **settings: Any) -> ApiCaller:
    """The root user of an account, after having set something."""
    caller = root(world, email)
    answer = caller.patch(ACCOUNT, settings)
    assert answer.status_code == 200, answer.json
    return caller


# ------------------------------------------------------------------------------ reading, changing


def test_an_account_begins_with_the_servers_own_settings(world: World) -> None:
    answer = root(world).get(ACCOUNT)

    assert answer.status_code == 200
    assert answer.json == {
        "accountId": "53461",
        "rootEmail": "root-a@example.com",
        "passwordPolicy": {"minLength": 8, "requireDigit": False},
        "maxTokenLifetime": {"serviceAccount": 43200, "iamUser": 43200},
        "quotas": {
            "iamUsers": 5000,
            "groups": 5000,
            "serviceAccounts": 5000,
            "policies": 5000,
            "oauthClients": 5000,
        },
    }


def test_what_is_sent_is_changed_and_nothing_else(world: World) -> None:
    caller = with_settings(world, passwordPolicy={"minLength": 12}, sessionTimeout=900)

    changed = caller.patch(
        ACCOUNT, {"passwordPolicy": {"requireDigit": True}, "quotas": {"groups": 3}}
    ).json

    assert changed == caller.get(ACCOUNT).json
    assert changed["passwordPolicy"] == {"minLength": 12, "requireDigit": True}
    assert changed["sessionTimeout"] == 900
    assert changed["quotas"]["groups"] == 3
    assert changed["quotas"]["iamUsers"] == 5000


def test_a_timeout_of_null_is_the_servers_again(world: World) -> None:
    caller = with_settings(world, sessionTimeout=900)

    assert "sessionTimeout" not in caller.patch(ACCOUNT, {"sessionTimeout": None}).json
    assert world.rows("SELECT settings FROM accounts WHERE id = '53461'") == [(None,)]


def test_a_change_is_audited_with_what_was_before(world: World) -> None:
    with_settings(world, sessionTimeout=900)

    (row,) = world.rows(
        "SELECT actor_account_id, resource, detail FROM audit_events "
        "WHERE event = 'account:settings:update'"
    )
    assert row.actor_account_id == "53461"
    assert row.resource == "iam::53461:account/53461"
    assert '"before": {}' in row.detail
    assert '"after": {"session_timeout": 900}' in row.detail


def test_a_lost_update_of_settings_is_refused(world: World) -> None:
    caller = root(world)
    seen = caller.get(ACCOUNT).headers["ETag"]

    assert caller.patch(ACCOUNT, {"sessionTimeout": 900}, If_Match=seen).status_code == 200
    assert caller.patch(ACCOUNT, {"sessionTimeout": 1800}, If_Match=seen).status_code == 412
    assert caller.get(ACCOUNT).json["sessionTimeout"] == 900


def test_settings_are_read_and_changed_by_those_who_may(world: World) -> None:
    reader = user_that_may(world, "iam:GetAccountSettings")
    writer = user_that_may(world, "iam:UpdateAccountSettings")

    assert reader.get(ACCOUNT).status_code == 200
    assert reader.patch(ACCOUNT, {"sessionTimeout": 900}).status_code == 403
    assert writer.get(ACCOUNT).status_code == 403
    assert writer.patch(ACCOUNT, {"sessionTimeout": 900}).status_code == 200


def test_everybody_sees_and_changes_their_own_account(world: World) -> None:
    with_settings(world, ROOT_B, sessionTimeout=900)

    assert "sessionTimeout" not in root(world).get(ACCOUNT).json
    other = user_with(world, "IAMFullAccess", account="60108").get(ACCOUNT).json
    assert (other["accountId"], other["sessionTimeout"]) == ("60108", 900)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"passwordPolicy": {"minLength": 7}}, {"/passwordPolicy/minLength"}),
        ({"passwordPolicy": {"minLength": 129}}, {"/passwordPolicy/minLength"}),
        ({"passwordPolicy": {"history": 3}}, {"/passwordPolicy/history"}),
        ({"sessionTimeout": 60}, {"/sessionTimeout"}),
        (
            {"maxTokenLifetime": {"iamUser": 899, "serviceAccount": 43201}},
            {"/maxTokenLifetime/iamUser", "/maxTokenLifetime/serviceAccount"},
        ),
        ({"quotas": {"iamUsers": 5001, "groups": -1}}, {"/quotas/iamUsers", "/quotas/groups"}),
        ({"rootEmail": "somebody@example.com"}, {"/rootEmail"}),
    ],
)
def test_a_tenant_cannot_set_more_than_the_server_gives(
    world: World, body: dict[str, Any], pointers: set[str]
) -> None:
    answer = root(world).patch(ACCOUNT, body)

    assert answer.status_code == 400
    assert {error["pointer"] for error in answer.json["errors"]} == pointers


# ---------------------------------------------------------------------------------- taking effect


def test_new_passwords_are_as_the_account_wants_them(world: World) -> None:
    caller = with_settings(world, passwordPolicy={"minLength": 12, "requireDigit": True})
    reset = f"{USERS}/{world.user_id}/reset-password"

    for path, body in ((USERS, {"username": "Operator1"}), (reset, {})):
        short = caller.post(path, {**body, "password": "eleven-1111"})
        plain = caller.post(path, {**body, "password": "twelve-and-more"})
        good = caller.post(path, {**body, "password": "twelve-and-12"})

        assert short.json["errors"] == [
            {"pointer": "/password", "detail": "a password has at least 12 characters"}
        ]
        assert plain.json["errors"] == [
            {"pointer": "/password", "detail": "a password has at least one digit in it"}
        ]
        assert good.status_code in (201, 204)


def test_the_operator_is_held_to_the_accounts_password_policy(world: World) -> None:
    with_settings(world, passwordPolicy={"minLength": 12})
    root_user = accounts.find_account(world.runtime, "53461")
    assert root_user is not None

    with pytest.raises(Invalid, match="at least 12"):
        accounts.create_user(world.runtime, "53461", "Operator1", "eleven-1111")
    with pytest.raises(Invalid, match="at least 12"):
        accounts.reset_password(world.runtime, root_user, "eleven-1111")
    accounts.create_user(world.runtime, "60108", "Operator1", "eleven-1111")


def test_a_sign_in_ends_at_the_accounts_timeout(world: World) -> None:
    with_settings(world, sessionTimeout=900)
    new = sign_in.sign_in(world.runtime, SYSTEM1, None)
    assert new is not None
    assert new.signed_in.session.expires_at == START + 900

    world.clock.advance(899)
    assert sign_in.session_of(world.runtime, new.cookie) is not None
    world.clock.advance(1)
    assert sign_in.session_of(world.runtime, new.cookie) is None


def test_a_shorter_timeout_holds_for_who_is_signed_in_already(world: World) -> None:
    new = sign_in.sign_in(world.runtime, SYSTEM1, None)
    assert new is not None
    with_settings(world, sessionTimeout=900)

    world.clock.advance(899)
    assert sign_in.session_of(world.runtime, new.cookie) is not None
    world.clock.advance(1)
    assert sign_in.session_of(world.runtime, new.cookie) is None


def test_a_longer_timeout_does_not_lengthen_a_sign_in(world: World) -> None:
    caller = with_settings(world, sessionTimeout=900)
    new = sign_in.sign_in(world.runtime, SYSTEM1, None)
    assert new is not None
    caller.patch(ACCOUNT, {"sessionTimeout": 3600})

    world.clock.advance(900)
    assert sign_in.session_of(world.runtime, new.cookie) is None


def test_a_users_token_lives_no_longer_than_the_account_lets_it(world: World) -> None:
    with_settings(world, maxTokenLifetime={"iamUser": 900})

    got = tokens_of(world)
    again = refresh(world, got["refresh_token"]).json

    assert (got["expires_in"], again["expires_in"]) == (900, 900)
    assert claims_of(got["access_token"])["exp"] == START + 900


def test_a_wide_cap_gives_no_more_than_the_server_does(world: World) -> None:
    with_settings(world, maxTokenLifetime={"iamUser": 43200})

    assert tokens_of(world)["expires_in"] == world.runtime.settings.user_token_lifetime


def test_a_machines_token_lives_no_longer_than_its_account_lets_it(world: World) -> None:
    caller = with_settings(world, ROOT_B, maxTokenLifetime={"serviceAccount": 900})

    assert world.machine_token().json["expires_in"] == 900
    assert world.impersonate().json["expires_in"] == 900
    assert world.impersonate(requested_expires_in="60").json["expires_in"] == 60
    assert world.impersonate(requested_expires_in="1800").json["expires_in"] == 900

    caller.patch(ACCOUNT, {"maxTokenLifetime": {"serviceAccount": 43200}})
    assert world.machine_token().json["expires_in"] == 3600


def test_the_users_account_does_not_cap_what_another_lends_it(world: World) -> None:
    with_settings(world, maxTokenLifetime={"serviceAccount": 900, "iamUser": 900})

    assert world.impersonate().json["expires_in"] == 3600


def test_an_account_has_no_more_users_than_its_quota(world: World) -> None:
    caller = with_settings(world, quotas={"iamUsers": 2})
    body = {"password": "a-long-password"}

    assert caller.post(USERS, {"username": "Second", **body}).status_code == 201
    full = caller.post(USERS, {"username": "Third", **body})
    assert full.status_code == 409
    assert "may have 2 IAM users" in full.json["detail"]

    caller.delete(f"{USERS}/{world.user_id}", cascade="true")
    assert caller.post(USERS, {"username": "Third", **body}).status_code == 201


def test_a_quota_below_what_is_there_takes_nothing_away(world: World) -> None:
    caller = with_settings(world, quotas={"iamUsers": 0})

    assert caller.get(USERS).json["totalItems"] == 1
    assert (
        caller.post(USERS, {"username": "Second", "password": "a-long-password"}).status_code == 409
    )


def test_one_accounts_quota_is_not_anothers(world: World) -> None:
    with_settings(world, quotas={"iamUsers": 0})
    body = {"username": "Second", "password": "a-long-password"}

    assert root(world, ROOT_B).post(USERS, body).status_code == 201


def test_an_account_has_no_more_clients_than_its_quota(world: World) -> None:
    """Service accounts' own clients do not count."""
    caller = with_settings(world, ROOT_B, quotas={"oauthClients": 1})
    body = {
        "name": "app",
        "redirectUris": ["https://app.example/callback"],
        "grantTypes": ["authorization_code"],
    }

    assert caller.post(CLIENTS, body).status_code == 201
    full = caller.post(CLIENTS, body)
    assert full.status_code == 409
    assert "may have 1 OAuth clients" in full.json["detail"]


@pytest.mark.parametrize(
    ("quota", "path", "body"),
    [
        ("groups", "/accounts-api/v1/groups", {"name": "Operators"}),
        ("serviceAccounts", "/accounts-api/v1/service-accounts", {"name": "Night shift"}),
        (
            "policies",
            "/policies-api/v1/policies",
            {"name": "Read", "statements": allow("vserver:List*")["statements"]},
        ),
    ],
)
def test_every_create_asks_for_room(
    world: World, quota: str, path: str, body: dict[str, Any]
) -> None:
    caller = with_settings(world, quotas={quota: 0})

    full = caller.post(path, body)
    caller.patch(ACCOUNT, {"quotas": {quota: 5000}})

    assert full.status_code == 409
    assert "raise the quota" in full.json["detail"]
    assert caller.post(path, body).status_code == 201
