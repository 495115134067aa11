"""`crossroot users`: the IAM users of root accounts."""

from __future__ import annotations

import click

from app.cli.output import json_option, say, table
from app.cli.passwords import password_options, read_password
from app.cli.state import opened
from app.domain.principals import IamUser
from app.services import accounts


@click.group("users")
def command() -> None:
    """Create and list IAM users."""


@command.command("create")
@click.argument("account_id")
@click.argument("username")
@click.option("--email", help="The user's e-mail address.")
@password_options
@json_option
def create(
    account_id: str,
    username: str,
    email: str | None,
    password_stdin: bool,
    generate_password: bool,
    as_json: bool,
) -> None:
    """Create the IAM user USERNAME in the root account ACCOUNT_ID. It may do nothing yet."""
    with opened() as runtime:
        password = read_password(password_stdin, generate_password)
        user = accounts.create_user(runtime, account_id, username, password.text, email)
    say(
        as_json,
        {**_as_data(user), **password.shown()},
        f"Created IAM user {username} in account {account_id}; its id is {user.id}.",
        *password.lines(),
        f"Next: crossroot policies attach POLICY --user {user.id}",
    )


@command.command("list")
@click.argument("account_id")
@json_option
def list_users(account_id: str, as_json: bool) -> None:
    """List the IAM users of the root account ACCOUNT_ID."""
    with opened() as runtime:
        found = accounts.list_users(runtime, account_id)
    rows = [(user.username, user.id, "enabled" if user.enabled else "disabled") for user in found]
    say(
        as_json,
        {"users": [_as_data(user) for user in found]},
        table(("USERNAME", "ID", "STATE"), rows),
    )


def _as_data(user: IamUser) -> dict[str, object]:
    return {
        "user_id": user.id,
        "username": user.username,
        "account_id": user.account.id,
        "enabled": user.enabled,
    }
