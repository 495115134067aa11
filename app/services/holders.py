"""Whose rights a change of a group, a policy or an attachment concerns.

Of those that it concerns alike only one is named: a group may have thousands of members. They are
read one after the other, as far as somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from app.domain.principals import PrincipalType
from app.services import principals
from app.services.handing_over import Holder
from app.storage import policy_attachments


def of_group(connection: Connection, group_id: str) -> Iterator[Holder]:
    """Members of a group."""
    members = policy_attachments.unlike_members(connection, group_id)
    yield from _load(connection, PrincipalType.IAM_USER, members)


def of_policy(connection: Connection, policy_id: str) -> Iterator[Holder]:
    """Users, members of groups and service accounts that a policy reaches."""
    users = policy_attachments.unlike_users_with(connection, policy_id)
    yield from _load(connection, PrincipalType.IAM_USER, users)
    machines = policy_attachments.unlike_service_accounts_with(connection, policy_id)
    yield from _load(connection, PrincipalType.SERVICE_ACCOUNT, machines)


def _load(connection: Connection, kind: PrincipalType, ids: list[str]) -> Iterator[Holder]:
    found = (principals.find(connection, kind, each) for each in ids)
    return (each for each in found if isinstance(each, Holder))
