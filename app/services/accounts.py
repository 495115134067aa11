"""Root accounts and their IAM users."""

from __future__ import annotations

from sqlalchemy import Connection

from app.domain.account_settings import PasswordPolicy, Quota
from app.domain.events import Event
from app.domain.principals import (
    IamUser,
    RootAccount,
    RootUser,
    is_account_id,
    is_email,
    is_username,
)
from app.services import account_settings, quotas
from app.services import audit as audit_service
from app.services.administration import (
    Conflict,
    Invalid,
    NotFound,
    change,
    require,
    require_account,
)
from app.services.authority import OPERATOR, Administrator
from app.services.runtime import Runtime
from app.storage import accounts, sessions, tokens
from app.tokens.secrets import PasswordRefused


def create_account(runtime: Runtime, account_id: str, email: str, password: str) -> RootUser:
    """Create a root account with its root user. Raises `AdministrationError`."""
    require(is_account_id(account_id), "an account id is 1 to 20 digits, the first not 0")
    require(is_email(email), "expected an e-mail address such as root@example.com")
    encoded = hash_password(runtime, password, PasswordPolicy())
    root = RootUser(runtime.new_id(), RootAccount(account_id), accounts.canonical_email(email))

    def write(connection: Connection) -> RootUser:
        if accounts.find_root(connection, account_id) is not None:
            raise Conflict(f"there is a root account {account_id} already")
        if accounts.find_root_by_email(connection, email) is not None:
            raise Conflict(f"{root.email} is the e-mail of another root account")
        accounts.add_account(connection, root, encoded, runtime.now())
        audit_service.write_by_operator(
            runtime, connection, Event.ACCOUNT_CREATE, account_id, f"account/{account_id}"
        )
        return root

    return change(runtime, write)


def disable_account(runtime: Runtime, account_id: str) -> None:
    """Disable an account: its sessions and tokens end, for good. Raises `NotFound`."""

    def write(connection: Connection) -> None:
        _switch(connection, account_id, enabled=False)
        now = runtime.now()
        sessions.end_account(connection, account_id, now)
        ended = tokens.revoke_account(connection, account_id, now)
        audit_service.write_by_operator(
            runtime,
            connection,
            Event.ACCOUNT_DISABLE,
            account_id,
            f"account/{account_id}",
            tokens_ended=ended,
        )

    change(runtime, write)


def enable_account(runtime: Runtime, account_id: str) -> None:
    """Let an account be used again; what ended stays ended. Raises `NotFound`."""

    def write(connection: Connection) -> None:
        _switch(connection, account_id, enabled=True)
        audit_service.write_by_operator(
            runtime, connection, Event.ACCOUNT_ENABLE, account_id, f"account/{account_id}"
        )

    change(runtime, write)


def _switch(connection: Connection, account_id: str, *, enabled: bool) -> None:
    if not accounts.set_account_enabled(connection, account_id, enabled):
        raise NotFound(f"there is no root account {account_id}")


def create_user(
    runtime: Runtime, account_id: str, username: str, password: str, email: str | None = None
) -> IamUser:
    """Create an IAM user, who may do nothing yet. Raises `AdministrationError`."""
    encoded = prepare_user(runtime, account_id, username, password, email)
    return change(
        runtime,
        lambda connection: add_user(
            runtime, connection, OPERATOR, account_id, username, encoded, email
        ),
    )


def prepare_user(
    runtime: Runtime, account_id: str, username: str, password: str, email: str | None
) -> str:
    """Check what a new user is to have; the hash of the password. Raises `Invalid`."""
    require(is_username(username), "a username is 5 to 50 of A-Z a-z 0-9 . _ -", "/username")
    require(email is None or is_email(email), "expected an e-mail address, or none", "/email")
    policy = account_settings.password_policy_of(runtime, account_id)
    return hash_password(runtime, password, policy)


