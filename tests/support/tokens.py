"""Tokens without pages: what the browser would do, done by the services behind it."""

from __future__ import annotations

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from app.domain.scopes import parse_scope
from app.services import authorization, client_secrets, sign_in
from app.services.authorization import AuthorizationRequest
from app.services.sign_in import SignInForm
from tests.support.world import CALLBACK, CLI, VERIFIER, World


def code_for(
    world: World,
    *,
    username: str | None = "System1",
    email: str = "root-a@example.com",
    scope: str = "openid",
    resources: tuple[str, ...] = (),
    client_id: str = CLI,
    redirect_uri: str = CALLBACK,
    nonce: str | None = None,
) -> str:
    """An authorization code that the person agreed to. `username` None is the root user."""
    password = f"root-{email[5]}-password" if username is None else f"{username}-password"
    form = SignInForm("root" if username is None else "iam", email, username or "", password)
    new = sign_in.sign_in(world.runtime, form, "127.0.0.1")
    client = client_secrets.find_enabled(world.runtime, client_id)
    assert new is not None
    assert client is not None
    asked = AuthorizationRequest(
        redirect_uri,
        True,
        parse_scope(scope),
        resources,
        nonce,
        create_s256_code_challenge(VERIFIER),
    )
    return authorization.grant_code(world.runtime, client, new.signed_in, asked, "127.0.0.1")


def user_token(
    world: World,
    *,
    username: str | None = "System1",
    email: str = "root-a@example.com",
    scope: str = "openid",
    resources: tuple[str, ...] = (),
) -> str:
    """The access token of a person, issued to the shipped command line."""
    code = code_for(world, username=username, email=email, scope=scope, resources=resources)
    answer = world.token_call(
        grant_type="authorization_code",
        client_id=CLI,
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )
    assert answer.status_code == 200, answer.json
    return str(answer.json["access_token"])
