"""IAM users as their account sees them: pages of them, changes, and taking one away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from app.domain.principals import IamUser, RootAccount
from app.storage.accounts import AccountRow, GroupMemberRow, GroupRow, IamUserRow
from app.storage.paging import has_in_name, page
from app.storage.policies import PolicyAttachmentRow


@dataclass(frozen=True, slots=True)
class UserDetails:
    """A user and what only its account is shown. `created_at` in epoch seconds."""

    user: IamUser
    email: str | None
    created_at: int


_ALL = select(
    IamUserRow.id,
    IamUserRow.username,
    IamUserRow.enabled,
    IamUserRow.email,
    IamUserRow.created_at,
    AccountRow.id.label("account_id"),
    AccountRow.enabled.label("account_enabled"),
).join(AccountRow, AccountRow.id == IamUserRow.account_id)
_ONE = _ALL.where(IamUserRow.id == bindparam("id"))


def list_page(
    connection: Connection, account_id: str, number: int, size: int, name: str | None
) -> tuple[list[UserDetails], int]:
    """One page of an account's users in order of their names, and how many there are."""
    statement = _ALL.where(IamUserRow.account_id == account_id)
    if name is not None:
        statement = statement.where(has_in_name(IamUserRow.username_key, name))
    order = (IamUserRow.username_key, IamUserRow.id)
    rows, total = page(connection, statement, order, number, size)
    return [_details(row) for row in rows], total


def find(connection: Connection, user_id: str) -> UserDetails | None:
    row = connection.execute(_ONE, {"id": user_id}).first()
    return None if row is None else _details(row)


def set_email(connection: Connection, user_id: str, email: str | None) -> None:
    connection.execute(update(IamUserRow).where(IamUserRow.id == user_id).values(email=email))


def set_name(connection: Connection, user_id: str, username: str) -> None:
    connection.execute(
        update(IamUserRow)
        .where(IamUserRow.id == user_id)
        .values(username=username, username_key=username.lower())
    )


def policies_and_groups_of(connection: Connection, user_id: str) -> tuple[list[str], list[str]]:
    """The ids of what hangs on a user: policies that are attached, and groups that it is in."""
    policies = connection.execute(
        select(PolicyAttachmentRow.policy_id)
        .where(
            PolicyAttachmentRow.principal_type == "iam-user",
            PolicyAttachmentRow.principal_id == user_id,
        )
        .order_by(PolicyAttachmentRow.policy_id)
    )
    groups = connection.execute(
        select(GroupRow.id)
        .join(GroupMemberRow, GroupMemberRow.group_id == GroupRow.id)
        .where(GroupMemberRow.user_id == user_id)
        .order_by(GroupRow.name_key)
    )
    return [str(row.policy_id) for row in policies], [str(row.id) for row in groups]


def remove(connection: Connection, user_id: str) -> None:
    """Take a user away, with its attachments and memberships; its sessions have ended before."""
    connection.execute(delete(GroupMemberRow).where(GroupMemberRow.user_id == user_id))
    connection.execute(
        delete(PolicyAttachmentRow).where(
            PolicyAttachmentRow.principal_type == "iam-user",
            PolicyAttachmentRow.principal_id == user_id,
        )
    )
    connection.execute(delete(IamUserRow).where(IamUserRow.id == user_id))


def _details(row: Any) -> UserDetails:
    account = RootAccount(row.account_id, row.account_enabled)
    return UserDetails(
        IamUser(row.id, row.username, account, row.enabled), row.email, row.created_at
    )
