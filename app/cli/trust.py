"""`crossroot trust`: whose users may ask to impersonate a service account."""

from __future__ import annotations

from typing import TextIO

import click

from app.cli.documents import epoch_seconds, read_json
from app.cli.output import iso, json_option, say
from app.cli.state import opened
from app.services import service_accounts


@click.group("trust")
def command() -> None:
    """Add and remove trusted relationships of service accounts."""


@command.command("add")
@click.argument("service_account_id")
@click.argument("account_id")
@click.option(
    "--condition",
    type=click.File(encoding="utf-8"),
    help="A JSON file with the condition that must hold; - is standard input.",
)
@click.option(
    "--expires-at", callback=epoch_seconds, help="When it ends: 2027-01-31T12:00:00Z, for example."
)
@json_option
def add(
    service_account_id: str,
    account_id: str,
    condition: TextIO | None,
    expires_at: int | None,
    as_json: bool,
) -> None:
    """Let users of the root account ACCOUNT_ID ask to impersonate SERVICE_ACCOUNT_ID."""
    document = None if condition is None else read_json(condition)
    with opened() as runtime:
        service_accounts.add_trust(runtime, service_account_id, account_id, document, expires_at)
    until = "" if expires_at is None else f" until {iso(expires_at)}"
    say(
        as_json,
        {
            "service_account_id": service_account_id,
            "trusted_account_id": account_id,
            "condition": document,
            "expires_at": None if expires_at is None else iso(expires_at),
        },
        f"{service_account_id} trusts root account {account_id}{until}.",
        "Each user of it needs a policy of their own account as well: one that allows "
        "iam:ImpersonateServiceAccount on this service account.",
    )


@command.command("remove")
@click.argument("service_account_id")
@click.argument("account_id")
@json_option
def remove(service_account_id: str, account_id: str, as_json: bool) -> None:
    """End the trust of SERVICE_ACCOUNT_ID in ACCOUNT_ID: the next exchange is refused."""
    with opened() as runtime:
        service_accounts.remove_trust(runtime, service_account_id, account_id)
    say(
        as_json,
        {"service_account_id": service_account_id, "removed_account_id": account_id},
        f"{service_account_id} no longer trusts root account {account_id}; "
        "the next exchange is refused.",
    )
