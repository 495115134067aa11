"""Root accounts and their people: found however their names are written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.principals import IamUser, RootAccount, RootUser
from app.storage import accounts
from app.storage.accounts import Credentials
from app.storage.database import Database, StoreUnavailable
from tests.support.impersonation import SYSTEM1, A, B
from tests.support.stores import ROOT_A, ROOT_B


def test_a_root_user_is_found_by_account_id_and_e_mail(database: Database) -> None:
    with database.read() as connection:
        assert accounts.find_root(connection, A.id) == ROOT_A
        assert accounts.find_root_by_user_id(connection, ROOT_A.id) == ROOT_A
        assert accounts.find_root_by_email(connection, ROOT_A.email) == Credentials(
            ROOT_A, "hash-of-root-a"
        )


def test_who_is_not_there_is_not_found(database: Database) -> None:
    with database.read() as connection:
        assert accounts.find_root(connection, "70000") is None
        assert accounts.find_root_by_user_id(connection, SYSTEM1.id) is None
        assert accounts.find_root_by_email(connection, "nobody@example.com") is None
        assert accounts.find_user(connection, ROOT_A.id) is None
        assert accounts.find_user_by_name(connection, ROOT_A.email, "System2") is None


def test_a_user_is_found_by_id_with_its_account(database: Database) -> None:
    with database.read() as connection:
        assert accounts.find_user(connection, SYSTEM1.id) == SYSTEM1
        assert accounts.find_user_by_name(connection, ROOT_A.email, "System1") == Credentials(
            SYSTEM1, "hash-of-system1"
        )


@pytest.mark.parametrize(
    "email", ["ROOT-A@example.com", "root-a@EXAMPLE.COM", " Root-A@Example.com "]
)
@pytest.mark.parametrize("username", ["System1", "SYSTEM1", "system1"])
def test_case_does_not_matter_when_looking(database: Database, email: str, username: str) -> None:
    with database.read() as connection:
        root = accounts.find_root_by_email(connection, email)
        user = accounts.find_user_by_name(connection, email, username)

    assert root is not None
    assert root.user == ROOT_A
    assert user is not None
    assert user.user == SYSTEM1


def test_an_e_mail_is_kept_in_its_one_spelling_and_a_username_as_it_was_written(
    database: Database,
) -> None:
    account = RootAccount("70000")
    root = RootUser("root-c", account, "Root-C@Example.COM")
    user = IamUser("user-c", "SysTem.C", account)
    database.write(lambda connection: accounts.add_account(connection, root, "hash", 1))
    database.write(lambda connection: accounts.add_user(connection, user, "hash", 1))

    with database.read() as connection:
        assert accounts.find_root(connection, "70000") == replace(root, email="root-c@example.com")
        assert accounts.find_user(connection, "user-c") == user


def test_a_username_belongs_to_one_account(database: Database) -> None:
    namesake = IamUser("user-of-b", "System1", B)
    database.write(lambda connection: accounts.add_user(connection, namesake, "hash-of-b", 1))

    with database.read() as connection:
        of_a = accounts.find_user_by_name(connection, ROOT_A.email, "System1")
        of_b = accounts.find_user_by_name(connection, ROOT_B.email, "System1")

    assert of_a == Credentials(SYSTEM1, "hash-of-system1")
    assert of_b == Credentials(namesake, "hash-of-b")


@pytest.mark.parametrize(
    "root",
    [
        pytest.param(RootUser("root-c", A, "root-c@example.com"), id="account id"),
        pytest.param(RootUser("root-a", RootAccount("7"), "root-c@example.com"), id="user id"),
        pytest.param(RootUser("root-c", RootAccount("7"), "ROOT-A@example.com"), id="e-mail"),
    ],
)
def test_the_store_itself_keeps_root_accounts_apart(database: Database, root: RootUser) -> None:
    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        database.write(lambda connection: accounts.add_account(connection, root, "hash", 9))


@pytest.mark.parametrize(
    "user",
    [
        pytest.param(IamUser("user-2", "SYSTEM1", A), id="name in other letters"),
        pytest.param(IamUser(SYSTEM1.id, "System2", A), id="id"),
        pytest.param(IamUser("user-2", "System2", RootAccount("7")), id="no such account"),
    ],
)
def test_the_store_itself_keeps_users_apart(database: Database, user: IamUser) -> None:
    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        database.write(lambda connection: accounts.add_user(connection, user, "hash", 9))


def test_a_disabled_account_shows_in_everybody_of_it(database: Database) -> None:
    assert database.write(lambda each: accounts.set_account_enabled(each, A.id, False))

    with database.read() as connection:
        root = accounts.find_root(connection, A.id)
        user = accounts.find_user(connection, SYSTEM1.id)
        other = accounts.find_root(connection, B.id)

    disabled = RootAccount(A.id, enabled=False)
    assert root == replace(ROOT_A, account=disabled)
    assert user == replace(SYSTEM1, account=disabled)
    assert other == ROOT_B

    assert database.write(lambda each: accounts.set_account_enabled(each, A.id, True))
    with database.read() as connection:
        assert accounts.find_root(connection, A.id) == ROOT_A


def test_a_disabled_user_is_still_found_as_one(database: Database) -> None:
    assert database.write(lambda each: accounts.set_user_enabled(each, SYSTEM1.id, False))

    with database.read() as connection:
        assert accounts.find_user(connection, SYSTEM1.id) == replace(SYSTEM1, enabled=False)


def test_switching_somebody_who_is_not_there_is_told(database: Database) -> None:
    assert not database.write(lambda each: accounts.set_account_enabled(each, "70000", False))
    assert not database.write(lambda each: accounts.set_user_enabled(each, "user-9", False))


def test_root_accounts_are_listed_in_the_order_of_their_numbers(database: Database) -> None:
    for account_id in ("7", "100000"):
        root = RootUser(f"root-{account_id}", RootAccount(account_id), f"{account_id}@example.com")
        database.write(lambda each, root=root: accounts.add_account(each, root, "hash", 1))

    with database.read() as connection:
        listed = accounts.list_roots(connection)
    assert [each.account.id for each in listed] == ["7", "53461", "60108", "100000"]
    assert listed[1] == ROOT_A


def test_the_users_of_one_account_are_listed_by_name(database: Database) -> None:
    others = [IamUser("user-b", "System0", B), IamUser("user-2", "alice", A, enabled=False)]
    for user in others:
        database.write(lambda each, user=user: accounts.add_user(each, user, "hash", 1))

    with database.read() as connection:
        assert accounts.list_users(connection, A.id) == [others[1], SYSTEM1]
        assert accounts.list_users(connection, B.id) == [others[0]]
        assert accounts.list_users(connection, "70000") == []


def test_a_password_is_changed_for_one_user_alone(database: Database) -> None:
    database.write(lambda each: accounts.set_root_password(each, A.id, "new-root-hash"))
    database.write(lambda each: accounts.set_user_password(each, SYSTEM1.id, "new-user-hash"))

    with database.read() as connection:
        found = [
            accounts.find_root_by_email(connection, ROOT_A.email),
            accounts.find_user_by_name(connection, ROOT_A.email, "System1"),
            accounts.find_root_by_email(connection, ROOT_B.email),
        ]
    assert [each.password_hash for each in found if each] == [
        "new-root-hash",
        "new-user-hash",
        "hash-of-root-b",
    ]
