"""RFC 8414, Authorization Server Metadata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from tests.support.world import World, build_world

ISSUER = "https://id.example.com"
PATH = "/.well-known/oauth-authorization-server"


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = build_world(tmp_path_factory.mktemp("metadata"), issuer=ISSUER)
    yield made
    made.close()


@pytest.fixture
def document(public: World) -> dict[str, Any]:
    return dict(public.client.get(PATH).json)


def test_2_all_members_are_valid(document: dict[str, Any]) -> None:
    AuthorizationServerMetadata(document).validate()


def test_2_the_issuer_is_https_without_query_or_fragment(document: dict[str, Any]) -> None:
    assert document["issuer"] == ISSUER


@pytest.mark.parametrize(
    "name", ["issuer", "authorization_endpoint", "token_endpoint", "response_types_supported"]
)
def test_2_the_required_members_are_there(document: dict[str, Any], name: str) -> None:
    assert document[name]


def test_2_no_member_is_empty(document: dict[str, Any]) -> None:
    """Section 3.2: claims with zero elements must be omitted."""
    assert [name for name, value in document.items() if value in ([], "", None)] == []


def test_2_every_endpoint_is_of_the_issuer(document: dict[str, Any]) -> None:
    for name, value in document.items():
        if name.endswith(("_endpoint", "_uri")):
            assert value.startswith(ISSUER + "/"), name


def test_3_2_it_is_json(public: World) -> None:
    answer = public.client.get(PATH)

    assert answer.status_code == 200
    assert answer.content_type == "application/json"


def test_3_3_the_issuer_is_the_one_that_was_asked(public: World) -> None:
    """The value must be identical to the one that the address was made of."""
    assert public.client.get(PATH).json["issuer"] + PATH == f"{ISSUER}{PATH}"


def test_openid_discovery_finds_the_same(public: World) -> None:
    """Section 5: compatibility."""
    assert (
        public.client.get("/.well-known/openid-configuration").data == public.client.get(PATH).data
    )
