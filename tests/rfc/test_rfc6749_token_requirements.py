"""RFC 6749 sections 5 to 10: tokens, refreshing, resources, and security."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from app.tokens.secrets import SECRET_BYTES
from tests.rfc import protocol
from tests.rfc.protocol import APP, approved, ask, is_live, redeem, refresh, refused
from tests.support.forgery import ATTACKERS_KEY, forge
from tests.support.requirements import rfc
from tests.support.tokens import code_for
from tests.support.world import CALLBACK, CLI, EXCHANGE, World, basic, claims_of, submit

REFRESHABLE = "openid profile offline_access"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from protocol.shared_world(tmp_path_factory)


@pytest.fixture(scope="module")
def browser(shared: World) -> FlaskClient:
    """System1 has signed in."""
    return protocol.signed_in(shared)


# ------------------------------------------------------------------------------------ 5 Issuing


@rfc("6749", "5.1", "REQUIRED", "token and type")
@rfc("6749", "5.1", "RECOMMENDED", "lifetime")
def test_the_answer_of_the_token_endpoint(shared: World) -> None:
    answer = shared.machine_token()

    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.json["token_type"].lower() == "bearer"
    claims = claims_of(answer.json["access_token"])
    assert answer.json["expires_in"] == claims["exp"] - claims["iat"] == 3600


@rfc("6749", "5.1", "MUST", "not stored")
@rfc("6749", "5.1", "MUST", "not cached by old caches")
def test_answers_with_secrets_are_not_stored(shared: World, browser: FlaskClient) -> None:
    token = protocol.tokens(shared)["access_token"]
    machine_call = {"grantType": "client_credentials"}
    headers = {"Authorization": basic(*protocol.machine(shared))}
    answers = [
        shared.machine_token(),
        shared.machine_token(scope="no-scope"),
        redeem(shared, code_for(shared)),
        protocol.userinfo(shared, token),
        protocol.post(shared, "/oauth2/introspect", protocol.product(shared), token=token),
        protocol.revoke(shared, token),
        submit(browser, ask(browser)),
        shared.client.post("/accounts-api/v1/auth/token", json=machine_call, headers=headers),
    ]

    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Pragma"] == "no-cache"


@rfc("6749", "5.2", "REQUIRED", "error codes")
@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "x"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "unauthorized_client"),
        ({"grant_type": "client_credentials", "scope": "x"}, "invalid_scope"),
        ({"grant_type": "client_credentials", "scope": "iam:*"}, "invalid_scope"),
    ],
)
def test_an_error_of_the_token_endpoint(shared: World, form: dict[str, str], error: str) -> None:
    answer = shared.token_call({"x": "y", **form}, auth=protocol.machine(shared))

    refused(answer, error)
    assert answer.content_type == "application/json"


@rfc("6749", "5.2", "REQUIRED", "error codes")
def test_a_bad_grant_is_an_error_of_its_own(shared: World) -> None:
    refused(redeem(shared, "x"), "invalid_grant")
    refused(refresh(shared, "x"), "invalid_grant")


@rfc("6749", "5.2", "MUST", "401 with a challenge")
@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"])
def test_failed_authentication_by_a_header(shared: World, path: str) -> None:
    form = {"grant_type": "client_credentials", "token": "x"}

    answer = protocol.post(shared, path, (shared.client_id, "wrong"), **form)

    refused(answer, "invalid_client", 401)
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


# --------------------------------------------------------------------------------- 6 Refreshing


@rfc("6749", "6", "MUST NOT", "refresh never widens")
@pytest.mark.parametrize("scope", ["openid email", "openid vserver:*", "iam:*"])
def test_refreshing_for_more(shared: World, scope: str) -> None:
    client_id, secret = protocol.register(shared, "narrow")
    code = code_for(shared, scope=REFRESHABLE, client_id=client_id, redirect_uri=APP)
    first = redeem(shared, code, auth=(client_id, secret), redirect_uri=APP).json

    answer = refresh(shared, first["refresh_token"], (client_id, secret), scope=scope)

    refused(answer, "invalid_scope")


@rfc("6749", "6", "MUST", "the refresh token is this client's")
def test_the_refresh_token_of_another_client(shared: World) -> None:
    own = protocol.tokens(shared)["refresh_token"]
    refused(refresh(shared, own, protocol.product(shared)), "invalid_grant")

    client_id, secret = protocol.register(shared, "keeper")
    code = code_for(shared, scope=REFRESHABLE, client_id=client_id, redirect_uri=APP)
    kept = redeem(shared, code, auth=(client_id, secret), redirect_uri=APP).json["refresh_token"]
    refused(refresh(shared, kept), "invalid_grant")
    refused(refresh(shared, kept, (client_id, "wrong")), "invalid_client", 401)
    refused(
        shared.token_call(grant_type="refresh_token", refresh_token=kept), "invalid_client", 401
    )
    assert refresh(shared, kept, (client_id, secret)).status_code == 200


@rfc("6749", "6", "MUST", "the refresh token is valid")
@rfc("6749", "10.4", "MUST", "refresh tokens cannot be made up")
def test_a_refresh_token_that_is_none(shared: World) -> None:
    held = protocol.tokens(shared)
    good = held["refresh_token"]

    for wrong in ("x", held["access_token"], good[:-1], good + "A", good.swapcase()):
        refused(refresh(shared, wrong), "invalid_grant")
    refused(refresh(shared, ""), "invalid_request")
    assert refresh(shared, good).status_code == 200


@rfc("6749", "6", "MUST", "the next one has the same scope")
def test_a_narrow_access_token_leaves_the_refresh_token_whole(shared: World) -> None:
    first = protocol.tokens(shared, scope="openid profile")

    narrow = refresh(shared, first["refresh_token"], scope="openid").json
    whole = refresh(shared, narrow["refresh_token"]).json

    assert narrow["scope"] == "openid"
    assert whole["scope"] == first["scope"] == "openid profile"


# ---------------------------------------------------------------------- 7 Resources, 8 Extension


@rfc("6749", "7", "MUST", "a resource server checks")
@rfc("6749", "7.2", "SHOULD", "a resource server says why")
def test_userinfo_checks_expiry_and_scope(world: World) -> None:
    good, scopeless = protocol.tokens(world), protocol.tokens(world, scope="")
    assert protocol.userinfo(world, good["access_token"]).status_code == 200

    answer = protocol.userinfo(world, scopeless["access_token"])
    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
    world.clock.advance(3600)
    answer = protocol.userinfo(world, good["access_token"])
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


@rfc("6749", "8.2", "SHOULD", "prefix of own parameters")
def test_our_own_parameters_have_no_prefix(shared: World) -> None:
    token = protocol.tokens(shared)["access_token"]

    plain = shared.impersonate(token, requested_expires_in="120", display_name="on-call")
    prefixed = shared.impersonate(token, crossroot_requested_expires_in="120")

    assert plain.json["expires_in"] == 120
    assert prefixed.json["expires_in"] == 3600


# ------------------------------------------------------------------------------------ 10 Security


@rfc("6749", "10.1", "MUST NOT", "no secrets for public clients")
def test_a_public_client_gets_no_secret(shared: World) -> None:
    assert protocol.register(shared, "native", auth_method="none")[1] == ""


@rfc("6749", "10.1", "SHOULD", "other means for public clients")
def test_a_public_client_is_confirmed_by_the_person(shared: World, browser: FlaskClient) -> None:
    client_id, _ = protocol.register(shared, "native-app", auth_method="none")

    page = ask(browser, client_id=client_id, redirect_uri=APP)

    assert page.status_code == 200
    assert "Allow access?" in page.text
    silent = ask(browser, client_id=client_id, redirect_uri=APP, prompt="none")
    assert protocol.error_of(silent) == "consent_required"


@rfc("6749", "10.2", "SHOULD", "the person is informed")
def test_what_the_approval_page_says(shared: World, browser: FlaskClient) -> None:
    page = ask(browser, scope="openid vserver:List*").text

    for told in ("Crossroot command line", "System1", "53461", "vserver:List*", CALLBACK):
        assert told in page
    assert "hour" not in page, "the lifetime is not among it"
    vouched_for = ask(
        browser, client_id=shared.product_client_id, redirect_uri="http://localhost:8001/callback"
    )
    assert "code=" in vouched_for.headers["Location"]


@rfc("6749", "10.2", "SHOULD NOT", "no silent repetition")
def test_an_approved_request_is_asked_again(shared: World, browser: FlaskClient) -> None:
    approved(browser)

    assert "Allow access?" in ask(browser).text
    # vServer's is granted by itself, and worth nothing without vServer's secret.
    uri = "http://localhost:8001/callback"
    code = approved(browser, client_id=shared.product_client_id, redirect_uri=uri)["code"]
    stolen = redeem(shared, code, client_id=shared.product_client_id, redirect_uri=uri)
    refused(stolen, "invalid_client", 401)


@rfc("6749", "10.3", "MUST", "tokens are not stored")
def test_the_store_holds_nothing_that_works(world: World) -> None:
    code = code_for(world)
    held = redeem(world, code_for(world)).json
    secrets = [code, *(held[n] for n in ("access_token", "refresh_token", "id_token"))]
    secrets += [world.client_secret, world.machine_token().json["access_token"]]
    names = world.rows("SELECT name FROM sqlite_master WHERE type = 'table'")

    stored = "".join(str(world.rows(f'SELECT * FROM "{name}"')) for (name,) in names)

    assert claims_of(held["access_token"])["jti"] in stored
    assert [secret for secret in secrets if secret in stored] == []


@rfc("6749", "10.3", "MUST", "access tokens cannot be made up")
def test_an_access_token_that_somebody_made(shared: World) -> None:
    good = protocol.tokens(shared)["access_token"]
    claims = claims_of(good)
    header, payload, signature = good.split(".")
    changed = base64.urlsafe_b64encode(b'{"sub":"x"}').rstrip(b"=").decode()

    for wrong in (
        forge(claims, key=ATTACKERS_KEY),
        f"{header}.{changed}.{signature}",
        f"{header}.{payload}.",
        forge({**claims, "jti": "never-issued"}),
    ):
        assert not is_live(shared, wrong)
    assert is_live(shared, good)


@rfc("6749", "10.3", "SHOULD", "the client counts")
def test_the_same_request_by_another_client_gets_less(shared: World) -> None:
    """The shipped command line is limited by policies alone, a tenant's client by its scope."""
    own = protocol.tokens(shared)["access_token"]
    client_id, secret = protocol.register(shared, "tenant")
    code = code_for(shared, client_id=client_id, redirect_uri=APP)
    other = redeem(shared, code, auth=(client_id, secret), redirect_uri=APP).json["access_token"]

    assert shared.impersonate(own).status_code == 200
    become = {"subject_token": other, "requested_subject": shared.service_account_id}
    kind = "urn:ietf:params:oauth:token-type:access_token"
    form = {"grant_type": EXCHANGE, "subject_token_type": kind, **become}
    refused(shared.token_call(form, auth=(client_id, secret)), "invalid_target")


