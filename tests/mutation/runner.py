"""Run the tests of the domain on one mutant after the other.

Each mutant gets a process of its own, forked from one in which pytest is loaded and the domain
is not: the mutant is imported in place of the module, and nothing is ever written to the disk.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import cedarpy  # noqa: F401  (loaded once, before the forks)
import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.mutation.mutants import Mutant, mutants_of

ROOT = Path(__file__).parent.parent.parent
DOMAIN = ROOT / "app" / "domain"
TESTS = ROOT / "tests" / "domain"

#: Of CPU time. All tests take about 20.
_SECONDS = 90
_BYTES = 3 * 2**30
#: What takes long comes last.
_LAST = ("properties", "time", "cedar")

# The examples are the same as in the tests' own profile. A failing one is enough: no smaller one
# is looked for. How long one takes says nothing.
settings.register_profile(
    "mutation",
    derandomize=True,
    max_examples=100,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=tuple(HealthCheck),
    print_blob=False,
)


class Fate(StrEnum):
    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"


def modules() -> list[str]:
    """The modules of the domain by name."""
    return sorted(path.stem for path in DOMAIN.glob("*.py") if path.stem != "__init__")


def tree_of(module: str) -> ast.Module:
    return ast.parse((DOMAIN / f"{module}.py").read_text("utf-8"))


def fates_of(module: str, jobs: int) -> dict[Mutant, Fate]:
    """Try every mutant of the module, several at a time."""
    tree = tree_of(module)
    mutants = mutants_of(module, tree)
    fates: dict[Mutant, Fate] = {}
    running: dict[int, Mutant | None] = {}
    for mutant in mutants:
        running[_start(module, tree, mutant)] = mutant
        if len(running) == jobs:
            fates |= _wait(running)
    while running:
        fates |= _wait(running)
    return {mutant: fates[mutant] for mutant in mutants}


def check_the_code_as_it_is() -> None:
    """Raises `RuntimeError` where the tests fail without a mutant: nothing could be said then."""
    module = modules()[0]
    if _wait({_start(module, tree_of(module), None): None}) != {None: Fate.SURVIVED}:
        raise RuntimeError("the tests of the domain fail on the code as it is")


def _start(module: str, tree: ast.Module, mutant: Mutant | None) -> int:
    child = os.fork()
    if child == 0:
        os._exit(_try(module, tree, mutant))
    return child


def _wait(running: dict[int, Mutant | None]) -> dict[Any, Fate]:
    """Wait for one process to end, and take it off the list."""
    child, status = os.wait()
    mutant = running.pop(child)
    match os.waitstatus_to_exitcode(status):
        case pytest.ExitCode.OK:
            return {mutant: Fate.SURVIVED}
        case pytest.ExitCode.TESTS_FAILED | pytest.ExitCode.INTERRUPTED:
            return {mutant: Fate.KILLED}
        case code if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return {mutant: Fate.TIMED_OUT}
        case code:
            raise RuntimeError(f"the tests could not be run on {mutant} (status {code})")


def _try(module: str, tree: ast.Module, mutant: Mutant | None) -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    if mutant is not None:
        mutant.apply()
    sys.meta_path.insert(0, _Mutated(f"app.domain.{module}", ast.fix_missing_locations(tree)))
    options = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "--hypothesis-profile=mutation"]
    options += ["-p", "_hypothesis_pytestplugin"]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for files in _batches(module):
        status = pytest.main([*options, *map(str, files)])
        if status != pytest.ExitCode.OK:
            return int(status)
    return 0


def _batches(module: str) -> list[list[Path]]:
    """The test modules, those first that are likely to notice."""
    files = sorted(TESTS.glob("test_*.py"), key=_slowness)
    own = [path for path in files if path.stem == f"test_{module}"]
    return [batch for batch in (own, [path for path in files if path not in own]) if batch]


def _slowness(path: Path) -> tuple[int, str]:
    ending = path.stem.rpartition("_")[2]
    return _LAST.index(ending) + 1 if ending in _LAST else 0, path.stem


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives a tree in place of the module's file."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self._name, self._tree = name, tree

    def find_spec(
        self, fullname: str, path: object, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._tree, f"<{self._name}, mutated>", "exec"), module.__dict__)  # noqa: S102
