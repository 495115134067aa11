"""`crossroot products`: the resource servers whose tokens this server issues."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.errors import CannotDo
from app.cli.output import json_option, say
from app.cli.state import opened
from app.domain import redirects
from app.services import products


@click.group("products")
def command() -> None:
    """Register products."""


@command.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--redirect-uri",
    "redirect_uris",
    multiple=True,
    help="Where people come back to after signing in; may repeat. For a new product only.",
)
@json_option
def add(file: Path, redirect_uris: tuple[str, ...], as_json: bool) -> None:
    """Register the product in FILE (TOML), or bring its catalogue of actions up to date."""
    for uri in redirect_uris:
        problem = redirects.problem_of(uri)
        if problem is not None:
            raise CannotDo(f"the redirect URI {uri} cannot be registered: {problem}")
    with opened() as runtime:
        registered = products.register(runtime, products.read_file(file), redirect_uris)
    name = registered.product.name
    data = {
        "product": name,
        "identifier": registered.product.identifier,
        "client_id": registered.client_id,
    }
    if registered.client_secret is None:
        say(
            as_json,
            data,
            f"Brought product {name} up to date: {len(registered.product.actions)} actions.",
            f"Its client {registered.client_id} keeps its secret and redirect URIs.",
        )
        return
    say(
        as_json,
        {**data, "client_secret": registered.client_secret},
        f"Registered product {name} ({registered.product.identifier}) with "
        f"{len(registered.product.actions)} actions.",
        f"Client ID:     {registered.client_id}",
        f"Client secret: {registered.client_secret} (shown this once)",
        "Next: configure the resource server with them; policies can name its actions now.",
    )
