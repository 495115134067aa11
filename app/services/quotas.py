"""An account has room for so many of each: asked in the transaction of every create."""

from __future__ import annotations

from sqlalchemy import Connection

from app.domain.account_settings import DEFAULT_QUOTA, Quota, read_settings
from app.services.administration import Conflict
from app.storage import accounts, quotas

__all__ = ["Quota", "require_room"]


def require_room(connection: Connection, account_id: str, quota: Quota) -> None:
    """Raises `Conflict` where the account has as many as it may, whoever wants to create one.

    `change` lets one administrative write in at a time: two cannot take the last place.
    """
    most = read_settings(accounts.find_settings(connection, account_id)).quotas.of(quota)
    if quotas.count(connection, account_id, quota) >= most:
        what = quota.value.replace("iam_", "IAM ").replace("oauth_", "OAuth ").replace("_", " ")
        raise Conflict(
            f"the account may have {most} {what} and has them; delete one, or raise the quota in "
            f"the account's settings, which is at most {DEFAULT_QUOTA}"
        )
