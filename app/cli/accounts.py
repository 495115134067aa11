"""`crossroot accounts`: the root accounts of this server."""

from __future__ import annotations

import click

from app.cli.output import json_option, say, table
from app.cli.passwords import password_options, read_password
from app.cli.state import opened
from app.domain.principals import RootUser
from app.services import accounts


@click.group("accounts")
def command() -> None:
    """Create, disable, enable and list root accounts."""


@command.command("create")
@click.argument("account_id")
@click.option("--email", required=True, help="The root user's e-mail address.")
@password_options
@json_option
def create(
    account_id: str, email: str, password_stdin: bool, generate_password: bool, as_json: bool
) -> None:
    """Create the root account ACCOUNT_ID (1 to 20 digits) with its root user."""
    with opened() as runtime:
        password = read_password(password_stdin, generate_password)
        root = accounts.create_account(runtime, account_id, email, password.text)
    say(
        as_json,
        {**as_data(root), **password.shown()},
        f"Created root account {account_id}; its root user signs in as {root.email}.",
        *password.lines(),
        f"Next: crossroot users create {account_id} USERNAME",
    )


@command.command("disable")
@click.argument("account_id")
@json_option
def disable(account_id: str, as_json: bool) -> None:
    """End the account's sessions and tokens, and let nobody of it sign in."""
    with opened() as runtime:
        accounts.disable_account(runtime, account_id)
    say(
        as_json,
        {"account_id": account_id, "enabled": False},
        f"Disabled root account {account_id}; its sessions and tokens have ended.",
        f"To let it be used again: crossroot accounts enable {account_id}",
    )


@command.command("enable")
@click.argument("account_id")
@json_option
def enable(account_id: str, as_json: bool) -> None:
    """Let a disabled account be used again; what ended stays ended."""
    with opened() as runtime:
        accounts.enable_account(runtime, account_id)
    say(
        as_json,
        {"account_id": account_id, "enabled": True},
        f"Enabled root account {account_id}; its users can sign in again.",
    )


@command.command("list")
@json_option
def list_accounts(as_json: bool) -> None:
    """List all root accounts."""
    with opened() as runtime:
        found = accounts.list_accounts(runtime)
    rows = [
        (root.account.id, root.email, "enabled" if root.account.enabled else "disabled")
        for root in found
    ]
    say(
        as_json,
        {"accounts": [as_data(root) for root in found]},
        table(("ACCOUNT", "ROOT E-MAIL", "STATE"), rows),
    )


def as_data(root: RootUser) -> dict[str, object]:
    """A root account as a JSON answer shows it."""
    return {
        "account_id": root.account.id,
        "root_email": root.email,
        "root_user_id": root.id,
        "enabled": root.account.enabled,
    }
