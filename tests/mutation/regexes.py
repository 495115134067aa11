"""Small changes to a regular expression: bounds moved by one, members and branches left out."""

from __future__ import annotations

import re
from collections.abc import Iterator

_CLASS = re.compile(r"\[(\^?)((?:\\.|[^\]\\])+)\]")
_MEMBER = re.compile(r"(?:\\x[0-9a-f]{2}|\\.|[^\\])(?:-(?:\\x[0-9a-f]{2}|[^\\]))?")
_BOUND = re.compile(r"(?<=[{,])[0-9]+(?=[,}])")
_QUANTIFIER = re.compile(r"\]([+*?])|\)([?])")


def changed(pattern: str) -> Iterator[str]:
    """Patterns that differ from this one in one place; some of them may not compile."""
    for bound in _BOUND.finditer(pattern):
        for number in (int(bound[0]) - 1, int(bound[0]) + 1):
            if number >= 0:
                yield _spliced(pattern, bound.start(), bound.end(), str(number))
    for group in _CLASS.finditer(pattern):
        members = list(_MEMBER.finditer(group[2]))
        for member in members if len(members) > 1 else ():
            start = group.start(2)
            yield _spliced(pattern, start + member.start(), start + member.end(), "")
        if group[1]:
            yield _spliced(pattern, group.start(1), group.end(1), "")
    for quantifier in _QUANTIFIER.finditer(pattern):
        yield _spliced(pattern, quantifier.end() - 1, quantifier.end(), "")
    branches = pattern.split("|")
    if len(branches) > 1 and "(" not in pattern:
        for index in range(len(branches)):
            yield "|".join(branches[:index] + branches[index + 1 :])


def _spliced(text: str, start: int, end: int, middle: str) -> str:
    return text[:start] + middle + text[end:]
