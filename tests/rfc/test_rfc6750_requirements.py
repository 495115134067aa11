"""RFC 6750: how a bearer token is sent, and how one is refused; userinfo is the resource."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.rfc import protocol
from tests.rfc.protocol import ISSUER, is_live, userinfo
from tests.support.forgery import ATTACKERS_KEY, forge
from tests.support.requirements import rfc
from tests.support.world import VSERVER, World, build_world, claims_of

FORM = "application/x-www-form-urlencoded"
ATTRIBUTE = re.compile(r'([a-z_]+)="([^"]*)"')


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from protocol.shared_world(tmp_path_factory)


@pytest.fixture(scope="module")
def access(shared: World) -> str:
    """System1's token, with scope openid."""
    return str(protocol.tokens(shared)["access_token"])


@pytest.fixture(scope="module")
def scopeless(shared: World) -> str:
    """System1's token, without scope."""
    return str(protocol.tokens(shared, scope="")["access_token"])


def attributes(answer: TestResponse) -> list[tuple[str, str]]:
    """The attributes of the one challenge, which is for Bearer."""
    (challenge,) = answer.headers.getlist("WWW-Authenticate")
    scheme, _, rest = challenge.partition(" ")
    assert scheme == "Bearer"
    found = ATTRIBUTE.findall(rest)
    assert ", ".join(f'{name}="{value}"' for name, value in found) == rest
    return found


def challenged(answer: TestResponse, status: int, error: str | None) -> None:
    assert answer.status_code == status
    assert dict(attributes(answer)).get("error") == error


@rfc("6750", "2", "MUST NOT", "one way a request")
def test_a_token_that_comes_in_two_ways(shared: World, access: str) -> None:
    header = {"Authorization": f"Bearer {access}"}
    by_query = shared.client.get(f"/oauth2/userinfo?access_token={access}", headers=header)
    by_body = shared.client.post("/oauth2/userinfo", data={"access_token": access}, headers=header)

    for answer in (by_query, by_body):
        challenged(answer, 400, "invalid_request")


