"""OAuth clients as the protocol sees them."""

from __future__ import annotations

from app.domain.clients import Client, ClientKind


def test_the_kinds_of_clients_as_they_are_stored() -> None:
    assert set(ClientKind) == {"shipped", "product", "tenant", "service-account"}


def test_a_client_has_a_secret_needs_pkce_and_is_enabled_unless_said() -> None:
    client = Client("c", ClientKind.TENANT, "app")

    assert client.auth_method == "client_secret"
    assert client.require_pkce
    assert client.enabled
    assert client.epoch == 0


def test_a_client_without_authentication_is_public() -> None:
    assert Client("c", ClientKind.SHIPPED, "cli", auth_method="none").is_public
    assert not Client("c", ClientKind.TENANT, "app").is_public


def test_a_client_may_use_the_grants_that_it_was_registered_for_and_no_other() -> None:
    client = Client("c", ClientKind.TENANT, "app", grant_types=("authorization_code",))

    assert client.may_use("authorization_code")
    assert not client.may_use("refresh_token")
    assert not Client("c", ClientKind.TENANT, "app").may_use("authorization_code")
