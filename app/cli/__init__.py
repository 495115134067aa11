"""The `crossroot` command: one file for each group of commands.

Every command says what it did and what to do next; with `--json` it prints one JSON object and
nothing else. What goes wrong is one sentence on stderr and exit status 1 (2 where the command
line itself is wrong). A secret is shown only by the command that made it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import click

from app import __version__
from app.cli.errors import explained, unforeseen

#: Where each command is. It is imported when it is called: `login` needs no database.
_COMMANDS = {
    "accounts": "app.cli.accounts",
    "db": "app.cli.db",
    "demo": "app.cli.demo",
    "iam": "app.cli.iam",
    "init": "app.cli.init",
    "keys": "app.cli.keys",
    "login": "app.cli.login",
    "policies": "app.cli.policies",
    "products": "app.cli.products",
    "serve": "app.cli.serve",
    "service-accounts": "app.cli.service_accounts",
    "trust": "app.cli.trust",
    "users": "app.cli.users",
}


class CommandLine(click.Group):
    """Finds commands by their file, and turns errors into sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(_COMMANDS[cmd_name]).command
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click knows what to do with these
        except Exception as error:
            if ctx.params["traceback"]:
                raise
            # Outside of the `except` block of whoever prints it, no cause comes along.
            raise (explained(error) or unforeseen(error)) from None


@contextmanager
def _private_files() -> Iterator[None]:
    """Whatever a command writes is for nobody but its owner."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="crossroot")
@click.option("--traceback", is_flag=True, help="Show where an unexpected error comes from.")
@click.pass_context
def main(ctx: click.Context, traceback: bool) -> None:
    """Crossroot: users of one root account work as service accounts of another.

    Settings come from the environment (CROSSROOT_…). `crossroot init` sets up an empty server,
    `crossroot demo` one with a story in it.
    """
    ctx.with_resource(_private_files())
