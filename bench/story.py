"""What the measured requests need: a store with the guide's story, and tokens of a person."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Flask

from app.cli.init import prepare
from app.factory import create_app, runtime_of
from app.services import accounts, policies, products, service_accounts
from app.services.runtime import Runtime
from app.settings import Settings
from tests.support.world import (
    ACCESS_TOKEN,
    EXCHANGE,
    VERIFIER,
    allow,
    authorization_query,
    redirect_parameters,
    submit,
)

SCOPE = "vserver:ListServers"
_CALLBACK = "http://localhost:8001/callback"


@dataclass(frozen=True)
class Call:
    """One request to a token endpoint."""

    path: str
    body: str
    authorization: str


@dataclass(frozen=True)
class Story:
    """The two requests that are measured."""

    client_credentials: Call
    exchange: Call


def tell(settings: Settings) -> Story:
    """Set up the store that the settings name; a person signs in through the vServer's client."""
    prepare(settings)
    app = create_app(settings)
    runtime = runtime_of(app)
    try:
        return _tell(app, runtime)
    finally:
        runtime.database.engine.dispose()


def _tell(app: Flask, runtime: Runtime) -> Story:
    product = products.register(runtime, products.sample_product(), (_CALLBACK,))
    accounts.create_account(runtime, "53461", "root-a@example.com", "root-a-password")
    accounts.create_account(runtime, "60108", "root-b@example.com", "root-b-password")
    machine = service_accounts.create(runtime, "60108", "AllowAccessFromRootUserAccountA")
    policies.attach(runtime, "vServerFullAccess", "service-account", machine.account.id)
    service_accounts.add_trust(runtime, machine.account.id, "53461")
    user = accounts.create_user(runtime, "53461", "System1", "System1-password")
    vrn = str(machine.account.vrn)
    policies.create(runtime, "53461", "Become", allow("iam:ImpersonateServiceAccount", vrn))
    policies.attach(runtime, "Become", "iam-user", user.id)
    product_client = basic(product.client_id, str(product.client_secret))
    return Story(
        client_credentials=Call(
            "/oauth2/token",
            urlencode({"grant_type": "client_credentials", "scope": SCOPE}),
            basic(machine.client_id, machine.client_secret),
        ),
        exchange=Call(
            "/oauth2/token",
            urlencode(
                {
                    "grant_type": EXCHANGE,
                    "subject_token": _user_token(app, product.client_id, product_client),
                    "subject_token_type": ACCESS_TOKEN,
                    "requested_subject": machine.account.id,
                    "scope": SCOPE,
                }
            ),
            product_client,
        ),
    )


def _user_token(app: Flask, client_id: str, authorization: str) -> str:
    """System1 signs in and lets the client impersonate, no more."""
    browser = app.test_client()
    query = authorization_query(
        client_id=client_id, redirect_uri=_CALLBACK, scope="openid iam:ImpersonateServiceAccount"
    )
    page = browser.get("/oauth2/authorize", query_string=query, follow_redirects=True)
    page = submit(
        browser,
        page,
        kind="iam",
        root_email="root-a@example.com",
        username="System1",
        password="System1-password",
    )
    page = browser.get(page.headers["Location"])
    answer = submit(browser, page) if page.status_code == 200 else page
    tokens = browser.post(
        "/oauth2/token",
        data={
            "grant_type": "authorization_code",
            "code": redirect_parameters(answer)["code"],
            "redirect_uri": _CALLBACK,
            "code_verifier": VERIFIER,
        },
        headers={"Authorization": authorization},
    )
    return str(tokens.get_json()["access_token"])


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()
