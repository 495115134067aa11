"""Policies as they were: the documents of versions that decisions rest on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select

from app.domain.documents import compile_stored
from app.domain.policy import AttachedPolicy
from app.storage.policies import IN_FORCE, PolicyRow, PolicyVersionRow

#: A policy id and a version.
VersionKey = tuple[str, int]

_USABLE = (PolicyRow.account_id == bindparam("account")) | PolicyRow.account_id.is_(None)
_ONE = (
    select(PolicyVersionRow.document)
    .join(PolicyRow, PolicyRow.id == PolicyVersionRow.policy_id)
    .where(
        PolicyVersionRow.policy_id == bindparam("id"),
        PolicyVersionRow.version == bindparam("version"),
        _USABLE,
    )
)
_IN_FORCE = (
    select(PolicyRow.name, PolicyRow.version, PolicyVersionRow.document)
    .join(PolicyVersionRow, IN_FORCE)
    .where(PolicyRow.id == bindparam("id"), PolicyRow.deleted_at.is_(None), _USABLE)
)


def find_document(
    connection: Connection, account_id: str, policy_id: str, version: int
) -> dict[str, Any] | None:
    """The document of a version, of the account's own policies (deleted ones included) and the
    managed ones."""
    values = {"account": account_id, "id": policy_id, "version": version}
    found = connection.execute(_ONE, values).scalar_one_or_none()
    return None if found is None else dict(found)


def find_in_force(connection: Connection, account_id: str, policy_id: str) -> AttachedPolicy | None:
    """A policy that the account may attach, as it is now."""
    row = connection.execute(_IN_FORCE, {"account": account_id, "id": policy_id}).first()
    if row is None:
        return None
    return AttachedPolicy(policy_id, row.name, row.version, compile_stored(row.document))
