"""Tokens that we did issue and that do not serve as `subject_token`: ended ones, and others'."""

from __future__ import annotations

from typing import Any

from app.domain.clients import ClientKind
from app.services import accounts
from tests.support import changes
from tests.support.tokens import user_token
from tests.support.world import ACCESS_TOKEN, EXCHANGE, VSERVER, World, basic


def refused(world: World, token: str) -> None:
    """The answer to both kinds of exchange."""
    answers = [world.exchange(token), world.impersonate(token)]
    for answer in answers:
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request"), answer.json
        assert "decision_id" not in answer.json


class TestTokensThatEnded:
    def test_expired(self, world: World, token: str) -> None:
        world.clock.advance(3599.9)
        assert world.exchange(token).status_code == 200
        world.clock.advance(0.1)

        refused(world, token)

    def test_revoked(self, world: World, token: str) -> None:
        """CVE-2026-9097: nobody asked whether the subject token was revoked."""
        changes.revoke(world, token)

        refused(world, token)

    def test_its_sign_in_ended(self, world: World, token: str) -> None:
        session = world.rows("SELECT id FROM sign_in_sessions")[0].id
        changes.end_session(world, session)

        refused(world, token)

    def test_its_user_disabled(self, world: World, token: str) -> None:
        """CVE-2025-14559: tokens went out for disabled users."""
        changes.disable_user(world)

        refused(world, token)

    def test_its_account_disabled(self, world: World, token: str) -> None:
        changes.disable_account(world, "53461")

        refused(world, token)

    def test_its_account_enabled_again(self, world: World, token: str) -> None:
        """What ended stays ended."""
        changes.disable_account(world, "53461")
        accounts.enable_account(world.runtime, "53461")

        refused(world, token)

    def test_the_service_account_of_an_impersonation_disabled(
        self, world: World, token: str
    ) -> None:
        held = world.impersonate(token).json["access_token"]
        changes.disable_service_account(world)

        assert world.exchange(held).json["error"] == "invalid_request"

    def test_the_actor_of_an_impersonation_disabled(self, world: World, token: str) -> None:
        held = world.impersonate(token).json["access_token"]
        changes.disable_user(world)

        assert world.exchange(held).json["error"] == "invalid_request"

    def test_the_token_that_it_was_exchanged_from_revoked(self, world: World, token: str) -> None:
        held = world.impersonate(token).json["access_token"]
        changes.revoke(world, token)

        assert world.exchange(held).json["error"] == "invalid_request"


class TestTokensOfOthers:
    """CVE-2026-56668: the exchange did not check that the token belongs to the client."""

    def by(self, world: World, token: str, client: tuple[str, str], **fields: Any) -> Any:
        return world.client.post(
            "/oauth2/token",
            data={
                "grant_type": EXCHANGE,
                "subject_token": token,
                "subject_token_type": ACCESS_TOKEN,
                **fields,
            },
            headers={"Authorization": basic(*client)},
        )

    def test_issued_to_another_client(self, world: World, token: str) -> None:
        """A tenant's client, a service account's, a product's that the token is not for."""
        for client in (
            changes.new_client(world, "tenants-app"),
            (world.client_id, world.client_secret),
            (world.product_client_id, world.product_client_secret),
        ):
            answer = self.by(world, token, client, requested_subject=world.service_account_id)
            assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    def test_for_another_product(self, world: World) -> None:
        network_product = changes.new_product(world, "network")
        token = user_token(world, resources=(VSERVER,))
        client = (network_product.client_id, str(network_product.client_secret))

        assert self.by(world, token, client).json["error"] == "invalid_request"

    def test_a_public_client_is_no_product(self, world: World) -> None:
        """A product's tokens are for whoever can prove to be it."""
        changes.new_client(
            world,
            "open-app",
            kind=ClientKind.PRODUCT,
            product="vserver",
            account_id=None,
            auth_method="none",
        )
        token = user_token(world, resources=(VSERVER,))

        answer = world.exchange(token, client_id="open-app")

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    def test_of_a_service_account(self, world: World) -> None:
        machine = world.machine_token(audience="vserver").json["access_token"]

        answer = self.by(
            world,
            machine,
            (world.client_id, world.client_secret),
            requested_subject=world.service_account_id,
        )

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    def test_the_answer_is_that_of_garbage(self, world: World, token: str) -> None:
        """Whether a token is good somewhere else is not said."""
        client = changes.new_client(world, "tenants-app")

        assert self.by(world, token, client).data == self.by(world, "garbage", client).data
