"""A whole Crossroot in one process, set up as the guide's story begins.

Real store (SQLite in a temporary folder), real signatures, a clock that tests move. Passwords
are hashed cheaply: their strength is tested where they are made.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.factory import create_app, runtime_of
from app.services import accounts, policies, products, service_accounts
from app.services.runtime import Runtime
from app.settings import Settings
from app.storage import schema
from app.tokens.keyring import KeyRing, SigningKey
from app.tokens.secrets import PasswordHasher

START = 1_800_000_000
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
CLI = "crossroot-cli"
CALLBACK = "http://127.0.0.1:49152/callback"
VERIFIER = "correct-horse-battery-staple-correct-horse-battery"
VSERVER = "https://vserver.example"

#: Made once: an RSA key takes longer than all the rest of a world.
RING = KeyRing.from_keys([SigningKey.create("ES256", START), SigningKey.create("RS256", START)])


@dataclass
class Clock:
    """Epoch seconds; tests move it, nothing else does."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class World:
    """Root accounts A (53461, with System1) and B (60108, with the service account)."""

    app: Flask
    runtime: Runtime
    clock: Clock
    service_account_id: str
    vrn: str
    client_id: str
    client_secret: str
    user_id: str
    product_client_id: str
    product_client_secret: str
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def token_call(
        self, data: Any = None, *, auth: tuple[str, str] | None = None, **fields: Any
    ) -> TestResponse:
        """POST to the token endpoint; `auth` is HTTP Basic."""
        headers = {} if auth is None else {"Authorization": basic(*auth)}
        return self.client.post("/oauth2/token", data=data or fields, headers=headers)

    def machine_token(self, **fields: str) -> TestResponse:
        """client_credentials of the service account."""
        return self.token_call(
            {"grant_type": "client_credentials", **fields},
            auth=(self.client_id, self.client_secret),
        )

    def user_token(
        self, *, username: str | None = "System1", scope: str = "openid", **query: str
    ) -> str:
        """The access token of a person who signs in through the shipped command line."""
        return str(self.code_flow(username=username, scope=scope, **query).json["access_token"])

    def code_flow(
        self, *, username: str | None = "System1", scope: str = "openid", **query: str
    ) -> TestResponse:
        """Sign in, approve, redeem the code. `username` None is A's root user."""
        code = self.authorization_code(username=username, scope=scope, **query)
        return self.token_call(
            grant_type="authorization_code",
            client_id=CLI,
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=VERIFIER,
        )

    def authorization_code(
        self, *, username: str | None = "System1", scope: str = "openid", **query: str
    ) -> str:
        browser = self.app.test_client()
        page = browser.get(
            "/oauth2/authorize",
            query_string=authorization_query(scope=scope, **query),
            follow_redirects=True,
        )
        page = self.sign_in(browser, page, username=username)
        answer = submit(browser, page)
        return redirect_parameters(answer)["code"]

    def sign_in(
        self, browser: FlaskClient, page: TestResponse, *, username: str | None = "System1"
    ) -> TestResponse:
        kind = "root" if username is None else "iam"
        password = "root-a-password" if username is None else f"{username}-password"
        return submit(
            browser,
            page,
            follow=True,
            kind=kind,
            root_email="root-a@example.com",
            username=username or "",
            password=password,
        )

    def exchange(self, subject_token: str, **fields: Any) -> TestResponse:
        """Token exchange by the command line client; None leaves a default field out."""
        form = {
            "grant_type": EXCHANGE,
            "client_id": CLI,
            "subject_token": subject_token,
            "subject_token_type": ACCESS_TOKEN,
            **fields,
        }
        return self.token_call({name: value for name, value in form.items() if value is not None})

    def impersonate(self, subject_token: str | None = None, **fields: Any) -> TestResponse:
        """Become B's service account, as System1 unless a token is given."""
        token = subject_token or self.user_token()
        return self.exchange(token, **{"requested_subject": self.service_account_id, **fields})

    def introspect(self, token: str, auth: tuple[str, str] | None = None) -> Any:
        """What introspection says, by default to the vServer's client."""
        credentials = auth or (self.product_client_id, self.product_client_secret)
        return self.client.post(
            "/oauth2/introspect",
            data={"token": token},
            headers={"Authorization": basic(*credentials)},
        ).json

    def close(self) -> None:
        """Let go of the store's file."""
        self.runtime.database.close()

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Read the store as an auditor with SQL would."""
        with self.runtime.database.read() as connection:
            return list(connection.exec_driver_sql(query, values or None))


def build_world(folder: Path, **settings: Any) -> World:
    """The guide's story up to the sign-in, in an empty folder."""
    store, names = _story()
    (folder / "crossroot.db").write_bytes(store)
    clock = Clock()
    app = _application(folder, clock, **settings)
    return World(app=app, runtime=runtime_of(app), clock=clock, **names)


