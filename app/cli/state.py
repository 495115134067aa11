"""The state that a command works on: the settings, and the store and keys that they name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from sqlalchemy.engine import make_url

from app.cli.errors import CannotDo
from app.factory import PEPPER_FILE, create_app, runtime_of
from app.services.runtime import Runtime
from app.settings import Settings, load_settings, variable_name
from app.storage import schema
from app.storage.database import Database, configure


def settings_of(**overrides: str | int | None) -> Settings:
    """The settings of the environment; an option that was given goes before its variable.

    Raises `SettingsError`.
    """
    given = {variable_name(name): str(value) for name, value in overrides.items() if value}
    return load_settings({**os.environ, **given})


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Runtime]:
    """A runtime over a store of the newest schema. Raises `CannotDo` where there is none yet."""
    settings = settings or settings_of()
    require_state(settings)
    require_pepper(settings)
    with unchecked(settings) as runtime:
        require_current(runtime.database)
        yield runtime


@contextmanager
def unchecked(settings: Settings) -> Iterator[Runtime]:
    """A runtime over a store whose schema may have yet to be made."""
    runtime = runtime_of(create_app(settings))
    try:
        yield runtime
    finally:
        runtime.database.close()


@contextmanager
def store(settings: Settings) -> Iterator[Database]:
    """The store alone: it can be brought up to date before there are any keys."""
    database = configure(Flask("app", static_folder=None), settings.database_url)
    try:
        yield database
    finally:
        database.close()


def require_state(settings: Settings) -> None:
    """Raises `CannotDo` where nothing was set up yet, before anything is made by looking."""
    if not has_store(settings):
        raise CannotDo(f"there is no store at {_sqlite_file(settings)} yet; run: crossroot init")


def require_pepper(settings: Settings) -> None:
    """Raises `CannotDo` where the pepper is gone: a new one must not just take its place."""
    file = pepper_file(settings)
    if not file.exists():
        raise CannotDo(
            f"{file} is missing; restore it from a backup, or run `crossroot init` to make a new "
            "one, with which no client secret that was made before works"
        )


def pepper_file(settings: Settings) -> Path:
    return settings.keys_dir / PEPPER_FILE


def has_store(settings: Settings) -> bool:
    """Whether there may be something in the store: a SQLite file, or a database elsewhere."""
    file = _sqlite_file(settings)
    return file is None or file.exists()


def require_current(database: Database) -> None:
    """Raises `CannotDo` where the store is not of the schema that this version works on."""
    if schema.is_current(database):
        return
    if schema.current_revision(database) is None:
        raise CannotDo("the store is empty; run: crossroot init")
    raise CannotDo(
        f"the store has schema {schema.current_revision(database)} and this version of Crossroot "
        f"needs {schema.newest_revision()}; run: crossroot db upgrade"
    )


def _sqlite_file(settings: Settings) -> Path | None:
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def describe_store(settings: Settings) -> str:
    """The store's address without its password."""
    return make_url(settings.database_url).render_as_string(hide_password=True)


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment for another process of these settings."""
    given = {variable_name(name): str(value) for name, value in settings.model_dump().items()}
    return {**os.environ, **given}
