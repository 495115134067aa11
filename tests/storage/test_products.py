"""The catalogue as it is stored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.catalogue import Action, Catalogue, Label, Product
from app.storage import products
from app.storage.database import Database, StoreUnavailable
from tests.support.policies import CATALOGUE, IAM_PRODUCT, VSERVER_PRODUCT


def put(database: Database, product: Product, title: str = "A product") -> bool:
    return database.write(lambda connection: products.put(connection, product, title, 1))


def load(database: Database) -> Catalogue:
    with database.read() as connection:
        return products.load(connection)


def test_an_empty_store_has_an_empty_catalogue(empty_store: Database) -> None:
    assert load(empty_store) == Catalogue.of(())


def test_products_come_back_by_name_with_their_actions_in_the_files_order(
    empty_store: Database,
) -> None:
    assert put(empty_store, VSERVER_PRODUCT)
    assert put(empty_store, IAM_PRODUCT)

    found = load(empty_store)

    assert found == CATALOGUE
    assert list(found.products) == ["iam", "vserver"]


def test_a_product_is_brought_up_to_date(empty_store: Database) -> None:
    put(empty_store, VSERVER_PRODUCT)
    put(empty_store, IAM_PRODUCT)
    newer = Product(
        "vserver",
        "https://vserver.example/v2",
        (Action("StopServer", Label.READ, ()), Action("New", Label.TAGGING, ("server", "disk"))),
    )

    assert not put(empty_store, newer, "Renamed")

    assert load(empty_store) == Catalogue.of((IAM_PRODUCT, newer))


def test_an_identifier_belongs_to_one_product(empty_store: Database) -> None:
    put(empty_store, VSERVER_PRODUCT)

    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        put(empty_store, replace(VSERVER_PRODUCT, name="impostor"))

    assert load(empty_store) == Catalogue.of((VSERVER_PRODUCT,))


def test_an_action_is_there_once(empty_store: Database) -> None:
    twice = replace(VSERVER_PRODUCT, actions=(*VSERVER_PRODUCT.actions, VSERVER_PRODUCT.actions[0]))

    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        put(empty_store, twice)

    assert load(empty_store) == Catalogue.of(())
