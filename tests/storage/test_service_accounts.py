"""Service accounts, each with its root account."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.impersonation import TrustedRelationship
from app.domain.principals import RootAccount, ServiceAccount
from app.storage import accounts, service_accounts
from app.storage.database import Database, StoreUnavailable
from tests.support.impersonation import SERVICE_ACCOUNT, A, B


def found(
    database: Database, trusted: str = A.id
) -> tuple[ServiceAccount | None, TrustedRelationship | None]:
    with database.read() as connection:
        return service_accounts.find_with_trust(connection, SERVICE_ACCOUNT.id, trusted)


def test_a_service_account_is_found_with_its_account(database: Database) -> None:
    with database.read() as connection:
        assert service_accounts.find(connection, SERVICE_ACCOUNT.id) == SERVICE_ACCOUNT
        assert service_accounts.find(connection, "sa-9") is None
        assert service_accounts.find_with_trust(connection, "sa-9", A.id) == (None, None)


def test_a_service_account_keeps_its_own_lifetime(database: Database) -> None:
    account = ServiceAccount("sa-2", "Night shift", B, enabled=False, max_token_lifetime=900)
    database.write(lambda each: service_accounts.add(each, account, 1, "by night"))

    with database.read() as connection:
        assert service_accounts.find(connection, "sa-2") == account


@pytest.mark.parametrize(
    "name", ["AllowAccessFromRootUserAccountA", "allowaccessfromrootuseraccounta"]
)
def test_a_name_is_found_however_it_is_written(database: Database, name: str) -> None:
    with database.read() as connection:
        assert service_accounts.find_id_by_name(connection, B.id, name) == SERVICE_ACCOUNT.id
        assert service_accounts.find_id_by_name(connection, A.id, name) is None


@pytest.mark.parametrize(
    "account",
    [
        pytest.param(replace(SERVICE_ACCOUNT, name="other"), id="id"),
        pytest.param(replace(SERVICE_ACCOUNT, id="sa-2"), id="name"),
        pytest.param(
            replace(SERVICE_ACCOUNT, id="sa-2", name=SERVICE_ACCOUNT.name.upper()),
            id="name in other letters",
        ),
        pytest.param(ServiceAccount("sa-2", "other", RootAccount("7")), id="no such account"),
    ],
)
def test_the_store_itself_keeps_service_accounts_apart(
    database: Database, account: ServiceAccount
) -> None:
    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        database.write(lambda each: service_accounts.add(each, account, 9))


def test_another_account_may_use_the_same_name(database: Database) -> None:
    namesake = ServiceAccount("sa-2", SERVICE_ACCOUNT.name, A)
    database.write(lambda each: service_accounts.add(each, namesake, 9))

    with database.read() as connection:
        assert service_accounts.find_id_by_name(connection, A.id, namesake.name) == "sa-2"


def test_disabling_shows_in_the_service_account_and_its_account(database: Database) -> None:
    assert database.write(
        lambda each: service_accounts.set_enabled(each, SERVICE_ACCOUNT.id, False)
    )
    assert database.write(lambda each: accounts.set_account_enabled(each, B.id, False))
    assert not database.write(lambda each: service_accounts.set_enabled(each, "sa-9", False))

    assert found(database)[0] == replace(
        SERVICE_ACCOUNT, enabled=False, account=RootAccount(B.id, enabled=False)
    )


def test_the_service_accounts_of_one_account_are_listed_by_name(database: Database) -> None:
    others = [
        ServiceAccount("sa-2", "zoo", B, enabled=False, max_token_lifetime=900),
        ServiceAccount("sa-3", "Aardvark", B),
        ServiceAccount("sa-4", "backup", A),
    ]
    for account in others:
        database.write(lambda each, account=account: service_accounts.add(each, account, 1))

    with database.read() as connection:
        assert service_accounts.list_of_account(connection, B.id) == [
            others[1],
            SERVICE_ACCOUNT,
            others[0],
        ]
        assert service_accounts.list_of_account(connection, A.id) == [others[2]]
        assert service_accounts.list_of_account(connection, "70000") == []
