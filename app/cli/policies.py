"""`crossroot policies`: writing policies and attaching them."""

from __future__ import annotations

from typing import TextIO

import click

from app.cli.documents import read_json
from app.cli.output import Command, json_option, say, table
from app.cli.state import opened
from app.domain.principals import PrincipalType
from app.services import policies


@click.group("policies")
def command() -> None:
    """Create, attach, detach and list policies."""


@command.command("create")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--account", "account_id", required=True, help="The root account that it is for.")
@click.option("--name", required=True, help="What it is called there.")
@click.option("--description", default="", help="What it is for.")
@json_option
def create(file: TextIO, account_id: str, name: str, description: str, as_json: bool) -> None:
    """Create a customer policy from the JSON document in FILE; - is standard input."""
    document = read_json(file)
    with opened() as runtime:
        policy_id = policies.create(runtime, account_id, name, document, description)
    say(
        as_json,
        {"policy_id": policy_id, "name": name, "account_id": account_id},
        f"Created policy {name} in account {account_id}; its id is {policy_id}.",
        f"Next: crossroot policies attach {policy_id} --user USER_ID",
    )


def principal_options(command: Command) -> Command:
    """Adds `--user` and `--service-account`, the arguments of `_principal`."""
    for option in (
        click.option("--service-account", "service_account_id", help="A service account, by id."),
        click.option("--user", "user_id", help="An IAM user, by id."),
    ):
        command = option(command)
    return command


@command.command("attach")
@click.argument("policy")
@principal_options
@json_option
def attach(policy: str, user_id: str | None, service_account_id: str | None, as_json: bool) -> None:
    """Attach POLICY, by name or id, to an IAM user or a service account."""
    principal_type, principal_id = _principal(user_id, service_account_id)
    with opened() as runtime:
        is_new = policies.attach(runtime, policy, principal_type, principal_id)
    how = "Attached" if is_new else "Nothing to do: already attached"
    say(
        as_json,
        _as_data(policy, principal_type, principal_id, attached=True, changed=is_new),
        f"{how}: policy {policy}, {principal_type} {principal_id}.",
    )


@command.command("detach")
@click.argument("policy")
@principal_options
@json_option
def detach(policy: str, user_id: str | None, service_account_id: str | None, as_json: bool) -> None:
    """Detach POLICY; what it allowed ends now."""
    principal_type, principal_id = _principal(user_id, service_account_id)
    with opened() as runtime:
        was_attached = policies.detach(runtime, policy, principal_type, principal_id)
    how = "Detached" if was_attached else "Nothing to do: not attached"
    say(
        as_json,
        _as_data(policy, principal_type, principal_id, attached=False, changed=was_attached),
        f"{how}: policy {policy}, {principal_type} {principal_id}.",
    )


@command.command("list")
@click.option("--account", "account_id", required=True, help="The root account.")
@json_option
def list_policies(account_id: str, as_json: bool) -> None:
    """List the policies that a root account can attach: the managed ones and its own."""
    with opened() as runtime:
        found = policies.list_usable(runtime, account_id)
    rows = [(each.name, each.id, "managed" if each.is_managed else "customer") for each in found]
    say(
        as_json,
        {
            "policies": [
                {
                    "policy_id": each.id,
                    "name": each.name,
                    "manager": "managed" if each.is_managed else "user",
                    "version": each.version,
                }
                for each in found
            ]
        },
        table(("NAME", "ID", "KIND"), rows),
    )


def _principal(user_id: str | None, service_account_id: str | None) -> tuple[str, str]:
    """Type and id of the one that was given. Raises UsageError for none or both."""
    if user_id is not None and service_account_id is None:
        return PrincipalType.IAM_USER.value, user_id
    if service_account_id is not None and user_id is None:
        return PrincipalType.SERVICE_ACCOUNT.value, service_account_id
    raise click.UsageError("give --user ID or --service-account ID")


def _as_data(
    policy: str, principal_type: str, principal_id: str, *, attached: bool, changed: bool
) -> dict[str, object]:
    return {
        "policy": policy,
        "principal_type": principal_type,
        "principal_id": principal_id,
        "attached": attached,
        "changed": changed,
    }
