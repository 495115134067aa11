"""`crossroot service-accounts`: machine identities of root accounts."""

from __future__ import annotations

import click

from app.cli.output import json_option, say, table
from app.cli.state import opened
from app.domain.principals import DEFAULT_TOKEN_LIFETIME, ServiceAccount
from app.services import service_accounts


@click.group("service-accounts")
def command() -> None:
    """Create and list service accounts."""


@command.command("create")
@click.argument("account_id")
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@click.option(
    "--token-lifetime",
    type=int,
    default=DEFAULT_TOKEN_LIFETIME,
    show_default=True,
    help="Seconds that its tokens are valid at most, 900 to 43200.",
)
@json_option
def create(
    account_id: str, name: str, description: str, token_lifetime: int, as_json: bool
) -> None:
    """Create the service account NAME in the root account ACCOUNT_ID, with its first secret."""
    with opened() as runtime:
        new = service_accounts.create(runtime, account_id, name, description, token_lifetime)
    say(
        as_json,
        {
            **_as_data(new.account),
            "client_id": new.client_id,
            "client_secret": new.client_secret,
        },
        f"Created service account {name} in account {account_id}.",
        f"Service account ID: {new.account.id}",
        f"VRN:                {new.account.vrn}",
        f"Client ID:          {new.client_id}",
        f"Client secret:      {new.client_secret} (shown this once)",
        f"Next: crossroot trust add {new.account.id} ACCOUNT_ID",
        f"      crossroot policies attach POLICY --service-account {new.account.id}",
    )


@command.command("list")
@click.argument("account_id")
@json_option
def list_service_accounts(account_id: str, as_json: bool) -> None:
    """List the service accounts of the root account ACCOUNT_ID."""
    with opened() as runtime:
        found = service_accounts.list_of_account(runtime, account_id)
    rows = [
        (account.name, account.id, "enabled" if account.enabled else "disabled")
        for account in found
    ]
    say(
        as_json,
        {"service_accounts": [_as_data(account) for account in found]},
        table(("NAME", "ID", "STATE"), rows),
    )


def _as_data(account: ServiceAccount) -> dict[str, object]:
    return {
        "service_account_id": account.id,
        "vrn": str(account.vrn),
        "name": account.name,
        "account_id": account.account.id,
        "enabled": account.enabled,
        "max_token_lifetime": account.max_token_lifetime,
    }
