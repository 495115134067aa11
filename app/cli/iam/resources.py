"""What commands of all resources have in common: list, show, delete, enable, disable."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from app.cli.iam.api import Api, api_options, segment
from app.cli.output import json_option, say, table


@dataclass(frozen=True, slots=True)
class Resource:
    """A collection of the API. `columns` are heads and members of the table."""

    path: str
    noun: str
    columns: tuple[tuple[str, str], ...]
    named: str = "name"

    def item(self, api: Api, name: str) -> str:
        """The path of one item, by name or id."""
        return f"{self.path}/{segment(api.id_of(self.path, name, self.named))}"


def cell(value: Any) -> str:
    """A value in a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or "-"
    return str(value)


def as_table(columns: tuple[tuple[str, str], ...], items: list[dict[str, Any]]) -> str:
    rows = (tuple(cell(item.get(member)) for _, member in columns) for item in items)
    return table(tuple(head for head, _ in columns), rows)


def as_lines(item: dict[str, Any]) -> list[str]:
    """One object, a member a line."""
    width = max(len(name) for name in item)
    return [f"{name.ljust(width)}  {cell(value)}" for name, value in item.items()]


def add_list(group: click.Group, resource: Resource) -> None:
    @group.command("list")
    @click.option("--name", help="Only those whose name has this in it.")
    @json_option
    @api_options
    def command(api: Api, name: str | None, as_json: bool) -> None:
        items = list(api.all(resource.path, name=name))
        say(as_json, {"data": items}, as_table(resource.columns, items))

    command.help = f"List each {resource.noun} of the account."


def add_show(group: click.Group, resource: Resource) -> None:
    @group.command("show")
    @click.argument("name")
    @json_option
    @api_options
    def command(api: Api, name: str, as_json: bool) -> None:
        found = api.get(resource.item(api, name))
        say(as_json, found, *as_lines(found))

    command.help = f"One {resource.noun}, by name or id."


def add_delete(group: click.Group, resource: Resource) -> None:
    @group.command("delete")
    @click.argument("name")
    @click.option("--cascade", is_flag=True, help="With all that hangs on it.")
    @json_option
    @api_options
    def command(api: Api, name: str, cascade: bool, as_json: bool) -> None:
        item = resource.item(api, name)
        api.delete(item, cascade="true" if cascade else None)
        say(as_json, {"deleted": item.rpartition("/")[2]}, f"{name} is gone.")

    command.help = f"Delete a {resource.noun}, by name or id."


def add_switches(group: click.Group, resource: Resource, disabled: str) -> None:
    """`enable` and `disable`; `disabled` says what disabling means."""
    for verb, enabled in (("enable", True), ("disable", False)):
        group.add_command(_switch(resource, verb, enabled, "" if enabled else f" {disabled}"))


def _switch(resource: Resource, verb: str, enabled: bool, means: str) -> click.Command:
    @click.command(verb)
    @click.argument("name")
    @json_option
    @api_options
    def command(api: Api, name: str, as_json: bool) -> None:
        changed = api.patch(resource.item(api, name), {"enabled": enabled})
        say(as_json, changed, f"{name} is {verb}d.{means}")

    command.help = f"{verb.capitalize()} a {resource.noun}, by name or id."
    return command


def group(name: str, text: str, *commands: Callable[[click.Group], None]) -> click.Group:
    """A group with these commands added."""
    made = click.Group(name, help=text)
    for add in commands:
        add(made)
    return made
