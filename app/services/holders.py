"""Whose rights a change of a group, a policy or an attachment concerns.

Of those that it concerns alike only one is named: a group may have thousands of members.
"""

from __future__ import annotations

from sqlalchemy import Connection

from app.domain.principals import PrincipalType
from app.services import principals
from app.services.handing_over import Holder
from app.storage import policy_attachments


def of_group(connection: Connection, group_id: str) -> list[Holder]:
    """Members of a group."""
    return _load(
        connection, PrincipalType.IAM_USER, policy_attachments.unlike_members(connection, group_id)
    )


def of_policy(connection: Connection, policy_id: str) -> list[Holder]:
    """Users, members of groups and service accounts that a policy reaches."""
    users = policy_attachments.unlike_users_with(connection, policy_id)
    machines = policy_attachments.unlike_service_accounts_with(connection, policy_id)
    return [
        *_load(connection, PrincipalType.IAM_USER, users),
        *_load(connection, PrincipalType.SERVICE_ACCOUNT, machines),
    ]


def _load(connection: Connection, kind: PrincipalType, ids: list[str]) -> list[Holder]:
    found = (principals.find(connection, kind, each) for each in ids)
    return [each for each in found if isinstance(each, Holder)]
