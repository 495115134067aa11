"""Userinfo (OpenID Connect Core section 5.3) and its errors (RFC 6750 section 3)."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.services import accounts
from tests.support.lifecycle import is_active, refresh, refreshed, revoke, tokens_of
from tests.support.world import VSERVER, World, claims_of

FORM = "application/x-www-form-urlencoded"


def ask(world: World, token: str, method: str = "GET", **call: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"}
    return world.client.open("/oauth2/userinfo", method=method, headers=headers, **call)


def challenged(answer: TestResponse, status: int, error: str) -> None:
    """RFC 6750 section 3: the error is in the header, and here in the body as well."""
    assert answer.status_code == status, answer.text
    assert answer.json is not None
    assert answer.json["error"] == error
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="crossroot"')
    assert f'error="{error}"' in challenge
    assert answer.headers["Cache-Control"] == "no-store"
    assert "sub" not in answer.json


# ------------------------------------------------------------------------------------- what is told


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_openid_alone_tells_who_it_is(world: World, method: str) -> None:
    answer = ask(world, tokens_of(world)["access_token"], method)

    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json == {
        "sub": world.user_id,
        "account_id": "53461",
        "user_type": "iam-user",
    }


def test_sub_is_that_of_the_id_token(world: World) -> None:
    body = tokens_of(world)

    assert ask(world, body["access_token"]).json["sub"] == claims_of(body["id_token"])["sub"]


def test_profile_opens_the_username_and_email_the_address(world: World) -> None:
    user = tokens_of(world, scope="openid profile email")["access_token"]
    root = tokens_of(world, username=None, scope="openid profile email")["access_token"]
    only = tokens_of(world, username=None, scope="openid email")["access_token"]

    assert ask(world, user).json["preferred_username"] == "System1"
    assert "email" not in ask(world, user).json, "System1 has none"
    answer = ask(world, root).json
    assert (answer["email"], answer["user_type"]) == ("root-a@example.com", "root-user")
    assert "preferred_username" not in ask(world, only).json


def test_the_userinfo_claims_are_those_of_the_id_token(world: World) -> None:
    body = tokens_of(world, username=None, scope="openid profile email")

    told = ask(world, body["access_token"]).json

    id_token = claims_of(body["id_token"])
    assert told == {name: id_token[name] for name in told}


def test_a_scope_that_a_refresh_left_out_is_closed(world: World) -> None:
    first = tokens_of(world, scope="openid profile")
    body = refreshed(refresh(world, first["refresh_token"], scope="openid"))

    assert "preferred_username" not in ask(world, body["access_token"]).json
    assert "preferred_username" in ask(world, first["access_token"]).json


# --------------------------------------------------------------------- RFC 6750 section 3.1: errors


@pytest.mark.parametrize("header", [None, "", "Basic eDp5", "Bearer", "Bearer ", "Token x"])
def test_without_a_token_there_is_a_challenge_and_no_error_code(
    world: World, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}

    answer = world.client.get("/oauth2/userinfo", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="crossroot"'
    assert answer.json == {}


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "x" * 9000, "two words", '"', "\u00e4"])
def test_a_token_that_is_none_is_invalid(world: World, token: str) -> None:
    challenged(ask(world, token), 401, "invalid_token")


def test_a_token_that_ended_is_invalid(world: World) -> None:
    revoked, expired = tokens_of(world)["access_token"], tokens_of(world)["access_token"]
    revoke(world, revoked)
    challenged(ask(world, revoked), 401, "invalid_token")

    world.clock.advance(3600)
    challenged(ask(world, expired), 401, "invalid_token")


def test_a_token_of_a_disabled_user_is_invalid(world: World) -> None:
    token = tokens_of(world)["access_token"]
    accounts.set_user_enabled(world.runtime, world.user_id, enabled=False)

    challenged(ask(world, token), 401, "invalid_token")


def test_a_token_for_another_audience_is_invalid(world: World) -> None:
    token = tokens_of(world, scope="openid profile", resource=VSERVER)["access_token"]
    assert is_active(world, token)

    challenged(ask(world, token), 401, "invalid_token")


def test_a_service_accounts_token_is_invalid_acted_through_or_its_own(world: World) -> None:
    acted = world.impersonate(audience="iam").json["access_token"]
    own = world.machine_token(audience="iam").json["access_token"]

    for token in (acted, own):
        assert claims_of(token)["aud"] == ["http://127.0.0.1:8000"]
        challenged(ask(world, token), 401, "invalid_token")


def test_an_id_token_or_refresh_token_is_no_access_token(world: World) -> None:
    body = tokens_of(world)

    challenged(ask(world, body["id_token"]), 401, "invalid_token")
    challenged(ask(world, body["refresh_token"]), 401, "invalid_token")


@pytest.mark.parametrize("scope", ["profile email", "iam:*", ""])
def test_without_openid_the_scope_is_insufficient(world: World, scope: str) -> None:
    token = tokens_of(world, scope=scope)["access_token"]

    answer = ask(world, token)

    challenged(answer, 403, "insufficient_scope")
    assert 'scope="openid"' in answer.headers["WWW-Authenticate"]


# --------------------------------------------------------------------- where the token may not come


def test_a_token_in_the_query_is_refused(world: World) -> None:
    """RFC 9700 section 4.3.2: addresses end up in logs and histories."""
    token = tokens_of(world)["access_token"]
    query = {"access_token": token}

    challenged(world.client.get("/oauth2/userinfo", query_string=query), 400, "invalid_request")
    challenged(ask(world, token, query_string=query), 400, "invalid_request")


def test_a_token_in_a_form_is_refused(world: World) -> None:
    token = tokens_of(world)["access_token"]
    form = {"access_token": token}

    challenged(world.client.post("/oauth2/userinfo", data=form), 400, "invalid_request")
    challenged(ask(world, token, "POST", data=form), 400, "invalid_request")


def test_a_post_with_another_body_is_served(world: World) -> None:
    token = tokens_of(world)["access_token"]

    assert ask(world, token, "POST", data="x=y", content_type=FORM).status_code == 200
    assert ask(world, token, "POST", json={"x": "y"}).status_code == 200


def test_a_body_beyond_the_limit_is_refused(world: World) -> None:
    token = tokens_of(world)["access_token"]

    answer = ask(world, token, "POST", data="x=" + "y" * 70_000, content_type=FORM)

    assert answer.status_code == 413


def test_two_headers_are_refused(world: World) -> None:
    """A gateway joins them with a comma, and what is then read is no token."""
    token = tokens_of(world)["access_token"]

    challenged(ask(world, f"{token}, Bearer {token}"), 401, "invalid_token")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_schemes_case_does_not_matter(world: World, scheme: str) -> None:
    token = tokens_of(world)["access_token"]
    headers = {"Authorization": f"{scheme}   {token}"}

    assert world.client.get("/oauth2/userinfo", headers=headers).status_code == 200
