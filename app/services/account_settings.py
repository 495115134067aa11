"""The settings of an account: who may read and change them, and where they take effect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from app.domain.account_settings import AccountSettings, PasswordPolicy, read_settings
from app.domain.events import Event
from app.domain.principals import ServiceAccount
from app.services import remembered
from app.services.administration import change
from app.services.authority import Caller
from app.services.runtime import Runtime
from app.storage import accounts, epoch

_KIND = "account"


@dataclass(frozen=True, slots=True)
class AccountDetails:
    """An account, as those see it who manage it."""

    account_id: str
    root_email: str
    settings: AccountSettings


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """What is to change, by the names of `AccountSettings`; groups by the names of theirs."""

    password_policy: dict[str, Any]
    max_token_lifetime: dict[str, Any]
    quotas: dict[str, Any]
    session_timeout: tuple[int | None] | None = None

    def applied_to(self, before: AccountSettings) -> AccountSettings:
        timeout = before.session_timeout
        if self.session_timeout is not None:
            (timeout,) = self.session_timeout
        return AccountSettings(
            replace(before.password_policy, **self.password_policy),
            timeout,
            replace(before.max_token_lifetime, **self.max_token_lifetime),
            replace(before.quotas, **self.quotas),
        )


def get(runtime: Runtime, by: Caller) -> AccountDetails:
    """The caller's own account. Raises `Forbidden`."""
    by.require("iam:GetAccountSettings", _KIND, by.account_id)
    with runtime.database.read() as connection:
        return load(connection, by)


def load(connection: Connection, by: Caller) -> AccountDetails:
    root = accounts.find_root(connection, by.account_id)
    settings = read_settings(accounts.find_settings(connection, by.account_id))
    return AccountDetails(by.account_id, "" if root is None else root.email, settings)


def update(runtime: Runtime, by: Caller, wanted: SettingsChange) -> AccountDetails:
    """Change settings; the next request finds them. Raises `AdministrationError`.

    What is there already stays: tokens keep their end, passwords stay good, and an account that
    has more than a lowered quota keeps what it has.
    """
    by.require("iam:UpdateAccountSettings", _KIND, by.account_id)

    def write(connection: Connection) -> AccountDetails:
        before = load(connection, by)
        after = wanted.applied_to(before.settings)
        # Read back: what cannot be read must not be stored.
        read_settings(after.changes())
        accounts.set_settings(connection, by.account_id, after.changes() or None)
        by.write(
            runtime,
            connection,
            Event.SETTINGS_UPDATE,
            by.account_id,
            f"{_KIND}/{by.account_id}",
            before=before.settings.changes(),
            after=after.changes(),
        )
        return replace(before, settings=after)

    return change(runtime, write, by)


def password_policy_of(runtime: Runtime, account_id: str) -> PasswordPolicy:
    """What a new password in this account has to be like."""
    with runtime.database.read() as connection:
        at = epoch.current(connection)
        return remembered.account_settings(runtime, connection, at, account_id).password_policy


def session_timeout_of(runtime: Runtime, connection: Connection, account_id: str) -> int:
    """Seconds after a sign-in at which it ends: the account's, where that is shorter."""
    at = epoch.current(connection)
    ours = runtime.settings.session_lifetime
    theirs = remembered.account_settings(runtime, connection, at, account_id).session_timeout
    return ours if theirs is None else min(ours, theirs)


def user_token_lifetime_of(
    runtime: Runtime, connection: Connection, known_epoch: int, account_id: str
) -> int:
    """Seconds that an access token of a person lives, the root user's too."""
    settings = remembered.account_settings(runtime, connection, known_epoch, account_id)
    return min(runtime.settings.user_token_lifetime, settings.max_token_lifetime.iam_user)


def machine_token_lifetime_of(
    runtime: Runtime, connection: Connection, known_epoch: int, account: ServiceAccount
) -> int:
    """Seconds that a service account's access token lives at most, whoever acts through it."""
    settings = remembered.account_settings(runtime, connection, known_epoch, account.account.id)
    return min(account.max_token_lifetime, settings.max_token_lifetime.service_account)
