"""The list of survivors speaks of the code as it is, and the page of the list.

Whether they do survive, and no other, is for `make mutation`.
"""

from __future__ import annotations

import pytest

from tests.mutation.__main__ import DOCUMENT, faults
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.runner import modules, tree_of
from tests.mutation.survivors import Count, Survivor, read_list, render, render_list

SURVIVORS = read_list()


@pytest.fixture(scope="module")
def mutants() -> dict[tuple[str, str, str, str], Mutant]:
    return {mutant.key: mutant for name in modules() for mutant in mutants_of(name, tree_of(name))}


def test_each_survivor_is_a_mutant_of_the_code_as_it_is(mutants: dict[object, Mutant]) -> None:
    assert [survivor for survivor in SURVIVORS if survivor.key not in mutants] == []


def test_each_survivor_is_listed_once_and_has_a_reason() -> None:
    assert len({survivor.key for survivor in SURVIVORS}) == len(SURVIVORS)
    assert [survivor for survivor in SURVIVORS if len(survivor.reason) < 20] == []


def test_the_page_has_every_survivor_with_its_reason() -> None:
    """Otherwise: make mutation."""
    assert DOCUMENT.read_text("utf-8").endswith(render_list(SURVIVORS))


def test_a_survivor_that_nobody_explains_and_one_that_is_none_are_faults() -> None:
    first, second = list(mutants_of("names", tree_of("names")))[:2]

    assert list(faults([first], [first.key])) == []
    (unexplained,) = faults([first, second], [first.key])
    assert repr(second.after) in unexplained
    (stale,) = faults([first], [first.key, second.key])
    assert repr(second.after) in stale


def test_the_page_counts_what_was_killed() -> None:
    page = render(
        {"names": Count(10, 1), "policy": Count(5, 0)},
        [Survivor("names", "Glob.covers", "a", "b", "Both are the same.")],
    )

    assert "| `names` | 10 | 9 | 1 |\n" in page
    assert "| together | 15 | 14 | 1 |\n" in page
    assert page.endswith("### `names`, `Glob.covers`\n\nBoth are the same.\n\n- `a` → `b`\n")


def test_the_page_owns_up_to_what_was_not_tried() -> None:
    assert "Not tried as they are now**: `policy`, `scopes`." in render(
        {}, [], ["policy", "scopes"]
    )
    assert "Not tried" not in render({}, [])
