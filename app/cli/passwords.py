"""Where a password comes from: never from the command line, which `ps` shows to everybody."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import click

from app.cli.output import Command
from app.tokens.secrets import new_secret


@dataclass(frozen=True, slots=True)
class Password:
    """`is_new` where we made it ourselves: it has to be shown, this once."""

    text: str
    is_new: bool

    def shown(self) -> dict[str, str]:
        """The field of a JSON answer, if it has to be shown."""
        return {"password": self.text} if self.is_new else {}

    def lines(self) -> tuple[str, ...]:
        """The line of an answer for people, if it has to be shown."""
        return (f"Password: {self.text} (shown this once)",) if self.is_new else ()


def password_options(command: Command) -> Command:
    """Adds `--password-stdin` and `--generate-password`, the arguments of `read_password`."""
    for option in (
        click.option(
            "--generate-password", is_flag=True, help="Make a password and print it, once."
        ),
        click.option(
            "--password-stdin", is_flag=True, help="Read the password from standard input."
        ),
    ):
        command = option(command)
    return command


def read_password(password_stdin: bool, generate_password: bool) -> Password:
    """The password for something new. Raises UsageError where it cannot be asked for."""
    if password_stdin and generate_password:
        raise click.UsageError("give --password-stdin or --generate-password, not both")
    if generate_password:
        return Password(new_secret(os.urandom), is_new=True)
    if password_stdin:
        return Password(from_stdin(), is_new=False)
    return Password(ask(confirm=True), is_new=False)


def from_stdin() -> str:
    """The first line of standard input."""
    return sys.stdin.readline().rstrip("\r\n")


def ask(*, confirm: bool) -> str:
    """Ask at the terminal. Raises UsageError where there is none."""
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to ask for the password: use --password-stdin")
    text: str = click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
    return text
