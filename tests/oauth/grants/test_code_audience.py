"""What a redeemed code is for: no more than the person agreed to (RFC 8707 section 2.2)."""

from __future__ import annotations

import pytest

from tests.oauth.grants.test_authorization_code import redeem, refused
from tests.support import changes
from tests.support.observation import newest_event
from tests.support.tokens import code_for
from tests.support.world import VSERVER, World, allow, claims_of

ISSUER = "http://127.0.0.1:8000"


class TestForWhat:
    """RFC 8707 section 2.2: the token request may name fewer APIs, never others."""

    def test_all_that_was_agreed_to(self, world: World) -> None:
        changes.new_product(world, "network")
        code = code_for(world, resources=(VSERVER, "network"))

        claims = claims_of(redeem(world, code).json["access_token"])

        assert claims["aud"] == [VSERVER, "https://network.example"]

    def test_some_of_it(self, world: World) -> None:
        changes.new_product(world, "network")
        code = code_for(world, resources=(VSERVER, "network"))

        claims = claims_of(redeem(world, code, resource="vserver").json["access_token"])

        assert claims["aud"] == [VSERVER]

    @pytest.mark.parametrize("resource", ["network", "iam", ISSUER, "nowhere"])
    def test_nothing_else(self, world: World, resource: str) -> None:
        changes.new_product(world, "network")
        code = code_for(world, resources=(VSERVER,))

        refused(redeem(world, code, resource=resource), "invalid_target")
        assert redeem(world, code).status_code == 200

    def test_the_patterns_that_were_agreed_to(self, world: World) -> None:
        changes.give(world, allow("vserver:*"))
        code = code_for(world, scope="openid vserver:List*", resources=(VSERVER,))

        answer = redeem(world, code, scope="vserver:*")

        assert answer.json["scope"] == "openid vserver:List*"

    def test_a_product_without_patterns_authorizes_nothing(self, world: World) -> None:
        changes.give(world, allow("vserver:*"))
        code = code_for(
            world,
            scope="openid",
            resources=(VSERVER,),
            client_id=world.product_client_id,
            redirect_uri="http://localhost:8001/callback",
        )

        answer = redeem(
            world,
            code,
            auth=(world.product_client_id, world.product_client_secret),
            client_id=None,
            redirect_uri="http://localhost:8001/callback",
        )

        claims = claims_of(answer.json["access_token"])
        # What opens userinfo is for the issuer, and no business of an API.
        assert "scope" not in claims
        assert "evaluate" not in claims
        become = world.token_call(
            {
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "subject_token": answer.json["access_token"],
                "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "requested_subject": world.service_account_id,
            },
            auth=(world.product_client_id, world.product_client_secret),
        )
        refused(become, "invalid_target")
        assert newest_event(world).outcome == "denied"
