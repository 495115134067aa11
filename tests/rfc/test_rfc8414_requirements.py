"""RFC 8414 and RFC 9207: what the server says of itself, and who it is in its answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from app.verifier.discovery import DocumentUnusable, find_jwks_uri
from tests.rfc import protocol
from tests.rfc.protocol import approved, ask
from tests.support.requirements import rfc
from tests.support.world import (
    World,
    build_world,
    claims_of,
    redirect_parameters,
    submit,
)
from tests.verifier.local_issuer import Issuer

ISSUER = "https://id.example"
PATH = "/.well-known/oauth-authorization-server"


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A production server at its public address."""
    for world in protocol.shared_world(tmp_path_factory, environment="production", issuer=ISSUER):
        # Browsers talk to it by https, since its cookies are Secure.
        world.app.config["PREFERRED_URL_SCHEME"] = "https"
        yield world


@pytest.fixture
def document(public: World) -> dict[str, Any]:
    return dict(public.client.get(PATH).json)


# ------------------------------------------------------------------------------------ RFC 8414


@rfc("8414", "2", "REQUIRED", "issuer")
@rfc("8414", "6.1", "MUST", "TLS")
def test_the_issuer(document: dict[str, Any]) -> None:
    assert document["issuer"] == ISSUER
    for address in (value for value in document.values() if str(value).startswith("http")):
        assert address.startswith(ISSUER)
    AuthorizationServerMetadata(document).validate()


@rfc("8414", "2", "REQUIRED", "endpoints")
def test_every_endpoint_is_there(public: World, document: dict[str, Any]) -> None:
    names = [name for name in document if name.endswith(("_endpoint", "jwks_uri"))]

    assert {"authorization_endpoint", "token_endpoint"} < set(names)
    for name in names:
        path = document[name].removeprefix(ISSUER)
        assert public.client.open(path, method="OPTIONS").status_code == 200


@rfc("8414", "2", "REQUIRED", "response types")
def test_response_types(document: dict[str, Any]) -> None:
    assert document["response_types_supported"] == ["code"]


@rfc("8414", "2", "RECOMMENDED", "scopes")
def test_scopes(document: dict[str, Any]) -> None:
    assert document["scopes_supported"] == ["openid", "profile", "email", "offline_access"]


@rfc("8414", "2", "MUST", "algorithms of assertions")
@rfc("8414", "2", "SHOULD", "RS256")
@rfc("8414", "2", "MUST NOT", "none")
@pytest.mark.parametrize("endpoint", ["token", "revocation", "introspection"])
def test_algorithms_of_client_assertions(document: dict[str, Any], endpoint: str) -> None:
    assert "private_key_jwt" in document[f"{endpoint}_endpoint_auth_methods_supported"]
    algorithms = document[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
    assert "RS256" in algorithms
    assert "none" not in algorithms


@rfc("8414", "2", "plain", "keys")
def test_the_keys(public: World, document: dict[str, Any]) -> None:
    answer = public.client.get(document["jwks_uri"].removeprefix(ISSUER))

    assert answer.content_type == "application/jwk-set+json"
    assert {key["alg"] for key in answer.json["keys"]} == {"ES256", "RS256"}
    for key in answer.json["keys"]:
        assert key["use"] == "sig"
        assert not {"d", "p", "q", "k"} & key.keys()


@rfc("8414", "3", "MUST", "well-known address")
def test_where_the_document_is(public: World, tmp_path: Path) -> None:
    assert public.client.get(PATH).status_code == 200

    world = build_world(tmp_path, issuer="https://id.example/tenant")
    document = world.client.get(PATH + "/tenant").json
    world.close()

    assert document["issuer"] == "https://id.example/tenant"


@rfc("8414", "3.1", "MUST", "GET")
@rfc("8414", "3.2", "MUST", "JSON")
def test_it_is_read_by_get(public: World) -> None:
    answer = public.client.get(PATH)

    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert isinstance(answer.json, dict)
    for name, value in answer.json.items():
        assert isinstance(value, list) is name.endswith("_supported") or isinstance(value, bool)
    assert public.client.post(PATH).status_code == 405


@rfc("8414", "3.2", "MUST", "nothing empty")
def test_nothing_in_it_is_empty(document: dict[str, Any]) -> None:
    assert [name for name, value in document.items() if value in ([], "", None, {})] == []


@rfc("8414", "3.3", "MUST", "the same issuer")
def test_the_issuer_is_that_of_tokens(public: World, document: dict[str, Any]) -> None:
    token = public.machine_token().json["access_token"]

    assert document["issuer"] == claims_of(token)["iss"] == ISSUER


@rfc("8414", "3.3", "MUST NOT", "another issuer's document")
@pytest.mark.parametrize("said", ["https://id.example/", "https://ID.example", "https://x.example"])
def test_the_verifier_uses_no_other_issuers_document(said: str) -> None:
    issuer = Issuer(url=said)
    (metadata, *_) = issuer.documents().values()

    with pytest.raises(DocumentUnusable, match="its issuer differs"):
        find_jwks_uri(ISSUER, lambda url: metadata)


# ------------------------------------------------------------------------------------ RFC 9207


@rfc("9207", "2", "MUST", "iss with a code")
@rfc("9207", "2", "MUST", "https URL")
@rfc("9207", "2.3", "MUST", "iss is in the metadata")
def test_the_answer_with_a_code(public: World, document: dict[str, Any]) -> None:
    browser = protocol.signed_in(public)

    answer = approved(browser, scope="openid")

    assert answer["code"]
    assert answer["iss"] == document["issuer"] == ISSUER
    assert protocol.redeem(public, answer["code"]).status_code == 200


@rfc("9207", "2", "MUST", "iss with an error")
@pytest.mark.parametrize(
    "query",
    [
        {"response_type": "token"},
        {"scope": "no-scope"},
        {"resource": "nowhere"},
        {"code_challenge": ""},
        {"prompt": "none"},
        {"request": "x"},
    ],
)
def test_the_answer_with_an_error(public: World, query: dict[str, str]) -> None:
    answer = redirect_parameters(ask(protocol.signed_in(public), **query))

    assert answer["error"]
    assert answer["iss"] == ISSUER


@rfc("9207", "2", "MUST", "iss with an error")
def test_the_answer_of_a_person_who_says_no(public: World) -> None:
    browser = protocol.signed_in(public)

    answer = redirect_parameters(submit(browser, ask(browser), decision="deny"))

    assert (answer["error"], answer["iss"]) == ("access_denied", ISSUER)


@rfc("9207", "3", "MUST", "support is told")
def test_the_metadata_say_so(document: dict[str, Any]) -> None:
    assert document["authorization_response_iss_parameter_supported"] is True
