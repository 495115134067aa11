"""What goes into a decision, and what comes out, cannot be changed by whoever holds it."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from typing import Any

import pytest

import app.domain

VALUES: list[Any] = [
    value
    for found in pkgutil.iter_modules(app.domain.__path__, "app.domain.")
    for value in vars(importlib.import_module(found.name)).values()
    if isinstance(value, type) and dataclasses.is_dataclass(value)
    if value.__module__ == found.name
]


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
def test_a_value_stays_as_it_was_made(kind: Any) -> None:
    blank = object.__new__(kind)

    for field in dataclasses.fields(kind):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(blank, field.name, None)


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
def test_a_value_has_its_fields_and_room_for_no_other(kind: Any) -> None:
    assert not hasattr(object.__new__(kind), "__dict__")
