"""Policies with all their versions, and what they are attached to."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    cast,
    delete,
    insert,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.documents import compile_stored
from app.domain.policy import AttachedPolicy, PolicyDocument
from app.storage.accounts import GroupMemberRow, GroupRow
from app.storage.database import Base

GROUP = "group"


class PolicyRow(Base):
    """A policy. `account_id` is None for a managed one; `version` is the one in force.

    One that was deleted is kept, with its versions, for the decisions that rest on it; its name
    is free again.
    """

    __tablename__ = "policies"
    __table_args__ = (UniqueConstraint("account_id", "name_key"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str] = mapped_column(String(50))
    name_key: Mapped[str] = mapped_column(String(50))
    description: Mapped[str] = mapped_column(String(256))
    version: Mapped[int]
    created_at: Mapped[int]
    deleted_at: Mapped[int | None]


class PolicyVersionRow(Base):
    """One version; never changed once written."""

    __tablename__ = "policy_versions"

    policy_id: Mapped[str] = mapped_column(ForeignKey("policies.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[int]


class PolicyAttachmentRow(Base):
    """`principal_type` is `iam-user`, `service-account` or `group`."""

    __tablename__ = "policy_attachments"
    __table_args__ = (Index("ix_policy_attachments_principal", "principal_type", "principal_id"),)

    policy_id: Mapped[str] = mapped_column(ForeignKey("policies.id"), primary_key=True)
    principal_type: Mapped[str] = mapped_column(String(20), primary_key=True)
    principal_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    created_at: Mapped[int]


_COLUMNS = (
    PolicyRow.id,
    PolicyRow.name,
    PolicyRow.version,
    cast(PolicyVersionRow.document, Text).label("document"),
)
IN_FORCE = and_(
    PolicyVersionRow.policy_id == PolicyRow.id, PolicyVersionRow.version == PolicyRow.version
)
_ATTACHED = (
    select(*_COLUMNS, literal(None, String).label("via"))
    .join(PolicyVersionRow, IN_FORCE)
    .join(PolicyAttachmentRow, PolicyAttachmentRow.policy_id == PolicyRow.id)
    .where(
        PolicyAttachmentRow.principal_type == bindparam("type"),
        PolicyAttachmentRow.principal_id == bindparam("id"),
    )
)
_BY_GROUP = (
    select(*_COLUMNS, GroupRow.name.label("via"))
    .join(PolicyVersionRow, IN_FORCE)
    .join(PolicyAttachmentRow, PolicyAttachmentRow.policy_id == PolicyRow.id)
    .join(GroupRow, GroupRow.id == PolicyAttachmentRow.principal_id)
    .join(GroupMemberRow, GroupMemberRow.group_id == GroupRow.id)
    .where(
        PolicyAttachmentRow.principal_type == GROUP,
        GroupMemberRow.user_id == bindparam("id"),
    )
)
_OF_USER = union_all(_ATTACHED, _BY_GROUP)

#: By their text, not by id and version: a transaction that is undone, or a store that was
#: restored, can give the same version another document.
_COMPILED: dict[str, PolicyDocument] = {}
_COMPILED_AT_MOST = 10_000


def attached_to_user(connection: Connection, user_id: str) -> tuple[AttachedPolicy, ...]:
    """A user's own policies and those of its groups, in force now: one statement."""
    return _read(connection.execute(_OF_USER, {"type": "iam-user", "id": user_id}))


def attached_to_service_account(
    connection: Connection, service_account_id: str
) -> tuple[AttachedPolicy, ...]:
    return _read(
        connection.execute(_ATTACHED, {"type": "service-account", "id": service_account_id})
    )


def _read(rows: Any) -> tuple[AttachedPolicy, ...]:
    found = [
        AttachedPolicy(row.id, row.name, row.version, _compiled(row.document), row.via)
        for row in rows
    ]
    return tuple(sorted(found, key=lambda policy: (policy.id, policy.via or "")))


def _compiled(text: str) -> PolicyDocument:
    document = _COMPILED.get(text)
    if document is None:
        document = compile_stored(json.loads(text))
        if len(_COMPILED) >= _COMPILED_AT_MOST:
            _COMPILED.clear()
        _COMPILED[text] = document
    return document


def add(
    connection: Connection,
    policy_id: str,
    account_id: str | None,
    name: str,
    document: dict[str, Any],
    created_at: int,
    description: str = "",
) -> None:
    """Write a policy with its first version."""
    connection.execute(
        insert(PolicyRow).values(
            id=policy_id,
            account_id=account_id,
            name=name,
            name_key=name.lower(),
            description=description,
            version=1,
            created_at=created_at,
        )
    )
    connection.execute(
        insert(PolicyVersionRow).values(
            policy_id=policy_id, version=1, document=document, created_at=created_at
        )
    )


def usable_by(account_id: str | None) -> tuple[Any, ...]:
    """The policies that an account may use: its own and the managed ones."""
    own = (PolicyRow.account_id == account_id) | PolicyRow.account_id.is_(None)
    return (own, PolicyRow.deleted_at.is_(None))


def find_id(connection: Connection, account_id: str | None, name_or_id: str) -> str | None:
    """A policy that the account may use: its own by name or id, or a managed one."""
    rows = connection.execute(
        select(PolicyRow.id, PolicyRow.account_id).where(
            (PolicyRow.id == name_or_id) | (PolicyRow.name_key == name_or_id.lower()),
            *usable_by(account_id),
        )
    ).all()
    own_first = sorted(rows, key=lambda row: row.account_id is None)
    return str(own_first[0].id) if own_first else None


def attach(
    connection: Connection, policy_id: str, principal_type: str, principal_id: str, now: int
) -> bool:
    """Returns whether it was not attached before."""
    if _is_attached(connection, policy_id, principal_type, principal_id):
        return False
    connection.execute(
        insert(PolicyAttachmentRow).values(
            policy_id=policy_id,
            principal_type=principal_type,
            principal_id=principal_id,
            created_at=now,
        )
    )
    return True


def detach(connection: Connection, policy_id: str, principal_type: str, principal_id: str) -> bool:
    """Returns whether it was attached."""
    result = connection.execute(
        delete(PolicyAttachmentRow).where(*_attachment(policy_id, principal_type, principal_id))
    )
    return bool(result.rowcount)


def _is_attached(
    connection: Connection, policy_id: str, principal_type: str, principal_id: str
) -> bool:
    found = select(PolicyAttachmentRow.policy_id).where(
        *_attachment(policy_id, principal_type, principal_id)
    )
    return connection.execute(found).first() is not None


def _attachment(policy_id: str, principal_type: str, principal_id: str) -> tuple[Any, ...]:
    return (
        PolicyAttachmentRow.policy_id == policy_id,
        PolicyAttachmentRow.principal_type == principal_type,
        PolicyAttachmentRow.principal_id == principal_id,
    )
