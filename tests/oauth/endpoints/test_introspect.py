"""Introspection: who may know a token, and what everybody else hears (RFC 7662)."""

from __future__ import annotations

from typing import Any

import pytest

from app.services import service_accounts
from tests.support import changes
from tests.support.browser import ISSUER
from tests.support.forgery import forge, hs256, public_pem
from tests.support.tokens import user_token
from tests.support.world import CLI, START, VSERVER, World, basic, claims_of

INACTIVE = {"active": False}


def by_client(world: World, token: str, client: tuple[str, str]) -> Any:
    return world.client.post(
        "/oauth2/introspect",
        data={"token": token},
        headers={"Authorization": basic(*client)},
    )


def by_bearer(world: World, token: str, bearer: str) -> Any:
    return world.client.post(
        "/oauth2/introspect",
        data={"token": token},
        headers={"Authorization": f"Bearer {bearer}"},
    )


@pytest.fixture
def held(world: World, token: str) -> str:
    """An impersonation token for the vServer."""
    return str(world.impersonate(token, display_name="Ann").json["access_token"])


class TestTheState:
    def test_of_an_impersonation_token(self, world: World, held: str) -> None:
        answer = by_client(world, held, (world.product_client_id, world.product_client_secret))

        assert answer.headers["Cache-Control"] == "no-store"
        claims = claims_of(held)
        assert answer.json == {
            "active": True,
            "iss": ISSUER,
            "sub": world.service_account_id,
            "aud": [VSERVER],
            "client_id": CLI,
            "username": "AllowAccessFromRootUserAccountA",
            "token_type": "Bearer",
            "account_id": "60108",
            "user_type": "service-account",
            "scope": "vserver:*",
            "act": claims["act"],
            "decision_id": claims["decision_id"],
            "iat": START,
            "exp": START + 3600,
            "jti": claims["jti"],
        }

    def test_of_a_users_token(self, world: World, token: str) -> None:
        state = by_bearer(world, token, token).json

        assert state["active"] is True
        assert (state["sub"], state["user_type"]) == (world.user_id, "iam-user")
        assert (state["auth_time"], state["amr"]) == (START, ["pwd"])
        assert not {"act", "decision_id"} & state.keys()

    def test_it_is_what_the_token_says(self, world: World, held: str) -> None:
        state = world.introspect(held)

        claims = claims_of(held)
        assert {name: state[name] for name in claims} == claims


class TestWhoMayKnow:
    """CVE-2024-47077: introspection that did not tie client and token."""

    def test_a_product_that_it_is_for(self, world: World, held: str) -> None:
        assert world.introspect(held)["active"] is True

    def test_the_client_that_it_was_issued_to(self, world: World) -> None:
        machine = world.machine_token(audience="iam").json["access_token"]

        assert world.introspect(machine, (world.client_id, world.client_secret))["active"] is True

    def test_its_subject_by_its_client(self, world: World, held: str) -> None:
        assert world.introspect(held, (world.client_id, world.client_secret))["active"] is True

    def test_its_subject_by_a_token_for_the_issuer(self, world: World, held: str) -> None:
        own = world.machine_token(audience="iam").json["access_token"]

        assert by_bearer(world, held, own).json["active"] is True

    def test_whoever_holds_it(self, world: World, held: str) -> None:
        """A token may be shown to ask about itself, whatever it is for."""
        assert by_bearer(world, held, held).json["active"] is True

    def test_a_product_that_it_is_not_for(self, world: World, held: str) -> None:
        network = changes.new_product(world, "network")

        answer = by_client(world, held, (network.client_id, str(network.client_secret)))

        assert answer.json == INACTIVE

    def test_a_product_knows_no_token_of_the_issuer(self, world: World, token: str) -> None:
        assert world.introspect(token) == INACTIVE

    def test_another_service_account(self, world: World, held: str) -> None:
        other = changes.new_service_account(world, "Other")

        assert world.introspect(held, (other.client_id, other.client_secret)) == INACTIVE

    def test_a_tenants_client(self, world: World, held: str) -> None:
        assert world.introspect(held, changes.new_client(world, "app")) == INACTIVE

    def test_another_user(self, world: World, token: str) -> None:
        changes.new_user(world, "53461", "System2")
        other = user_token(world, username="System2")

        assert by_bearer(world, token, other).json == INACTIVE

    def test_the_root_user(self, world: World, token: str) -> None:
        root = user_token(world, username=None)

        assert by_bearer(world, token, root).json == INACTIVE

    def test_the_actor_is_not_the_subject(self, world: World, token: str, held: str) -> None:
        assert by_bearer(world, held, token).json == INACTIVE

    def test_an_api_gets_no_further_by_a_token_that_it_was_shown(
        self, world: World, held: str
    ) -> None:
        """The issuer takes only tokens that are for the issuer."""
        changes.new_product(world, "network")
        other = world.machine_token(audience="network").json["access_token"]

        answer = by_bearer(world, other, held)

        assert (answer.status_code, "active" in answer.json) == (401, False)


