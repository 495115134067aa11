"""Groups: `/accounts-api/v1/groups`, and who is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from app.management.iam_users import Cascade
from app.management.models import (
    Description,
    Model,
    Name,
    Page,
    PageQuery,
    Timestamp,
    page_of,
    timestamp,
)
from app.management.operations import Call, Operation
from app.services import groups
from app.services.authority import Caller
from app.services.groups import GroupDetails, Member

_PATH = "/accounts-api/v1/groups"
_ONE = _PATH + "/{groupId}"
_MEMBER = _ONE + "/iam-users/{userId}"


class NewGroup(Model):
    """A group, with nobody in it yet."""

    name: Name = Field(examples=["Operators"])
    description: Description = ""


class GroupChange(Model):
    """What is sent is changed."""

    name: Name | None = None
    description: Description | None = None


class GroupShown(Model):
    """A group: users that share policies."""

    id: str
    vrn: str = Field(examples=["iam::53461:group/0c9c7a3e-4a0e-4b62-9c0f-0c6b6f7f1c55"])
    name: str
    description: str
    created_at: Timestamp


class MemberShown(Model):
    """A user in a group."""

    id: str
    vrn: str = Field(examples=["iam::53461:iam-user/4f0c6a52-8a4e-4f0b-9d1c-0d6a6b1b7c11"])
    username: str
    enabled: bool


def shown(group: GroupDetails) -> GroupShown:
    return GroupShown(
        id=group.id,
        vrn=f"iam::{group.account_id}:group/{group.id}",
        name=group.name,
        description=group.description,
        created_at=timestamp(group.created_at),
    )


def _member_shown(member: Member) -> MemberShown:
    return MemberShown(
        id=member.id,
        vrn=f"iam::{member.account_id}:iam-user/{member.id}",
        username=member.username,
        enabled=member.enabled,
    )


def _list(call: Call) -> Page[GroupShown]:
    query: PageQuery = call.query
    found, total = groups.list_page(
        call.runtime, call.caller, query.page_number, query.page_size, query.name
    )
    return page_of(GroupShown, [shown(each) for each in found], query, total)


def _create(call: Call) -> GroupDetails:
    body: NewGroup = call.body
    return groups.create(call.runtime, call.caller, body.name, body.description)


def _get(call: Call) -> GroupDetails:
    return groups.get(call.runtime, call.caller, call.ids["groupId"])


def _update(call: Call) -> GroupDetails:
    body: GroupChange = call.body
    return groups.update(
        call.runtime,
        call.caller,
        call.ids["groupId"],
        name=body.name,
        description=body.description,
    )


def _delete(call: Call) -> None:
    groups.delete(call.runtime, call.caller, call.ids["groupId"], cascade=call.query.cascade)


def _list_members(call: Call) -> Page[MemberShown]:
    query: PageQuery = call.query
    found, total = groups.list_members(
        call.runtime,
        call.caller,
        call.ids["groupId"],
        query.page_number,
        query.page_size,
        query.name,
    )
    return page_of(MemberShown, [_member_shown(each) for each in found], query, total)


def _join(call: Call) -> None:
    groups.join(call.runtime, call.caller, call.ids["groupId"], call.ids["userId"])


def _leave(call: Call) -> None:
    groups.leave(call.runtime, call.caller, call.ids["groupId"], call.ids["userId"])


def _current(connection: Any, caller: Caller, ids: Mapping[str, str]) -> GroupShown:
    return shown(groups.load(connection, caller, ids["groupId"]))


OPERATIONS = (
    Operation(
        "GET",
        _PATH,
        "listGroups",
        "The account's groups, a page at a time",
        "iam:ListGroup",
        _list,
        lambda result: result,
        answer=Page[GroupShown],
        query=PageQuery,
    ),
    Operation(
        "POST",
        _PATH,
        "createGroup",
        "Create a group",
        "iam:CreateGroup",
        _create,
        shown,
        answer=GroupShown,
        body=NewGroup,
        status=201,
    ),
    Operation(
        "GET",
        _ONE,
        "getGroup",
        "One group",
        "iam:GetGroup",
        _get,
        shown,
        answer=GroupShown,
        current=_current,
    ),
    Operation(
        "PATCH",
        _ONE,
        "updateGroup",
        "Change a group's name or description",
        "iam:UpdateGroup",
        _update,
        shown,
        answer=GroupShown,
        body=GroupChange,
        current=_current,
    ),
    Operation(
        "DELETE",
        _ONE,
        "deleteGroup",
        "Delete a group",
        "iam:DeleteGroup",
        _delete,
        query=Cascade,
        status=204,
        current=_current,
    ),
    Operation(
        "GET",
        _ONE + "/iam-users",
        "listGroupMembers",
        "The users in a group, a page at a time",
        "iam:GetGroup",
        _list_members,
        lambda result: result,
        answer=Page[MemberShown],
        query=PageQuery,
    ),
    Operation(
        "POST",
        _MEMBER,
        "addGroupMember",
        "Put a user in a group",
        "iam:AddGroupMember",
        _join,
        status=204,
    ),
    Operation(
        "DELETE",
        _MEMBER,
        "removeGroupMember",
        "Take a user out of a group",
        "iam:RemoveGroupMember",
        _leave,
        status=204,
    ),
)
