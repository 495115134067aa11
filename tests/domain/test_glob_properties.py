"""The wildcard language against independent readings: a regular expression, and brute force."""

from __future__ import annotations

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.names import Glob

patterns = st.text("ab*", max_size=12)
texts = st.text("ab", max_size=16)


def oracle(pattern: str) -> re.Pattern[str]:
    """The same pattern as a regular expression; runs of stars are one, or it would not end."""
    pieces = re.sub(r"\*+", "*", pattern).split("*")
    return re.compile(".*".join(re.escape(piece) for piece in pieces), re.DOTALL)


def words(letters: str, longest: int) -> list[str]:
    return [
        "".join(word)
        for length in range(longest + 1)
        for word in itertools.product(letters, repeat=length)
    ]


@settings(max_examples=800)
@given(patterns, texts)
def test_matching_is_what_a_regular_expression_says(pattern: str, text: str) -> None:
    assert Glob(pattern).matches(text) is (oracle(pattern).fullmatch(text) is not None)


@given(st.text(max_size=8), st.text(max_size=12))
def test_no_character_but_the_star_is_special(pattern: str, text: str) -> None:
    assert Glob(pattern).matches(text) is (oracle(pattern).fullmatch(text) is not None)


@settings(max_examples=300)
@given(patterns, st.lists(texts, max_size=12))
def test_a_star_replaced_by_any_text_is_matched(pattern: str, fillings: list[str]) -> None:
    pieces = pattern.split("*")
    fillings += [""] * len(pieces)
    text = pieces[0] + "".join(
        fill + piece for fill, piece in zip(fillings, pieces[1:], strict=False)
    )

    assert Glob(pattern).matches(text)


def test_all_short_patterns_cover_and_overlap_as_brute_force_says() -> None:
    """Every pair of patterns of up to four letters, against every text of up to seven.

    Two such patterns that overlap at all have a common text of their letters that is no longer
    than both together, and where a pattern does not cover another, the other's stars read as one
    letter `c` tell it.
    """
    universe = words("abc", 7)
    short = words("ab*", 4)
    matched = {
        pattern: sum(
            1 << place
            for place, text in enumerate(universe)
            if oracle(pattern).fullmatch(text) is not None
        )
        for pattern in short
    }

    globs = {pattern: Glob(pattern) for pattern in short}
    wrong = [
        (left, right)
        for left in short
        for right in short
        if globs[left].covers(globs[right]) is not (matched[right] & ~matched[left] == 0)
        or globs[left].overlaps(globs[right]) is not (matched[left] & matched[right] != 0)
    ]
    assert wrong == []


@settings(max_examples=400)
@given(patterns, patterns, texts)
def test_a_pattern_that_covers_another_matches_all_that_the_other_matches(
    wide: str, narrow: str, text: str
) -> None:
    if Glob(wide).covers(Glob(narrow)):
        assert Glob(wide).overlaps(Glob(narrow))
        if Glob(narrow).matches(text):
            assert Glob(wide).matches(text)


@settings(max_examples=400)
@given(patterns, patterns, texts)
def test_patterns_that_match_one_text_overlap(left: str, right: str, text: str) -> None:
    if Glob(left).matches(text) and Glob(right).matches(text):
        assert Glob(left).overlaps(Glob(right))
        assert Glob(right).overlaps(Glob(left))


@settings(max_examples=300)
@given(patterns, patterns, patterns)
def test_covering_is_an_order(first: str, second: str, third: str) -> None:
    assert Glob(first).covers(Glob(first))
    if Glob(first).covers(Glob(second)) and Glob(second).covers(Glob(third)):
        assert Glob(first).covers(Glob(third))
