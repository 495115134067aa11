"""What goes wrong at the command line: one sentence on stderr and exit status 1."""

from __future__ import annotations

import traceback
from pathlib import Path

import click


class CannotDo(click.ClickException):
    """The command did not do what was asked. The message says why, and what would be right."""


def explained(error: Exception) -> CannotDo | None:
    """An error that one of the floors below wrote for people; None where it was not foreseen."""
    from app.domain.problems import InvalidDocument
    from app.services.administration import AdministrationError
    from app.services.runtime import StoreUnavailable
    from app.settings import SettingsError
    from app.tokens.key_files import KeyRingError

    match error:
        case SettingsError() | KeyRingError() | AdministrationError() | InvalidDocument():
            return CannotDo(str(error))
        case StoreUnavailable():
            return CannotDo(
                f"the store does not answer ({error}); look at CROSSROOT_DATABASE_URL. "
                "Nothing was changed"
            )
        case OSError():
            return CannotDo(f"{error.filename or 'the system'}: {error.strerror or error}")
        case _:
            return None


def unforeseen(error: Exception) -> CannotDo:
    """A fault of ours: where it is, but not its words, which may quote a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "nowhere"
    return CannotDo(
        f"unexpected {type(error).__name__} in {place}; "
        "run it again as `crossroot --traceback …` to see more"
    )
