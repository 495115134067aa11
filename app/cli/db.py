"""`crossroot db`: the schema of the store."""

from __future__ import annotations

import click
from alembic.util import CommandError

from app.cli.errors import CannotDo
from app.cli.output import json_option, say
from app.cli.state import describe_store, require_state, settings_of, store
from app.storage import schema


@click.group("db")
def command() -> None:
    """Look at the store's schema, and bring it up to date."""


@command.command("upgrade")
@json_option
def upgrade(as_json: bool) -> None:
    """Run the migrations that are missing."""
    settings = settings_of()
    with store(settings) as database:
        try:
            done = schema.upgrade(database)
        except CommandError:
            raise CannotDo(
                f"the store has schema {schema.current_revision(database)}, which this version of "
                "Crossroot does not know; use the version that made it, or a newer one"
            ) from None
        revision = schema.current_revision(database)
    what = f"Ran migration {', '.join(done)}" if done else "Nothing to do"
    say(
        as_json,
        {"store": describe_store(settings), "revision": revision, "migrations": done},
        f"{what}: the store is at schema {revision}.",
    )


@command.command("status")
@json_option
def status(as_json: bool) -> None:
    """Say which schema the store has, and which one this version needs."""
    settings = settings_of()
    require_state(settings)
    with store(settings) as database:
        current, newest = schema.current_revision(database), schema.newest_revision()
    is_current = current == newest
    say(
        as_json,
        {
            "store": describe_store(settings),
            "revision": current,
            "newest": newest,
            "is_current": is_current,
        },
        f"The store {describe_store(settings)} has schema {current or 'none'}; "
        f"this version needs {newest}.",
        "It is up to date." if is_current else "Next: crossroot db upgrade",
    )
