"""Policies as an account sees them: pages of them, their versions, changes, taking one away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from app.storage.paging import has_in_name, page
from app.storage.policies import (
    IN_FORCE,
    PolicyAttachmentRow,
    PolicyRow,
    PolicyVersionRow,
    usable_by,
)


@dataclass(frozen=True, slots=True)
class PolicySummary:
    """A policy without its document. `created_at` in epoch seconds.

    `account_id` is that of whoever looks: a managed policy has a name in each account.
    """

    id: str
    account_id: str
    name: str
    description: str
    is_managed: bool
    version: int
    created_at: int


@dataclass(frozen=True, slots=True)
class PolicyDetails:
    """A policy, and the document of the version in force."""

    summary: PolicySummary
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a policy. `created_at` in epoch seconds."""

    version: int
    created_at: int
    document: dict[str, Any]


#: What `summary_of` reads.
SUMMARY = (
    PolicyRow.id,
    PolicyRow.account_id,
    PolicyRow.name,
    PolicyRow.description,
    PolicyRow.version,
    PolicyRow.created_at,
)
_ORDER = (PolicyRow.account_id.is_not(None), PolicyRow.name_key, PolicyRow.id)
_VERSION = select(PolicyVersionRow.version, PolicyVersionRow.created_at, PolicyVersionRow.document)


def summary_of(row: Any, account_id: str) -> PolicySummary:
    """The value behind a row of `SUMMARY`, as an account that may use it sees it."""
    return PolicySummary(
        row.id,
        account_id,
        row.name,
        row.description,
        row.account_id is None,
        row.version,
        row.created_at,
    )


def find(connection: Connection, account_id: str, policy_id: str) -> PolicyDetails | None:
    """A policy that the account may use, by id alone."""
    row = connection.execute(
        select(*SUMMARY, PolicyVersionRow.document)
        .join(PolicyVersionRow, IN_FORCE)
        .where(PolicyRow.id == policy_id, *usable_by(account_id))
    ).first()
    return None if row is None else PolicyDetails(summary_of(row, account_id), row.document)


def list_usable(connection: Connection, account_id: str) -> list[PolicySummary]:
    """The managed policies, then the account's own, each in order of their names."""
    rows = connection.execute(select(*SUMMARY).where(*usable_by(account_id)).order_by(*_ORDER))
    return [summary_of(row, account_id) for row in rows]


def list_page(
    connection: Connection,
    account_id: str,
    number: int,
    size: int,
    name: str | None,
    is_managed: bool | None,
) -> tuple[list[PolicySummary], int]:
    """One page of what `list_usable` lists, and how much there is; None is both kinds."""
    statement = select(*SUMMARY).where(*usable_by(account_id))
    if name is not None:
        statement = statement.where(has_in_name(PolicyRow.name_key, name))
    if is_managed is not None:
        of_nobody = PolicyRow.account_id.is_(None)
        statement = statement.where(of_nobody if is_managed else ~of_nobody)
    rows, total = page(connection, statement, _ORDER, number, size)
    return [summary_of(row, account_id) for row in rows], total


def versions_page(
    connection: Connection, policy_id: str, number: int, size: int
) -> tuple[list[PolicyVersion], int]:
    """One page of a policy's versions, the newest first, and how many there are."""
    statement = _VERSION.where(PolicyVersionRow.policy_id == policy_id)
    rows, total = page(connection, statement, (PolicyVersionRow.version.desc(),), number, size)
    return [PolicyVersion(*row) for row in rows], total


def find_version(connection: Connection, policy_id: str, version: int) -> PolicyVersion | None:
    row = connection.execute(
        _VERSION.where(PolicyVersionRow.policy_id == policy_id, PolicyVersionRow.version == version)
    ).first()
    return None if row is None else PolicyVersion(*row)


def set_name(connection: Connection, policy_id: str, name: str) -> None:
    _set(connection, policy_id, name=name, name_key=name.lower())


def set_description(connection: Connection, policy_id: str, description: str) -> None:
    _set(connection, policy_id, description=description)


def add_version(
    connection: Connection, policy_id: str, version: int, document: dict[str, Any], now: int
) -> None:
    """Write the next version, which is in force from now on."""
    connection.execute(
        insert(PolicyVersionRow).values(
            policy_id=policy_id, version=version, document=document, created_at=now
        )
    )
    _set(connection, policy_id, version=version)


def remove(connection: Connection, policy_id: str, now: int) -> None:
    """Take a policy away: detached everywhere, found no more. Its versions are kept."""
    connection.execute(
        delete(PolicyAttachmentRow).where(PolicyAttachmentRow.policy_id == policy_id)
    )
    # No name has a space at its beginning, so this one is in nobody's way.
    _set(connection, policy_id, deleted_at=now, name_key=f" {policy_id}"[:50])


def _set(connection: Connection, policy_id: str, **values: Any) -> None:
    connection.execute(update(PolicyRow).where(PolicyRow.id == policy_id).values(**values))
