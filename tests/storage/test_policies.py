"""Policies in force: a principal's own and those of its groups, in their newest version."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, insert, update

from app.domain.documents import compile_stored
from app.domain.policy import AttachedPolicy
from app.domain.problems import InvalidDocument
from app.storage import policies, policy_details
from app.storage.accounts import GroupMemberRow, GroupRow
from app.storage.database import Database, StoreUnavailable
from app.storage.policies import PolicyRow, PolicyVersionRow
from tests.support.impersonation import SERVICE_ACCOUNT, SYSTEM1, A, B
from tests.support.policies import allow, deny
from tests.support.stores import add_people, open_migrated_store

LIST = {"statements": [allow("vserver:List*")]}
STOP = {"statements": [allow("vserver:StopServer"), deny("vserver:Delete*")]}


def add(database: Database, policy_id: str, account_id: str | None = A.id, **fields: Any) -> None:
    values = {"name": policy_id, "document": LIST, **fields}
    database.write(lambda each: policies.add(each, policy_id, account_id, created_at=1, **values))


def attach(database: Database, policy_id: str, kind: str, principal: str) -> bool:
    return database.write(lambda each: policies.attach(each, policy_id, kind, principal, 1))


def add_group(database: Database, group_id: str, *members: str) -> None:
    def write(connection: Connection) -> None:
        group = {"id": group_id, "account_id": A.id, "name": group_id, "name_key": group_id}
        connection.execute(insert(GroupRow).values(**group, description="", created_at=1))
        for member in members:
            connection.execute(insert(GroupMemberRow).values(group_id=group_id, user_id=member))

    database.write(write)


def put_version(connection: Connection, policy_id: str, document: dict[str, Any]) -> None:
    """A second version, in force from now on."""
    version = {"policy_id": policy_id, "version": 2, "document": document, "created_at": 2}
    connection.execute(insert(PolicyVersionRow).values(**version))
    connection.execute(update(PolicyRow).where(PolicyRow.id == policy_id).values(version=2))


def of_user(database: Database, user_id: str = SYSTEM1.id) -> tuple[AttachedPolicy, ...]:
    with database.read() as connection:
        return policies.attached_to_user(connection, user_id)


def of_service_account(database: Database) -> tuple[AttachedPolicy, ...]:
    with database.read() as connection:
        return policies.attached_to_service_account(connection, SERVICE_ACCOUNT.id)


def test_nobody_has_a_policy_to_begin_with(database: Database) -> None:
    add(database, "p1")

    assert of_user(database) == ()
    assert of_service_account(database) == ()


def test_attached_policies_come_compiled_in_the_order_of_their_ids(database: Database) -> None:
    add(database, "p2", name="Second", document=STOP)
    add(database, "p1", name="First")
    attach(database, "p2", "iam-user", SYSTEM1.id)
    attach(database, "p1", "iam-user", SYSTEM1.id)

    assert of_user(database) == (
        AttachedPolicy("p1", "First", 1, compile_stored(LIST)),
        AttachedPolicy("p2", "Second", 1, compile_stored(STOP)),
    )


def test_a_users_groups_bring_theirs_and_say_so(database: Database) -> None:
    add(database, "p1")
    add(database, "p2")
    add_group(database, "operators", SYSTEM1.id)
    add_group(database, "auditors", SYSTEM1.id)
    add_group(database, "strangers")
    attach(database, "p1", "iam-user", SYSTEM1.id)
    attach(database, "p1", "group", "operators")
    attach(database, "p1", "group", "auditors")
    attach(database, "p2", "group", "strangers")

    assert [(each.id, each.via) for each in of_user(database)] == [
        ("p1", None),
        ("p1", "auditors"),
        ("p1", "operators"),
    ]
    assert of_user(database, "user-9") == ()


def test_the_same_id_of_another_kind_is_somebody_else(database: Database) -> None:
    add(database, "p1")
    attach(database, "p1", "service-account", SYSTEM1.id)
    attach(database, "p1", "group", SYSTEM1.id)
    attach(database, "p1", "iam-user", SERVICE_ACCOUNT.id)

    assert of_user(database) == ()
    assert of_service_account(database) == ()


def test_only_the_version_in_force_applies(database: Database) -> None:
    add(database, "p1")
    attach(database, "p1", "iam-user", SYSTEM1.id)
    attach(database, "p1", "service-account", SERVICE_ACCOUNT.id)
    assert of_user(database)[0].document == compile_stored(LIST)

    database.write(lambda connection: put_version(connection, "p1", STOP))

    in_force = (AttachedPolicy("p1", "p1", 2, compile_stored(STOP)),)
    assert of_user(database) == in_force
    assert of_service_account(database) == in_force


def test_a_version_that_was_never_committed_is_never_in_force(database: Database) -> None:
    add(database, "p1")
    attach(database, "p1", "iam-user", SYSTEM1.id)

    def look_and_give_up(connection: Connection) -> None:
        put_version(connection, "p1", STOP)
        assert policies.attached_to_user(connection, SYSTEM1.id)[0].version == 2
        raise LookupError

    with pytest.raises(LookupError):
        database.write(look_and_give_up)
    database.write(lambda connection: put_version(connection, "p1", LIST))

    assert of_user(database) == (AttachedPolicy("p1", "p1", 2, compile_stored(LIST)),)


def test_two_stores_in_one_process_do_not_share_policies(
    database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = open_migrated_store(tmp_path_factory.mktemp("other") / "store.db")
    other.write(add_people)
    for store, document in ((database, LIST), (other, STOP)):
        add(store, "p1", document=document)
        attach(store, "p1", "iam-user", SYSTEM1.id)

    assert of_user(database)[0].document == compile_stored(LIST)
    assert of_user(other)[0].document == compile_stored(STOP)
    other.close()


def test_the_memory_of_compiled_documents_is_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "_COMPILED", {})
    monkeypatch.setattr(policies, "_COMPILED_AT_MOST", 2)
    for number in range(5):
        document = {"statements": [allow("vserver:*", f"vserver::{number + 1}:server/*")]}
        add(database, f"p{number}", document=document)
        attach(database, f"p{number}", "iam-user", SYSTEM1.id)

    first, second = of_user(database), of_user(database)

    assert first == second
    assert [each.document.statements[0].resources[0].text for each in first] == [
        f"vserver::{number + 1}:server/*" for number in range(5)
    ]
    assert len(policies._COMPILED) <= 2


def test_a_document_that_cannot_be_read_stops_the_request(database: Database) -> None:
    add(database, "p1", document={"statements": [{"effect": "maybe"}]})
    attach(database, "p1", "iam-user", SYSTEM1.id)

    with pytest.raises(InvalidDocument, match="effect"):
        of_user(database)


def test_attaching_twice_is_attaching_once(database: Database) -> None:
    add(database, "p1")

    assert attach(database, "p1", "iam-user", SYSTEM1.id)
    assert not attach(database, "p1", "iam-user", SYSTEM1.id)
    assert len(of_user(database)) == 1

    def detach(kind: str) -> bool:
        return database.write(lambda each: policies.detach(each, "p1", kind, SYSTEM1.id))

    assert not detach("group")
    assert detach("iam-user")
    assert not detach("iam-user")
    assert of_user(database) == ()


def test_a_policy_that_is_not_there_cannot_be_attached(database: Database) -> None:
    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        attach(database, "p9", "iam-user", SYSTEM1.id)


def test_an_account_finds_its_own_policies_and_managed_ones(database: Database) -> None:
    add(database, "p1", A.id, name="Ours")
    add(database, "p2", B.id, name="Theirs")
    add(database, "managed-1", None, name="FullAccess")

    def find(account_id: str | None, name: str) -> str | None:
        with database.read() as connection:
            return policies.find_id(connection, account_id, name)

    assert find(A.id, "p1") == find(A.id, "Ours") == find(A.id, "OURS") == "p1"
    assert find(A.id, "p2") is None
    assert find(A.id, "Theirs") is None
    assert find(A.id, "managed-1") == find(B.id, "fullaccess") == find(None, "FullAccess")
    assert find(None, "managed-1") == "managed-1"
    assert find(None, "Ours") is None


def test_an_own_policy_comes_before_a_managed_one_of_the_same_name(database: Database) -> None:
    add(database, "a-managed", None, name="FullAccess")
    add(database, "own", A.id, name="FullAccess")

    with database.read() as connection:
        assert policies.find_id(connection, A.id, "FullAccess") == "own"
        assert policies.find_id(connection, B.id, "FullAccess") == "a-managed"


@pytest.mark.parametrize(
    ("policy_id", "name"),
    [
        pytest.param("p1", "Another", id="id"),
        pytest.param("p2", "first", id="name in other letters"),
    ],
)
def test_the_store_itself_keeps_policies_apart(
    database: Database, policy_id: str, name: str
) -> None:
    add(database, "p1", name="First")

    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        add(database, policy_id, name=name)


def test_what_an_account_may_attach_is_listed_managed_ones_first(database: Database) -> None:
    add(database, "p1", A.id, name="zoo")
    add(database, "p2", A.id, name="Aardvark")
    add(database, "p3", B.id, name="theirs")
    add(database, "m1", None, name="ReadOnly")
    add(database, "m2", None, name="FullAccess")
    database.write(lambda connection: put_version(connection, "p1", STOP))

    with database.read() as connection:
        listed = policy_details.list_usable(connection, A.id)
    assert [(each.id, each.name, each.is_managed, each.version) for each in listed] == [
        ("m2", "FullAccess", True, 1),
        ("m1", "ReadOnly", True, 1),
        ("p2", "Aardvark", False, 1),
        ("p1", "zoo", False, 2),
    ]
