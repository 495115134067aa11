"""OAuth clients: one statement brings the client, its secrets and who stands behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import update

from app.domain.clients import Client, ClientKind
from app.domain.principals import RootAccount
from app.storage import accounts, clients, epoch, service_accounts
from app.storage.clients import ClientRow
from app.storage.database import Database, StoreUnavailable
from tests.support.impersonation import SERVICE_ACCOUNT, A, B
from tests.support.stores import MACHINE

TENANT = Client(
    id="tenant",
    kind=ClientKind.TENANT,
    name="A's own",
    account_id=A.id,
    grant_types=("authorization_code", "refresh_token"),
    redirect_uris=("https://a.example/callback", "https://a.example/other"),
    require_pkce=False,
    id_token_alg="RS256",
)
PRODUCT = Client(id="product", kind=ClientKind.PRODUCT, name="vServer", product="vserver")
SHIPPED = Client(id="cli", kind=ClientKind.SHIPPED, name="Command line", auth_method="none")


def add(database: Database, client: Client, created_at: int = 1) -> None:
    database.write(lambda connection: clients.add(connection, client, created_at))


def add_secret(database: Database, secret_id: str, client_id: str, digest: str) -> None:
    database.write(lambda each: clients.add_secret(each, secret_id, client_id, digest, 1))


def find(database: Database, client_id: str) -> Client | None:
    with database.read() as connection:
        return clients.find(connection, client_id)


@pytest.mark.parametrize("client", [TENANT, PRODUCT, SHIPPED], ids=lambda each: str(each.id))
def test_a_client_comes_back_as_it_was(database: Database, client: Client) -> None:
    add(database, client)

    assert find(database, client.id) == replace(client, epoch=1)


def test_a_service_accounts_client_brings_the_service_account(database: Database) -> None:
    found = find(database, MACHINE.id)

    assert found == replace(MACHINE, epoch=1)
    assert found is not None
    assert found.service_account == SERVICE_ACCOUNT


def test_an_unknown_client_is_none(database: Database) -> None:
    assert find(database, "nobody") is None
    assert find(database, MACHINE.id.upper()) is None


def test_a_client_tells_the_epoch_that_it_was_read_in(database: Database) -> None:
    database.write(epoch.advance)

    assert find(database, MACHINE.id) == replace(MACHINE, epoch=2)


def test_all_live_secrets_come_along(database: Database) -> None:
    add(database, PRODUCT)
    add_secret(database, "s1", MACHINE.id, "digest-1")
    add_secret(database, "s2", MACHINE.id, "digest-2")
    add_secret(database, "s3", PRODUCT.id, "digest-3")

    found = find(database, MACHINE.id)
    assert found is not None
    assert sorted(found.secret_digests) == ["digest-1", "digest-2"]
    assert replace(found, secret_digests=()) == replace(MACHINE, epoch=1)

    assert database.write(lambda each: clients.remove_secrets(each, MACHINE.id)) == 2
    assert database.write(lambda each: clients.remove_secrets(each, MACHINE.id)) == 0
    found = find(database, MACHINE.id)
    other = find(database, PRODUCT.id)
    assert found is not None
    assert found.secret_digests == ()
    assert other is not None
    assert other.secret_digests == ("digest-3",)


def test_a_tenants_client_goes_with_its_account(database: Database) -> None:
    add(database, TENANT)
    add(database, PRODUCT)
    database.write(lambda each: accounts.set_account_enabled(each, A.id, False))

    assert find(database, TENANT.id) == replace(TENANT, enabled=False, epoch=1)
    assert find(database, PRODUCT.id) == replace(PRODUCT, epoch=1)
    assert find(database, MACHINE.id) == replace(MACHINE, epoch=1)


def test_a_service_accounts_client_shows_that_its_service_account_is_disabled(
    database: Database,
) -> None:
    database.write(lambda each: service_accounts.set_enabled(each, SERVICE_ACCOUNT.id, False))
    database.write(lambda each: accounts.set_account_enabled(each, B.id, False))

    found = find(database, MACHINE.id)

    assert found is not None
    assert not found.enabled
    assert found.service_account == replace(
        SERVICE_ACCOUNT, enabled=False, account=RootAccount(B.id, enabled=False)
    )


def test_a_client_that_is_switched_off_is_found_as_one(database: Database) -> None:
    database.write(lambda each: each.execute(update(ClientRow).values(enabled=False)))

    assert find(database, MACHINE.id) == replace(MACHINE, enabled=False, epoch=1)


def test_whether_a_client_is_there(database: Database) -> None:
    with database.read() as connection:
        assert clients.exists(connection, MACHINE.id)
        assert not clients.exists(connection, "nobody")


def test_the_client_behind_a_service_account(database: Database) -> None:
    with database.read() as connection:
        assert clients.find_id_of_service_account(connection, SERVICE_ACCOUNT.id) == MACHINE.id
        assert clients.find_id_of_service_account(connection, "sa-9") is None


def test_of_several_clients_of_a_product_the_oldest_is_the_first(database: Database) -> None:
    add(database, replace(PRODUCT, id="younger"), created_at=20)
    add(database, replace(PRODUCT, id="older"), created_at=10)

    with database.read() as connection:
        assert clients.find_id_of_product(connection, "vserver") == "older"
        assert clients.find_id_of_product(connection, "vstorage") is None


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(replace(SHIPPED, id=MACHINE.id), id="id"),
        pytest.param(replace(MACHINE, id="second"), id="service account with a client"),
        pytest.param(replace(TENANT, account_id="70000"), id="no such account"),
    ],
)
def test_the_store_itself_keeps_clients_apart(database: Database, client: Client) -> None:
    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        add(database, client)


def test_a_secret_needs_its_client(database: Database) -> None:
    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        add_secret(database, "s1", "nobody", "digest")
