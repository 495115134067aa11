"""The acts of the play: everything that takes a secret, done well and done badly."""

from __future__ import annotations

import time

from authlib.oauth2.rfc7636 import create_s256_code_challenge

from app.services import accounts, service_accounts
from tests.canary.play import Stage, authorization, query_of, redeem
from tests.support.changes import replace_trust
from tests.support.served_world import assertion, give_keys
from tests.support.world import ACCESS_TOKEN, CLI, EXCHANGE

#: Given to the operator's commands and services, not yet to the server.
NEW_USER = "Newcomer"


def people_sign_in(stage: Stage) -> None:
    """Right, wrong and new passwords, in the right field and in a wrong one."""
    served, canaries = stage.served, stage.canaries
    world = served.now()
    old, new = canaries.new("password"), canaries.new("new password")
    user = accounts.create_user(world.runtime, "53461", NEW_USER, old)
    browser = stage.browser()
    page = browser.get("/sign-in")
    assert browser.sign_in(page, old, username=NEW_USER).status_code == 303
    accounts.reset_password(world.runtime, user, new)
    assert browser.sign_in(browser.get("/sign-in"), old, username=NEW_USER).status_code == 401
    assert browser.sign_in(browser.get("/sign-in"), new, username=NEW_USER).status_code == 303
    page = browser.get("/sign-in")
    wrong = canaries.new("wrong password")
    for fields in ({}, {"kind": "root"}, {"username": "nobody"}, {"root_email": "x@example.com"}):
        assert browser.sign_in(page, wrong, **fields).status_code == 401
    in_username = canaries.new("password as username")
    browser.sign_in(page, "x", username=in_username)
    in_email = canaries.new("password as email")
    browser.sign_in(page, "x", root_email=in_email)
    stale = {"csrf_token": canaries.new("wrong form token")}
    assert browser.submit(page, changes=stale, password=wrong).status_code == 403
    root = canaries.new("root password")
    account = accounts.create_account(world.runtime, "77001", "root-c@example.com", root)
    assert account.id
    fields = {"kind": "root", "root_email": "root-c@example.com", "username": ""}
    page = stage.browser().get("/sign-in")
    other = stage.browser()
    page = other.get("/sign-in")
    assert other.sign_in(page, root, **fields).status_code == 303


def a_person_approves(stage: Stage) -> dict[str, str]:
    """Codes, verifiers, states and nonces; returns the tokens that are good at the end."""
    canaries, world = stage.canaries, stage.served.now()
    password = canaries.new("approver's password")
    [user] = (u for u in accounts.list_users(world.runtime, "53461") if u.username == "System1")
    accounts.reset_password(world.runtime, user, password)
    verifier = canaries.new("PKCE verifier")
    challenge = create_s256_code_challenge(verifier)
    browser = stage.browser()
    query = authorization(stage, challenge, login_hint="root-a@example.com")
    page = browser.follow(browser.get("/oauth2/authorize", params=query))
    approval = browser.follow(browser.sign_in(page, password))
    code = canaries.keep("code", query_of(browser.submit(approval))["code"])
    wrong = canaries.new("wrong PKCE verifier")
    stage.token(400, **redeem(code, wrong))
    stage.token(400, **redeem(code, verifier, redirect_uri="http://127.0.0.1:1/other"))
    stage.token(400, **redeem(canaries.new("wrong code"), verifier))
    tokens = dict(stage.token(**redeem(code, verifier)))
    for kind in ("access_token", "id_token", "refresh_token"):
        canaries.keep(kind.replace("_", " "), tokens[kind])

    def again(**fields: str) -> dict[str, str]:
        request = authorization(stage, challenge, **fields)
        return query_of(browser.submit(browser.get("/oauth2/authorize", params=request)))

    unused = canaries.keep("code that nobody redeems", again()["code"])
    assert unused
    denied = authorization(stage, challenge)
    page = browser.get("/oauth2/authorize", params=denied)
    assert query_of(browser.submit(page, changes={"decision": "deny"}))["error"] == "access_denied"
    silent = authorization(stage, challenge, prompt="none")
    assert query_of(browser.get("/oauth2/authorize", params=silent))["error"]
    bad = authorization(stage, challenge, scope="no pattern!")
    assert query_of(browser.get("/oauth2/authorize", params=bad))["error"] == "invalid_scope"
    lost = authorization(stage, challenge, redirect_uri="https://attacker.example/")
    assert browser.get("/oauth2/authorize", params=lost).status_code == 400
    reused = canaries.keep("code that is redeemed twice", again()["code"])
    first = stage.token(**redeem(reused, verifier))
    canaries.keep("access token", first["access_token"])
    stage.token(400, **redeem(reused, verifier))
    hint = {"id_token_hint": tokens["id_token"], "state": canaries.new("state at logout")}
    assert stage.browser().get("/oauth2/logout", params=hint).status_code == 200
    bad_hint = {"id_token_hint": canaries.new("wrong ID token")}
    assert browser.get("/oauth2/logout", params=bad_hint).status_code == 200
    return tokens


