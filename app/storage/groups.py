"""Groups as their account sees them: pages of them, their members, and taking one away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from app.storage import policy_attachments
from app.storage.accounts import GroupMemberRow, GroupRow, IamUserRow
from app.storage.paging import has_in_name, page
from app.storage.policies import GROUP


@dataclass(frozen=True, slots=True)
class GroupDetails:
    """A group. `created_at` in epoch seconds."""

    id: str
    account_id: str
    name: str
    description: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Member:
    """A user in a group."""

    id: str
    account_id: str
    username: str
    enabled: bool


_ALL = select(
    GroupRow.id, GroupRow.account_id, GroupRow.name, GroupRow.description, GroupRow.created_at
)
_ONE = _ALL.where(GroupRow.id == bindparam("id"))
_MEMBERS = (
    select(IamUserRow.id, IamUserRow.account_id, IamUserRow.username, IamUserRow.enabled)
    .join(GroupMemberRow, GroupMemberRow.user_id == IamUserRow.id)
    .order_by(IamUserRow.username_key, IamUserRow.id)
)


def list_page(
    connection: Connection, account_id: str, number: int, size: int, name: str | None
) -> tuple[list[GroupDetails], int]:
    """One page of an account's groups in order of their names, and how many there are."""
    statement = _ALL.where(GroupRow.account_id == account_id)
    if name is not None:
        statement = statement.where(has_in_name(GroupRow.name_key, name))
    rows, total = page(connection, statement, (GroupRow.name_key, GroupRow.id), number, size)
    return [GroupDetails(*row) for row in rows], total


def find(connection: Connection, group_id: str) -> GroupDetails | None:
    row = connection.execute(_ONE, {"id": group_id}).first()
    return None if row is None else GroupDetails(*row)


def find_id_by_name(connection: Connection, account_id: str, name: str) -> str | None:
    found = connection.execute(
        select(GroupRow.id).where(
            GroupRow.account_id == account_id, GroupRow.name_key == name.lower()
        )
    ).scalar_one_or_none()
    return None if found is None else str(found)


def add(connection: Connection, group: GroupDetails) -> None:
    connection.execute(
        insert(GroupRow).values(
            id=group.id,
            account_id=group.account_id,
            name=group.name,
            name_key=group.name.lower(),
            description=group.description,
            created_at=group.created_at,
        )
    )


def set_name(connection: Connection, group_id: str, name: str) -> None:
    _set(connection, group_id, name=name, name_key=name.lower())


def set_description(connection: Connection, group_id: str, description: str) -> None:
    _set(connection, group_id, description=description)


def _set(connection: Connection, group_id: str, **values: Any) -> None:
    connection.execute(update(GroupRow).where(GroupRow.id == group_id).values(**values))


def remove(connection: Connection, group_id: str) -> None:
    """Take a group away, with its memberships and attachments."""
    connection.execute(delete(GroupMemberRow).where(GroupMemberRow.group_id == group_id))
    policy_attachments.remove_all_of(connection, GROUP, group_id)
    connection.execute(delete(GroupRow).where(GroupRow.id == group_id))


def members_page(
    connection: Connection, group_id: str, number: int, size: int, name: str | None
) -> tuple[list[Member], int]:
    """One page of a group's users in order of their names, and how many there are."""
    statement = _MEMBERS.where(GroupMemberRow.group_id == group_id)
    if name is not None:
        statement = statement.where(has_in_name(IamUserRow.username_key, name))
    order = (IamUserRow.username_key, IamUserRow.id)
    rows, total = page(connection, statement.order_by(None), order, number, size)
    return [Member(*row) for row in rows], total


def list_members(connection: Connection, group_id: str) -> list[Member]:
    """All users of a group, in order of their names."""
    rows = connection.execute(_MEMBERS.where(GroupMemberRow.group_id == group_id))
    return [Member(*row) for row in rows]


def add_member(connection: Connection, group_id: str, user_id: str) -> bool:
    """Returns whether the user was not in the group before."""
    found = select(GroupMemberRow.user_id).where(*_membership(group_id, user_id))
    if connection.execute(found).first() is not None:
        return False
    connection.execute(insert(GroupMemberRow).values(group_id=group_id, user_id=user_id))
    return True


def remove_member(connection: Connection, group_id: str, user_id: str) -> bool:
    """Returns whether the user was in the group."""
    result = connection.execute(delete(GroupMemberRow).where(*_membership(group_id, user_id)))
    return bool(result.rowcount)


def _membership(group_id: str, user_id: str) -> tuple[Any, ...]:
    return (GroupMemberRow.group_id == group_id, GroupMemberRow.user_id == user_id)