@rfc("6750", "2.1", "MUST", "the header")
@rfc("6750", "3.1", "SHOULD", "401 invalid_token")
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_in_the_header(shared: World, access: str, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {access}"}
    assert shared.client.get("/oauth2/userinfo", headers=headers).status_code == 200
    challenged(userinfo(shared, access[:-4] + "AAAA"), 401, "invalid_token")


@rfc("6750", "2.3", "SHOULD NOT", "no tokens in URIs")
def test_a_token_in_the_uri_is_not_taken(shared: World, access: str) -> None:
    answer = shared.client.get(f"/oauth2/userinfo?access_token={access}")

    challenged(answer, 400, "invalid_request")
    assert "sub" not in answer.json


@rfc("6750", "3", "MUST", "challenge")
@rfc("6750", "3", "MUST NOT", "attributes once")
@rfc("6750", "3", "MUST NOT", "characters of attributes")
def test_every_refusal_has_a_challenge(shared: World, scopeless: str) -> None:
    refusals = [
        shared.client.get("/oauth2/userinfo"),
        userinfo(shared, "x"),
        userinfo(shared, scopeless),
        shared.client.get("/oauth2/userinfo?access_token=x"),
        shared.client.post(
            "/oauth2/introspect", data={"token": "x"}, headers={"Authorization": "Bearer x"}
        ),
    ]

    for answer in refusals:
        found = attributes(answer)
        assert found
        assert len({name for name, _ in found}) == len(found)
        for name, value in found:
            allowed = r"[!#-\[\]-~]+( [!#-\[\]-~]+)*" if name == "scope" else r"[ !#-\[\]-~]+"
            assert re.fullmatch(allowed, value), name


@rfc("6750", "3", "SHOULD", "error attribute")
@rfc("6750", "3.1", "SHOULD", "403 insufficient_scope")
def test_a_token_without_the_scope(shared: World, scopeless: str) -> None:
    answer = userinfo(shared, scopeless)

    challenged(answer, 403, "insufficient_scope")
    assert dict(attributes(answer))["scope"] == "openid"


@rfc("6750", "3.1", "SHOULD", "400 invalid_request")
def test_a_malformed_request(shared: World) -> None:
    answer = shared.client.post("/oauth2/userinfo", data="access_token=x", content_type=FORM)

    challenged(answer, 400, "invalid_request")


@rfc("6750", "3.1", "SHOULD", "401 invalid_token")
def test_tokens_that_are_not_good_enough(world: World) -> None:
    """Expired, revoked, malformed, forged, for another audience, or a machine's."""
    gone, old = (protocol.tokens(world)["access_token"] for _ in range(2))
    elsewhere = protocol.tokens(world, resources=(VSERVER,))["access_token"]
    protocol.revoke(world, gone)
    forged = forge(claims_of(old), key=ATTACKERS_KEY)
    for token in (gone, forged, "x.y.z", elsewhere, world.machine_token().json["access_token"]):
        challenged(userinfo(world, token), 401, "invalid_token")

    world.clock.advance(3600)
    challenged(userinfo(world, old), 401, "invalid_token")


@rfc("6750", "3.1", "SHOULD NOT", "no error without a token")
@pytest.mark.parametrize("header", [None, "Basic eDp5", "Bearer", "Bearer  "])
def test_nobody_tried_to_authenticate(shared: World, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    answer = shared.client.get("/oauth2/userinfo", headers=headers)

    challenged(answer, 401, None)
    assert answer.json == {}


@rfc("6750", "5.2", "MUST", "tokens are signed")
def test_a_changed_token_is_none(shared: World, access: str) -> None:
    header, payload, signature = access.split(".")
    for position in range(0, len(payload), 40):
        other = "A" if payload[position] != "A" else "B"
        changed = payload[:position] + other + payload[position + 1 :]
        assert userinfo(shared, f"{header}.{changed}.{signature}").status_code == 401


@rfc("6750", "5.2", "MUST", "tokens expire")
@rfc("6750", "5.3", "SHOULD", "an hour or less")
def test_the_lifetime_is_in_the_token(shared: World, access: str) -> None:
    for token in (access, shared.machine_token().json["access_token"]):
        claims = claims_of(token)
        assert claims["exp"] - claims["iat"] == 3600
    assert not is_live(shared, forge({**claims_of(access), "exp": None}))


@rfc("6750", "5.2", "RECOMMENDED", "tokens have a scope")
def test_tokens_have_a_scope(shared: World, access: str) -> None:
    assert claims_of(access)["scope"] == "openid"
    assert claims_of(shared.machine_token().json["access_token"])["scope"] == "vserver:*"


@rfc("6750", "5.2", "MUST", "TLS")
def test_published_addresses_are_https_in_production(tmp_path: Path) -> None:
    world = build_world(tmp_path, environment="production", issuer="https://id.example")
    document = world.client.get("/.well-known/openid-configuration").json
    world.close()

    assert document["userinfo_endpoint"] == "https://id.example/oauth2/userinfo"


@rfc("6750", "5.3", "MUST NOT", "no tokens in cookies")
def test_no_token_is_put_into_a_cookie(shared: World) -> None:
    browser = protocol.signed_in(shared)
    code = protocol.approved(browser, scope="openid")["code"]
    held = protocol.redeem(shared, code).json

    cookies = {name[2]: cookie.value for name, cookie in browser._cookies.items()}
    assert cookies.keys() == {"crossroot_session", "crossroot_form"}
    for token in (held["access_token"], held["refresh_token"], held["id_token"], code):
        assert token not in cookies.values()


@rfc("6750", "5.3", "SHOULD", "audience")
def test_tokens_have_an_audience(shared: World, access: str) -> None:
    assert claims_of(access)["aud"] == [ISSUER]
    assert claims_of(shared.machine_token().json["access_token"])["aud"] == [VSERVER]
