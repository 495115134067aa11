"""The list of survivors speaks of the code as it is, and the page of the list.

Whether they do survive, and no other, is for `make mutation`. What it found has to be of the code
as it is.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.__main__ import faults
from tests.mutation.counts import Count, digest_of, keep, not_tried, read_counts
from tests.mutation.mutants import Key, Mutant, mutants_of
from tests.mutation.runner import modules, tree_of
from tests.mutation.survivors import Survivor, read_list, render

SURVIVORS = read_list()


@pytest.fixture(scope="module")
def mutants() -> dict[Key, Mutant]:
    return {mutant.key: mutant for name in modules() for mutant in mutants_of(name, tree_of(name))}


def test_each_survivor_is_a_mutant_of_the_code_as_it_is(mutants: dict[Key, Mutant]) -> None:
    assert [survivor for survivor in SURVIVORS if survivor.key not in mutants] == []


def test_each_survivor_is_listed_once_and_has_a_reason() -> None:
    assert len({survivor.key for survivor in SURVIVORS}) == len(SURVIVORS)
    assert [survivor for survivor in SURVIVORS if len(survivor.reason) < 20] == []


def test_a_survivor_that_nobody_explains_and_one_that_is_none_are_faults() -> None:
    first, second = list(mutants_of("names", tree_of("names")))[:2]

    assert list(faults([first], [first.key])) == []
    (unexplained,) = faults([first, second], [first.key])
    assert repr(second.after) in unexplained
    (stale,) = faults([first], [first.key, second.key])
    assert repr(second.after) in stale


def test_the_page_counts_what_was_killed() -> None:
    page = render(
        {"names": Count("", 10, 1), "policy": Count("", 5, 0)},
        [Survivor("names", "Glob.covers", "a", "b", "Both are the same.")],
    )

    assert "| `names` | 10 | 9 | 1 |\n" in page
    assert "| together | 15 | 14 | 1 |\n" in page
    assert page.endswith("### `names`, `Glob.covers`\n\nBoth are the same.\n\n- `a` → `b`\n")


def test_a_count_is_kept_until_the_module_changes_or_has_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "counts.toml"
    path.write_text("", "utf-8")
    names, policy = Count(digest_of("names"), 10, 1), Count("of another source", 5, 0)

    assert keep("policy", policy, path) == {"policy": policy}
    assert keep("names", names, path) == {"names": names, "policy": policy} == read_counts(path)
    assert set(modules()) - set(not_tried(read_counts(path))) == {"names"}
    assert keep("names", None, path) == {"policy": policy} == read_counts(path)
