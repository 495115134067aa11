"""The mutants are the slips that they are meant to be, and each is one change."""

from __future__ import annotations

import ast
import re

import pytest

from tests.mutation import regexes
from tests.mutation.mutants import mutants_of
from tests.mutation.runner import modules, tree_of

SLIPS = [
    ("if a < b: pass", {"a <= b", "a >= b", "True", "False"}),
    ("a = b == c", {"b != c"}),
    ("a = b in c and not d", {"b in c or not d", "b in c", "not d", "b not in c", "d"}),
    ("a = any(b)", {"all(b)"}),
    ("a = 1", {"a = 2", "a = 0"}),
    ("a = (b, c)", {"a = (b,)", "a = (c,)"}),
    ("a = {b: 'c'}", {"{}", "{b: 'xc'}"}),
    ("a = {b}", {"{*()}"}),
    ("a = b[1:]", {":", "2:", "0:"}),
    ("a = f(b, c=True)", {"c=False"}),
    ("a = f(b, c=d)", {"f(b)"}),
    ("def f(): return a", {"None"}),
    ("def f():\n  raise E('text')", {"(left out)"}),
    ("for a in b: continue", {"()", "break"}),
    ("a = 'b' if c else d", {"'b'", "d"}),
    ("a['b'] = [c for c in d if e]", {"a['xb']", "()", "True", "False"}),
    ("a = re.compile('[ab]{1,2}')", {"[b]{1,2}", "[a]{1,2}", "[ab]{0,2}", "[ab]{2,2}"}),
]


@pytest.mark.parametrize(("source", "expected"), SLIPS, ids=[source for source, _ in SLIPS])
def test_a_slip(source: str, expected: set[str]) -> None:
    found = {mutant.after for mutant in mutants_of("m", ast.parse(source))}

    assert {slip for slip in expected if not any(slip in after for after in found)} == set()


@pytest.mark.parametrize(
    "source",
    ["'docstring'", "def f(a: int) -> str: 'docstring'", "raise E('text')", "Problem(p, f'{a}')"],
)
def test_what_people_read_is_left_alone(source: str) -> None:
    assert mutants_of("m", ast.parse(source)) == []


def test_what_a_table_tells_people_can_only_be_missing() -> None:
    (missing,) = mutants_of("m", ast.parse("{a: 'words for people'}"))

    assert missing.after == "{}"


@pytest.mark.parametrize("module", modules())
def test_each_mutant_is_another_program_that_compiles(module: str) -> None:
    original = ast.dump(tree_of(module))

    for number in range(0, len(mutants_of(module, tree_of(module))), 7):
        tree = tree_of(module)
        mutants_of(module, tree)[number].apply()
        assert ast.dump(tree) != original
        compile(ast.fix_missing_locations(tree), module, "exec")


@pytest.mark.parametrize("module", modules())
def test_no_two_mutants_have_the_same_key(module: str) -> None:
    keys = [mutant.key for mutant in mutants_of(module, tree_of(module))]

    assert len(keys) == len(set(keys))


def test_a_regular_expression_is_changed_in_one_place() -> None:
    assert list(regexes.changed(r"[^a-z\x00]{2}|\*")) == [
        *(r"[^a-z\x00]{1}|\*", r"[^a-z\x00]{3}|\*"),
        *(r"[^\x00]{2}|\*", r"[^a-z]{2}|\*", r"[a-z\x00]{2}|\*"),
        *(r"\*", r"[^a-z\x00]{2}"),
    ]
    assert all(re.compile(changed) for changed in regexes.changed(r"a(?P<b>[0-9]{1,5})?(/[^#]*|)"))
