"""RFC 8707: resources that are named, and tokens for these alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from app.verifier import Verifier
from tests.rfc import protocol
from tests.rfc.protocol import ISSUER, ask, error_of, redeem, refresh, refused
from tests.support import changes
from tests.support.requirements import rfc
from tests.support.tokens import code_for
from tests.support.world import VSERVER, World, allow, claims_of

NETWORK = "https://network.example"
BOTH = (VSERVER, NETWORK)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With a second product, and a System1 who may use both."""
    for world in protocol.shared_world(tmp_path_factory):
        changes.new_product(world, "network")
        changes.give(world, allow("vserver:*"), "servers")
        changes.give(world, allow("network:*"), "networks")
        yield world


@rfc("8707", "2", "SHOULD", "audience")
def test_the_token_is_for_the_resources_named(shared: World) -> None:
    held = protocol.tokens(shared, resources=(VSERVER,))["access_token"]

    assert claims_of(held)["aud"] == [VSERVER]
    assert protocol.introspect(shared, held)["aud"] == [VSERVER]
    several = protocol.tokens(shared, resources=BOTH)["access_token"]
    assert claims_of(several)["aud"] == list(BOTH)


@rfc("8707", "2", "plain", "invalid_target")
@pytest.mark.parametrize("resource", ["https://x.example", VSERVER + "#x", "x", "/x", "#", "::"])
def test_a_resource_that_is_none(shared: World, resource: str) -> None:
    browser = protocol.signed_in(shared)

    assert error_of(ask(browser, resource=resource)) == "invalid_target"
    refused(shared.machine_token(resource=resource), "invalid_target")


@rfc("8707", "2", "MUST NOT", "no fragment")
@pytest.mark.parametrize("identifier", ["https://x.example/#y", "x", "/x", "https://x.example/ y"])
def test_no_api_can_have_such_an_identifier(shared: World, identifier: str) -> None:
    with pytest.raises(ValidationError, match="absolute URI without fragment"):
        changes.new_product(shared, "wrong", identifier)


@rfc("8707", "2.2", "plain", "a part of what was granted")
def test_a_part_of_the_resources_and_none_beyond(shared: World) -> None:
    code = code_for(shared, resources=BOTH)
    held = redeem(shared, code, resource=NETWORK).json
    assert claims_of(held["access_token"])["aud"] == [NETWORK]
    one = code_for(shared, resources=(VSERVER,))

    refused(redeem(shared, one, resource=NETWORK), "invalid_target")
    refused(refresh(shared, held["refresh_token"], resource=ISSUER), "invalid_target")
    refused(refresh(shared, held["refresh_token"], resource="iam"), "invalid_target")


@rfc("8707", "2.2", "plain", "refresh keeps the whole")
def test_the_refresh_token_is_good_for_all(shared: World) -> None:
    first = redeem(shared, code_for(shared, resources=BOTH), resource=NETWORK).json

    second = refresh(shared, first["refresh_token"], resource=VSERVER).json
    third = refresh(shared, second["refresh_token"]).json

    assert claims_of(second["access_token"])["aud"] == [VSERVER]
    assert claims_of(third["access_token"])["aud"] == list(BOTH)


@rfc("8707", "2.2", "plain", "scope of that resource")
def test_the_scope_is_what_the_resource_understands(shared: World) -> None:
    code = code_for(shared, scope="vserver:List* network:*", resources=BOTH)

    held = redeem(shared, code, resource=VSERVER).json

    assert claims_of(held["access_token"])["scope"] == held["scope"] == "vserver:List*"


@rfc("8707", "3", "plain", "one tenant's resource is not another's")
def test_a_token_of_one_tenant_at_the_resources_of_another(shared: World) -> None:
    """Both are at one API; the verifier knows whose rights the token has."""
    held = protocol.tokens(shared, scope="vserver:*", resources=(VSERVER,))["access_token"]
    verifier = Verifier(
        ISSUER,
        VSERVER,
        fetch=lambda url: shared.client.get(url.removeprefix(ISSUER)).data,
        clock=shared.clock,
    )

    token = verifier.verify(held)

    assert token.allows("vserver:StopServer", "53461")
    assert not token.allows("vserver:StopServer", "60108")