@rfc("6749", "10.4", "SHOULD", "stolen refresh tokens show")
def test_a_refresh_token_that_two_use(world: World) -> None:
    first = protocol.tokens(world)
    second = refresh(world, first["refresh_token"]).json

    refused(refresh(world, first["refresh_token"]), "invalid_grant")

    refused(refresh(world, second["refresh_token"]), "invalid_grant")
    assert not is_live(world, second["access_token"])


@rfc("6749", "10.10", "MUST", "128 bits")
@rfc("6749", "10.10", "SHOULD", "160 bits")
def test_secrets_have_256_random_bits(shared: World) -> None:
    asked: list[int] = []

    def counting(count: int) -> bytes:
        asked.append(count)
        return shared.runtime.random_bytes(count)

    made = replace(shared.runtime, random_bytes=counting).new_secret()

    assert asked == [SECRET_BYTES]
    assert len(base64.urlsafe_b64decode(made + "=")) * 8 == 256
    values = {code_for(shared) for _ in range(8)}
    values |= {protocol.tokens(shared)["refresh_token"] for _ in range(8)}
    assert {len(value) for value in values} == {43}
    assert len(values) == 16


@rfc("6749", "10.10", "MUST", "passwords are protected otherwise")
def test_guessing_at_a_password_is_slowed_down(world: World) -> None:
    browser = world.app.test_client()
    fields = {"kind": "iam", "root_email": "root-a@example.com", "username": "System1"}
    for _ in range(11):
        page = submit(browser, browser.get("/sign-in"), password="wrong", **fields)
        assert page.status_code == 401

    page = submit(browser, browser.get("/sign-in"), password="System1-password", **fields)
    assert page.status_code == 401
    world.clock.advance(15 * 60)
    page = submit(browser, browser.get("/sign-in"), password="System1-password", **fields)
    assert page.status_code == 303
    kept = world.rows("SELECT password_hash FROM iam_users")
    assert all(value.startswith("$argon2id$") for (value,) in kept)