def refresh_tokens_rotate(stage: Stage, tokens: dict[str, str]) -> str:
    """Returns the access token of the newest; another family is ended by a reuse."""
    canaries = stage.canaries

    def refresh(token: str, expected: int = 200) -> dict[str, str]:
        form = {"grant_type": "refresh_token", "client_id": CLI, "refresh_token": token}
        return dict(stage.token(expected, **form))

    second = refresh(tokens["refresh_token"])
    canaries.keep("access token", second["access_token"])
    canaries.keep("rotated refresh token", second["refresh_token"])
    refresh(canaries.new("wrong refresh token"), 400)
    refresh(tokens["access_token"], 400)
    wide = {"grant_type": "refresh_token", "client_id": CLI, "scope": "openid email"}
    stage.token(400, refresh_token=second["refresh_token"], **wide)
    return second["access_token"]


def clients_authenticate(stage: Stage) -> None:
    """Secrets by each method, right and wrong; assertions."""
    served, canaries = stage.served, stage.canaries
    world, grant = served.now(), {"grant_type": "client_credentials"}
    client_id = world.client_id
    first = canaries.keep("client secret", world.client_secret)
    canaries.keep("access token", stage.token(**grant, auth=(client_id, first))["access_token"])
    new = service_accounts.replace_secret(world.runtime, world.service_account_id)
    canaries.keep("new client secret", new)
    stage.token(**grant, client_id=client_id, client_secret=new)
    sdk = {"grant_type": "client_credentials", "ClientId": client_id, "ClientSecret": new}
    path = "/accounts-api/v2/auth/token"
    assert stage.call("POST", path, json=sdk).status_code == 200
    assert stage.call("POST", path, json=sdk, auth=(client_id, new)).status_code == 200
    stage.token(401, **grant, auth=(client_id, canaries.new("wrong secret by basic")))
    stage.token(401, **grant, auth=(client_id, first))
    wrong = canaries.new("wrong secret by post")
    stage.token(401, **grant, client_id=client_id, client_secret=wrong)
    stage.token(400, **grant, auth=(client_id, new), client_secret=new)
    stage.token(401, **grant, auth=(new, client_id))
    stage.token(401, **grant, client_id=canaries.new("secret as client_id"))
    sdk["ClientSecret"] = canaries.new("wrong secret by JSON")
    assert stage.call("POST", path, json=sdk).status_code == 401
    assert stage.call("POST", path, json=sdk, auth=(client_id, new)).status_code == 400
    stage.token(400, **grant, auth=(client_id, new), scope="iam:*")

    key = give_keys(world, client_id)
    good = assertion(key, client_id, served.issuer, time.time())
    canaries.keep("assertion", good["client_assertion"])
    stage.token(**grant, **good)
    stage.token(401, **grant, **good)
    late = assertion(key, client_id, served.issuer, time.time() - 1000)
    canaries.keep("expired assertion", late["client_assertion"])
    stage.token(401, **grant, **late)
    forged = {**good, "client_assertion": good["client_assertion"][:-8] + "AAAAAAAA"}
    canaries.keep("forged assertion", forged["client_assertion"])
    stage.token(401, **grant, **forged)


def tokens_are_exchanged(stage: Stage, subject_token: str) -> str:
    """With external ids; returns the service account's token."""
    canaries, world = stage.canaries, stage.served.now()
    known = canaries.new("external id")
    replace_trust(world, {"stringEquals": {"iam:ExternalId": [known]}})
    form = {
        "grant_type": EXCHANGE,
        "client_id": CLI,
        "subject_token": subject_token,
        "subject_token_type": ACCESS_TOKEN,
        "requested_subject": world.service_account_id,
    }
    stage.token(400, **form)
    stage.token(400, **form, external_id=canaries.new("wrong external id"))
    got = stage.token(**form, external_id=known, display_name="on-call", reason="ticket 1")
    canaries.keep("impersonation token", got["access_token"])
    stage.token(400, **form, external_id=known, scope="iam:*")
    stage.token(400, **{**form, "subject_token": canaries.new("wrong subject token")})
    narrow = {**form, "scope": "iam:ImpersonateServiceAccount"}
    del narrow["requested_subject"]
    canaries.keep("access token", stage.token(**narrow)["access_token"])
    return str(got["access_token"])


def tokens_are_asked_about(stage: Stage, access: str, impersonation: str) -> None:
    """Introspection, userinfo and revocation."""
    canaries, world = stage.canaries, stage.served.world
    secret = canaries.keep("product's secret", world.product_client_secret)
    asker = (world.product_client_id, secret)
    wrong = canaries.new("wrong bearer token")
    for token in (access, impersonation, canaries.new("wrong token at introspection")):
        data = {"token": token, "token_type_hint": "access_token"}
        assert stage.call("POST", "/oauth2/introspect", data=data, auth=asker).status_code == 200
        bearer = {"Authorization": f"Bearer {wrong}"}
        stage.call("POST", "/oauth2/introspect", data=data, headers=bearer)
    for token in (access, impersonation, wrong):
        stage.call("GET", "/oauth2/userinfo", headers={"Authorization": f"Bearer {token}"})
    revoked = {"client_id": CLI, "token": canaries.new("wrong token at revocation")}
    assert stage.call("POST", "/oauth2/revoke", data=revoked).status_code == 200
    theirs = {"client_id": world.product_client_id, "client_secret": secret, "token": access}
    assert stage.call("POST", "/oauth2/revoke", data=theirs).status_code == 400
