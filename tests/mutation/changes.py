"""What one place in the syntax tree may be changed into."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from typing import Any

from tests.mutation import regexes

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_CALLED = {
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
    "sorted": "list",
    "set": "list",
    "startswith": "endswith",
    "endswith": "startswith",
    "partition": "rpartition",
    "find": "rfind",
    "fullmatch": "match",
}
_MESSAGES = {"Problem", "MalformedName", "InvalidScope", "InvalidDocument"}
#: Statements that can be missing. An assignment only in a branch or loop: without the first one
#: of a name nothing runs.
_LEFT_OUT = (ast.Expr, ast.Raise, ast.AugAssign, ast.Return, ast.Continue, ast.Break)


def is_message(parent: ast.AST, name: str, node: ast.AST) -> bool:
    """Whether the text in here is for people: it is then left alone.

    In a table that is what has a blank in it.
    """
    if isinstance(node, ast.Raise | ast.JoinedStr):
        return True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in _MESSAGES
    if isinstance(parent, ast.Dict) and name == "values":
        return isinstance(node, ast.Constant) and " " in str(node.value)
    returned = isinstance(parent, ast.Return | ast.IfExp) and name != "test"
    return returned and isinstance(node, ast.Constant)


def changed(
    parent: ast.AST, name: str, node: ast.AST, quiet: bool, *, inside: bool
) -> Iterator[ast.AST]:
    """What stands in for `node`, one change each. `inside`: of a function or class."""
    yield from _by_place(parent, name, node)
    if inside and _can_be_missing(parent, node):
        yield ast.Pass()
    match node:
        case ast.Continue():
            yield ast.Break()
        case ast.Constant():
            yield from _constants(parent, node, quiet)
        case ast.Name(id=called) if called in _CALLED and name == "func":
            yield _with(node, id=_CALLED[called])
        case ast.Attribute(attr=called) if called in _CALLED and name == "func":
            yield _with(node, attr=_CALLED[called])
        case ast.Call(keywords=keywords):
            yield from (_with(node, keywords=rest) for rest in _without_one(keywords, _is_flag))
        case ast.Slice():
            ends = [end for end in ("lower", "upper") if getattr(node, end) is not None]
            yield from (_with(node, **{end: None}) for end in ends)
        case ast.Compare() | ast.BoolOp() | ast.BinOp() | ast.UnaryOp() | ast.IfExp():
            yield from _operators(node, inside)
        case ast.Tuple() | ast.List() | ast.Set() | ast.Dict():
            yield from _displays(parent, node)


def _by_place(parent: ast.AST, name: str, node: ast.AST) -> Iterator[ast.AST]:
    """A condition comes out the same always, a loop has nothing to do, a value is None."""
    if name in ("test", "ifs") and isinstance(parent, ast.If | ast.While | ast.comprehension):
        yield from (ast.Constant(value) for value in (True, False))
    if isinstance(parent, ast.For | ast.comprehension) and name == "iter":
        yield ast.Tuple([], ast.Load())
    if isinstance(parent, ast.Return) and not _is_none(node):
        yield ast.Constant(None)


def _can_be_missing(parent: ast.AST, node: ast.AST) -> bool:
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return isinstance(parent, ast.If | ast.For | ast.While)
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)  # a docstring
    if isinstance(node, ast.Return) and isinstance(parent, ast.FunctionDef):
        return node is not parent.body[-1]  # that would be: return None
    return isinstance(node, _LEFT_OUT)


def _constants(parent: ast.AST, node: ast.Constant, quiet: bool) -> Iterator[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield from (ast.Constant(value + step) for step in (1, -1))
    elif isinstance(value, str) and isinstance(parent, ast.Call) and _compiles(parent):
        yield from (ast.Constant(other) for other in dict.fromkeys(regexes.changed(value)))
    elif isinstance(value, str) and not quiet and not isinstance(parent, ast.Expr):
        yield ast.Constant(f"x{value}")


def _operators(node: ast.expr, inside: bool) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[operator]):
            yield from (_with(node, ops=[new()]) for new in _COMPARISONS[type(operator)])
        case ast.BoolOp(op=operator, values=values):
            yield _with(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
            for rest in _without_one(values):
                yield rest[0] if len(rest) == 1 else _with(node, values=rest)
        case ast.BinOp(op=operator, left=left, right=right) if inside:
            if type(operator) in _ARITHMETIC:
                yield _with(node, op=_ARITHMETIC[type(operator)]())
            if isinstance(operator, ast.BitOr | ast.BitAnd):
                yield from (left, right)
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)


def _displays(parent: ast.AST, node: ast.expr) -> Iterator[ast.AST]:
    """Each member left out; of an assignment's left side and of a type's parameters, none."""
    match node:
        case ast.Dict(keys=keys, values=values):
            for index in range(len(keys)):
                kept = [keys[:index] + keys[index + 1 :], values[:index] + values[index + 1 :]]
                yield _with(node, keys=kept[0], values=kept[1])
        case ast.Set(elts=members):
            for rest in _without_one(members):
                yield ast.Set([ast.Starred(ast.Tuple(rest, ast.Load()), ast.Load())])
        case ast.Tuple(elts=members, ctx=ast.Load()) | ast.List(elts=members, ctx=ast.Load()):
            if not isinstance(parent, ast.Subscript) and not _is_unpacked(parent):
                yield from (_with(node, elts=rest) for rest in _without_one(members))


def _without_one(
    members: list[Any], kept: Callable[[Any], bool] = lambda _: False
) -> Iterator[list[Any]]:
    for index, member in enumerate(members):
        if not kept(member):
            yield members[:index] + members[index + 1 :]


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _compiles(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "compile"


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_unpacked(parent: ast.AST) -> bool:
    return isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Tuple)


def _is_flag(keyword: ast.keyword) -> bool:
    """A flag is turned round instead."""
    return isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool)
