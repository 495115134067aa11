"""The mutants that no test can tell from the code, each with the reason, and the page on them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.counts import Count
from tests.mutation.mutants import Key

LIST = Path(__file__).parent / "survivors.toml"

_HEAD = """\
# Mutation testing of the rules

<!-- Made by `python -m tests.mutation` (`make mutation`) from tests/mutation/counts.toml and
     tests/mutation/survivors.toml. Do not edit. -->

A mutant is the code with one small change: a comparison turned round, a condition that always
holds, a statement left out, a bound moved by one. For each mutant of `app/domain` the tests of
`tests/domain` run. Where one of them fails, the mutant is killed: the tests would notice such a
slip. A mutant that survives is a question: is a test missing, is the code superfluous, or is the
mutant only another way to write the same?

`make mutation` asks it for every module, `make mutation MODULES="names policy"` for some. It fails
on a survivor that is not in the list below, and on an entry of the list that some test does kill.
The counts of a module are of its source as it is: `make test` fails where it has changed since.

What is changed: comparisons; `and`, `or` and `not`; numbers and flags; text that is compared,
looked up or stored; bounds and members of regular expressions; conditions (always, never); members
of tuples, sets and tables; slices; arguments given by name; returned values; loops; statements left
out; functions such as `any` for `all`. What is not: messages to people, docstrings and annotations.
The changes are made by a program of our own, in `tests/mutation`. Much of these rules stands in
tables, patterns, defaults and decorated methods; a tool that changes the bodies of plain functions
only would pass them by.

"""


@dataclass(frozen=True, slots=True)
class Survivor:
    """One mutant as the list names it, with the reason why no test tells."""

    module: str
    where: str
    before: str
    after: str
    reason: str

    @property
    def key(self) -> Key:
        return self.module, self.where, self.before, self.after


def read_list(path: Path = LIST) -> list[Survivor]:
    """The list: each entry has a module, a function, changes and the reason they share."""
    return [
        Survivor(entry["module"], entry["where"], before, after, " ".join(entry["reason"].split()))
        for entry in tomllib.loads(path.read_text("utf-8"))["survivor"]
        for before, after in entry["changes"]
    ]


def render(counts: Mapping[str, Count], survivors: Sequence[Survivor]) -> str:
    """The page: how many mutants of each module were killed, and the list."""
    return _HEAD + _table(counts) + render_list(survivors)


def _table(counts: Mapping[str, Count]) -> str:
    rows = [(f"`{name}`", count.mutants, count.survived) for name, count in counts.items()]
    rows.append(("together", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    lines = ["| module | mutants | killed | left |", "|---|--:|--:|--:|"]
    lines += [f"| {name} | {all_} | {all_ - left} | {left} |" for name, all_, left in rows]
    return "\n".join(lines) + "\n"


def render_list(survivors: Sequence[Survivor]) -> str:
    """The survivors under their reasons."""
    lines = ["\n## The mutants that are left\n"]
    lines.append(
        "Left of the arrow is the code, right of it what no test can tell from it. A number"
    )
    lines.append("behind `#` is the place among those that look alike in one function.\n")
    reasons: dict[tuple[str, str, str], list[Survivor]] = {}
    for survivor in survivors:
        reasons.setdefault((survivor.module, survivor.where, survivor.reason), []).append(survivor)
    for (module, where, reason), alike in reasons.items():
        lines.append(f"### `{module}`{f', `{where}`' if where else ''}\n\n{reason}\n")
        lines += [f"- `{each.before}` → `{each.after}`" for each in alike]
        lines.append("")
    return "\n".join(lines)
