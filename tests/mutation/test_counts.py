"""What mutation runs found is of the code as it is, and the page says so.

Part of `make test-all`: a rule that changes is tried again before it is said to be tested, but
nobody has to wait for that at each `make test`.
"""

from __future__ import annotations

from collections import Counter

from tests.mutation.__main__ import DOCUMENT
from tests.mutation.counts import not_tried, read_counts
from tests.mutation.mutants import mutants_of
from tests.mutation.runner import modules, tree_of
from tests.mutation.survivors import read_list, render

SURVIVORS = read_list()


def test_every_module_was_tried_as_it_is() -> None:
    """Otherwise: make mutation MODULES="those named"."""
    assert not_tried(read_counts()) == []


def test_the_counts_are_those_of_the_mutants_and_of_the_list() -> None:
    """Otherwise, the same: the mutants are others now, or the list is."""
    all_ = {name: len(list(mutants_of(name, tree_of(name)))) for name in modules()}
    left = Counter(survivor.module for survivor in SURVIVORS)

    found = {name: (count.mutants, count.survived) for name, count in read_counts().items()}
    assert found == {name: (all_[name], left[name]) for name in modules()}


def test_the_page_is_made_of_the_counts_and_the_list() -> None:
    """Otherwise, the same."""
    assert DOCUMENT.read_text("utf-8") == render(read_counts(), SURVIVORS)