class TestWhatEnded:
    """Unknown, ended and none of your business are one answer (section 2.2)."""

    def test_expired(self, world: World, held: str) -> None:
        world.clock.advance(3600)

        assert world.introspect(held) == INACTIVE

    def test_revoked(self, world: World, held: str) -> None:
        changes.revoke(world, held)

        assert world.introspect(held) == INACTIVE

    def test_the_subject_token_was_revoked(self, world: World, token: str, held: str) -> None:
        changes.revoke(world, token)

        assert world.introspect(held) == INACTIVE

    def test_the_sign_in_ended(self, world: World, held: str) -> None:
        changes.end_session(world, world.rows("SELECT id FROM sign_in_sessions")[0].id)

        assert world.introspect(held) == INACTIVE

    def test_the_actor_was_disabled(self, world: World, held: str) -> None:
        changes.disable_user(world)

        assert world.introspect(held) == INACTIVE

    def test_the_service_account_was_disabled(self, world: World, held: str) -> None:
        changes.disable_service_account(world)

        assert world.introspect(held) == INACTIVE

    @pytest.mark.parametrize("account_id", ["53461", "60108"])
    def test_an_account_was_disabled(self, world: World, held: str, account_id: str) -> None:
        changes.disable_account(world, account_id)

        assert world.introspect(held) == INACTIVE

    def test_forged(self, world: World, held: str) -> None:
        claims = claims_of(held)
        for token in (
            "x",
            held[:-1],
            held + "x",
            claims["jti"],
            hs256(claims, public_pem()),
            forge({**claims, "jti": "x"}),
            "é" * 100,
        ):
            assert world.introspect(token) == INACTIVE

    def test_the_answers_are_the_same_bytes(self, world: World, token: str, held: str) -> None:
        client = changes.new_client(world, "app")
        answers = {by_client(world, each, client).data for each in (token, held, "x", held + "x")}

        assert answers == {b'{"active":false}'}


class TestWhoMayAsk:
    """Section 2.1: the endpoint wants authorization, against token scanning."""

    @pytest.mark.parametrize(
        "data",
        [{}, {"client_id": CLI}, {"client_id": "nobody", "client_secret": "x"}, {"client_id": "x"}],
    )
    def test_nobody_unknown(self, world: World, held: str, data: dict[str, str]) -> None:
        answer = world.client.post("/oauth2/introspect", data={"token": held, **data})

        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")

    @pytest.mark.parametrize("bearer", ["", "x", "a.b.c"])
    def test_no_bearer_of_nothing(self, world: World, held: str, bearer: str) -> None:
        """Section 2.3: as RFC 6750 section 3 says."""
        answer = by_bearer(world, held, bearer)

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert answer.json["error"] == "invalid_token"
        assert answer.headers["Cache-Control"] == "no-store"

    def test_no_bearer_of_an_ended_token(self, world: World, token: str) -> None:
        changes.revoke(world, token)

        assert by_bearer(world, token, token).status_code == 401

    def test_strangers_are_counted(self, world: World, held: str) -> None:
        world.client.post("/oauth2/introspect", data={"token": held})
        by_bearer(world, held, "x")

        assert {row.kind: row.count for row in world.rows("SELECT * FROM failure_counts")} == {
            "introspect:client-authentication": 1,
            "introspect:bearer-token": 1,
        }


class TestTheRequest:
    @pytest.fixture
    def product(self, world: World) -> dict[str, str]:
        return {"Authorization": basic(world.product_client_id, world.product_client_secret)}

    def test_without_a_token(self, world: World, product: dict[str, str]) -> None:
        answer = world.client.post("/oauth2/introspect", data={"x": "y"}, headers=product)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    @pytest.mark.parametrize("hint", ["access_token", "refresh_token", "urn:x", ""])
    def test_a_hint_changes_nothing(
        self, world: World, product: dict[str, str], held: str, hint: str
    ) -> None:
        answer = world.client.post(
            "/oauth2/introspect", data={"token": held, "token_type_hint": hint}, headers=product
        )

        assert answer.json["active"] is True

    def test_only_by_post_and_only_from_the_body(
        self, world: World, product: dict[str, str], held: str
    ) -> None:
        """A token in a URL ends up in logs (RFC 7662 section 4)."""
        query = {"token": held}
        assert (
            world.client.get("/oauth2/introspect", query_string=query, headers=product).status_code
            == 405
        )
        answer = world.client.post(
            "/oauth2/introspect",
            query_string=query,
            headers={**product, "Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.json["error"] == "invalid_request"

    def test_a_service_account_may_ask_about_what_others_do_through_it(
        self, world: World, token: str
    ) -> None:
        """The owner's side of an impersonation, by a secret that was made anew."""
        held = world.impersonate(token).json["access_token"]
        secret = service_accounts.replace_secret(world.runtime, world.service_account_id)

        assert world.introspect(held, (world.client_id, secret))["act"]["username"] == "System1"
