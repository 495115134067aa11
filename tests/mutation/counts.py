"""How many mutants each module has, and how many are left: what the last run over it found.

A count is of the source with its digest. It says nothing of a module that has changed since.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.mutation.runner import DOMAIN, modules

COUNTS = Path(__file__).parent / "counts.toml"

_HEAD = """\
# Made by `make mutation`: what it found of each module that it tried without a fault.
"""


@dataclass(frozen=True, slots=True)
class Count:
    """Of one module. A mutant that never came to an end counts as killed."""

    source: str
    mutants: int
    survived: int


def digest_of(module: str) -> str:
    return sha256((DOMAIN / f"{module}.py").read_bytes()).hexdigest()


def read_counts(path: Path = COUNTS) -> dict[str, Count]:
    return {
        name: Count(entry["source"], entry["mutants"], entry["left"])
        for name, entry in tomllib.loads(path.read_text("utf-8")).items()
    }


def keep(module: str, count: Count | None, path: Path = COUNTS) -> dict[str, Count]:
    """Write down what a run has found of a module, None where it found a fault; give all counts."""
    counts = {name: each for name, each in read_counts(path).items() if name != module}
    if count is not None:
        counts[module] = count
    counts = {name: counts[name] for name in modules() if name in counts}
    entries = (
        f'\n[{name}]\nsource = "{each.source}"\nmutants = {each.mutants}\nleft = {each.survived}\n'
        for name, each in counts.items()
    )
    path.write_text(_HEAD + "".join(entries), "utf-8")
    return counts


def not_tried(counts: Mapping[str, Count]) -> list[str]:
    """The modules of which, as they are now, there is no count."""
    return [
        name for name in modules() if name not in counts or counts[name].source != digest_of(name)
    ]
