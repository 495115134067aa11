"""Callers of the management API: somebody with a token, and what the server answers them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from werkzeug.test import TestResponse

from app.services import accounts, policies
from tests.support.world import (
    CALLBACK,
    CLI,
    VERIFIER,
    World,
    allow,
    authorization_query,
    redirect_parameters,
    submit,
)

ROOT_A, ROOT_B = "root-a@example.com", "root-b@example.com"
USERS = "/accounts-api/v1/iam-users"


@dataclass
class ApiCaller:
    """Somebody who calls the API with a bearer token."""

    world: World
    token: str

    def get(self, path: str, **query: Any) -> TestResponse:
        return self._open("GET", path, query_string=query)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        return self._open("POST", path, json={} if body is None else body, headers=headers)

    def patch(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self._open("PATCH", path, json=body, headers=headers)

    def delete(self, path: str, **query: Any) -> TestResponse:
        headers = query.pop("headers", {})
        return self._open("DELETE", path, query_string=query, headers=headers)

    def _open(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {
            name.replace("_", "-"): value for name, value in options.pop("headers", {}).items()
        }
        headers["Authorization"] = f"Bearer {self.token}"
        # A client of its own: cookies of a sign-in must not matter.
        client = self.world.app.test_client()
        return client.open(path, method=method, headers=headers, **options)


def token_of(world: World, root_email: str, username: str | None = None) -> str:
    """The token of a person at the command line; without `username` the root user's."""
    browser = world.app.test_client()
    page = browser.get(
        "/oauth2/authorize", query_string=authorization_query(scope="openid"), follow_redirects=True
    )
    form = {
        "kind": "root" if username is None else "iam",
        "root_email": root_email,
        "username": username or "",
        "password": f"{username or root_email.partition('@')[0]}-password",
    }
    page = submit(browser, page, follow=True, **form)
    code = redirect_parameters(submit(browser, page))["code"]
    answer = world.token_call(
        grant_type="authorization_code",
        client_id=CLI,
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )
    return str(answer.json["access_token"])


def root(world: World, email: str = ROOT_A) -> ApiCaller:
    """The root user of an account."""
    return ApiCaller(world, token_of(world, email))


def user_with(
    world: World, *documents: dict[str, Any] | str, account: str = "53461", name: str | None = None
) -> ApiCaller:
    """A new IAM user of an account with these policies, documents or names of managed ones."""
    username = name or f"user-{uuid.uuid4().hex[:12]}"
    user = accounts.create_user(world.runtime, account, username, f"{username}-password")
    for document in documents:
        policy = document
        if not isinstance(document, str):
            policy = policies.create(world.runtime, account, f"p{uuid.uuid4().hex[:12]}", document)
        policies.attach(world.runtime, str(policy), "iam-user", user.id)
    email = ROOT_A if account == "53461" else ROOT_B
    return ApiCaller(world, token_of(world, email, username))


def user_that_may(world: World, *actions: str, account: str = "53461") -> ApiCaller:
    """A new IAM user that may do these actions, on everything in its account."""
    return user_with(world, *(allow(action) for action in actions), account=account)


def machine(world: World) -> ApiCaller:
    """B's service account, with a token for the issuer."""
    return ApiCaller(world, str(world.machine_token(resource="iam").json["access_token"]))
