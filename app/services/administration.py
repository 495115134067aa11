"""What administrative writes have in common: their errors, and the epoch they count up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from app.domain.problems import InvalidDocument
from app.services.runtime import Runtime
from app.storage import accounts, epoch

Result = TypeVar("Result")


class AdministrationError(ValueError):
    """The change was not made; the message says what was wrong and what would be right."""


class Invalid(AdministrationError):
    """A value that was given is not acceptable; `at` points to it in the body (RFC 6901)."""

    def __init__(self, message: str, at: str = "") -> None:
        super().__init__(message)
        self.at = at


class InvalidDocumentGiven(Invalid):
    """A document is refused as a whole; `problems` has every fault and where it is."""

    def __init__(self, error: InvalidDocument, at: str = "") -> None:
        super().__init__(str(error), at)
        self.problems = error.problems


class NotFound(AdministrationError):
    """Something that was named is not there."""


class Conflict(AdministrationError):
    """There is one of that name already, or something still hangs on the object."""


class PreconditionFailed(AdministrationError):
    """The object is not any more what the caller has seen (RFC 9110 section 13.1.1)."""


class By(Protocol):
    """What `change` asks of whoever administers (`app.services.authority`)."""

    def require_current(self, connection: Connection) -> None:
        """Raises where the rights that were read no longer hold."""

    def close(self, connection: Connection, result: object) -> None:
        """What belongs into the same transaction as the change itself."""


def change(runtime: Runtime, work: Callable[[Connection], Result], by: By | None = None) -> Result:
    """Run an administrative write: whole or not at all, and in force for the next request."""

    def write(connection: Connection) -> Result:
        epoch.lock(connection)
        if by is not None:
            by.require_current(connection)
        result = work(connection)
        if by is not None:
            by.close(connection, result)
        epoch.advance(connection)
        return result

    return runtime.database.write(write)


def require(condition: bool, message: str, at: str = "") -> None:
    """Raises `Invalid` with the message where the condition does not hold."""
    if not condition:
        raise Invalid(message, at)


def require_description(text: str) -> None:
    """Raises `Invalid` for a description that is long, has several lines, or does not print."""
    require(
        len(text) <= 256 and text.isprintable(),
        "a description has at most 256 characters, all on one line",
        "/description",
    )


def require_account(connection: Connection, account_id: str) -> None:
    """Raises `NotFound` where there is no such root account."""
    if accounts.find_root(connection, account_id) is None:
        raise NotFound(f"there is no root account {account_id}")
