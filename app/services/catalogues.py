"""The catalogue of actions, as those who write policies see it."""

from __future__ import annotations

from app.domain.catalogue import Action, Catalogue
from app.services.authority import Caller
from app.services.runtime import Runtime


def in_force(runtime: Runtime) -> Catalogue:
    """The catalogue that a document is checked against."""
    with runtime.database.glance() as connection:
        return runtime.catalogue(connection)


def actions(runtime: Runtime, by: Caller, product: str | None) -> list[tuple[str, Action]]:
    """All actions, spelled out, of one product or of all, in order of their names.

    Raises `Forbidden`.
    """
    by.require("iam:ListActions", "account", by.account_id)
    with runtime.database.glance() as connection:
        catalogue = runtime.catalogue(connection, by.epoch)
    found = [
        (f"{each.name}:{action.name}", action)
        for each in catalogue.products.values()
        if product in (None, each.name)
        for action in each.actions
    ]
    return sorted(found, key=lambda pair: pair[0])
