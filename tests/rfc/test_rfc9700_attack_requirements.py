"""RFC 9700 section 4: attacks, and what the server does about them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from pydantic import ValidationError

from app.settings import Settings
from tests.rfc import protocol
from tests.rfc.protocol import (
    APP,
    ISSUER,
    approved,
    ask,
    error_of,
    is_live,
    redeem,
    refresh,
    refused,
)
from tests.support.requirements import rfc
from tests.support.tokens import code_for
from tests.support.world import (
    CALLBACK,
    VSERVER,
    World,
    basic,
    claims_of,
    redirect_parameters,
    submit,
)

#: Requests of which the client is told an error.
ERRORS = [
    {"scope": "no-scope"},
    {"response_type": "token"},
    {"code_challenge": ""},
    {"resource": "nowhere"},
    {"max_age": "x"},
    {"request": "x"},
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from protocol.shared_world(tmp_path_factory)


@pytest.fixture(scope="module")
def browser(shared: World) -> FlaskClient:
    """System1 has signed in."""
    return protocol.signed_in(shared)


# --------------------------------------------------------------------------------- 4.2 to 4.5


@rfc("9700", "4.2.4", "SHOULD NOT", "nothing from elsewhere")
def test_pages_load_nothing_and_link_nowhere(shared: World, browser: FlaskClient) -> None:
    for page in (shared.client.get("/sign-in"), ask(browser), ask(browser, client_id="x")):
        document = BeautifulSoup(page.text, "html.parser")
        tags = document.find_all(["a", "img", "script", "iframe", "link", "form"])
        addresses = [tag.get(name) for tag in tags for name in ("href", "src", "action")]
        assert all(str(address).startswith("/") for address in addresses if address)
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@rfc("9700", "4.2.4", "plain", "no referrer")
def test_pages_and_redirects_send_no_referer(shared: World, browser: FlaskClient) -> None:
    answers = [shared.client.get("/sign-in"), ask(browser), ask(browser, prompt="none")]
    answers += [submit(browser, ask(browser)), ask(browser, client_id="x")]

    for answer in answers:
        assert answer.headers["Referrer-Policy"] == "no-referrer"


@rfc("9700", "4.2.4", "MUST", "codes end with their use")
def test_a_code_that_leaked_is_worth_nothing(world: World) -> None:
    code = code_for(world)
    token = redeem(world, code).json["access_token"]

    refused(redeem(world, code), "invalid_grant")

    assert not is_live(world, token)


@rfc("9700", "4.3.2", "MUST NOT", "no tokens in queries")
def test_a_token_in_a_query_is_not_taken(shared: World) -> None:
    token = protocol.tokens(shared)["access_token"]

    answer = shared.client.get(f"/oauth2/userinfo?access_token={token}")

    assert answer.status_code == 400
    assert "sub" not in answer.json


@rfc("9700", "4.4.2.1", "plain", "issuer in the answer")
def test_the_answer_names_the_issuer(browser: FlaskClient) -> None:
    assert approved(browser)["iss"] == ISSUER
    assert redirect_parameters(ask(browser, scope="no-scope"))["iss"] == ISSUER


@rfc("9700", "4.5.3.2", "plain", "nonce")
def test_each_id_token_has_the_nonce_of_its_request(shared: World, browser: FlaskClient) -> None:
    codes = {nonce: approved(browser, scope="openid", nonce=nonce)["code"] for nonce in "ab"}

    for nonce in "ba":
        held = redeem(shared, codes[nonce]).json
        assert claims_of(held["id_token"])["nonce"] == nonce


@rfc("9700", "4.9.3", "MUST", "tokens are credentials")
def test_userinfo_and_introspection_write_no_token_down(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = protocol.tokens(world)["access_token"]
    protocol.userinfo(world, token)
    protocol.introspect(world, token)
    protocol.userinfo(world, token[:-4] + "AAAA")

    kept = str(world.rows("SELECT * FROM tokens")) + str(world.rows("SELECT * FROM audit_events"))
    signature = token.rpartition(".")[2]
    assert claims_of(token)["jti"] in kept
    assert signature[:20] not in kept + caplog.text


# ----------------------------------------------------------------------------------- 4.11 to 4.13


@rfc("9700", "4.11.2", "MUST", "sign-in before an error redirect")
@pytest.mark.parametrize("query", ERRORS)
def test_a_stranger_signs_in_before_an_error_is_told(shared: World, query: dict[str, str]) -> None:
    """A link to us with a wrong request is not a link to a tenant's site."""
    client_id, _ = protocol.register(shared, "tenant")
    asked = {"client_id": client_id, "redirect_uri": APP, **query}
    stranger = shared.app.test_client()

    first = ask(stranger, **asked)

    assert first.headers["Location"].startswith("/sign-in?")
    page = stranger.get(first.headers["Location"])
    form = {"kind": "iam", "root_email": "root-a@example.com", "username": "System1"}
    back = submit(stranger, page, password="System1-password", **form)
    told = stranger.get(back.headers["Location"])
    assert told.headers["Location"].startswith(APP + "?")
    assert error_of(told) == error_of(ask(protocol.signed_in(shared), **asked))


@rfc("9700", "4.11.2", "MUST", "sign-in before an error redirect")
@pytest.mark.parametrize("query", ERRORS)
def test_a_client_of_the_operators_is_told_at_once(shared: World, query: dict[str, str]) -> None:
    told = ask(shared.app.test_client(), **query)

    assert told.headers["Location"].startswith(CALLBACK + "?")
    assert error_of(told)


