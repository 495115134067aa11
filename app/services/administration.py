"""What administrative writes have in common: their errors, and the epoch they count up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from app.services.runtime import Runtime
from app.storage import accounts, epoch

Result = TypeVar("Result")


class AdministrationError(ValueError):
    """The change was not made; the message says what was wrong and what would be right."""


class Invalid(AdministrationError):
    """A value that was given is not acceptable."""


class NotFound(AdministrationError):
    """Something that was named is not there."""


class Conflict(AdministrationError):
    """There is one of that name already."""


def change(runtime: Runtime, work: Callable[[Connection], Result]) -> Result:
    """Run an administrative write: whole or not at all, and in force for the next request."""

    def write(connection: Connection) -> Result:
        epoch.lock(connection)
        result = work(connection)
        epoch.advance(connection)
        return result

    return runtime.database.write(write)


def require(condition: bool, message: str) -> None:
    """Raises `Invalid` with the message where the condition does not hold."""
    if not condition:
        raise Invalid(message)


def require_description(text: str) -> None:
    """Raises `Invalid` for a description that is long, has several lines, or does not print."""
    require(
        len(text) <= 256 and text.isprintable(),
        "a description has at most 256 characters, all on one line",
    )


def require_account(connection: Connection, account_id: str) -> None:
    """Raises `NotFound` where there is no such root account."""
    if accounts.find_root(connection, account_id) is None:
        raise NotFound(f"there is no root account {account_id}")
