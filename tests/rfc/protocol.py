"""The requests of the protocol, each in one line, for tests that read like the RFC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services import clients
from app.services.clients import EXCHANGE, ClientRegistration
from tests.support.forgery import forge, public_jwk
from tests.support.tokens import code_for
from tests.support.world import (
    CALLBACK,
    CLI,
    VERIFIER,
    World,
    authorization_query,
    basic,
    build_world,
    redirect_parameters,
    submit,
)

ISSUER = "http://127.0.0.1:8000"
APP = "https://app.example/callback"
Credentials = tuple[str, str]


def shared_world(factory: pytest.TempPathFactory, **settings: Any) -> Iterator[World]:
    """One world for the tests of a file that do not disturb each other."""
    made = build_world(factory.mktemp("world"), **settings)
    yield made
    made.close()


def product(world: World) -> Credentials:
    """vServer's own client, which the operator registered."""
    return world.product_client_id, world.product_client_secret


def machine(world: World) -> Credentials:
    """The client of the service account."""
    return world.client_id, world.client_secret


def register(world: World, name: str = "app", **fields: Any) -> tuple[str, str]:
    """A client of account A as its administrator registers it; a public one has no secret."""
    registration = ClientRegistration(
        name,
        **{
            "redirect_uris": (APP,),
            "grant_types": ("authorization_code", "refresh_token", EXCHANGE),
            **fields,
        },
    )
    new = clients.register(world.runtime, "53461", registration)
    return new.client.id, new.client_secret or ""


def ask(browser: FlaskClient, **query: Any) -> TestResponse:
    """An authorization request of the command line, changed as told; an empty field is left out."""
    return browser.get("/oauth2/authorize", query_string=authorization_query(**query))


def signed_in(world: World, username: str | None = "System1") -> FlaskClient:
    """A browser in which the person has signed in."""
    browser = world.app.test_client()
    page = world.sign_in(browser, browser.get("/sign-in"), username=username)
    assert page.status_code == 200, page.text
    return browser


def approved(browser: FlaskClient, **query: Any) -> dict[str, str]:
    """The parameters of the answer after the person approved, where a page asked."""
    answer = ask(browser, **query)
    return redirect_parameters(submit(browser, answer) if answer.status_code == 200 else answer)


def goes_nowhere(answer: TestResponse) -> bool:
    """Whether this is an error page of ours, and no redirect."""
    return answer.status_code == 400 and "Location" not in answer.headers


def error_of(answer: TestResponse) -> str:
    """The error that the client is told by redirect."""
    return redirect_parameters(answer)["error"]


def refused(answer: TestResponse, error: str, status: int = 400) -> None:
    """This error in JSON, and no token with it."""
    assert isinstance(answer.json, dict)
    assert (answer.status_code, answer.json["error"]) == (status, error), answer.json
    assert not {"access_token", "refresh_token", "id_token"} & answer.json.keys()


def redeem(
    world: World, code: str, auth: Credentials | None = None, **changed: Any
) -> TestResponse:
    """Redeem a code, by the command line unless credentials are given; None leaves a field out."""
    form = {
        "grant_type": "authorization_code",
        "client_id": CLI if auth is None else None,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        **changed,
    }
    return world.token_call({n: v for n, v in form.items() if v is not None}, auth=auth)


def refresh(
    world: World, token: str, auth: Credentials | None = None, **changed: Any
) -> TestResponse:
    """Use a refresh token, by the command line unless credentials are given."""
    named = {"client_id": CLI} if auth is None else {}
    form = {"grant_type": "refresh_token", "refresh_token": token, **named, **changed}
    return world.token_call(form, auth=auth)


def tokens(world: World, **authorization: Any) -> dict[str, Any]:
    """What the command line gets for a code that the person agreed to."""
    answer = redeem(world, code_for(world, **authorization))
    assert answer.status_code == 200, answer.json
    assert isinstance(answer.json, dict)
    return answer.json


def post(world: World, path: str, auth: Credentials | None = None, **form: str) -> TestResponse:
    headers = {} if auth is None else {"Authorization": basic(*auth)}
    return world.client.post(path, data=form, headers=headers)


def revoke(world: World, token: str, auth: Credentials | None = None, **form: str) -> TestResponse:
    """Revoke a token, by the command line unless credentials are given."""
    named = {"client_id": CLI} if auth is None else {}
    return post(world, "/oauth2/revoke", auth, token=token, **named, **form)


def introspect(world: World, token: str, auth: Credentials | None = None, **form: str) -> Any:
    """What introspection says, by default to vServer."""
    return post(world, "/oauth2/introspect", auth or product(world), token=token, **form).json


def userinfo(world: World, token: str) -> TestResponse:
    return world.client.get("/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"})


def is_live(world: World, token: str) -> bool:
    """What introspection says to the one who bears the token."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = world.client.post("/oauth2/introspect", data={"token": token}, headers=headers)
    return answer.status_code == 200 and answer.json["active"] is True


@dataclass(frozen=True)
class ClientKey:
    """A client's own key: `set` is what it registers."""

    private: ec.EllipticCurvePrivateKey
    kid: str

    @property
    def set(self) -> dict[str, Any]:
        return {"keys": [{**public_jwk(self.private), "kid": self.kid}]}

    def assertion(self, world: World, client_id: str, **changed: Any) -> str:
        """A client assertion (RFC 7523 section 2.2), good for one use here."""
        now = int(world.clock.now)
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": ISSUER,
            "jti": world.runtime.new_id(),
            "iat": now,
            "exp": now + 60,
            **changed,
        }
        return forge(claims, {"typ": "JWT", "kid": self.kid}, self.private)


def new_key(kid: str) -> ClientKey:
    return ClientKey(ec.generate_private_key(ec.SECP256R1()), kid)


def by_assertion(assertion: str) -> dict[str, str]:
    """The parameters of private_key_jwt."""
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {"client_assertion_type": kind, "client_assertion": assertion}
