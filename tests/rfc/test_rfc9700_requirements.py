"""RFC 9700 section 2: the best practices, as far as they bind the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from app.services.administration import Invalid
from tests.rfc import protocol
from tests.rfc.protocol import APP, ask, error_of, goes_nowhere, redeem, refresh, refused
from tests.support import changes
from tests.support.requirements import rfc
from tests.support.tokens import code_for
from tests.support.world import CALLBACK, CLI, VSERVER, World, allow, claims_of, submit

NO_CHALLENGE = {"code_challenge": "", "code_challenge_method": ""}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from protocol.shared_world(tmp_path_factory)


@pytest.fixture(scope="module")
def browser(shared: World) -> FlaskClient:
    """System1 has signed in."""
    return protocol.signed_in(shared)


# ------------------------------------------------------------------------ 2.1 Redirect-based flows


@rfc("9700", "2.1", "MUST", "exact redirect URIs")
def test_only_the_port_of_a_loopback_address_may_differ(browser: FlaskClient) -> None:
    for uri in (
        "http://127.0.0.1/callback",
        "http://127.0.0.1:1/callback",
        "http://[::1]/callback",
    ):
        answer = ask(browser, redirect_uri=uri, prompt="none")
        assert answer.headers["Location"].startswith(uri + "?error=")
    for uri in (CALLBACK + "/", CALLBACK + "?", CALLBACK + "?x=y", CALLBACK.upper()):
        assert goes_nowhere(ask(browser, redirect_uri=uri))
    for uri in ("https://127.0.0.1/callback", "http://127.0.0.1:1@evil.example/callback"):
        assert goes_nowhere(ask(browser, redirect_uri=uri))


@rfc("9700", "2.1", "MUST NOT", "no open redirector")
@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "///evil.example"]
)
def test_no_parameter_leads_away(shared: World, browser: FlaskClient, target: str) -> None:
    stranger = shared.app.test_client()
    page = stranger.get("/sign-in", query_string={"continue": target})
    signed_in = shared.sign_in(stranger, page)
    leaving = {"post_logout_redirect_uri": target, "client_id": CLI}
    leaver = protocol.signed_in(shared)
    left = submit(leaver, leaver.get("/oauth2/logout", query_string=leaving))

    assert signed_in.request.path == "/signed-in"
    assert (left.status_code, left.headers.get("Location")) == (200, None)
    assert leaver.get("/signed-in").headers["Location"] == "/sign-in"
    assert goes_nowhere(ask(browser, redirect_uri=target))


@rfc("9700", "2.1", "MUST", "credentials are not passed on")
@rfc("9700", "4.12", "MUST NOT", "not 307")
@rfc("9700", "4.12", "SHOULD", "303")
def test_redirects_after_a_form_are_303(shared: World) -> None:
    """A browser follows 303 by GET, without the form."""
    browser = shared.app.test_client()
    form = {"kind": "iam", "root_email": "root-a@example.com", "username": "System1"}
    signed_in = submit(browser, browser.get("/sign-in"), password="System1-password", **form)
    approved = submit(browser, ask(browser))
    denied = submit(browser, ask(browser), decision="deny")

    for answer in (signed_in, approved, denied):
        assert answer.status_code == 303
        assert "password" not in answer.headers["Location"]


# ------------------------------------------------------------------- 2.1.1 Code and 2.1.2 implicit


@rfc("9700", "2.1.1", "MUST", "public clients use PKCE")
def test_a_public_client_without_pkce(shared: World, browser: FlaskClient) -> None:
    assert error_of(ask(browser, **NO_CHALLENGE)) == "invalid_request"
    with pytest.raises(Invalid, match="public client must use PKCE"):
        protocol.register(shared, "lax", auth_method="none", require_pkce=False)


@rfc("9700", "2.1.1", "RECOMMENDED", "confidential clients use PKCE")
def test_a_confidential_client_without_pkce(shared: World, browser: FlaskClient) -> None:
    usual, _ = protocol.register(shared, "usual")
    without, _ = protocol.register(shared, "without", require_pkce=False)

    refused_query = {"client_id": usual, "redirect_uri": APP, **NO_CHALLENGE}
    assert error_of(ask(browser, **refused_query)) == "invalid_request"
    assert ask(browser, **{**refused_query, "client_id": without}).status_code == 200
    vserver = {
        "client_id": shared.product_client_id,
        "redirect_uri": "http://localhost:8001/callback",
    }
    assert error_of(ask(browser, **vserver, **NO_CHALLENGE)) == "invalid_request"


@rfc("9700", "2.1.1", "MUST", "PKCE is supported")
@rfc("9700", "2.1.1", "MUST", "a challenge is enforced")
@pytest.mark.parametrize("require_pkce", [True, False])
@pytest.mark.parametrize("verifier", [None, "x" * 43])
def test_a_verifier_that_is_wrong_or_missing(
    shared: World, require_pkce: bool, verifier: str | None
) -> None:
    client = protocol.register(shared, "app", require_pkce=require_pkce)
    code, spare = (code_for(shared, client_id=client[0], redirect_uri=APP) for _ in range(2))

    answer = redeem(shared, code, client, redirect_uri=APP, code_verifier=verifier)

    assert answer.status_code == 400
    assert answer.json["error"] in ("invalid_grant", "invalid_request")
    assert redeem(shared, spare, client, redirect_uri=APP).status_code == 200


@rfc("9700", "2.1.1", "MUST", "no downgrade")
def test_a_verifier_where_no_challenge_was(shared: World, browser: FlaskClient) -> None:
    client = protocol.register(shared, "downgraded", require_pkce=False)
    query = {"client_id": client[0], "redirect_uri": APP, **NO_CHALLENGE}
    code = protocol.approved(browser, **query)["code"]

    refused(redeem(shared, code, client, redirect_uri=APP), "invalid_request")
    honest = redeem(shared, code, client, redirect_uri=APP, code_verifier=None)
    assert honest.status_code == 200


@rfc("9700", "2.1.1", "MUST", "PKCE can be detected")
@rfc("9700", "2.1.1", "SHOULD", "methods that hide the verifier")
@rfc("9700", "2.6", "RECOMMENDED", "metadata")
def test_the_metadata_list_s256_alone(shared: World, browser: FlaskClient) -> None:
    document = shared.client.get("/.well-known/oauth-authorization-server").json

    assert document["code_challenge_methods_supported"] == ["S256"]
    assert error_of(ask(browser, code_challenge_method="plain")) == "invalid_request"


@rfc("9700", "2.1.2", "SHOULD NOT", "no tokens in the front channel")
@pytest.mark.parametrize("kind", ["token", "id_token token", "code token", "code id_token token"])
def test_no_token_in_an_authorization_response(browser: FlaskClient, kind: str) -> None:
    answer = ask(browser, response_type=kind)

    assert error_of(answer) == "unsupported_response_type"
    assert "access_token" not in answer.headers["Location"]


# ---------------------------------------------------------------------------------- 2.2 to 2.6


@rfc("9700", "2.2.1", "SHOULD", "sender-constrained tokens")
def test_a_bearer_token_works_for_whoever_has_it(shared: World) -> None:
    """It is bound to nothing, lives an hour, and ends at once when revoked."""
    token = protocol.tokens(shared)["access_token"]
    assert "cnf" not in claims_of(token)
    assert (
        shared.app.test_client()
        .get("/oauth2/userinfo", headers={"Authorization": f"Bearer {token}", "DPoP": "x"})
        .status_code
        == 200
    )
    assert claims_of(token)["exp"] - claims_of(token)["iat"] == 3600

    protocol.revoke(shared, token)

    assert not protocol.is_live(shared, token)


@rfc("9700", "2.2.2", "MUST", "refresh tokens of public clients")
def test_refresh_tokens_are_rotated_and_reuse_ends_all(world: World) -> None:
    first = protocol.tokens(world)
    second = refresh(world, first["refresh_token"]).json
    third = refresh(world, second["refresh_token"]).json
    assert len({each["refresh_token"] for each in (first, second, third)}) == 3

    refused(refresh(world, second["refresh_token"]), "invalid_grant")

    refused(refresh(world, third["refresh_token"]), "invalid_grant")
    for each in (first, second, third):
        assert not protocol.is_live(world, each["access_token"])


@rfc("9700", "2.3", "SHOULD", "least privilege")
@rfc("9700", "2.3", "SHOULD", "audience")
@rfc("9700", "2.3", "SHOULD", "resources and actions")
def test_a_token_can_be_cut_to_what_is_needed(world: World) -> None:
    """To actions by scope, to resources by an inline policy, to one API by audience."""
    changes.new_product(world, "network")
    account = world.service_account_id
    changes.give(world, allow("network:*"), service_account=account)
    one_server = '{"statements": [{"effect": "allow", "actions": ["vserver:StopServer"],'
    one_server += ' "resources": ["vserver::60108:server/one"]}]}'
    token = protocol.tokens(world)["access_token"]

    whole = claims_of(world.impersonate(token).json["access_token"])
    actions = claims_of(
        world.impersonate(token, scope="vserver:List*", audience="vserver").json["access_token"]
    )
    resource = claims_of(world.impersonate(token, policy=one_server).json["access_token"])

    assert set(whole["scope"].split()) == {"network:*", "vserver:*"}
    assert (actions["scope"], actions["aud"]) == ("vserver:List*", [VSERVER])
    assert ("scope" in resource, resource["evaluate"]) == (False, True)


@rfc("9700", "2.3", "MUST", "wrong audience")
def test_a_token_for_an_api_is_none_for_the_issuer(shared: World) -> None:
    elsewhere = protocol.tokens(shared, resources=(VSERVER,))["access_token"]

    answer = protocol.userinfo(shared, elsewhere)

    assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")


@rfc("9700", "2.4", "MUST NOT", "no password grant")
def test_there_is_no_password_grant(shared: World) -> None:
    form = {"username": "System1", "password": "System1-password"}

    for auth in (None, protocol.product(shared)):
        named = {"client_id": CLI} if auth is None else {}
        answer = shared.token_call({"grant_type": "password", **form, **named}, auth=auth)
        refused(answer, "unsupported_grant_type")


@rfc("9700", "2.5", "SHOULD", "clients authenticate")
def test_a_confidential_client_is_never_let_in_without_proof(shared: World) -> None:
    client_id, _ = protocol.product(shared)
    for path in ("/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"):
        form = {"client_id": client_id, "grant_type": "refresh_token", "token": "x"}
        refused(protocol.post(shared, path, **form), "invalid_client", 401)


@rfc("9700", "2.5", "RECOMMENDED", "by asymmetric keys")
def test_a_client_authenticates_by_its_own_key_once(shared: World) -> None:
    key = protocol.new_key("mine")
    client_id, _ = protocol.register(shared, "key", auth_method="private_key_jwt", jwks=key.set)
    code, spare = (code_for(shared, client_id=client_id, redirect_uri=APP) for _ in range(2))
    proof = protocol.by_assertion(key.assertion(shared, client_id))

    good = redeem(shared, code, client_id=None, redirect_uri=APP, **proof)
    again = redeem(shared, spare, client_id=None, redirect_uri=APP, **proof)

    assert good.status_code == 200
    refused(again, "invalid_client", 401)


@rfc("9700", "2.6", "SHOULD NOT", "clients do not choose identities")
@rfc("9700", "4.15.1", "MUST", "people and machines differ")
def test_a_client_cannot_pass_for_a_person(shared: World) -> None:
    client_id, _ = protocol.register(shared, shared.user_id)
    assert client_id != shared.user_id

    machine = claims_of(shared.machine_token().json["access_token"])
    person = claims_of(protocol.tokens(shared)["access_token"])
    assert (machine["user_type"], person["user_type"]) == ("service-account", "iam-user")
    assert machine["sub"].startswith("sa-")
    assert not person["sub"].startswith("sa-")


@rfc("9700", "2.6", "MUST NOT", "no plain http redirects")
def test_plain_http_is_for_loopback_alone(shared: World) -> None:
    for uri in ("http://app.example/cb", "http://192.168.0.1/cb", "http://127.0.0.1.evil.example/"):
        with pytest.raises(Invalid, match="plain http is only for loopback"):
            protocol.register(shared, "clear", redirect_uris=(uri,))
    assert protocol.register(shared, "local", redirect_uris=("http://localhost:3000/cb",))


@rfc("9700", "2.6", "MUST NOT", "no CORS at the authorization endpoint")
@pytest.mark.parametrize("path", ["/oauth2/authorize", "/oauth2/authorize/decision", "/sign-in"])
def test_no_cors_where_people_are(browser: FlaskClient, path: str) -> None:
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    for answer in (
        browser.get(path, headers=headers),
        browser.options(path, headers=headers),
    ):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]
