"""What administrators do to a world while a test goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from app.domain.catalogue import Label
from app.domain.clients import Client, ClientKind
from app.services import (
    accounts,
    administration,
    policies,
    products,
    service_accounts,
    sign_in,
)
from app.services.products import ProductFile, RegisteredProduct
from app.services.service_accounts import NewServiceAccount
from app.storage import accounts as account_rows
from app.storage import clients, sessions, tokens
from app.storage import service_accounts as service_account_rows
from tests.support.world import EXCHANGE, World, claims_of


def change(world: World, work: Callable[[Connection], Any]) -> Any:
    """Run a write as every administrative write runs."""
    return administration.change(world.runtime, work)


def disable_user(world: World, user_id: str | None = None) -> None:
    change(world, lambda c: account_rows.set_user_enabled(c, user_id or world.user_id, False))


def disable_service_account(world: World, service_account_id: str | None = None) -> None:
    which = service_account_id or world.service_account_id
    change(world, lambda c: service_account_rows.set_enabled(c, which, False))


def disable_account(world: World, account_id: str) -> None:
    accounts.disable_account(world.runtime, account_id)


def revoke(world: World, token: str) -> None:
    now = world.runtime.now()
    world.runtime.database.write(lambda c: tokens.revoke(c, claims_of(token)["jti"], now))


def new_user(world: World, account_id: str, username: str) -> str:
    """An IAM user whose password is `<username>-password`. Returns its id."""
    return accounts.create_user(world.runtime, account_id, username, f"{username}-password").id


def give(
    world: World,
    document: dict[str, Any],
    name: str = "extra",
    *,
    user: str | None = None,
    service_account: str | None = None,
) -> None:
    """Write a customer policy and attach it: to System1, unless someone else is named."""
    if service_account is not None:
        account_id, kind, principal = "60108", "service-account", service_account
    else:
        account_id, kind, principal = "53461", "iam-user", user or world.user_id
    policies.create(world.runtime, account_id, name, document)
    policies.attach(world.runtime, name, kind, principal)


def take_impersonation(world: World) -> None:
    """System1 loses the policy of the story."""
    policies.detach(world.runtime, "ImpersonateToRootUserAccountB", "iam-user", world.user_id)


def take_servers(world: World) -> None:
    """The service account loses the policy of the story."""
    policies.detach(world.runtime, "vServerFullAccess", "service-account", world.service_account_id)


def new_service_account(
    world: World, name: str, *managed: str, account_id: str = "60108", **fields: Any
) -> NewServiceAccount:
    """A service account with managed policies; nobody is trusted yet."""
    new = service_accounts.create(world.runtime, account_id, name, **fields)
    for policy in managed:
        policies.attach(world.runtime, policy, "service-account", new.account.id)
    return new


def replace_trust(
    world: World, condition: dict[str, Any] | None = None, expires_at: int | None = None
) -> None:
    """B's trust in A, with another condition or end."""
    service_accounts.remove_trust(world.runtime, world.service_account_id, "53461")
    service_accounts.add_trust(
        world.runtime, world.service_account_id, "53461", condition, expires_at
    )


def new_product(world: World, name: str, identifier: str = "") -> RegisteredProduct:
    """A product with one action of each label."""
    file = ProductFile.model_validate(
        {
            "name": name,
            "display_name": name,
            "identifier": identifier or f"https://{name}.example",
            "actions": [
                {"name": f"{label}Thing", "label": label, "resources": ["thing"]} for label in Label
            ],
        }
    )
    return products.register(world.runtime, file, (f"https://{name}.example/callback",))


def new_client(world: World, client_id: str, **fields: Any) -> tuple[str, str]:
    """A tenant's client of account A, unless the test says otherwise. Returns id and secret."""
    values: dict[str, Any] = {
        "kind": ClientKind.TENANT,
        "name": client_id,
        "account_id": "53461",
        "grant_types": ("authorization_code", EXCHANGE),
        "redirect_uris": (f"https://{client_id}.example/callback",),
        **fields,
    }
    secret = world.runtime.new_secret()

    def write(connection: Connection) -> None:
        clients.add(connection, Client(client_id, **values), world.runtime.now())
        if values.get("auth_method") != "none":
            service_accounts.add_secret(world.runtime, connection, client_id, secret)

    change(world, write)
    return client_id, secret


def end_session(world: World, session_id: str) -> None:
    """Sign out whoever signed in there."""
    with world.runtime.database.read() as connection:
        found = sign_in.signed_in(
            world.runtime, connection, sessions.find_by_id(connection, session_id)
        )
    assert found is not None
    sign_in.sign_out(world.runtime, found)
