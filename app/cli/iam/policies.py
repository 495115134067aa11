"""`crossroot iam policies`: writing them, and attaching them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, TextIO

import click

from app.cli.documents import read_json
from app.cli.errors import CannotDo
from app.cli.iam.api import POLICIES, Api, Command, api_options
from app.cli.iam.machines import MACHINES
from app.cli.iam.people import GROUPS, USERS
from app.cli.iam.resources import Resource, add_delete, add_list, as_table, group
from app.cli.output import json_option, say

POLICY = Resource(
    f"{POLICIES}/policies",
    "policy",
    (("ID", "id"), ("NAME", "name"), ("BY", "manager"), ("VERSION", "version")),
)
_USAGE = (("TYPE", "type"), ("ID", "id"), ("NAME", "name"))

policies = group(
    "policies",
    "Policies: what users, groups and service accounts may do.",
    partial(add_list, resource=POLICY),
    partial(add_delete, resource=POLICY),
)


@policies.command("show")
@click.argument("name")
@json_option
@api_options
def show(api: Api, name: str, as_json: bool) -> None:
    """One policy with its document, by name or id."""
    found = api.get(POLICY.item(api, name))
    document = json.dumps({"statements": found["statements"]}, indent=2)
    say(
        as_json,
        found,
        f"{found['name']} ({found['id']}), version {found['version']}, by {found['manager']}",
        document,
    )


@policies.command("create")
@click.argument("name")
@click.argument("document", type=click.File(encoding="utf-8"))
@click.option("--description", default="", help="What it is for.")
@json_option
@api_options
def create(api: Api, name: str, document: TextIO, description: str, as_json: bool) -> None:
    """Write a policy from the JSON file DOCUMENT; - is standard input."""
    body = {"name": name, "description": description, **read_json(document)}
    made = api.post(POLICY.path, body)
    say(as_json, made, f"Policy {name} is {made['id']}.")


@policies.command("edit")
@click.argument("name")
@click.argument("document", type=click.File(encoding="utf-8"))
@json_option
@api_options
def edit(api: Api, name: str, document: TextIO, as_json: bool) -> None:
    """Give a policy the document in a JSON file; the old version is kept."""
    changed = api.patch(POLICY.item(api, name), read_json(document))
    say(as_json, changed, f"{name} is at version {changed['version']}.")


@policies.command("versions")
@click.argument("name")
@json_option
@api_options
def versions(api: Api, name: str, as_json: bool) -> None:
    """All versions of a policy."""
    found = list(api.all(f"{POLICY.item(api, name)}/versions"))
    columns = (("VERSION", "version"), ("CREATED", "createdAt"))
    say(as_json, {"data": found}, as_table(columns, found))


@policies.command("usage")
@click.argument("name")
@json_option
@api_options
def usage(api: Api, name: str, as_json: bool) -> None:
    """Where a policy is attached."""
    found = list(api.all(f"{POLICY.item(api, name)}/usage"))
    say(as_json, {"data": found}, as_table(_USAGE, found))


def _target_options(command: Command) -> Command:
    for option in (
        click.option("--service-account", help="A service account, by name or id."),
        click.option("--group", "group_name", help="A group, by name or id."),
        click.option("--user", help="A user, by username or id."),
    ):
        command = option(command)
    return command


@policies.command("attach")
@click.argument("name")
@_target_options
@json_option
@api_options
def attach(
    api: Api,
    name: str,
    user: str | None,
    group_name: str | None,
    service_account: str | None,
    as_json: bool,
) -> None:
    """Attach a policy to one user, group or service account."""
    path, whom = _attachment(api, name, user, group_name, service_account)
    api.post(path)
    say(as_json, {"policy": name, "to": whom}, f"{name} is attached to {whom}.")


@policies.command("detach")
@click.argument("name")
@_target_options
@json_option
@api_options
def detach(
    api: Api,
    name: str,
    user: str | None,
    group_name: str | None,
    service_account: str | None,
    as_json: bool,
) -> None:
    """Detach a policy; what it allowed ends now."""
    path, whom = _attachment(api, name, user, group_name, service_account)
    api.delete(path)
    say(as_json, {"policy": name, "from": whom}, f"{name} is detached from {whom}.")


def _attachment(
    api: Api,
    policy: str,
    user: str | None,
    group_name: str | None,
    service_account: str | None,
) -> tuple[str, str]:
    targets: list[tuple[str, Resource, str]] = [
        (kind, resource, name)
        for kind, resource, name in (
            ("iam-users", USERS, user),
            ("groups", GROUPS, group_name),
            ("service-accounts", MACHINES, service_account),
        )
        if name is not None
    ]
    if len(targets) != 1:
        raise click.UsageError("name one of --user, --group and --service-account")
    ((kind, resource, name),) = targets
    target = api.id_of(resource.path, name, resource.named)
    return f"{POLICY.item(api, policy)}/{kind}/{target}", name


def principal_of(api: Api, user: str | None, service_account: str | None) -> dict[str, Any]:
    """The principal of a simulation. Raises `CannotDo`."""
    if (user is None) == (service_account is None):
        raise CannotDo("name one of --user and --service-account")
    if user is not None:
        return {"type": "iam-user", "id": api.id_of(USERS.path, user, "username")}
    found = api.id_of(MACHINES.path, str(service_account))
    return {"type": "service-account", "id": found}
