"""RFC 6749 sections 2 to 4: clients, endpoints, and obtaining authorization."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from app.services.administration import Invalid
from app.services.clients import ClientRegistration
from app.settings import Settings, SettingsError, load_settings
from tests.rfc import protocol
from tests.rfc.protocol import (
    APP,
    ISSUER,
    approved,
    ask,
    error_of,
    goes_nowhere,
    redeem,
    refused,
)
from tests.support.requirements import rfc
from tests.support.tokens import code_for
from tests.support.world import (
    CALLBACK,
    CLI,
    World,
    authorization_query,
    basic,
    build_world,
    redirect_parameters,
    submit,
)

DOCUMENTATION = Path(__file__).parent.parent.parent / "docs" / "protocol.md"
MACHINE = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from protocol.shared_world(tmp_path_factory)


@pytest.fixture(scope="module")
def browser(shared: World) -> FlaskClient:
    """System1 has signed in."""
    return protocol.signed_in(shared)


# ------------------------------------------------------------------------------- 2 Registration


@rfc("6749", "2.1", "SHOULD NOT", "no guess at the client type")
def test_a_request_without_a_secret_does_not_make_a_client_public(shared: World) -> None:
    client_id, _ = protocol.register(shared, "web")
    code = code_for(shared, client_id=client_id, redirect_uri=APP)

    refused(redeem(shared, code, client_id=client_id, redirect_uri=APP), "invalid_client", 401)


@rfc("6749", "2.2", "MUST NOT", "an id proves nothing")
@rfc("6749", "3.2.1", "MUST", "confidential clients authenticate")
@pytest.mark.parametrize(
    "grant", ["client_credentials", "authorization_code", "refresh_token", "x"]
)
def test_an_id_alone_gets_nothing(shared: World, grant: str) -> None:
    answer = shared.token_call(grant_type=grant, client_id=shared.client_id)

    refused(answer, "invalid_client", 401)


@rfc("6749", "2.2", "SHOULD", "size of identifiers told")
@rfc("6749", "4.1.2", "SHOULD", "size of values told")
def test_the_documentation_tells_sizes(shared: World) -> None:
    text = DOCUMENTATION.read_text("utf-8")
    client_id, secret = protocol.register(shared, "sized")
    answer = protocol.tokens(shared, scope="openid")

    assert (len(client_id), len(shared.user_id)) == (36, 36)
    assert len(shared.service_account_id) == 39
    sizes = {len(secret), len(answer["refresh_token"]), len(code_for(shared))}
    assert sizes == {43}
    assert len(answer["access_token"]) <= 8192
    for told in ("36 characters", "39", "43 characters", "8192"):
        assert told in text.partition("## Sizes")[2]


@rfc("6749", "2.3", "MUST NOT", "public clients are not identified")
def test_nothing_proves_a_public_client(shared: World, browser: FlaskClient) -> None:
    """A secret is refused rather than believed, and the person is asked each time."""
    answer = shared.token_call(grant_type="x", client_id=CLI, client_secret="x")

    refused(answer, "invalid_client", 401)
    for _ in range(2):
        assert "Allow access?" in ask(browser).text
        approved(browser)


@rfc("6749", "2.3", "MUST NOT", "one method a request")
def test_two_ways_of_authentication_are_refused(shared: World) -> None:
    form = {"client_id": shared.client_id, "client_secret": shared.client_secret}

    answer = shared.token_call({**MACHINE, **form}, auth=protocol.machine(shared))

    refused(answer, "invalid_request")


@rfc("6749", "2.3.1", "MUST", "HTTP Basic")
def test_a_secret_by_basic(shared: World) -> None:
    assert shared.token_call(MACHINE, auth=protocol.machine(shared)).status_code == 200


@rfc("6749", "2.3.1", "plain", "Basic is form-encoded")
def test_basic_credentials_are_form_decoded(shared: World) -> None:
    encoded = "".join(f"%{ord(letter):02x}" for letter in shared.client_secret)

    assert shared.token_call(MACHINE, auth=(shared.client_id, encoded)).status_code == 200


@rfc("6749", "2.3.1", "NOT RECOMMENDED", "secret in the body")
def test_a_secret_in_the_body_is_taken_from_every_client(shared: World) -> None:
    form = {"client_id": shared.client_id, "client_secret": shared.client_secret}

    assert shared.token_call({**MACHINE, **form}).status_code == 200
    document = shared.client.get("/.well-known/oauth-authorization-server").json
    assert document["token_endpoint_auth_methods_supported"][0] == "client_secret_basic"


@rfc("6749", "2.3.1", "MUST NOT", "no secret in the URI")
def test_a_secret_in_the_uri_is_not_read(shared: World) -> None:
    query = {"client_id": shared.client_id, "client_secret": shared.client_secret}

    answer = shared.client.post("/oauth2/token", query_string=query, data=MACHINE)

    refused(answer, "invalid_client", 401)


@rfc("6749", "2.3.1", "MUST", "TLS")
def test_production_wants_https_and_publishes_nothing_else(tmp_path: Path) -> None:
    environment = {"CROSSROOT_ENVIRONMENT": "production", "CROSSROOT_ISSUER": "http://id.example"}
    with pytest.raises(SettingsError, match="is not https"):
        load_settings(environment)
    with pytest.raises(SettingsError, match="http on a host that others can reach"):
        load_settings({"CROSSROOT_ISSUER": "http://id.example"})

    world = build_world(tmp_path, environment="production", issuer="https://id.example")
    document = world.client.get("/.well-known/oauth-authorization-server").json
    page = world.client.get("/sign-in")
    world.close()

    addresses = [v for n, v in document.items() if n.endswith(("_endpoint", "_uri"))]
    assert len(addresses) > 5
    assert {urlsplit(address).scheme for address in addresses} == {"https"}
    assert all("; Secure;" in cookie for cookie in page.headers.getlist("Set-Cookie"))


@rfc("6749", "2.3.1", "MUST", "client secrets cannot be searched")
def test_secrets_are_the_servers_and_have_256_bits(shared: World) -> None:
    """Nobody can choose one, so each is 43 characters of base64url, and no two are alike."""
    made = {protocol.register(shared, f"client-{number}")[1] for number in range(20)}

    assert len(made) == 20
    assert {len(secret) for secret in made} == {43}
    assert "client_secret" not in ClientRegistration.__dataclass_fields__


# ---------------------------------------------------------------------------------- 3 Endpoints


@rfc("6749", "3.1", "MUST", "the person first")
def test_a_stranger_signs_in_first(shared: World) -> None:
    answer = ask(shared.app.test_client())

    assert answer.headers["Location"].startswith("/sign-in?")


@rfc("6749", "3.1", "MUST NOT", "no fragment in endpoint addresses")
def test_endpoint_addresses_have_no_fragment(shared: World) -> None:
    document = shared.client.get("/.well-known/oauth-authorization-server").json

    for name in ("authorization_endpoint", "token_endpoint"):
        assert "#" not in document[name]


@rfc("6749", "3.1", "MUST", "GET")
def test_the_authorization_endpoint_takes_get(browser: FlaskClient) -> None:
    assert ask(browser).status_code == 200


@rfc("6749", "3.1", "MUST", "empty is left out")
@pytest.mark.parametrize("name", ["scope", "max_age", "prompt", "request", "nonce", "resource"])
def test_an_empty_parameter_of_a_request(browser: FlaskClient, name: str) -> None:
    query = "&".join(f"{n}={v}" for n, v in authorization_query().items())

    assert browser.get(f"/oauth2/authorize?{query}&{name}=").status_code == 200


@rfc("6749", "3.1", "MUST", "unknown is ignored")
def test_an_unknown_parameter_of_a_request(browser: FlaskClient) -> None:
    assert ask(browser, unknown="x", **{"crossroot.x": "y"}).status_code == 200


@rfc("6749", "3.1", "MUST NOT", "request parameters once")
@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope", "unknown"])
def test_a_parameter_that_comes_twice(browser: FlaskClient, name: str) -> None:
    query = {**authorization_query(), name: ["a", "b"]}

    answer = browser.get("/oauth2/authorize", query_string=query)

    assert goes_nowhere(answer)


@rfc("6749", "3.1", "MUST NOT", "response parameters once")
@pytest.mark.parametrize("name", ["code", "state", "iss", "error", "error_description"])
def test_a_redirect_uri_has_no_parameter_of_the_answer(shared: World, name: str) -> None:
    with pytest.raises(Invalid, match="redirect URI"):
        protocol.register(shared, "twice", redirect_uris=(f"{APP}?a=b&{name}=x",))


@rfc("6749", "3.1.1", "MUST", "response type")
@pytest.mark.parametrize(
    ("asked", "error"),
    [("", "invalid_request"), ("x", "unsupported_response_type"), ("token", None)],
)
def test_a_response_type_that_is_missing_or_unknown(
    browser: FlaskClient, asked: str, error: str | None
) -> None:
    answer = ask(browser, response_type=asked)

    assert answer.headers["Location"].startswith(CALLBACK + "?")
    assert error_of(answer) == (error or "unsupported_response_type")


@rfc("6749", "3.1.2", "MUST", "redirect URIs are absolute")
@rfc("6749", "3.1.2.2", "SHOULD", "complete redirect URIs")
@pytest.mark.parametrize("uri", ["/callback", "app.example/cb", "https://*.app.example/cb", "*"])
def test_only_a_whole_uri_is_registered(shared: World, uri: str) -> None:
    with pytest.raises(Invalid, match="redirect URI"):
        protocol.register(shared, "partly", redirect_uris=(uri,))


@rfc("6749", "3.1.2", "MUST", "the query stays")
def test_the_query_of_a_redirect_uri_stays(shared: World, browser: FlaskClient) -> None:
    uri = f"{APP}?tenant=a%20b&x=$1"
    client_id, _ = protocol.register(shared, "queried", redirect_uris=(uri,))

    answer = ask(browser, client_id=client_id, redirect_uri=uri, prompt="none")

    assert answer.headers["Location"].startswith(uri + "&error=")


@rfc("6749", "3.1.2", "MUST NOT", "redirect URIs have no fragment")
def test_a_redirect_uri_has_no_fragment(shared: World, browser: FlaskClient) -> None:
    with pytest.raises(Invalid, match="fragment"):
        protocol.register(shared, "fragment", redirect_uris=(APP + "#x",))
    assert goes_nowhere(ask(browser, redirect_uri=CALLBACK + "#x"))


@rfc("6749", "3.1.2.1", "SHOULD", "TLS at the redirect URI")
def test_plain_http_is_for_loopback_alone(shared: World) -> None:
    for uri in ("http://app.example/cb", "http://10.0.0.1/cb"):
        with pytest.raises(Invalid, match="plain http is only for loopback"):
            protocol.register(shared, "clear", redirect_uris=(uri,))
    assert protocol.register(shared, "loopback", redirect_uris=("http://127.0.0.1/cb",))


@rfc("6749", "3.1.2.2", "MUST", "public clients register redirect URIs")
@rfc("6749", "3.1.2.2", "SHOULD", "all clients register redirect URIs")
@pytest.mark.parametrize("method", ["none", "client_secret"])
def test_who_uses_the_authorization_endpoint_registers_where_to(
    shared: World, browser: FlaskClient, method: str
) -> None:
    with pytest.raises(Invalid, match="needs a redirect URI"):
        protocol.register(shared, "nowhere", redirect_uris=(), auth_method=method)
    # A machine's client has none, and so nothing to do there.
    assert goes_nowhere(ask(browser, client_id=shared.client_id, redirect_uri=APP))


@rfc("6749", "3.1.2.3", "MUST", "redirect URI is a registered one")
@rfc("6749", "3.1.2.3", "MUST", "compared letter by letter")
@rfc("6749", "3.1.2.4", "SHOULD", "the person is told")
@rfc("6749", "3.1.2.4", "MUST NOT", "no redirect to a wrong URI")
@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        "https://APP.example/callback",
        "https://app.example:443/callback",
        "https://app.example/callback/",
        "https://app.example/x/../callback",
        "https://app.example/%63allback",
        "https://app.example/callback?x",
        CALLBACK,
    ],
)
def test_a_redirect_uri_that_is_not_registered_so(
    shared: World, browser: FlaskClient, uri: str
) -> None:
    client_id, _ = protocol.register(shared, "letters")

    answer = ask(browser, client_id=client_id, redirect_uri=uri)

    assert goes_nowhere(answer)
    assert "redirect_uri" in answer.text


@rfc("6749", "3.1.2.4", "SHOULD", "the person is told")
@rfc("6749", "3.1.2.4", "MUST NOT", "no redirect to a wrong URI")
@pytest.mark.parametrize("query", [{"client_id": ""}, {"client_id": "nobody"}])
def test_an_unknown_client(browser: FlaskClient, query: dict[str, str]) -> None:
    answer = ask(browser, **query)

    assert goes_nowhere(answer)
    assert "client_id" in answer.text


@rfc("6749", "3.2", "MUST", "POST")
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_the_token_endpoint_takes_post_alone(shared: World, method: str) -> None:
    headers = {"Authorization": basic(*protocol.machine(shared))}

    answer = shared.client.open(
        "/oauth2/token", method=method, query_string=MACHINE, headers=headers
    )

    assert answer.status_code == 405


@rfc("6749", "3.2", "MUST", "empty is left out")
def test_an_empty_parameter_of_a_token_request(shared: World) -> None:
    assert shared.machine_token(scope="", resource="", client_assertion="").status_code == 200
    refused(shared.token_call(grant_type="", client_id=CLI), "invalid_request")


@rfc("6749", "3.2", "MUST", "unknown is ignored")
def test_an_unknown_parameter_of_a_token_request(shared: World) -> None:
    assert shared.machine_token(unknown="x").status_code == 200


@rfc("6749", "3.2", "MUST NOT", "parameters once")
@pytest.mark.parametrize("name", ["grant_type", "scope", "unknown"])
def test_a_parameter_of_a_token_request_that_comes_twice(shared: World, name: str) -> None:
    form = {**MACHINE, name: ["client_credentials", "client_credentials"]}

    refused(shared.token_call(form, auth=protocol.machine(shared)), "invalid_request")


@rfc("6749", "3.2.1", "MUST", "public clients name themselves")
def test_a_code_without_a_client_id(shared: World) -> None:
    refused(redeem(shared, code_for(shared), client_id=None), "invalid_client", 401)


@rfc("6749", "3.3", "MUST", "another scope is told")
def test_the_answer_says_the_scope(shared: World) -> None:
    assert shared.machine_token().json["scope"] == "vserver:*"
    # Agreed to, but not in the person's policies.
    assert protocol.tokens(shared, scope="openid vserver:List*")["scope"] == "openid"


@rfc("6749", "3.3", "MUST", "scope left out")
def test_without_scope_there_is_a_default(shared: World, browser: FlaskClient) -> None:
    """A machine gets what its policies give; a person agrees to what is written there."""
    assert shared.machine_token().json["scope"] == "vserver:*"
    assert "do whatever your policies allow you" in ask(browser).text
    client_id, _ = protocol.register(shared, "unscoped")
    page = ask(browser, client_id=client_id, redirect_uri=APP).text
    assert "learn that you signed in, and nothing else" in page


@rfc("6749", "3.3", "SHOULD", "scopes documented")
def test_scopes_and_their_default_are_documented(shared: World) -> None:
    text = DOCUMENTATION.read_text("utf-8").partition("## Scopes")[2]

    document = shared.client.get("/.well-known/oauth-authorization-server").json
    for scope in document["scopes_supported"]:
        assert f"`{scope}`" in text
    assert "Without `scope`" in text


@rfc("6749", "3.3", "plain", "scope is a list")
def test_the_order_of_scopes_and_the_case_of_letters(shared: World) -> None:
    one, other = ("vserver:List* vserver:Get*", "vserver:Get* vserver:List*")

    assert shared.machine_token(scope=one).json["scope"] == "vserver:Get* vserver:List*"
    assert shared.machine_token(scope=other).json["scope"] == "vserver:Get* vserver:List*"
    refused(shared.machine_token(scope="VSERVER:List*"), "invalid_scope")


# ------------------------------------------------------------------- 4.1.2 Authorization response


@rfc("6749", "4.1.2", "MUST", "codes expire")
@rfc("6749", "4.1.2", "RECOMMENDED", "ten minutes at most")
def test_a_code_lives_a_minute(world: World) -> None:
    late, early = code_for(world), code_for(world)
    world.clock.advance(59)
    assert redeem(world, early).status_code == 200
    world.clock.advance(1)
    refused(redeem(world, late), "invalid_grant")
    with pytest.raises(ValueError, match="less than or equal to 60"):
        Settings(code_lifetime=61)


@rfc("6749", "4.1.2", "MUST", "codes work once")
@rfc("6749", "4.1.2", "SHOULD", "a second use ends the tokens")
def test_a_code_that_is_used_twice(world: World) -> None:
    code = code_for(world)
    first = redeem(world, code).json
    assert protocol.is_live(world, first["access_token"])

    refused(redeem(world, code), "invalid_grant")

    assert not protocol.is_live(world, first["access_token"])
    refused(protocol.refresh(world, first["refresh_token"]), "invalid_grant")


@rfc("6749", "4.1.2", "REQUIRED", "state comes back")
def test_the_state_comes_back(browser: FlaskClient) -> None:
    state = "x y+z%41&=é'\"<"

    assert approved(browser, state=state)["state"] == state
    assert redirect_parameters(ask(browser, state=state, prompt="none"))["state"] == state


@rfc("6749", "4.1.2.1", "REQUIRED", "error codes")
@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"scope": "no-scope"}, "invalid_scope"),
        ({"code_challenge": "x"}, "invalid_request"),
        ({"max_age": "x"}, "invalid_request"),
    ],
)
def test_the_error_of_a_request(browser: FlaskClient, query: dict[str, str], error: str) -> None:
    assert error_of(ask(browser, **query)) == error


@rfc("6749", "4.1.2.1", "REQUIRED", "error codes")
def test_the_person_says_no(browser: FlaskClient) -> None:
    assert error_of(submit(browser, ask(browser), decision="deny")) == "access_denied"


@rfc("6749", "4.1.2.1", "MUST NOT", "characters of errors")
@pytest.mark.parametrize("scope", ['"', "\\", "é", "vserver:\u00a0", "\U0001f511", "x" * 300])
def test_errors_keep_to_their_characters(shared: World, browser: FlaskClient, scope: str) -> None:
    allowed = {chr(code) for code in (*range(0x20, 0x22), *range(0x23, 0x5C), *range(0x5D, 0x7F))}

    for told in (
        redirect_parameters(ask(browser, scope=scope)),
        shared.machine_token(scope=scope).json,
    ):
        assert told["error"] == "invalid_scope"
        assert set(told["error"] + told["error_description"]) <= allowed
    # Where a description speaks of what was sent.
    policy = json.dumps({"statements": [{scope: 1}]})
    quoting = shared.impersonate(protocol.tokens(shared)["access_token"], policy=policy).json
    assert quoting["error"] == "invalid_request"
    assert set(quoting["error_description"]) <= allowed


# --------------------------------------------------------------- 4.1.3 and 4.4: the token requests


@rfc("6749", "4.1.3", "MUST", "the code is this client's")
def test_a_code_of_another_client(shared: World) -> None:
    stolen = code_for(shared, redirect_uri=CALLBACK)
    refused(redeem(shared, stolen, auth=protocol.product(shared)), "invalid_grant")

    client_id, secret = protocol.register(shared, "owner")
    code = code_for(shared, client_id=client_id, redirect_uri=APP)
    refused(redeem(shared, code, redirect_uri=APP), "invalid_grant")
    assert redeem(shared, code, auth=(client_id, secret), redirect_uri=APP).status_code == 200


@rfc("6749", "4.1.3", "MUST", "the code is valid")
def test_a_code_that_was_never_made(shared: World) -> None:
    code = code_for(shared)

    for wrong in ("x", code[:-1], code + "A", code.swapcase()):
        refused(redeem(shared, wrong), "invalid_grant")
    refused(shared.token_call(grant_type="authorization_code", client_id=CLI), "invalid_request")
    assert redeem(shared, code).status_code == 200


@rfc("6749", "4.1.3", "MUST", "the same redirect URI")
@pytest.mark.parametrize("sent", [None, "http://127.0.0.1/callback", CALLBACK + "/", APP])
def test_another_redirect_uri_than_before(shared: World, sent: str | None) -> None:
    answer = redeem(shared, code_for(shared), redirect_uri=sent)

    assert answer.status_code == 400
    assert answer.json["error"] in ("invalid_grant", "invalid_request")


@rfc("6749", "4.1.3", "MUST", "authentication is checked when sent")
@pytest.mark.parametrize("grant", ["authorization_code", "refresh_token", "x"])
def test_wrong_credentials_are_wrong_whatever_else_is(shared: World, grant: str) -> None:
    answer = shared.token_call({"grant_type": grant}, auth=(shared.product_client_id, "wrong"))

    refused(answer, "invalid_client", 401)


@rfc("6749", "4.4", "MUST", "confidential clients only")
def test_a_public_client_has_no_machine_token(shared: World) -> None:
    refused(
        shared.token_call(grant_type="client_credentials", client_id=CLI), "unauthorized_client"
    )


@rfc("6749", "4.4.3", "SHOULD NOT", "no refresh token for machines")
def test_a_machine_gets_no_refresh_token(shared: World) -> None:
    assert "refresh_token" not in shared.machine_token().json


@rfc("6749", "4.5", "plain", "extension grants have URIs")
def test_grants_of_extensions_are_absolute_uris(shared: World) -> None:
    document = shared.client.get("/.well-known/oauth-authorization-server").json
    known = {"authorization_code", "refresh_token", "client_credentials"}

    others = set(document["grant_types_supported"]) - known
    assert {urlsplit(name).scheme for name in others} == {"urn"}
    assert document["issuer"] == ISSUER
