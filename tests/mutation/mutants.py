"""The mutants of a module: its syntax tree with one small change each.

What is changed: comparisons, boolean and arithmetic operators, numbers, flags, text that is
compared or looked up, regular expressions, conditions (always, never), members of tuples, sets
and tables, slices, arguments by name, returned values, loops, and whole statements (left out).
Messages to people, docstrings and annotations stay as they are.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.mutation.changes import changed, is_message

_DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
_UNTOUCHED = {"annotation", "returns", "names", "bases", "ctx", "op", "ops", "slice_type"}


#: Module, class and function, the code before and after.
Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: `where` it is (class and function), and the code `before` and `after`."""

    module: str
    where: str
    before: str
    after: str
    line: int
    _place: tuple[ast.AST, str, int | None] = field(repr=False, compare=False)
    _node: ast.AST = field(repr=False, compare=False)

    @property
    def key(self) -> Key:
        """What names the mutant as long as the code around it stays; lines may move."""
        return self.module, self.where, self.before, self.after

    def apply(self) -> None:
        """Make the change in the tree that the mutant was found in."""
        _put(self._place, self._node)


def mutants_of(module: str, tree: ast.Module) -> list[Mutant]:
    """Every mutant, in the order of the source. Those that look alike are numbered."""
    found: list[Mutant] = []
    seen: Counter[Key] = Counter()
    for mutant in _visit(module, "", tree, False):
        seen[mutant.key] += 1
        count = seen[mutant.key]
        found.append(mutant if count == 1 else replace(mutant, after=f"{mutant.after}  #{count}"))
    return found


def _visit(module: str, where: str, parent: ast.AST, quiet: bool) -> Iterator[Mutant]:
    """Walk down; `quiet` is set inside of what people read."""
    for name, value in ast.iter_fields(parent):
        if name in _UNTOUCHED:
            continue
        for index, node in _children(value):
            place = (parent, name, index)
            here = f"{where}.{node.name}".lstrip(".") if isinstance(node, _DEFINITIONS) else where
            hushed = quiet or is_message(parent, name, node)
            for new in changed(parent, name, node, hushed, inside=bool(where)):
                before, after = _texts(place, node, new)
                yield Mutant(module, here, before, after, _line(node, parent), place, new)
            yield from _visit(module, here, node, hushed)


def _children(value: object) -> Iterator[tuple[int | None, ast.AST]]:
    if isinstance(value, ast.AST):
        yield None, value
    elif isinstance(value, list):
        yield from ((index, node) for index, node in enumerate(value) if isinstance(node, ast.AST))


def _texts(place: tuple[ast.AST, str, int | None], old: ast.AST, new: ast.AST) -> tuple[str, str]:
    """The code before and after; a single name or value with what is around it."""
    parent = place[0]
    small = isinstance(old, ast.Constant | ast.Name | ast.Tuple | ast.Attribute)
    if not small or not isinstance(parent, ast.expr | ast.keyword | ast.Assign | ast.AnnAssign):
        return _text(old), _text(new)
    before = _text(parent)
    _put(place, new)
    after = _text(parent)
    _put(place, old)
    return before, after


def _text(node: ast.AST) -> str:
    lines = [line.strip() for line in ast.unparse(node).splitlines()]
    return "(left out)" if lines == ["pass"] else " ".join(lines)


def _put(place: tuple[ast.AST, str, int | None], node: ast.AST) -> None:
    parent, name, index = place
    if index is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[index] = node


def _line(node: ast.AST, parent: ast.AST) -> int:
    return int(getattr(node, "lineno", getattr(parent, "lineno", 0)))
