"""What policies are attached to, read from both ends, and whom a change of them concerns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    String,
    and_,
    bindparam,
    delete,
    literal,
    select,
    union,
    union_all,
)

from app.storage.accounts import GroupMemberRow, GroupRow, IamUserRow
from app.storage.paging import has_in_name, page
from app.storage.policies import GROUP, PolicyAttachmentRow, PolicyRow
from app.storage.policy_details import SUMMARY, PolicySummary, summary_of
from app.storage.service_accounts import ServiceAccountRow

USER, MACHINE = "iam-user", "service-account"


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something that a policy is attached to. `kind` is its type: iam-user, group, …"""

    kind: str
    id: str
    name: str


def _attached_to(kind: str, row: Any, name: Any, key: Any) -> Select[Any]:
    return (
        select(
            literal(kind, String).label("kind"),
            row.id.label("id"),
            name.label("name"),
            key.label("name_key"),
        )
        .join(
            PolicyAttachmentRow,
            and_(
                PolicyAttachmentRow.principal_type == kind,
                PolicyAttachmentRow.principal_id == row.id,
            ),
        )
        .where(
            PolicyAttachmentRow.policy_id == bindparam("policy"),
            row.account_id == bindparam("account"),
        )
    )


_EVERYWHERE = union_all(
    _attached_to(USER, IamUserRow, IamUserRow.username, IamUserRow.username_key),
    _attached_to(GROUP, GroupRow, GroupRow.name, GroupRow.name_key),
    _attached_to(MACHINE, ServiceAccountRow, ServiceAccountRow.name, ServiceAccountRow.name_key),
).subquery()
_IN_ORDER = (_EVERYWHERE.c.kind, _EVERYWHERE.c.name_key, _EVERYWHERE.c.id)
_USAGE = select(_EVERYWHERE.c.kind, _EVERYWHERE.c.id, _EVERYWHERE.c.name)


def usage_page(
    connection: Connection,
    account_id: str,
    policy_id: str,
    number: int,
    size: int,
    name: str | None,
) -> tuple[list[Attachment], int]:
    """One page of what a policy is attached to in an account, and how much there is.

    A managed policy is attached in other accounts too: those are left out.
    """
    statement = _USAGE.params(policy=policy_id, account=account_id)
    if name is not None:
        statement = statement.where(has_in_name(_EVERYWHERE.c.name_key, name))
    rows, total = page(connection, statement, _IN_ORDER, number, size)
    return [Attachment(*row) for row in rows], total


def list_usage(connection: Connection, account_id: str, policy_id: str) -> list[Attachment]:
    """All that a policy is attached to in an account."""
    values = {"policy": policy_id, "account": account_id}
    return [Attachment(*row) for row in connection.execute(_USAGE.order_by(*_IN_ORDER), values)]


def page_of_principal(
    connection: Connection,
    account_id: str,
    kind: str,
    principal_id: str,
    number: int,
    size: int,
    name: str | None,
) -> tuple[list[PolicySummary], int]:
    """One page of the policies attached to one principal or group, and how many there are."""
    statement = (
        select(*SUMMARY)
        .join(PolicyAttachmentRow, PolicyAttachmentRow.policy_id == PolicyRow.id)
        .where(*_of(kind, principal_id))
    )
    if name is not None:
        statement = statement.where(has_in_name(PolicyRow.name_key, name))
    rows, total = page(connection, statement, (PolicyRow.name_key, PolicyRow.id), number, size)
    return [summary_of(row, account_id) for row in rows], total


def policy_ids_of(connection: Connection, kind: str, principal_id: str) -> list[str]:
    """The ids of the policies attached to one principal or group."""
    rows = connection.execute(
        select(PolicyAttachmentRow.policy_id)
        .where(*_of(kind, principal_id))
        .order_by(PolicyAttachmentRow.policy_id)
    )
    return [str(row.policy_id) for row in rows]


def remove_all_of(connection: Connection, kind: str, principal_id: str) -> None:
    """Detach everything from one principal or group."""
    connection.execute(delete(PolicyAttachmentRow).where(*_of(kind, principal_id)))


def _of(kind: str, principal_id: str) -> tuple[Any, ...]:
    return (
        PolicyAttachmentRow.principal_type == kind,
        PolicyAttachmentRow.principal_id == principal_id,
    )


def unlike_members(connection: Connection, group_id: str) -> list[str]:
    """Members of a group, one of each kind: those that others are like in are left out.

    Two users are alike whom the same policies reach by the same ways: their own attachments and
    those of the same groups. A change of the group or of a policy does to both the same.
    """
    members = select(GroupMemberRow.user_id).where(GroupMemberRow.group_id == group_id)
    return _unlike_users(connection, members)


def unlike_users_with(connection: Connection, policy_id: str) -> list[str]:
    """Users whom a policy reaches, their own or by a group, one of each kind."""
    own = select(PolicyAttachmentRow.principal_id.label("user_id")).where(
        PolicyAttachmentRow.policy_id == policy_id, PolicyAttachmentRow.principal_type == USER
    )
    by_group = (
        select(GroupMemberRow.user_id)
        .join(PolicyAttachmentRow, PolicyAttachmentRow.principal_id == GroupMemberRow.group_id)
        .where(
            PolicyAttachmentRow.policy_id == policy_id, PolicyAttachmentRow.principal_type == GROUP
        )
    )
    return _unlike_users(connection, union(own, by_group))


def unlike_service_accounts_with(connection: Connection, policy_id: str) -> list[str]:
    """Service accounts that a policy is attached to, one of each kind."""
    with_it = select(PolicyAttachmentRow.principal_id).where(
        PolicyAttachmentRow.policy_id == policy_id, PolicyAttachmentRow.principal_type == MACHINE
    )
    own = select(PolicyAttachmentRow.principal_id, PolicyAttachmentRow.policy_id).where(
        PolicyAttachmentRow.principal_type == MACHINE,
        PolicyAttachmentRow.principal_id.in_(with_it),
    )
    return _one_of_each([connection.execute(own)])


def _unlike_users(connection: Connection, users: Any) -> list[str]:
    chosen = users.subquery()
    every = select(chosen.c.user_id)
    own = select(PolicyAttachmentRow.principal_id, PolicyAttachmentRow.policy_id).where(
        PolicyAttachmentRow.principal_type == USER, PolicyAttachmentRow.principal_id.in_(every)
    )
    by_group = (
        select(GroupMemberRow.user_id, PolicyAttachmentRow.policy_id, GroupMemberRow.group_id)
        .join(PolicyAttachmentRow, PolicyAttachmentRow.principal_id == GroupMemberRow.group_id)
        .where(PolicyAttachmentRow.principal_type == GROUP, GroupMemberRow.user_id.in_(every))
    )
    return _one_of_each(connection.execute(each) for each in (every, own, by_group))


def _one_of_each(results: Iterable[Iterable[Any]]) -> list[str]:
    """Rows are an id and a way in which a policy reaches it; the ids, one of each set of ways."""
    ways: dict[str, set[Any]] = {}
    for rows in results:
        for row in rows:
            ways.setdefault(row[0], set()).update([tuple(row[1:])] if len(row) > 1 else [])
    kinds = {frozenset(found): principal_id for principal_id, found in ways.items()}
    return sorted(kinds.values())