@rfc("9700", "4.11.2", "MUST", "sign-in before an error redirect")
def test_a_silent_request_is_told_at_once(shared: World) -> None:
    stranger = shared.app.test_client()

    assert error_of(ask(stranger, prompt="none")) == "login_required"
    assert error_of(ask(stranger, prompt="none", scope="no-scope")) == "invalid_scope"


@rfc("9700", "4.11.2", "SHOULD", "redirects to those who are trusted")
@pytest.mark.parametrize("query", [{}, *ERRORS])
def test_a_tenants_client_redirects_its_own_people_alone(
    shared: World, query: dict[str, str]
) -> None:
    """Whoever registers a client can catch nobody but users of the same account."""
    client_id, _ = protocol.register(shared, "tenant")
    asked = {"client_id": client_id, "redirect_uri": APP, **query}
    stranger = shared.app.test_client()
    stranger_page = stranger.get("/sign-in")
    form = {"kind": "root", "root_email": "root-b@example.com", "password": "root-b-password"}
    assert submit(stranger, stranger_page, **form).status_code == 303

    answer = ask(stranger, **asked)

    assert answer.status_code == 403
    assert "Location" not in answer.headers
    assert "Not for your account" in answer.text


@rfc("9700", "4.13", "MUST", "forwarded headers")
def test_headers_of_a_proxy_are_not_believed(shared: World, browser: FlaskClient) -> None:
    forwarded = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "203.0.113.7",
        "Forwarded": "host=evil.example;for=203.0.113.7",
        "Host": "evil.example",
    }
    document = shared.client.get("/.well-known/openid-configuration", headers=forwarded)
    page = shared.client.get("/sign-in", headers=forwarded)
    shared.client.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials"},
        headers={**forwarded, "Authorization": basic(*protocol.machine(shared))},
    )

    for answer in (document, page):
        assert "evil.example" not in answer.text + str(answer.headers)
    addresses = shared.rows("SELECT DISTINCT source_ip FROM audit_events")
    assert {address for (address,) in addresses} - {None} == {"127.0.0.1"}


# ------------------------------------------------------------------------------------------- 4.14


@rfc("9700", "4.14.2", "MUST", "who gets refresh tokens")
def test_a_refresh_token_is_for_those_who_may_and_ask(shared: World) -> None:
    may = protocol.register(shared, "may")
    may_not = protocol.register(shared, "may-not", grant_types=("authorization_code",))

    def held(client: tuple[str, str], scope: str) -> dict[str, str]:
        code = code_for(shared, scope=scope, client_id=client[0], redirect_uri=APP)
        return dict(redeem(shared, code, client, redirect_uri=APP).json)

    assert "refresh_token" in held(may, "openid offline_access")
    assert "refresh_token" not in held(may, "openid")
    assert "refresh_token" not in held(may_not, "openid offline_access")


@rfc("9700", "4.14.2", "MUST", "bound to scope and resources")
def test_a_refresh_token_is_bound_to_what_was_agreed(shared: World) -> None:
    first = protocol.tokens(shared, scope="openid vserver:List*", resources=(VSERVER,))
    token = first["refresh_token"]

    refused(refresh(shared, token, scope="openid vserver:*"), "invalid_scope")
    refused(refresh(shared, token, resource=ISSUER), "invalid_target")
    assert claims_of(refresh(shared, token).json["access_token"])["aud"] == [VSERVER]


@rfc("9700", "4.14.2", "SHOULD", "refresh tokens end")
def test_refresh_tokens_end_whether_used_or_not(world: World) -> None:
    unused, used = (protocol.tokens(world)["refresh_token"] for _ in range(2))
    lifetime = world.runtime.settings.refresh_lifetime
    assert lifetime == 30 * 24 * 3600
    world.clock.advance(lifetime - 1)
    used = refresh(world, used).json["refresh_token"]
    world.clock.advance(1)

    refused(refresh(world, unused), "invalid_grant")
    refused(refresh(world, used), "invalid_grant")
    with pytest.raises(ValidationError):
        Settings(refresh_lifetime=2 * 365 * 24 * 3600)


@rfc("9700", "4.14.2", "plain", "sign-out ends refresh tokens")
def test_signing_out_ends_them(shared: World) -> None:
    browser = protocol.signed_in(shared)
    held = redeem(shared, approved(browser, scope="openid")["code"]).json

    browser.get("/oauth2/logout", query_string={"id_token_hint": held["id_token"]})

    refused(refresh(shared, held["refresh_token"]), "invalid_grant")
    assert not is_live(shared, held["access_token"])


# ------------------------------------------------------------------------------------------- 4.16


@rfc("9700", "4.16", "MUST", "no framing")
@rfc("9700", "4.16", "SHOULD", "by content security policy")
@rfc("9700", "4.16", "SHOULD", "origins that may frame")
def test_no_page_can_be_framed(shared: World, browser: FlaskClient) -> None:
    """By nobody: no client can be registered with an origin that may."""
    pages = [
        shared.client.get("/sign-in"),
        ask(browser),
        ask(browser, client_id="x"),
        browser.get("/signed-in"),
        browser.get("/oauth2/logout"),
    ]

    for page in pages:
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Frame-Options"] == "DENY"
