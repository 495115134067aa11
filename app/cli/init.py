"""`crossroot init`: from nothing to a server that can be started."""

from __future__ import annotations

import sys
from typing import Any

import click

from app.cli.accounts import as_data
from app.cli.errors import CannotDo
from app.cli.keys import make_missing
from app.cli.output import json_option, say
from app.cli.passwords import Password, password_options, read_password
from app.cli.state import describe_store, pepper_file, settings_of, unchecked
from app.services import accounts, keys, products
from app.services.runtime import Runtime
from app.settings import Settings
from app.storage import schema
from app.tokens.keyring import SigningKey


@click.command("init")
@click.option("--account-id", help="The number of the first root account.")
@click.option("--email", help="Its root user's e-mail address.")
@password_options
@json_option
def command(
    account_id: str | None,
    email: str | None,
    password_stdin: bool,
    generate_password: bool,
    as_json: bool,
) -> None:
    """Set up an empty server: store, signing keys, products, policies and a root account.

    What is there already stays as it is.
    """
    if (account_id is None) != (email is None):
        raise click.UsageError("--account-id and --email go together")
    settings = settings_of()
    data, lines = prepare(settings)
    with unchecked(settings) as runtime:
        if account_id is None and not accounts.list_accounts(runtime) and sys.stdin.isatty():
            account_id = click.prompt("Number of the first root account", err=True)
            email = click.prompt("E-mail address of its root user", err=True)
        if account_id is not None and email is not None:
            found, account_lines = _account(
                runtime, account_id, email, password_stdin, generate_password
            )
            data["account"] = found
            lines += account_lines
        has_account = bool(accounts.list_accounts(runtime))
    lines.append(
        "Next: crossroot serve"
        if has_account
        else "Next: crossroot accounts create ACCOUNT_ID --email E-MAIL"
    )
    say(as_json, data, *lines)


def prepare(settings: Settings) -> tuple[dict[str, Any], list[str]]:
    """Everything but the accounts, as data and as sentences. What is there already stays."""
    made = make_missing(settings)
    had_pepper = pepper_file(settings).exists()
    with unchecked(settings) as runtime:
        had_store = schema.current_revision(runtime.database) is not None
        migrations = schema.upgrade(runtime.database)
        for key in made:
            keys.record_generated(runtime, key)
        products.install_shipped(runtime)
    data: dict[str, Any] = {
        "store": describe_store(settings),
        "migrations": migrations,
        "keys_made": [{"kid": key.kid, "alg": key.alg} for key in made],
        "pepper_made": not had_pepper,
    }
    lines = [
        f"Store {describe_store(settings)}: "
        + (
            f"ran migration {', '.join(migrations)}."
            if migrations
            else "there already, up to date."
        ),
        _key_line(settings, made),
        f"Pepper {pepper_file(settings)}: {'there already' if had_pepper else 'made'}.",
        "Products iam and vserver, managed policies and the client crossroot-cli are installed.",
    ]
    if had_store and not had_pepper:
        lines.append("The pepper is new: no client secret that was made before works any more.")
    return data, lines


def _key_line(settings: Settings, made: list[SigningKey]) -> str:
    if not made:
        return f"Signing keys in {settings.keys_dir}: there already."
    return f"Signing keys in {settings.keys_dir}: made {' and '.join(key.alg for key in made)}."


def _account(
    runtime: Runtime, account_id: str, email: str, password_stdin: bool, generate_password: bool
) -> tuple[dict[str, Any], list[str]]:
    """The root account asked for, which may be there already. Raises `CannotDo`."""
    present = accounts.find_account(runtime, account_id)
    if present is None:
        password: Password = read_password(password_stdin, generate_password)
        root = accounts.create_account(runtime, account_id, email, password.text)
        return {**as_data(root), **password.shown()}, [
            f"Created root account {account_id}; its root user signs in as {root.email}.",
            *password.lines(),
        ]
    if present.email != email.strip().lower():
        raise CannotDo(f"root account {account_id} is there already, with another e-mail address")
    return as_data(present), [
        f"Root account {account_id} ({present.email}): there already, its password unchanged."
    ]
