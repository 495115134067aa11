"""Root accounts and the people in them: root users, IAM users, groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    ForeignKey,
    String,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.principals import IamUser, RootAccount, RootUser
from app.storage.database import Base


class AccountRow(Base):
    """A tenant, and the credentials of its root user. `settings` are what it changed of its own."""

    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(String(20), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    root_user_id: Mapped[str] = mapped_column(String(36), unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    enabled: Mapped[bool]
    created_at: Mapped[int]
    settings: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class IamUserRow(Base):
    """A person. `username_key` is the name in lower case: two spellings are one user."""

    __tablename__ = "iam_users"
    __table_args__ = (UniqueConstraint("account_id", "username_key"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    username: Mapped[str] = mapped_column(String(50))
    username_key: Mapped[str] = mapped_column(String(50))
    email: Mapped[str | None] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(255))
    enabled: Mapped[bool]
    created_at: Mapped[int]


class GroupRow(Base):
    """IAM users that share policies."""

    __tablename__ = "groups"
    __table_args__ = (UniqueConstraint("account_id", "name_key"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str] = mapped_column(String(50))
    name_key: Mapped[str] = mapped_column(String(50))
    description: Mapped[str] = mapped_column(String(256))
    created_at: Mapped[int]


class GroupMemberRow(Base):
    __tablename__ = "group_members"

    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("iam_users.id"), primary_key=True, index=True)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user who can sign in, with the hash that the password is checked against."""

    user: RootUser | IamUser
    password_hash: str


_ACCOUNT = select(
    AccountRow.id,
    AccountRow.enabled,
    AccountRow.email,
    AccountRow.root_user_id,
    AccountRow.password_hash,
)
_USER = select(
    IamUserRow.id,
    IamUserRow.username,
    IamUserRow.enabled,
    IamUserRow.password_hash,
    AccountRow.id.label("account_id"),
    AccountRow.enabled.label("account_enabled"),
    AccountRow.email.label("account_email"),
).join(AccountRow, AccountRow.id == IamUserRow.account_id)

_SETTINGS = select(AccountRow.settings).where(AccountRow.id == bindparam("id"))
_ACCOUNT_BY_ID = _ACCOUNT.where(AccountRow.id == bindparam("id"))
_ACCOUNT_BY_EMAIL = _ACCOUNT.where(AccountRow.email == bindparam("email"))
_ACCOUNT_BY_ROOT = _ACCOUNT.where(AccountRow.root_user_id == bindparam("id"))
_USER_BY_ID = _USER.where(IamUserRow.id == bindparam("id"))
_USER_BY_NAME = _USER.where(
    AccountRow.email == bindparam("email"), IamUserRow.username_key == bindparam("username")
)


def canonical_email(email: str) -> str:
    """The one spelling under which an e-mail address is stored and looked for."""
    return email.strip().lower()


def find_root(connection: Connection, account_id: str) -> RootUser | None:
    """The root user of an account."""
    row = connection.execute(_ACCOUNT_BY_ID, {"id": account_id}).first()
    return None if row is None else _root(row)


def find_root_by_email(connection: Connection, email: str) -> Credentials | None:
    row = connection.execute(_ACCOUNT_BY_EMAIL, {"email": canonical_email(email)}).first()
    return None if row is None else Credentials(_root(row), row.password_hash)


def find_root_by_user_id(connection: Connection, user_id: str) -> RootUser | None:
    row = connection.execute(_ACCOUNT_BY_ROOT, {"id": user_id}).first()
    return None if row is None else _root(row)


def find_user(connection: Connection, user_id: str) -> IamUser | None:
    row = connection.execute(_USER_BY_ID, {"id": user_id}).first()
    return None if row is None else _user(row)


def find_user_by_name(connection: Connection, email: str, username: str) -> Credentials | None:
    """An IAM user by its account's e-mail and its name, whatever their case."""
    row = connection.execute(
        _USER_BY_NAME, {"email": canonical_email(email), "username": username.lower()}
    ).first()
    return None if row is None else Credentials(_user(row), row.password_hash)


def list_roots(connection: Connection) -> list[RootUser]:
    """All root accounts, in order of their ids as numbers."""
    rows = connection.execute(_ACCOUNT)
    return sorted((_root(row) for row in rows), key=lambda root: int(root.account.id))


def list_users(connection: Connection, account_id: str) -> list[IamUser]:
    """The IAM users of an account, in order of their names."""
    rows = connection.execute(
        _USER.where(AccountRow.id == account_id).order_by(IamUserRow.username_key)
    )
    return [_user(row) for row in rows]


def add_account(
    connection: Connection, root: RootUser, password_hash: str, created_at: int
) -> None:
    connection.execute(
        insert(AccountRow).values(
            id=root.account.id,
            email=canonical_email(root.email),
            root_user_id=root.id,
            password_hash=password_hash,
            enabled=root.account.enabled,
            created_at=created_at,
        )
    )


def add_user(
    connection: Connection,
    user: IamUser,
    password_hash: str,
    created_at: int,
    email: str | None = None,
) -> None:
    connection.execute(
        insert(IamUserRow).values(
            id=user.id,
            account_id=user.account.id,
            username=user.username,
            username_key=user.username.lower(),
            email=email,
            password_hash=password_hash,
            enabled=user.enabled,
            created_at=created_at,
        )
    )


def find_settings(connection: Connection, account_id: str) -> dict[str, Any] | None:
    """What an account has set for itself (`app.domain.account_settings`)."""
    found = connection.execute(_SETTINGS, {"id": account_id}).first()
    return None if found is None else found.settings


def set_settings(connection: Connection, account_id: str, settings: dict[str, Any] | None) -> None:
    connection.execute(
        update(AccountRow).where(AccountRow.id == account_id).values(settings=settings)
    )


def set_root_password(connection: Connection, account_id: str, password_hash: str) -> None:
    connection.execute(
        update(AccountRow).where(AccountRow.id == account_id).values(password_hash=password_hash)
    )


def set_user_password(connection: Connection, user_id: str, password_hash: str) -> None:
    connection.execute(
        update(IamUserRow).where(IamUserRow.id == user_id).values(password_hash=password_hash)
    )


def set_account_enabled(connection: Connection, account_id: str, enabled: bool) -> bool:
    """Returns whether there is such an account."""
    result = connection.execute(
        update(AccountRow).where(AccountRow.id == account_id).values(enabled=enabled)
    )
    return bool(result.rowcount)


def set_user_enabled(connection: Connection, user_id: str, enabled: bool) -> bool:
    """Returns whether there is such a user."""
    result = connection.execute(
        update(IamUserRow).where(IamUserRow.id == user_id).values(enabled=enabled)
    )
    return bool(result.rowcount)


def _root(row: Any) -> RootUser:
    return RootUser(row.root_user_id, RootAccount(row.id, row.enabled), row.email)


def _user(row: Any) -> IamUser:
    return IamUser(
        row.id,
        row.username,
        RootAccount(row.account_id, row.account_enabled),
        row.enabled,
    )