def _application(folder: Path, clock: Clock, **settings: Any) -> Flask:
    return create_app(
        Settings(database_url=f"sqlite:///{folder}/crossroot.db", **settings),
        clock=clock,
        ring=lambda: RING,
        pepper=b"a pepper of thirty-two bytes ...",
        passwords=PasswordHasher(os.urandom, memory_kib=8, passes=1),
    )


@cache
def _story() -> tuple[bytes, dict[str, str]]:
    """The store of the story, told once in a process, and the names in it."""
    with TemporaryDirectory() as folder:
        runtime = runtime_of(_application(Path(folder), Clock()))
        names = _tell(runtime)
        runtime.database.close()  # the last connection folds the write-ahead log in
        return (Path(folder) / "crossroot.db").read_bytes(), names


def _tell(runtime: Runtime) -> dict[str, str]:
    schema.upgrade(runtime.database)
    products.install_shipped(runtime)
    product = products.register(
        runtime, products.sample_product(), ("http://localhost:8001/callback",)
    )
    accounts.create_account(runtime, "53461", "root-a@example.com", "root-a-password")
    accounts.create_account(runtime, "60108", "root-b@example.com", "root-b-password")
    new = service_accounts.create(runtime, "60108", "AllowAccessFromRootUserAccountA")
    policies.attach(runtime, "vServerFullAccess", "service-account", new.account.id)
    service_accounts.add_trust(runtime, new.account.id, "53461")
    user = accounts.create_user(runtime, "53461", "System1", "System1-password")
    vrn = str(new.account.vrn)
    policies.create(
        runtime,
        "53461",
        "ImpersonateToRootUserAccountB",
        allow("iam:ImpersonateServiceAccount", vrn),
    )
    policies.attach(runtime, "ImpersonateToRootUserAccountB", "iam-user", user.id)
    return {
        "service_account_id": new.account.id,
        "vrn": vrn,
        "client_id": new.client_id,
        "client_secret": new.client_secret,
        "user_id": user.id,
        "product_client_id": product.client_id,
        "product_client_secret": str(product.client_secret),
    }


def allow(action: str, resource: str = "*", **statement: Any) -> dict[str, Any]:
    """A policy document of one allow."""
    return {
        "statements": [
            {"effect": "allow", "actions": [action], "resources": [resource], **statement}
        ]
    }


def deny(action: str, resource: str = "*", **statement: Any) -> dict[str, Any]:
    """A policy document of one deny."""
    return {
        "statements": [
            {"effect": "deny", "actions": [action], "resources": [resource], **statement}
        ]
    }


def authorization_query(**fields: str) -> dict[str, str]:
    """An authorization request of the command line client."""
    query = {
        "client_id": CLI,
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "state": "a-state",
        "code_challenge": create_s256_code_challenge(VERIFIER),
        "code_challenge_method": "S256",
        **fields,
    }
    return {name: value for name, value in query.items() if value}


def submit(
    browser: FlaskClient, page: TestResponse, *, follow: bool = False, **fields: str
) -> TestResponse:
    """Fill in and send the first form of a page, hidden fields included."""
    form = BeautifulSoup(page.text, "html.parser").find("form")
    assert form is not None, page.text
    values = {
        item["name"]: item.get("value", "")
        for item in form.find_all("input")
        if item.get("type") == "hidden"
    }
    return browser.post(str(form["action"]), data={**values, **fields}, follow_redirects=follow)


def redirect_parameters(response: TestResponse) -> dict[str, str]:
    """The query of the redirect URI that the browser is sent to."""
    assert response.status_code in (302, 303), response.text
    return {
        name: values[0]
        for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()
    }


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, unchecked."""
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert isinstance(claims, dict)
    return claims
