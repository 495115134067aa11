"""Secrets where no secret belongs: query strings, headers, other parameters, broken bodies."""

from __future__ import annotations

from tests.canary.play import Stage
from tests.support.world import ACCESS_TOKEN, CLI, EXCHANGE, authorization_query

#: Parameters of a token exchange that somebody may paste a token into.
_FIELDS = (
    "audience",
    "resource",
    "scope",
    "requested_subject",
    "requested_expires_in",
    "requested_token_type",
    "subject_token_type",
    "policy",
    "actor_token",
    "display_name",
    "reason",
    "grant_type",
    "client_id",
    "an_unknown_parameter",
)
_HEADERS = (
    "User-Agent",
    "Referer",
    "Origin",
    "X-Forwarded-For",
    "X-Request-Id",
    "Forwarded",
    "Cookie",
    "Proxy-Authorization",
    "Accept-Language",
    "X-Api-Key",
)


def in_query_strings(stage: Stage, access: str) -> None:
    """Nobody may read them there, and no log may keep them."""
    canaries = stage.canaries
    secret = canaries.new("secret in a query string")
    token = {"access_token": access, "client_secret": secret, "password": secret}
    for method, path in (
        ("GET", "/oauth2/userinfo"),
        ("GET", "/oauth2/token"),
        ("POST", "/oauth2/token"),
        ("POST", "/oauth2/introspect"),
        ("POST", "/oauth2/revoke"),
        ("GET", "/sign-in"),
        ("GET", "/oauth2/authorize"),
        ("GET", "/oauth2/logout"),
        ("GET", "/healthz"),
        ("GET", "/.well-known/openid-configuration"),
        ("GET", "/nowhere"),
    ):
        stage.call(method, path, params=token)
    stage.browser().get("/sign-in", params={"continue": f"https://x.example/?t={secret}"})


def in_headers(stage: Stage) -> None:
    for name in _HEADERS:
        secret = stage.canaries.new(f"secret in {name}")
        value = f"crossroot_session={secret}" if name == "Cookie" else secret
        for path in ("/oauth2/userinfo", "/oauth2/authorize", "/nowhere"):
            stage.call("GET", path, headers={name: value})
        stage.call("POST", "/oauth2/token", headers={name: value}, data={"grant_type": "x"})
    secret = stage.canaries.new("secret in a broken Authorization")
    for value in (secret, f"Basic {secret}", f"Digest {secret}", f"Bearer {secret} x"):
        headers = {"Authorization": value}
        for path in ("/oauth2/userinfo", "/oauth2/introspect", "/oauth2/token"):
            stage.call("POST", path, headers=headers, data={"grant_type": "client_credentials"})


def in_other_parameters(stage: Stage, access: str) -> None:
    """The subject token, and a secret, in each parameter of an exchange but its own."""
    world = stage.served.world
    form = {
        "grant_type": EXCHANGE,
        "client_id": CLI,
        "subject_token": access,
        "subject_token_type": ACCESS_TOKEN,
        "requested_subject": world.service_account_id,
    }
    for name in _FIELDS:
        if name not in ("display_name", "reason"):
            secret = stage.canaries.new(f"secret as {name}")
            stage.call("POST", "/oauth2/token", data={**form, name: secret})
        stage.call("POST", "/oauth2/token", data={**form, name: access})
        twice = [*form.items(), (name, access), (name, access)]
        stage.call("POST", "/oauth2/token", data=twice)
    machine = {"grant_type": "client_credentials", "scope": stage.canaries.new("secret as scope")}
    stage.call(
        "POST", "/oauth2/token", data=machine, auth=(world.client_id, "not-the-secret-at-all")
    )
    for name in (
        "scope",
        "resource",
        "redirect_uri",
        "client_id",
        "response_type",
        "prompt",
        "max_age",
        "login_hint",
        "response_mode",
        "request",
        "request_uri",
        "claims",
        "code_challenge",
        "code_challenge_method",
        "id_token_hint",
        "ui_locales",
    ):
        query = {**authorization_query(), name: access}
        stage.call("GET", "/oauth2/authorize", params=query)
        query[name] = stage.canaries.new(f"secret as {name} of a person's request")
        stage.call("GET", "/oauth2/authorize", params=query)


def in_broken_bodies(stage: Stage) -> None:
    """What cannot be read is not shown to anybody either."""
    secret = stage.canaries.new("secret in a broken body")
    form, text = "application/x-www-form-urlencoded", f"client_secret={secret}"
    bodies = [
        (form, f"{text}&{text}"),
        (form, f"{text}&x=%zz"),
        (form, f"{text}&x=%ff"),
        (form, f"{text}&x=\u00e9"),
        (form, f"{text}%0d%0aX-Injected: 1"),
        (form, text + "&x=1" * 200),
        (form, text + "x" * 70_000),
        ("application/json", f'{{"ClientSecret": "{secret}"'),
        ("application/json", f'{{"ClientSecret": ["{secret}"]}}'),
        ("application/json", f'{{"grant_type": "{secret}"}}'),
        ("application/json", f'["{secret}"]'),
        ("text/plain", text),
        ("multipart/form-data; boundary=x", f"--x\r\n\r\n{secret}\r\n--x--\r\n"),
        (f"{form}; charset={secret}", text),
    ]
    for content_type, body in bodies:
        for path in (
            "/oauth2/token",
            "/oauth2/introspect",
            "/oauth2/revoke",
            "/accounts-api/v2/auth/token",
            "/accounts-api/v1/auth/token",
            "/sign-in",
            "/oauth2/authorize/decision",
        ):
            headers = {"Content-Type": content_type}
            stage.call("POST", path, data=body.encode(), headers=headers)


def in_a_store_that_fails(stage: Stage, access: str) -> None:
    """An error of the database has the statement in its text, and could have its values."""
    world, secret = stage.served.world, stage.canaries.new("secret while the store fails")
    for table in ("tokens", "oauth_clients", "sign_in_sessions"):
        world.runtime.database.write(
            lambda c, table=table: c.exec_driver_sql(f"ALTER TABLE {table} RENAME TO gone")
        )
        try:
            data = {"grant_type": "client_credentials", "client_id": secret, "scope": secret}
            stage.call("POST", "/oauth2/token", data={**data, "client_secret": secret})
            stage.call("POST", "/oauth2/introspect", data={"token": access, **data})
            headers = {"Authorization": f"Bearer {access}", "Cookie": f"crossroot_session={secret}"}
            stage.call("GET", "/oauth2/userinfo", headers=headers)
            stage.call("GET", "/oauth2/authorize", headers=headers, params=authorization_query())
        finally:
            world.runtime.database.write(
                lambda c, table=table: c.exec_driver_sql(f"ALTER TABLE gone RENAME TO {table}")
            )
