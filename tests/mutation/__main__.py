"""`python -m tests.mutation [--jobs N] [module ...]`: try every mutant of `app/domain`.

Ends with 1 where a mutant survives that tests/mutation/survivors.toml does not explain, and where
it explains one that does not survive. What it found of each other module goes into
tests/mutation/counts.toml; once that speaks of all modules as they are, it writes
docs/security/mutation.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator

from tests.mutation.counts import Count, digest_of, keep, not_tried
from tests.mutation.mutants import Key, Mutant
from tests.mutation.runner import ROOT, Fate, check_the_code_as_it_is, fates_of, modules
from tests.mutation.survivors import read_list, render

DOCUMENT = ROOT / "docs" / "security" / "mutation.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(modules()))
    options = parser.parse_args()
    survivors = read_list()
    wrong = False
    check_the_code_as_it_is()
    for module in options.modules or modules():
        start, source = time.monotonic(), digest_of(module)
        fates = fates_of(module, options.jobs)
        left = [mutant for mutant, fate in fates.items() if fate is Fate.SURVIVED]
        tell(f"{module}: {len(fates)} mutants, {len(left)} left, {time.monotonic() - start:.0f} s")
        found = list(faults(left, [each.key for each in survivors if each.module == module]))
        for fault in found:
            tell(fault)
        wrong = wrong or bool(found)
        counts = keep(module, None if found else Count(source, len(fates), len(left)))
        if not not_tried(counts):
            DOCUMENT.write_text(render(counts, survivors), "utf-8")
    return 1 if wrong else 0


def faults(left: Iterable[Mutant], explained: Iterable[Key]) -> Iterator[str]:
    """What makes the list and the run differ."""
    keys = {mutant.key for mutant in left}
    for mutant in left:
        if mutant.key not in explained:
            what = f"  line {mutant.line}, {mutant.where}: no test tells, and the list says nothing"
            yield f"{what}\n    {mutant.before!r}\n    {mutant.after!r}"
    for key in explained:
        if key not in keys:
            what = f"  {key[1]}: in the list, but a test tells, or the code has changed"
            yield f"{what}\n    {key[2]!r}\n    {key[3]!r}"


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
