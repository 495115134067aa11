"""What every service is handed."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.catalogue import IAM
from app.factory import create_app, runtime_of
from app.services import products
from app.services.administration import change
from app.services.runtime import Runtime
from tests.support.changes import new_product
from tests.support.observation import statements
from tests.support.world import RING, START, World


def catalogue(runtime: Runtime, known_epoch: int | None = None) -> object:
    with runtime.database.read() as connection:
        return runtime.catalogue(connection, known_epoch)


def reads_of_products(seen: list[str]) -> int:
    return sum(" FROM products" in statement for statement in seen)


def test_now_is_in_whole_seconds(world: World) -> None:
    world.clock.advance(0.999)

    assert world.runtime.now() == START
    assert isinstance(world.runtime.now(), int)


def test_ids_and_secrets_come_from_the_randomness_that_was_handed_in(runtime: Runtime) -> None:
    asked: list[int] = []

    def zeroes(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    known = replace(runtime, random_bytes=zeroes)

    assert known.new_id() == "00000000-0000-4000-8000-000000000000"
    assert known.new_secret() == "A" * 43
    assert asked == [16, 32]


def test_ids_are_random_uuids_and_secrets_plain_text(runtime: Runtime) -> None:
    ids = {runtime.new_id() for _ in range(100)}
    secrets = {runtime.new_secret() for _ in range(100)}

    assert len(ids) == len(secrets) == 100
    assert {uuid.UUID(each).version for each in ids} == {4}
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", each) for each in secrets)


# ------------------------------------------------------------------------------- the catalogue


def test_the_catalogue_is_read_once(world: World) -> None:
    first = catalogue(world.runtime)
    with statements(world) as seen:
        assert catalogue(world.runtime) is first
    assert reads_of_products(seen) == 0


def test_whoever_knows_the_epoch_needs_no_statement_at_all(world: World) -> None:
    with world.runtime.database.read() as connection:
        first = world.runtime.catalogue(connection)
        client = world.rows("SELECT value FROM epoch")[0][0]
    with statements(world) as seen:
        assert catalogue(world.runtime, client) is first
    assert [each for each in seen if each != "BEGIN"] == []


def test_an_administrative_write_has_it_read_again(world: World) -> None:
    first = catalogue(world.runtime)
    new_product(world, "vstorage")

    with statements(world) as seen:
        second = catalogue(world.runtime)
        third = catalogue(world.runtime)
    assert reads_of_products(seen) == 1
    assert second is third
    assert "vstorage" not in first.products  # type: ignore[attr-defined]
    assert "vstorage" in second.products  # type: ignore[attr-defined]


def test_a_write_of_another_process_is_noticed(world: World, tmp_path: Path) -> None:
    app = create_app(
        world.runtime.settings,
        ring=lambda: RING,
        pepper=bytes(32),
        passwords=world.runtime.passwords,
    )
    elsewhere = runtime_of(app)
    catalogue(world.runtime)

    moved = products.sample_product().model_copy(update={"identifier": "https://moved.example"})
    products.register(elsewhere, moved)

    found = catalogue(world.runtime)
    assert found.products["vserver"].identifier == "https://moved.example"  # type: ignore[attr-defined]
    elsewhere.database.close()


def test_a_write_that_was_undone_is_not_remembered(world: World) -> None:
    before = catalogue(world.runtime)
    file = products.sample_product().model_copy(update={"identifier": "https://moved.example"})

    def write(connection: object) -> None:
        products.products.put(connection, file.product(), "moved", 1)  # type: ignore[arg-type]
        raise LookupError

    with pytest.raises(LookupError):
        change(world.runtime, write)

    assert catalogue(world.runtime) == before


def test_the_issuers_own_api_is_the_issuer(world: World) -> None:
    found = catalogue(world.runtime)

    assert found.products[IAM].identifier == world.runtime.settings.issuer  # type: ignore[attr-defined]
    assert world.rows("SELECT identifier FROM products WHERE name = 'iam'") == [("",)]


def test_a_runtime_shows_no_secret(runtime: Runtime) -> None:
    assert "pepper not shown" in repr(runtime)
    assert "a pepper of thirty-two" not in repr(runtime)
    assert "sqlite" not in repr(runtime.settings)
