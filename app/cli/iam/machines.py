"""`crossroot iam service-accounts`, their secrets, and `crossroot iam trust`."""

from __future__ import annotations

from functools import partial
from typing import TextIO

import click

from app.cli.documents import epoch_seconds, read_json
from app.cli.iam.api import ACCOUNTS, POLICIES, Api, api_options
from app.cli.iam.resources import (
    Resource,
    add_delete,
    add_list,
    add_show,
    add_switches,
    as_table,
    group,
)
from app.cli.output import iso, json_option, say

MACHINES = Resource(
    f"{ACCOUNTS}/service-accounts",
    "service account",
    (("ID", "id"), ("NAME", "name"), ("CLIENT ID", "clientId"), ("ENABLED", "enabled")),
)
_TRUST = (
    ("ID", "id"),
    ("ROOT ACCOUNT", "trustedRootUserId"),
    ("EXPIRES", "expiresAt"),
    ("CONDITION", "condition"),
)

service_accounts = group(
    "service-accounts",
    "Service accounts: machine identities, and what others may become.",
    partial(add_list, resource=MACHINES),
    partial(add_show, resource=MACHINES),
    partial(add_delete, resource=MACHINES),
    partial(add_switches, resource=MACHINES, disabled="Its tokens have ended."),
)
trust = group("trust", "Trusted relationships: whose users may ask to become a service account.")


@service_accounts.command("create")
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@click.option("--policy", "policies", multiple=True, help="Attach it; name or id, may repeat.")
@click.option("--trust", "trusted", multiple=True, help="Trust this root account; may repeat.")
@click.option("--token-lifetime", type=int, help="Seconds that a token lives at most, 900-43200.")
@json_option
@api_options
def create(
    api: Api,
    name: str,
    description: str,
    policies: tuple[str, ...],
    trusted: tuple[str, ...],
    token_lifetime: int | None,
    as_json: bool,
) -> None:
    """Create a service account; its client secret is shown this once."""
    body = {
        "name": name,
        "description": description,
        "accessTokenLifeSpan": token_lifetime,
        "policyIds": [api.id_of(f"{POLICIES}/policies", policy) for policy in policies],
        "trustedRelationships": [{"trustedRootUserId": account} for account in trusted],
    }
    made = api.post(MACHINES.path, {key: value for key, value in body.items() if value})
    say(
        as_json,
        made,
        f"Service account {name} is {made['vrn']}.",
        f"Client id:     {made['clientId']}",
        f"Client secret: {made['clientSecret']} (shown this once)",
    )


@service_accounts.command("secrets")
@click.argument("name")
@json_option
@api_options
def secrets(api: Api, name: str, as_json: bool) -> None:
    """When its live secrets were made."""
    found = api.get(f"{MACHINES.item(api, name)}/secrets")["data"]
    say(as_json, {"data": found}, as_table((("ID", "id"), ("CREATED", "createdAt")), found))


@service_accounts.command("add-secret")
@click.argument("name")
@json_option
@api_options
def add_secret(api: Api, name: str, as_json: bool) -> None:
    """Make a second secret, so that the first can be retired without a gap."""
    made = api.post(f"{MACHINES.item(api, name)}/secrets")
    say(as_json, made, f"Client secret: {made['clientSecret']} (shown this once)")


@service_accounts.command("retire-secret")
@click.argument("name")
@click.argument("secret_id")
@json_option
@api_options
def retire_secret(api: Api, name: str, secret_id: str, as_json: bool) -> None:
    """End one secret, by its id."""
    api.delete(f"{MACHINES.item(api, name)}/secrets/{secret_id}")
    say(as_json, {"retired": secret_id}, f"Secret {secret_id} of {name} is gone.")


@service_accounts.command("reset-secret")
@click.argument("name")
@json_option
@api_options
def reset_secret(api: Api, name: str, as_json: bool) -> None:
    """Replace all secrets by a new one, which is shown this once."""
    made = api.post(f"{MACHINES.item(api, name)}/reset-secret")
    say(as_json, made, f"Client secret: {made['clientSecret']} (shown this once)")


@trust.command("list")
@click.argument("service_account")
@json_option
@api_options
def list_trust(api: Api, service_account: str, as_json: bool) -> None:
    """Whom a service account trusts."""
    found = list(api.all(f"{MACHINES.item(api, service_account)}/trusted-relationships"))
    say(as_json, {"data": found}, as_table(_TRUST, found))


@trust.command("add")
@click.argument("service_account")
@click.argument("account_id")
@click.option(
    "--condition",
    type=click.File(encoding="utf-8"),
    help="A JSON file with the condition that must hold; - is standard input.",
)
@click.option("--expires-at", callback=epoch_seconds, help="When it ends: 2027-01-31T12:00:00Z.")
@json_option
@api_options
def add_trust(
    api: Api,
    service_account: str,
    account_id: str,
    condition: TextIO | None,
    expires_at: int | None,
    as_json: bool,
) -> None:
    """Let users of the root account ACCOUNT_ID ask to become SERVICE_ACCOUNT."""
    body = {
        "trustedRootUserId": account_id,
        "condition": None if condition is None else read_json(condition),
        "expiresAt": None if expires_at is None else iso(expires_at),
    }
    path = f"{MACHINES.item(api, service_account)}/trusted-relationships"
    made = api.post(path, {name: value for name, value in body.items() if value is not None})
    say(
        as_json,
        made,
        f"{service_account} trusts root account {account_id}.",
        "Each user of it needs a policy of their own account as well: one that allows "
        "iam:ImpersonateServiceAccount on this service account.",
    )


@trust.command("remove")
@click.argument("service_account")
@click.argument("account_id")
@json_option
@api_options
def remove_trust(api: Api, service_account: str, account_id: str, as_json: bool) -> None:
    """End the trust in ACCOUNT_ID: the next exchange is refused."""
    path = f"{MACHINES.item(api, service_account)}/trusted-relationships"
    for each in api.all(path):
        if account_id in (each["trustedRootUserId"], each["id"]):
            api.delete(f"{path}/{each['id']}")
            break
    else:
        raise click.ClickException(f"{service_account} does not trust {account_id}")
    say(
        as_json,
        {"removed": account_id},
        f"{service_account} no longer trusts root account {account_id}.",
    )
