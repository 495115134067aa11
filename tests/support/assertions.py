"""Client assertions for tests: good ones, and ones with this or that wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.tokens.assertions import Assertion, check_assertion
from app.tokens.compact import Rejection, TokenRejected
from tests.support.lifecycle import refused
from tests.support.world import World
from tests.verifier.local_issuer import Key, sign_raw, signing_key

ISSUER = "https://id.example"
CLIENT = "client-1"
NOW = 1_800_000_000
#: The issuer of a `World`.
HERE = "http://127.0.0.1:8000"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MINE, OTHER = signing_key("ES256", "mine"), signing_key("ES256", "other")


def jwks(*keys: Key) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys or (MINE,)]}


def claims(**changes: Any) -> dict[str, Any]:
    """A good claim set; a change to None takes a claim out."""
    content = {
        "iss": CLIENT,
        "sub": CLIENT,
        "aud": ISSUER,
        "jti": "once",
        "iat": NOW,
        "exp": NOW + 60,
        **changes,
    }
    return {name: value for name, value in content.items() if value is not None}


def assertion(key: Key = MINE, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """A signed assertion; `header` changes members, to None takes one out."""
    full = {"alg": key.get("alg"), "typ": "JWT", "kid": key.kid, **(header or {})}
    kept = {name: value for name, value in full.items() if value is not None}
    return sign_raw(key, json.dumps(claims(**changes)).encode(), kept)


def check(token: str, *keys: Key, now: float = NOW) -> Assertion:
    return check_assertion(token, jwks(*keys), CLIENT, ISSUER, now)


def rejected(token: str, *keys: Key, now: float = NOW) -> Rejection:
    with pytest.raises(TokenRejected) as caught:
        check(token, *keys, now=now)
    return caught.value.reason


def proof(world: World, **changes: Any) -> str:
    """An assertion of the service account's client, for this issuer."""
    now = int(world.clock.now)
    content = {"iss": world.client_id, "sub": world.client_id, "aud": HERE}
    times = {"iat": now, "exp": now + 60, "jti": world.runtime.new_id()}
    header = changes.pop("header", None)
    key = changes.pop("key", MINE)
    return assertion(key, header, **{**content, **times, **changes})


def by_assertion(world: World, token: str, **fields: str) -> TestResponse:
    return world.token_call(
        {
            "grant_type": "client_credentials",
            "client_assertion_type": TYPE,
            "client_assertion": token,
            **fields,
        }
    )


def not_authenticated(answer: TestResponse) -> None:
    refused(answer, "invalid_client", 401)
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
