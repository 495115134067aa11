"""What a command says: sentences for people, or one JSON object for machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Adds `--json`; the command gets it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def say(as_json: bool, data: Mapping[str, Any], *lines: str) -> None:
    """Print the data, or the lines, at once: whoever reads a pipe waits for them."""
    click.echo(json.dumps(data, indent=2) if as_json else "\n".join(lines))


def note(text: str) -> None:
    """A word beside the result, on stderr."""
    click.echo(text, err=True)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Columns under their names, as wide as they need be."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def iso(epoch_seconds: float) -> str:
    """`2026-11-24T22:33:31Z`."""
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
