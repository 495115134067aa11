"""RFC 8707, Resource Indicators for OAuth 2.0."""

from __future__ import annotations

import pytest

from tests.support import changes
from tests.support.browser import ask, error_at_client
from tests.support.world import CALLBACK, CLI, VERIFIER, VSERVER, World, claims_of

NETWORK = "https://network.example"


@pytest.fixture(autouse=True)
def network(world: World) -> None:
    changes.new_product(world, "network")


def redeem(world: World, code: str, **changed: str) -> dict[str, object]:
    answer = world.token_call(
        grant_type="authorization_code",
        client_id=CLI,
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
        **changed,
    )
    return dict(answer.json)


class TestAuthorizationRequest:
    """Section 2.1."""

    def test_the_token_is_for_the_resource(self, world: World) -> None:
        token = world.user_token(resource=VSERVER)

        assert claims_of(token)["aud"] == [VSERVER]

    def test_several_resources(self, world: World) -> None:
        token = world.user_token(resource=[VSERVER, NETWORK])

        assert claims_of(token)["aud"] == [VSERVER, NETWORK]

    def test_without_one_the_token_is_for_the_server_itself(self, world: World, token: str) -> None:
        assert claims_of(token)["aud"] == ["http://127.0.0.1:8000"]

    @pytest.mark.parametrize("resource", ["https://unknown.example", "not a uri", "#", "/x"])
    def test_one_that_is_not_acceptable(self, world: World, resource: str) -> None:
        assert error_at_client(ask(world, resource=resource)) == "invalid_target"


class TestAccessTokenRequest:
    """Section 2.2."""

    def test_a_subset_of_what_was_granted(self, world: World) -> None:
        code = world.authorization_code(resource=[VSERVER, NETWORK])

        token = redeem(world, code, resource=NETWORK)["access_token"]

        assert claims_of(str(token))["aud"] == [NETWORK]

    def test_nothing_beyond_it(self, world: World) -> None:
        code = world.authorization_code(resource=VSERVER)

        assert redeem(world, code, resource=NETWORK)["error"] == "invalid_target"

    def test_client_credentials(self, world: World) -> None:
        token = world.machine_token(resource=VSERVER).json["access_token"]

        assert claims_of(token)["aud"] == [VSERVER]
        assert world.machine_token(resource="x").json["error"] == "invalid_target"

    def test_token_exchange(self, world: World, token: str) -> None:
        held = world.impersonate(token, resource=VSERVER).json["access_token"]

        assert claims_of(held)["aud"] == [VSERVER]
