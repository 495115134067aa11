"""Files that people write and a command reads: JSON documents, and points in time."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TextIO

import click

from app.cli.errors import CannotDo
from app.domain.documents import parse_json_object
from app.domain.problems import InvalidDocument


def read_json(file: TextIO) -> dict[str, Any]:
    """The JSON object in a file. Raises `CannotDo`, naming the file."""
    try:
        return parse_json_object(file.read())
    except InvalidDocument as error:
        raise CannotDo(f"{file.name}: {error}") from None
    except UnicodeDecodeError:
        raise CannotDo(f"{file.name}: not UTF-8 text") from None


def epoch_seconds(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """An option's value such as `2027-01-31T12:00:00Z` in epoch seconds, rounded down."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time such as 2027-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        raise click.BadParameter(f"{text!r} has no time zone; expected 2027-01-31T12:00:00Z")
    return int(moment.timestamp())