@rfc("6749", "10.12", "MUST", "no consent from elsewhere")
def test_an_approval_that_another_site_sends(shared: World, browser: FlaskClient) -> None:
    """It knows the request, but not the token that belongs to it and to this browser."""
    page = ask(browser)
    other = protocol.signed_in(shared)
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    request = urlencode({"client_id": CLI, "response_type": "code", "redirect_uri": CALLBACK})

    for client, form in (
        (browser, {"request": request, "decision": "approve"}),
        (browser, {"request": request, "decision": "approve", "csrf_token": token}),
        (other, {"request": page.request.query_string.decode(), "csrf_token": token}),
    ):
        answer = client.post("/oauth2/authorize/decision", data={"decision": "approve", **form})
        assert answer.status_code == 403
        assert "Location" not in answer.headers


@rfc("6749", "10.14", "MUST", "input is checked")
@pytest.mark.parametrize("name", ["state", "redirect_uri", "scope", "nonce"])
def test_input_becomes_neither_header_nor_markup(browser: FlaskClient, name: str) -> None:
    answer = ask(browser, **{name: "x\r\nSet-Cookie: a=b"})
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers

    answer = ask(browser, **{name: "<script>alert(1)</script>"})
    assert "<script>" not in answer.text + answer.headers.get("Location", "")


