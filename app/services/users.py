"""IAM users, as those who manage an account see and change them."""

from __future__ import annotations

from sqlalchemy import Connection

from app.domain.events import Event
from app.domain.principals import is_email, is_username
from app.services import account_settings, handing_over
from app.services import accounts as account_service
from app.services.administration import Conflict, change, require
from app.services.authority import Caller
from app.services.runtime import Runtime
from app.storage import accounts, users
from app.storage.users import UserDetails

__all__ = ["UserDetails"]


def list_page(
    runtime: Runtime, by: Caller, number: int, size: int, name: str | None
) -> tuple[list[UserDetails], int]:
    """One page of the account's users, and how many there are. Raises `Forbidden`."""
    by.require("iam:ListIamUser", "iam-user")
    with runtime.database.read() as connection:
        return users.list_page(connection, by.account_id, number, size, name)


def get(runtime: Runtime, by: Caller, user_id: str) -> UserDetails:
    """Raises `Forbidden` or `NotFound`."""
    by.require("iam:GetIamUser", "iam-user", user_id)
    with runtime.database.read() as connection:
        return load(connection, by, user_id)


def load(connection: Connection, by: Caller, user_id: str) -> UserDetails:
    """A user of the caller's account. Raises `NotFound`."""
    found = users.find(connection, user_id)
    by.confine(None if found is None else found.user.account.id, f"there is no IAM user {user_id}")
    assert found is not None  # noqa: S101 - `confine` has refused it
    return found


def create(
    runtime: Runtime, by: Caller, username: str, password: str, email: str | None
) -> UserDetails:
    """A new user, who may do nothing yet. Raises `AdministrationError`."""
    by.require("iam:CreateIamUser", "iam-user")
    encoded = account_service.prepare_user(runtime, by.account_id, username, password, email)

    def write(connection: Connection) -> UserDetails:
        user = account_service.add_user(
            runtime, connection, by, by.account_id, username, encoded, email
        )
        return UserDetails(user, email, runtime.now())

    return change(runtime, write, by)


def update(
    runtime: Runtime,
    by: Caller,
    user_id: str,
    *,
    username: str | None = None,
    email: str | None = None,
    remove_email: bool = False,
    enabled: bool | None = None,
) -> UserDetails:
    """Change what is not None; disabling ends sessions and tokens for good.

    Raises `AdministrationError`.
    """
    by.require("iam:UpdateIamUser", "iam-user", user_id)
    require(
        username is None or is_username(username),
        "a username is 5 to 50 of A-Z a-z 0-9 . _ -",
        "/username",
    )
    require(email is None or is_email(email), "expected an e-mail address", "/email")

    def write(connection: Connection) -> UserDetails:
        before = load(connection, by, user_id)
        changed = []
        if username is not None and username != before.user.username:
            _require_free(connection, by, user_id, username)
            action = "iam:UpdateIamUser"
            handing_over.require_nameable(runtime, connection, by, action, before.user)
            users.set_name(connection, user_id, username)
            changed.append("username")
        if (email is not None or remove_email) and email != before.email:
            users.set_email(connection, user_id, email)
            changed.append("email")
        if enabled is not None and enabled != before.user.enabled:
            accounts.set_user_enabled(connection, user_id, enabled)
            changed.append("enabled")
            if not enabled:
                account_service.end_everything_of(runtime, connection, before.user)
        event = Event.USER_UPDATE
        if changed == ["enabled"]:
            event = Event.USER_ENABLE if enabled else Event.USER_DISABLE
        by.write(runtime, connection, event, by.account_id, f"iam-user/{user_id}", changed=changed)
        return load(connection, by, user_id)

    return change(runtime, write, by)


def _require_free(connection: Connection, by: Caller, user_id: str, username: str) -> None:
    root = accounts.find_root(connection, by.account_id)
    email = "" if root is None else root.email
    found = accounts.find_user_by_name(connection, email, username)
    if found is not None and found.user.id != user_id:
        raise Conflict(f"the account has a user {username} already")


def delete(runtime: Runtime, by: Caller, user_id: str, *, cascade: bool) -> None:
    """Take a user away; sessions and tokens end. Raises `AdministrationError`.

    What hangs on it, policies and groups, is said and the user kept, unless `cascade`.
    """
    by.require("iam:DeleteIamUser", "iam-user", user_id)

    def write(connection: Connection) -> None:
        user = load(connection, by, user_id).user
        policies, groups = users.policies_and_groups_of(connection, user_id)
        if (policies or groups) and not cascade:
            raise Conflict(
                f"the user has {len(policies)} policies attached and is in {len(groups)} groups; "
                "take them away first, or delete with ?cascade=true"
            )
        account_service.end_everything_of(runtime, connection, user)
        users.remove(connection, user_id)
        by.write(
            runtime,
            connection,
            Event.USER_DELETE,
            by.account_id,
            f"iam-user/{user_id}",
            username=user.username,
            policies=policies,
            groups=groups,
        )

    change(runtime, write, by)


def reset_password(runtime: Runtime, by: Caller, user_id: str, password: str) -> None:
    """Give a user another password; what the old one opened ends. Raises `AdministrationError`.

    Whoever sets a password can sign in with it: it hands over all that the user may do.
    """
    by.require("iam:ResetPassword", "iam-user", user_id)
    policy = account_settings.password_policy_of(runtime, by.account_id)
    encoded = account_service.hash_password(runtime, password, policy)

    def write(connection: Connection) -> None:
        user = load(connection, by, user_id).user
        handing_over.require_covered(runtime, connection, by, "iam:ResetPassword", user)
        accounts.set_user_password(connection, user_id, encoded)
        ended = account_service.end_everything_of(runtime, connection, user)
        by.write(
            runtime,
            connection,
            Event.PASSWORD_RESET,
            by.account_id,
            f"iam-user/{user_id}",
            tokens_ended=ended,
        )

    change(runtime, write, by)


def root_email(runtime: Runtime, by: Caller) -> str:
    """The e-mail of the caller's root account, under which its users sign in."""
    with runtime.database.read() as connection:
        root = accounts.find_root(connection, by.account_id)
    return "" if root is None else root.email
