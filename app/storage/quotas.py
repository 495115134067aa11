"""How many of its own an account has."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from app.domain.account_settings import Quota
from app.domain.clients import ClientKind
from app.storage.accounts import GroupRow, IamUserRow
from app.storage.clients import ClientRow
from app.storage.policies import PolicyRow
from app.storage.service_accounts import ServiceAccountRow

_TABLES: dict[Quota, Any] = {
    Quota.IAM_USERS: IamUserRow,
    Quota.GROUPS: GroupRow,
    Quota.SERVICE_ACCOUNTS: ServiceAccountRow,
    Quota.POLICIES: PolicyRow,
    Quota.OAUTH_CLIENTS: ClientRow,
}


def count(connection: Connection, account_id: str, quota: Quota) -> int:
    """A service account's own client is none of the account's OAuth clients, and a deleted policy
    is kept for the decisions that rest on it alone."""
    row = _TABLES[quota]
    statement = select(func.count()).select_from(row).where(row.account_id == account_id)
    if quota is Quota.OAUTH_CLIENTS:
        statement = statement.where(ClientRow.kind == ClientKind.TENANT.value)
    elif quota is Quota.POLICIES:
        statement = statement.where(PolicyRow.deleted_at.is_(None))
    return int(connection.execute(statement).scalar_one())
