"""Who a token or session speaks for, and what applies to them."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from app.services import accounts, policies, principals
from app.storage.accounts import GroupMemberRow, GroupRow
from tests.support.changes import change
from tests.support.world import World


def root_of(world: World, account_id: str) -> str:
    found = world.rows("SELECT root_user_id FROM accounts WHERE id = :id", id=account_id)
    return str(found[0][0])


def ids(world: World) -> dict[str, str]:
    return {
        "root-user": root_of(world, "53461"),
        "iam-user": world.user_id,
        "service-account": world.service_account_id,
    }


@pytest.mark.parametrize("kind", ["root-user", "iam-user", "service-account"])
def test_each_kind_is_found_by_its_own_ids(world: World, kind: str) -> None:
    with world.runtime.database.read() as connection:
        found = principals.find(connection, kind, ids(world)[kind])
        assert found is not None
        assert (found.type.value, found.id) == (kind, ids(world)[kind])
        # The id of one kind means nothing as another kind.
        for other, other_id in ids(world).items():
            if other != kind:
                assert principals.find(connection, kind, other_id) is None


def test_a_kind_that_is_not_known_is_an_error(world: World) -> None:
    with world.runtime.database.read() as connection, pytest.raises(ValueError, match="robot"):
        principals.find(connection, "robot", world.user_id)


def test_disabled_ones_are_found(world: World) -> None:
    accounts.disable_account(world.runtime, "53461")

    with world.runtime.database.read() as connection:
        found = principals.find(connection, "iam-user", world.user_id)
    assert found is not None
    assert not found.account.enabled


def test_a_users_groups_count(world: World) -> None:
    policy_id = policies.find(world.runtime, "53461", "IAMReadOnlyAccess")
    group = {"id": "g", "account_id": "53461", "name": "Auditors", "name_key": "auditors"}
    row = {"policy_id": policy_id, "principal_type": "group", "principal_id": "g", "created_at": 1}
    attachments = policies.policies.PolicyAttachmentRow

    def write(connection: object) -> None:
        for statement in (
            insert(GroupRow).values(**group, description="", created_at=1),
            insert(GroupMemberRow).values(group_id="g", user_id=world.user_id),
            insert(attachments).values(**row),
        ):
            connection.execute(statement)  # type: ignore[attr-defined]

    change(world, write)

    with world.runtime.database.read() as connection:
        user = principals.find(connection, "iam-user", world.user_id)
        assert user is not None
        found = {each.name: each.via for each in principals.policies_of(connection, user)}
    assert found == {"ImpersonateToRootUserAccountB": None, "IAMReadOnlyAccess": "Auditors"}


def test_a_root_user_needs_no_policy(world: World) -> None:
    with world.runtime.database.read() as connection:
        root = principals.find(connection, "root-user", root_of(world, "53461"))
        assert root is not None
        found = principals.policies_of(connection, root)
    actions = {p.text for each in found for s in each.document.statements for p in s.actions}
    assert "*" in actions
