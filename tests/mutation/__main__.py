"""`python -m tests.mutation [--jobs N] [module ...]`: try every mutant of `app/domain`.

Ends with 1 where a mutant survives that tests/mutation/survivors.toml does not explain, and where
it explains one that does not survive. After a run over all modules that finds neither, it writes
docs/security/mutation.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator

from tests.mutation.mutants import Key, Mutant
from tests.mutation.runner import ROOT, Fate, check_the_code_as_it_is, fates_of, modules
from tests.mutation.survivors import Count, read_list, render

DOCUMENT = ROOT / "docs" / "security" / "mutation.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(modules()))
    options = parser.parse_args()
    chosen = options.modules or modules()
    explained = {survivor.key: survivor for survivor in read_list()}
    counts: dict[str, Count] = {}
    wrong = []
    check_the_code_as_it_is()
    for module in chosen:
        start = time.monotonic()
        fates = fates_of(module, options.jobs)
        left = [mutant for mutant, fate in fates.items() if fate is Fate.SURVIVED]
        counts[module] = Count(len(fates), len(left))
        tell(f"{module}: {len(fates)} mutants, {len(left)} left, {time.monotonic() - start:.0f} s")
        for fault in faults(left, [key for key in explained if key[0] == module]):
            wrong.append(fault)
            tell(fault)
    if not wrong and chosen == modules():
        DOCUMENT.write_text(render(counts, list(explained.values())), "utf-8")
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