def add_user(
    runtime: Runtime,
    connection: Connection,
    by: Administrator,
    account_id: str,
    username: str,
    password_hash: str,
    email: str | None,
) -> IamUser:
    """Write a user that was prepared. Raises `AdministrationError`."""
    root = accounts.find_root(connection, account_id)
    if root is None:
        raise NotFound(f"there is no root account {account_id}")
    if accounts.find_user_by_name(connection, root.email, username) is not None:
        raise Conflict(f"account {account_id} has a user {username} already")
    quotas.require_room(connection, account_id, Quota.IAM_USERS)
    user = IamUser(runtime.new_id(), username, root.account)
    accounts.add_user(connection, user, password_hash, runtime.now(), email)
    by.write(runtime, connection, Event.USER_CREATE, account_id, f"iam-user/{user.id}")
    return user


def list_accounts(runtime: Runtime) -> list[RootUser]:
    """All root accounts, each with its root user."""
    with runtime.database.read() as connection:
        return accounts.list_roots(connection)


def find_account(runtime: Runtime, account_id: str) -> RootUser | None:
    """A root account with its root user, disabled ones included."""
    with runtime.database.read() as connection:
        return accounts.find_root(connection, account_id)


def list_users(runtime: Runtime, account_id: str) -> list[IamUser]:
    """The IAM users of an account. Raises `NotFound`."""
    with runtime.database.read() as connection:
        require_account(connection, account_id)
        return accounts.list_users(connection, account_id)


def password_matches(runtime: Runtime, user: RootUser | IamUser, password: str) -> bool:
    """Whether this is the user's password, as the sign-in page would find it."""
    with runtime.database.read() as connection:
        root = accounts.find_root(connection, user.account.id)
        email = "" if root is None else root.email
        if isinstance(user, RootUser):
            found = accounts.find_root_by_email(connection, email)
        else:
            found = accounts.find_user_by_name(connection, email, user.username)
    return runtime.passwords.verify(password, None if found is None else found.password_hash)


def reset_password(runtime: Runtime, user: RootUser | IamUser, password: str) -> None:
    """Give a user another password: what the old one opened ends. Raises `Invalid`."""
    policy = account_settings.password_policy_of(runtime, user.account.id)
    encoded = hash_password(runtime, password, policy)

    def write(connection: Connection) -> None:
        if isinstance(user, RootUser):
            accounts.set_root_password(connection, user.account.id, encoded)
        else:
            accounts.set_user_password(connection, user.id, encoded)
        ended = end_everything_of(runtime, connection, user)
        audit_service.write_by_operator(
            runtime,
            connection,
            Event.PASSWORD_RESET,
            user.account.id,
            f"{user.type.value}/{user.id}",
            tokens_ended=ended,
        )

    change(runtime, write)


def set_user_enabled(runtime: Runtime, user_id: str, *, enabled: bool) -> None:
    """Disable a user, whose sessions and tokens then end for good, or enable one again.

    Raises `NotFound`.
    """

    def write(connection: Connection) -> None:
        user = accounts.find_user(connection, user_id)
        if user is None:
            raise NotFound(f"there is no IAM user {user_id}")
        accounts.set_user_enabled(connection, user_id, enabled)
        if not enabled:
            end_everything_of(runtime, connection, user)
        audit_service.write_by_operator(
            runtime,
            connection,
            Event.USER_ENABLE if enabled else Event.USER_DISABLE,
            user.account.id,
            f"iam-user/{user_id}",
        )

    change(runtime, write)


def end_everything_of(runtime: Runtime, connection: Connection, user: RootUser | IamUser) -> int:
    """Sessions and what can be refreshed, tokens and those acted through; returns how many."""
    now = runtime.now()
    sessions.end_user(connection, user.id, now)
    return tokens.revoke_principal(connection, user.account.id, user.id, now)


def hash_password(runtime: Runtime, password: str, policy: PasswordPolicy) -> str:
    """The hash to keep. Raises `Invalid` for a password that the policy refuses, or too long."""
    problem = policy.problem_of(password)
    if problem is not None:
        raise Invalid(problem, "/password")
    try:
        return runtime.passwords.hash(password)
    except PasswordRefused as error:
        raise Invalid(str(error), "/password") from None