@rfc("6749", "B", "MUST", "UTF-8")
def test_forms_are_utf_8(shared: World, browser: FlaskClient) -> None:
    """The example of the appendix: space, percent, ampersand, plus, pound and euro."""
    assert approved(browser, state=" %&+£€")["state"] == " %&+£€"
    location = submit(browser, ask(browser, state=" %&+£€")).headers["Location"]
    assert "state=+%25%26%2B%C2%A3%E2%82%AC" in location
    for body in (b"grant_type=\xff", b"grant_type=%ff", b"grant_type=%zz"):
        form = "application/x-www-form-urlencoded"
        answer = shared.client.post("/oauth2/token", data=body, content_type=form)
        refused(answer, "invalid_request")


@rfc("6749", "2.3.2", "MUST", "which client a key is of")
def test_a_client_assertion_is_of_one_registered_client(shared: World) -> None:
    key, other = protocol.new_key("mine"), protocol.new_key("other")
    one, _ = protocol.register(shared, "one", auth_method="private_key_jwt", jwks=key.set)
    two, _ = protocol.register(shared, "two", auth_method="private_key_jwt", jwks=other.set)

    def tried(assertion: str, **fields: str) -> str:
        form = {"grant_type": "x", **protocol.by_assertion(assertion), **fields}
        return str(shared.token_call(form).json["error"])

    assert tried(key.assertion(shared, one)) == "unsupported_grant_type"
    assert tried(key.assertion(shared, two)) == "invalid_client"
    assert tried(key.assertion(shared, one), client_id=two) == "invalid_client"
    assert tried(key.assertion(shared, CLI)) == "invalid_client"
