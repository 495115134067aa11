"""Products and their actions: what a policy may speak of and an audience may name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from app.domain.names import Glob

IAM = "iam"

_ACTION_PATTERN = re.compile(r"(?P<product>[a-z][a-z0-9-]{0,31}):(?P<name>[A-Za-z0-9*]{1,64})")


class Label(StrEnum):
    """How the catalogue sorts actions for people."""

    LIST = "List"
    READ = "Read"
    WRITE = "Write"
    TAGGING = "Tagging"


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a product; `resources` are the resource types that it concerns."""

    name: str
    label: Label
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """A resource server: its prefix, its identifier URI (the audience) and its actions."""

    name: str
    identifier: str
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionPattern:
    """An action or a pattern over actions: ``vserver:StopServer``, ``vserver:List*``, ``*``."""

    text: str
    product: str | None = field(init=False, compare=False)
    glob: Glob = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        product = None if self.text == "*" else self.text.partition(":")[0]
        object.__setattr__(self, "product", product)
        object.__setattr__(self, "glob", Glob(self.text))

    def matches(self, action: str) -> bool:
        return self.glob.matches(action)

    def covers(self, other: ActionPattern) -> bool:
        return self.glob.covers(other.glob)

    def overlaps(self, other: ActionPattern) -> bool:
        return self.glob.overlaps(other.glob)


def parse_action_pattern(text: str) -> ActionPattern | None:
    """Read ``*`` or ``product:Name``, stars allowed in the name; None where the text is neither."""
    if text == "*" or _ACTION_PATTERN.fullmatch(text):
        return ActionPattern(text)
    return None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All products that are registered, by name."""

    products: dict[str, Product]
    _actions: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        actions = {
            name: tuple(f"{name}:{action.name}" for action in product.actions)
            for name, product in self.products.items()
        }
        object.__setattr__(self, "_actions", actions)

    @classmethod
    def of(cls, products: Iterable[Product]) -> Catalogue:
        return cls({product.name: product for product in products})

    def has_action(self, action: str) -> bool:
        """Whether `action`, spelled out, is in the catalogue."""
        product = action.partition(":")[0]
        return action in self._actions.get(product, ())

    def matches_some_action(self, pattern: ActionPattern) -> bool:
        if pattern.product is None:
            return True
        return any(pattern.matches(action) for action in self._actions.get(pattern.product, ()))

    def find_api(self, name: str) -> Product | None:
        """The product that a `resource` or `audience` names: by prefix or identifier URI."""
        product = self.products.get(name)
        if product is not None:
            return product
        for candidate in self.products.values():
            if candidate.identifier == name:
                return candidate
        return None
