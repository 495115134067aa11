"""Groups and who is in them, as those who manage an account see and change them."""

from __future__ import annotations

from sqlalchemy import Connection

from app.domain.account_settings import Quota
from app.domain.events import Event
from app.domain.principals import is_name
from app.services import handing_over, holders, quotas, users
from app.services.administration import Conflict, change, require, require_description
from app.services.authority import Caller
from app.services.runtime import Runtime
from app.storage import groups, policy_attachments
from app.storage.groups import GroupDetails, Member
from app.storage.policies import GROUP

__all__ = ["GroupDetails", "Member"]


def list_page(
    runtime: Runtime, by: Caller, number: int, size: int, name: str | None
) -> tuple[list[GroupDetails], int]:
    """One page of the account's groups, and how many there are. Raises `Forbidden`."""
    by.require("iam:ListGroup", "group")
    with runtime.database.read() as connection:
        return groups.list_page(connection, by.account_id, number, size, name)


def get(runtime: Runtime, by: Caller, group_id: str) -> GroupDetails:
    """Raises `Forbidden` or `NotFound`."""
    by.require("iam:GetGroup", "group", group_id)
    with runtime.database.read() as connection:
        return load(connection, by, group_id)


def load(connection: Connection, by: Caller, group_id: str) -> GroupDetails:
    """A group of the caller's account. Raises `NotFound`."""
    found = groups.find(connection, group_id)
    by.confine(None if found is None else found.account_id, f"there is no group {group_id}")
    assert found is not None  # noqa: S101 - `confine` has refused it
    return found


def create(runtime: Runtime, by: Caller, name: str, description: str) -> GroupDetails:
    """A new group, with nobody in it and no policies. Raises `AdministrationError`."""
    by.require("iam:CreateGroup", "group")
    _require_valid(name, description)

    def write(connection: Connection) -> GroupDetails:
        _require_free(connection, by, name)
        quotas.require_room(connection, by.account_id, Quota.GROUPS)
        group = GroupDetails(runtime.new_id(), by.account_id, name, description, runtime.now())
        groups.add(connection, group)
        _record(runtime, connection, by, Event.GROUP_CREATE, group.id, name=name)
        return group

    return change(runtime, write, by)


def update(
    runtime: Runtime, by: Caller, group_id: str, *, name: str | None, description: str | None
) -> GroupDetails:
    """Change what is not None. Raises `AdministrationError`."""
    by.require("iam:UpdateGroup", "group", group_id)
    _require_valid(name, description)

    def write(connection: Connection) -> GroupDetails:
        before = load(connection, by, group_id)
        changed = []
        if name is not None and name != before.name:
            _require_free(connection, by, name, group_id)
            groups.set_name(connection, group_id, name)
            changed.append("name")
        if description is not None and description != before.description:
            groups.set_description(connection, group_id, description)
            changed.append("description")
        _record(runtime, connection, by, Event.GROUP_UPDATE, group_id, changed=changed)
        return load(connection, by, group_id)

    return change(runtime, write, by)


def _require_valid(name: str | None, description: str | None) -> None:
    require(
        name is None or is_name(name), "a name is 1 to 50 of A-Z a-z 0-9 . _ - and space", "/name"
    )
    require_description(description or "")


def _require_free(
    connection: Connection, by: Caller, name: str, group_id: str | None = None
) -> None:
    if groups.find_id_by_name(connection, by.account_id, name) not in (None, group_id):
        raise Conflict(f"the account has a group {name} already")


def delete(runtime: Runtime, by: Caller, group_id: str, *, cascade: bool) -> None:
    """Take a group away. Raises `AdministrationError`.

    Its members and policies are said and the group kept, unless `cascade`. A deny that goes away
    with it gives its members what another policy allows: the caller has to hold that.
    """
    by.require("iam:DeleteGroup", "group", group_id)

    def write(connection: Connection) -> None:
        group = load(connection, by, group_id)
        members = [each.id for each in groups.list_members(connection, group_id)]
        policies = policy_attachments.policy_ids_of(connection, GROUP, group_id)
        if (members or policies) and not cascade:
            raise Conflict(
                f"the group has {len(members)} members and {len(policies)} policies attached; "
                "take them away first, or delete with ?cascade=true"
            )
        concerned = holders.of_group(connection, group_id)
        with handing_over.within_own(runtime, connection, by, "iam:DeleteGroup", concerned):
            groups.remove(connection, group_id)
        _record(
            runtime,
            connection,
            by,
            Event.GROUP_DELETE,
            group_id,
            name=group.name,
            members=members,
            policies=policies,
        )

    change(runtime, write, by)


def list_members(
    runtime: Runtime, by: Caller, group_id: str, number: int, size: int, name: str | None
) -> tuple[list[Member], int]:
    """One page of the users in a group, and how many there are. Raises `AdministrationError`."""
    by.require("iam:GetGroup", "group", group_id)
    with runtime.database.read() as connection:
        load(connection, by, group_id)
        return groups.members_page(connection, group_id, number, size, name)


def join(runtime: Runtime, by: Caller, group_id: str, user_id: str) -> None:
    """Put a user in a group: it gets the group's policies. Raises `AdministrationError`."""
    _set_membership(runtime, by, group_id, user_id, is_member=True)


def leave(runtime: Runtime, by: Caller, group_id: str, user_id: str) -> None:
    """Take a user out of a group: it loses the group's policies, denies among them.

    Raises `AdministrationError`.
    """
    _set_membership(runtime, by, group_id, user_id, is_member=False)


def _set_membership(
    runtime: Runtime, by: Caller, group_id: str, user_id: str, *, is_member: bool
) -> None:
    action = "iam:AddGroupMember" if is_member else "iam:RemoveGroupMember"
    set_membership = groups.add_member if is_member else groups.remove_member
    event = Event.GROUP_MEMBER_ADD if is_member else Event.GROUP_MEMBER_REMOVE
    by.require(action, "group", group_id)
    by.require(action, "iam-user", user_id)

    def write(connection: Connection) -> None:
        load(connection, by, group_id)
        user = users.load(connection, by, user_id).user
        with handing_over.within_own(runtime, connection, by, action, [user]):
            changed = set_membership(connection, group_id, user_id)
        _record(runtime, connection, by, event, group_id, user_id=user_id, changed=changed)

    change(runtime, write, by)


def _record(
    runtime: Runtime,
    connection: Connection,
    by: Caller,
    event: Event,
    group_id: str,
    **detail: object,
) -> None:
    by.write(runtime, connection, event, by.account_id, f"group/{group_id}", **detail)
