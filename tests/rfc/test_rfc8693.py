"""RFC 8693, OAuth 2.0 Token Exchange."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import changes
from tests.support.tokens import user_token
from tests.support.world import ACCESS_TOKEN, CLI, EXCHANGE, VSERVER, World, claims_of

JWT = "urn:ietf:params:oauth:token-type:jwt"


def exchange(world: World, token: str, **changed: Any) -> Any:
    form = {
        "grant_type": EXCHANGE,
        "client_id": CLI,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        "requested_subject": world.service_account_id,
        **changed,
    }
    return world.token_call({n: v for n, v in form.items() if v is not None})


class TestRequest:
    """Section 2.1."""

    def test_the_grant_type_is_that_of_token_exchange(self, world: World, token: str) -> None:
        assert exchange(world, token).status_code == 200

    @pytest.mark.parametrize("name", ["subject_token", "subject_token_type"])
    def test_required(self, world: World, token: str, name: str) -> None:
        assert exchange(world, token, **{name: None}).json["error"] == "invalid_request"

    def test_resource_may_be_repeated(self, world: World, token: str) -> None:
        answer = exchange(world, token, resource=[VSERVER, VSERVER])

        assert claims_of(answer.json["access_token"])["aud"] == [VSERVER]

    def test_audience_may_be_repeated_and_mixed_with_resource(
        self, world: World, token: str
    ) -> None:
        answer = exchange(world, token, audience=["vserver", VSERVER], resource=VSERVER)

        assert claims_of(answer.json["access_token"])["aud"] == [VSERVER]

    def test_scope_is_the_desired_scope(self, world: World, token: str) -> None:
        assert exchange(world, token, scope="vserver:List*").json["scope"] == "vserver:List*"

    def test_requested_token_type(self, world: World, token: str) -> None:
        assert exchange(world, token, requested_token_type=JWT).json["issued_token_type"] == JWT

    def test_actor_token_type_must_not_come_without_actor_token(
        self, world: World, token: str
    ) -> None:
        answer = exchange(world, token, actor_token_type=ACCESS_TOKEN)

        assert answer.json["error"] == "invalid_request"

    def test_an_actor_token_is_not_supported_and_not_ignored(
        self, world: World, token: str
    ) -> None:
        answer = exchange(world, token, actor_token=token, actor_token_type=ACCESS_TOKEN)

        assert answer.json["error"] == "invalid_request"

    def test_the_subject_token_must_be_valid_for_the_requester(self, world: World) -> None:
        """Section 2.1: the server must perform the appropriate validation."""
        token = user_token(world)
        client = changes.new_client(world, "app")

        answer = world.token_call(
            {
                "grant_type": EXCHANGE,
                "subject_token": token,
                "subject_token_type": ACCESS_TOKEN,
                "requested_subject": world.service_account_id,
            },
            auth=client,
        )

        assert answer.json["error"] == "invalid_request"


class TestSuccessfulResponse:
    """Section 2.2.1."""

    def test_required_members(self, world: World, token: str) -> None:
        answer = exchange(world, token)

        assert answer.status_code == 200
        assert {"access_token", "issued_token_type", "token_type"} <= answer.json.keys()
        assert answer.json["issued_token_type"] == ACCESS_TOKEN
        assert answer.json["token_type"] == "Bearer"

    def test_expires_in_is_recommended(self, world: World, token: str) -> None:
        assert exchange(world, token).json["expires_in"] == 3600

    def test_a_scope_that_was_not_asked_for_is_told(self, world: World, token: str) -> None:
        assert exchange(world, token).json["scope"] == "vserver:*"

    def test_a_refresh_token_is_not_issued(self, world: World, token: str) -> None:
        assert "refresh_token" not in exchange(world, token).json

    def test_it_is_not_cached(self, world: World, token: str) -> None:
        answer = exchange(world, token)

        assert answer.headers["Cache-Control"] == "no-store"


class TestErrorResponse:
    """Section 2.2.2."""

    def test_an_invalid_subject_token_is_invalid_request(self, world: World) -> None:
        answer = exchange(world, "x")

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    @pytest.mark.parametrize("name", ["audience", "resource"])
    def test_an_unacceptable_target_is_invalid_target(
        self, world: World, token: str, name: str
    ) -> None:
        answer = exchange(world, token, **{name: "https://unknown.example"})

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")

    def test_a_subject_that_cannot_be_had_is_invalid_target(self, world: World, token: str) -> None:
        answer = exchange(world, token, requested_subject="sa-none")

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")


class TestTokenTypeIdentifiers:
    """Section 3."""

    @pytest.mark.parametrize("kind", [ACCESS_TOKEN, JWT])
    def test_those_that_are_taken(self, world: World, token: str, kind: str) -> None:
        assert exchange(world, token, subject_token_type=kind).status_code == 200

    @pytest.mark.parametrize("kind", ["refresh_token", "id_token", "saml1", "saml2"])
    def test_those_that_are_not(self, world: World, token: str, kind: str) -> None:
        answer = exchange(
            world, token, subject_token_type=f"urn:ietf:params:oauth:token-type:{kind}"
        )

        assert answer.json["error"] == "invalid_request"


class TestClaims:
    """Section 4."""

    def test_4_1_act_names_the_current_actor(self, world: World, token: str) -> None:
        claims = claims_of(exchange(world, token).json["access_token"])

        assert claims["sub"] == world.service_account_id
        assert claims["act"]["sub"] == world.user_id

    def test_4_1_act_has_no_claims_of_time(self, world: World, token: str) -> None:
        """`exp`, `nbf` and `aud` are not meaningful inside it."""
        act = claims_of(exchange(world, token).json["access_token"])["act"]

        assert not {"exp", "nbf", "aud", "iat"} & act.keys()

    def test_4_1_introspection_tells_it_as_well(self, world: World, token: str) -> None:
        held = exchange(world, token).json["access_token"]

        assert world.introspect(held)["act"] == claims_of(held)["act"]

    def test_4_2_scope_and_4_3_client_id(self, world: World, token: str) -> None:
        claims = claims_of(exchange(world, token).json["access_token"])

        assert (claims["scope"], claims["client_id"]) == ("vserver:*", CLI)

    def test_4_4_nobody_may_act_by_a_claim_of_their_own(self, world: World, token: str) -> None:
        held = exchange(world, token, may_act='{"sub":"x"}').json["access_token"]

        assert "may_act" not in claims_of(held)


class TestSecurityConsiderations:
    """Section 5: all identity tokens are bearer tokens, and exchange must not widen them."""

    def test_a_public_client_needs_the_token_to_be_its_own(self, world: World) -> None:
        changes.new_client(world, "other-cli", auth_method="none")

        answer = exchange(world, user_token(world), client_id="other-cli")

        assert answer.json["error"] == "invalid_request"
