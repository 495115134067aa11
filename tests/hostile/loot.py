"""What else a forger may hold: other secrets, names of things, tokens that were sound once."""

from __future__ import annotations

import uuid
from functools import cache
from typing import Any

from app.services import client_assertions, sign_in
from app.storage import sessions
from app.tokens.keyring import SigningKey
from tests.hostile.doors import ASSERTION_TYPE
from tests.hostile.signing import compact, sign_with
from tests.support.changes import (
    disable_service_account,
    disable_user,
    new_service_account,
    new_user,
    revoke,
)
from tests.support.world import CLI, START, World, basic, claims_of

ISSUER = "http://127.0.0.1:8000"
Keys = tuple[SigningKey, ...]


@cache
def server_keys() -> Keys:
    """One for each algorithm."""
    return _one_of_each()


@cache
def client_keys() -> Keys:
    """Those of the service account's client."""
    return _one_of_each()


def _one_of_each() -> Keys:
    return tuple(SigningKey.create(alg, START) for alg in ("ES256", "RS256", "Ed25519"))


def gather(world: World) -> dict[str, str]:
    """Happened a while ago; the clock ends where it was."""
    world.clock.advance(-100)
    found = {**_clients(world), **_ended(world)}
    world.clock.advance(100)
    return {**found, **_names(world), **_secrets(world)}


def _names(world: World) -> dict[str, str]:
    return {
        "issuer": ISSUER,
        "cli": CLI,
        "kid": server_keys()[0].kid,
        "jwks": world.client.get("/oauth2/jwks").text,
        "client_id": world.client_id,
        "client_id_in_capitals": world.client_id.upper(),
        "product_client_id": world.product_client_id,
        "user_id": world.user_id,
        "service_account_id": world.service_account_id,
        "service_account_name": "AllowAccessFromRootUserAccountA",
        "vrn": world.vrn,
    }


def _secrets(world: World) -> dict[str, str]:
    tokens = world.code_flow(scope="openid offline_access").json
    impersonated = world.impersonate(tokens["access_token"]).json["access_token"]
    browser = world.app.test_client()
    page = browser.get("/sign-in")
    world.sign_in(browser, page)
    cookie = browser.get_cookie("crossroot_session")
    assert cookie is not None
    used = _assertion(world.client_id)
    answer = world.token_call(
        grant_type="client_credentials",
        client_assertion_type=ASSERTION_TYPE,
        client_assertion=used,
    )
    assert answer.status_code == 200, answer.json
    return {
        "id_token": tokens["id_token"],
        "refresh_token": tokens["refresh_token"],
        "decision_id": claims_of(impersonated)["decision_id"],
        "authorization_code": world.authorization_code(),
        "client_secret": world.client_secret,
        "product_client_secret": world.product_client_secret,
        "basic_credentials": basic(world.client_id, world.client_secret),
        "used_assertion": used,
        "session_cookie": cookie.value,
        "csrf_token": page.text.partition('name="csrf_token" value="')[2].partition('"')[0],
    }


def _clients(world: World) -> dict[str, str]:
    """Clients with keys. Whoever holds the one's can sign for the one alone."""
    own = client_keys()
    _give_keys(world, world.client_id, own)
    other = new_service_account(world, "other", account_id="53461").client_id
    _give_keys(world, other, (SigningKey.create("ES256", START),))
    one_key = new_service_account(world, "one key").client_id
    _give_keys(world, one_key, own[:1])
    servers = new_service_account(world, "with the keys of the server").client_id
    _give_keys(world, servers, server_keys())
    return {
        "other_client_id": other,
        "one_key_client_id": one_key,
        "client_with_the_servers_keys": servers,
    }


def _give_keys(world: World, client_id: str, keys: Keys) -> None:
    jwks = {"keys": [key.public_jwk() for key in keys]}
    client_assertions.set_keys(world.runtime, client_id, jwks)


def _ended(world: World) -> dict[str, str]:
    """Tokens that were sound once."""
    revoked = world.user_token()
    child = world.exchange(revoked, scope="iam:ImpersonateServiceAccount").json["access_token"]
    revoke(world, revoked)
    expired = world.exchange(world.user_token(), requested_expires_in="60").json["access_token"]
    visitor = new_user(world, "53461", "visitor")
    of_disabled = world.user_token(username="visitor")
    disable_user(world, visitor)
    signed_out = world.user_token()
    _sign_out(world, signed_out)
    machine = new_service_account(world, "disabled")
    _give_keys(world, machine.client_id, client_keys())
    disable_service_account(world, machine.account.id)
    return {
        "revoked_token": revoked,
        "token_exchanged_from_a_revoked_one": child,
        "expired_token": expired,
        "token_of_a_disabled_user": of_disabled,
        "token_of_an_ended_session": signed_out,
        "assertion_of_a_disabled_client": _assertion(machine.client_id),
    }


def _assertion(client_id: str) -> str:
    """A sound one."""
    key = client_keys()[0]
    assert key.private_key is not None
    claims: dict[str, Any] = {
        "iss": client_id,
        "sub": client_id,
        "aud": ISSUER,
        "jti": str(uuid.uuid4()),
        "iat": START,
        "exp": START + 300,
    }
    header = {"alg": "ES256", "typ": "JWT", "kid": key.kid}
    return compact(header, claims, sign_with(key.private_key.get_op_key("sign"))).decode()


def _sign_out(world: World, token: str) -> None:
    jti = claims_of(token)["jti"]
    session_id = world.rows("SELECT session_id FROM tokens WHERE id = :jti", jti=jti)[0].session_id
    with world.runtime.database.read() as connection:
        session = sessions.find_by_id(connection, session_id)
        found = sign_in.signed_in(world.runtime, connection, session)
    assert found is not None
    sign_in.sign_out(world.runtime, found)
