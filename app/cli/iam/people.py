"""`crossroot iam users` and `crossroot iam groups`."""

from __future__ import annotations

from functools import partial

import click

from app.cli.iam.api import ACCOUNTS, Api, api_options
from app.cli.iam.resources import (
    Resource,
    add_delete,
    add_list,
    add_show,
    add_switches,
    as_table,
    group,
)
from app.cli.output import json_option, say
from app.cli.passwords import password_options, read_password

USERS = Resource(
    f"{ACCOUNTS}/iam-users",
    "user",
    (("ID", "id"), ("USERNAME", "username"), ("E-MAIL", "email"), ("ENABLED", "enabled")),
    named="username",
)
GROUPS = Resource(
    f"{ACCOUNTS}/groups", "group", (("ID", "id"), ("NAME", "name"), ("DESCRIPTION", "description"))
)

users = group(
    "users",
    "IAM users: the people of your account.",
    partial(add_list, resource=USERS),
    partial(add_show, resource=USERS),
    partial(add_delete, resource=USERS),
    partial(add_switches, resource=USERS, disabled="Its sessions and tokens have ended."),
)
groups = group(
    "groups",
    "Groups: users that share policies.",
    partial(add_list, resource=GROUPS),
    partial(add_show, resource=GROUPS),
    partial(add_delete, resource=GROUPS),
)


@users.command("create")
@click.argument("username")
@click.option("--email", help="Where mail reaches the person.")
@password_options
@json_option
@api_options
def create_user(
    api: Api,
    username: str,
    email: str | None,
    password_stdin: bool,
    generate_password: bool,
    as_json: bool,
) -> None:
    """Create a user, who may do nothing until a policy allows it."""
    password = read_password(password_stdin, generate_password)
    body = {"username": username, "password": password.text, "email": email}
    made = api.post(USERS.path, {name: value for name, value in body.items() if value is not None})
    say(
        as_json,
        {**made, **password.shown()},
        f"User {username} is {made['id']}.",
        *password.lines(),
        "Attach a policy next: crossroot iam policies attach POLICY --user " + username,
    )


@users.command("reset-password")
@click.argument("username")
@password_options
@json_option
@api_options
def reset_password(
    api: Api, username: str, password_stdin: bool, generate_password: bool, as_json: bool
) -> None:
    """Give a user another password; what the old one opened ends."""
    password = read_password(password_stdin, generate_password)
    api.post(f"{USERS.item(api, username)}/reset-password", {"password": password.text})
    say(
        as_json,
        {"username": username, **password.shown()},
        f"{username} has another password; its sessions and tokens have ended.",
        *password.lines(),
    )


@groups.command("create")
@click.argument("name")
@click.option("--description", default="", help="What the group is for.")
@json_option
@api_options
def create_group(api: Api, name: str, description: str, as_json: bool) -> None:
    """Create a group."""
    made = api.post(GROUPS.path, {"name": name, "description": description})
    say(as_json, made, f"Group {name} is {made['id']}.")


@groups.command("members")
@click.argument("name")
@json_option
@api_options
def members(api: Api, name: str, as_json: bool) -> None:
    """The users in a group."""
    found = list(api.all(f"{GROUPS.item(api, name)}/iam-users"))
    say(as_json, {"data": found}, as_table((("ID", "id"), ("USERNAME", "username")), found))


@groups.command("join")
@click.argument("name")
@click.argument("username")
@json_option
@api_options
def join(api: Api, name: str, username: str, as_json: bool) -> None:
    """Let a user join a group: it gets the group's policies."""
    _membership(api, name, username, joins=True)
    say(as_json, {"group": name, "username": username}, f"{username} is in {name}.")


@groups.command("leave")
@click.argument("name")
@click.argument("username")
@json_option
@api_options
def leave(api: Api, name: str, username: str, as_json: bool) -> None:
    """Take a user out of a group."""
    _membership(api, name, username, joins=False)
    say(as_json, {"group": name, "username": username}, f"{username} is no longer in {name}.")


def _membership(api: Api, name: str, username: str, *, joins: bool) -> None:
    user = api.id_of(USERS.path, username, "username")
    path = f"{GROUPS.item(api, name)}/iam-users/{user}"
    if joins:
        api.post(path)
    else:
        api.delete(path)
