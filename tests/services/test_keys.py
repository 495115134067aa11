"""The steps of a signing key's life: each made, and written into the audit log."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection

from app.services import keys
from app.services.runtime import Runtime, StoreUnavailable
from app.storage.database import Database
from app.tokens.key_files import KeyRingError
from app.tokens.keyring import KeyRing, SigningKey, generate
from tests.support.observation import newest_event, row_counts
from tests.support.world import START, World

ALG = "Ed25519"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def runtime(world: World, folder: Path) -> Runtime:
    settings = world.runtime.settings.model_copy(update={"keys_dir": folder})
    return replace(world.runtime, settings=settings)


@pytest.fixture
def old(folder: Path) -> SigningKey:
    """The key that signs."""
    return generate(folder, ALG, START - 5000, "active")


@pytest.fixture
def new(folder: Path, old: SigningKey) -> SigningKey:
    """The key that is known to everybody and comes next."""
    return generate(folder, ALG, START - 1000)


def states(folder: Path) -> dict[str, str]:
    return {key.kid: key.state for key in KeyRing.load(folder).keys}


def written_down(world: World, event: str, key: SigningKey, state: str) -> None:
    """The newest row says that the operator did this."""
    row = newest_event(world)
    assert (row.event, row.actor_type, row.outcome) == (event, "operator", "allowed")
    assert (row.resource, row.owner_account_id) == (f"signing-key/{key.kid}", None)
    assert json.loads(row.detail) == {"alg": key.alg, "state": state}


def test_a_new_key_is_written_down_without_its_private_half(world: World) -> None:
    key = SigningKey.create("ES256", START, "next")
    keys.record_generated(world.runtime, key)

    written_down(world, "signing-key:generate", key, "next")


def test_each_step_is_written_down(
    world: World, runtime: Runtime, folder: Path, old: SigningKey, new: SigningKey
) -> None:
    assert keys.promote(runtime, new.kid).state == "active"
    written_down(world, "signing-key:promote", new, "active")

    assert keys.retire(runtime, old.kid).state == "retired"
    written_down(world, "signing-key:retire", old, "retired")

    assert keys.revoke(runtime, old.kid).state == "retired", "as it was"
    written_down(world, "signing-key:revoke", old, "revoked")
    assert states(folder) == {new.kid: "active"}


def test_a_step_that_is_refused_leaves_no_row(
    world: World, runtime: Runtime, folder: Path, old: SigningKey, new: SigningKey
) -> None:
    before = row_counts(world), states(folder)
    young = replace(runtime, clock=lambda: new.created_at + 1)

    for refused in (
        lambda: keys.promote(young, new.kid),
        lambda: keys.promote(runtime, old.kid),
        lambda: keys.retire(runtime, old.kid),
        lambda: keys.revoke(runtime, old.kid),
        lambda: keys.revoke(runtime, "unknown"),
        lambda: keys.require_revocable(runtime, old.kid),
    ):
        with pytest.raises(KeyRingError):
            refused()

    assert (row_counts(world), states(folder)) == before
    keys.promote(young, new.kid, force=True)
    written_down(world, "signing-key:promote", new, "active")


class Failing:
    """A store that fails before a write, or at its commit."""

    def __init__(self, real: Database, *, at_commit: bool) -> None:
        self._real, self._at_commit = real, at_commit

    def write(self, work: Callable[[Connection], Any]) -> Any:
        def fails(connection: Connection) -> None:
            if self._at_commit:
                work(connection)
            raise StoreUnavailable("disk full")

        return self._real.write(fails)


def failing(runtime: Runtime, *, at_commit: bool) -> Runtime:
    return replace(
        runtime, database=cast("Database", Failing(runtime.database, at_commit=at_commit))
    )


def test_where_the_store_does_not_answer_nothing_is_changed(
    runtime: Runtime, folder: Path, old: SigningKey, new: SigningKey
) -> None:
    before = states(folder)

    with pytest.raises(StoreUnavailable):
        keys.promote(failing(runtime, at_commit=False), new.kid)

    assert states(folder) == before


def test_where_the_store_fails_after_the_step_that_is_said(
    runtime: Runtime, folder: Path, old: SigningKey, new: SigningKey
) -> None:
    with pytest.raises(keys.NotRecorded, match=f"key {new.kid} is active now, but the store"):
        keys.promote(failing(runtime, at_commit=True), new.kid)

    assert states(folder)[new.kid] == "active"


class Twice:
    """A store that makes every write anew, as group commit does where another one fails."""

    def __init__(self, real: Database) -> None:
        self._real = real

    def write(self, work: Callable[[Connection], Any]) -> Any:
        with pytest.raises(InterruptedError):
            self._real.write(lambda connection: self._interrupt(work(connection)))
        return self._real.write(work)

    @staticmethod
    def _interrupt(_result: object) -> None:
        raise InterruptedError


def test_a_write_that_is_made_anew_is_one_step_and_one_row(
    world: World, runtime: Runtime, folder: Path, old: SigningKey, new: SigningKey
) -> None:
    before = row_counts(world)["audit_events"]

    keys.revoke(replace(runtime, database=cast("Database", Twice(runtime.database))), new.kid)

    written_down(world, "signing-key:revoke", new, "revoked")
    assert row_counts(world)["audit_events"] == before + 1
    assert states(folder) == {old.kid: "active"}


class Meanwhile:
    """A store where another operator's step was before ours."""

    def __init__(self, real: Database, step: Callable[[], object]) -> None:
        self._real, self._step = real, step

    def write(self, work: Callable[[Connection], Any]) -> Any:
        self._step()
        return self._real.write(work)


def test_two_operators_cannot_each_retire_what_signs_in_the_others_place(
    runtime: Runtime, folder: Path, old: SigningKey, new: SigningKey
) -> None:
    keys.promote(runtime, new.kid)
    store = Meanwhile(runtime.database, lambda: keys.retire(runtime, old.kid))

    with pytest.raises(KeyRingError, match="is the last that signs"):
        keys.retire(replace(runtime, database=cast("Database", store)), new.kid)

    assert states(folder) == {new.kid: "active", old.kid: "retired"}


def test_when_a_published_key_may_sign(runtime: Runtime, old: SigningKey, new: SigningKey) -> None:
    at = keys.may_sign_from(new)

    with pytest.raises(KeyRingError):
        keys.promote(replace(runtime, clock=lambda: at - 1), new.kid)
    keys.promote(replace(runtime, clock=lambda: at), new.kid)


@pytest.mark.parametrize(
    ("id_token_lifetime", "longest"),
    [
        pytest.param(3600, 43_200, id="a service account may have asked for twelve hours"),
        pytest.param(86_400, 86_400, id="ID tokens live longer here"),
    ],
)
def test_when_the_last_token_of_a_retired_key_has_ended(
    runtime: Runtime,
    folder: Path,
    old: SigningKey,
    new: SigningKey,
    id_token_lifetime: int,
    longest: int,
) -> None:
    keys.promote(runtime, new.kid)
    key = keys.retire(runtime, old.kid)
    os.utime(folder / "retired" / f"{old.kid}.pub.pem", (START, START))
    settings = runtime.settings.model_copy(update={"id_token_lifetime": id_token_lifetime})

    assert keys.last_token_ends(settings, key) == START + longest + 60
