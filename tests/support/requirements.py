"""Which test proves which requirement of which RFC.

The rows are data (`tests/rfc/requirements.toml`). A test names the rows that it proves by the
marker `rfc`; where the marks are is read from the source, so no test has to run for it. Out of
both comes `docs/security/requirements.md`.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LEVELS = (
    "MUST",
    "MUST NOT",
    "REQUIRED",
    "SHOULD",
    "SHOULD NOT",
    "RECOMMENDED",
    "NOT RECOMMENDED",
    "plain",  # the RFC says so without one of the capital words
)
MET, DEVIATES, OPERATOR = "met", "deviates", "with the operator"
STATES = (MET, DEVIATES, OPERATOR)
_MARKER = "rfc"
_FIELDS = {"section", "level", "name", "text", "also", "state", "reason"}


def rfc(number: str, section: str, level: str, name: str) -> pytest.MarkDecorator:
    """Say which row a test proves: ``@rfc("8693", "2.2.2", "MUST", "bad subject token")``.

    All four are spelled out in the source. On a class it speaks for each of its tests.
    """
    return pytest.mark.rfc(number, section, level, name)


@dataclass(frozen=True, order=True, slots=True)
class Row:
    """What names a row. `name` is the short one, unique in its section."""

    rfc: str
    section: str
    level: str
    name: str

    def __str__(self) -> str:
        return f"RFC {self.rfc} section {self.section}, {self.level}: {self.name}"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A row with its text. `also` are sections that say the same again."""

    row: Row
    text: str
    also: tuple[str, ...] = ()
    state: str = MET
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """An RFC: its rows in order, and what has none, with the reason."""

    number: str
    title: str
    requirements: tuple[Requirement, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, order=True, slots=True)
class Proof:
    """A test (or a class of tests) that names a row. `file` is relative to the project."""

    row: Row
    file: str
    test: str


class WrongCatalogue(ValueError):
    """The catalogue or a mark cannot be read; the message says where."""


def read_catalogue(path: Path) -> tuple[Document, ...]:
    """Raises `WrongCatalogue`."""
    content = tomllib.loads(path.read_text("utf-8"))
    documents = tuple(_document(entry) for entry in content["document"])
    rows = [each.row for document in documents for each in document.requirements]
    twice = {str(row) for row in rows if rows.count(row) > 1}
    if twice:
        raise WrongCatalogue(f"there twice: {', '.join(sorted(twice))}")
    return documents


def _document(entry: dict[str, Any]) -> Document:
    number = entry["rfc"]
    requirements = tuple(_requirement(number, each) for each in entry["requirement"])
    return Document(number, entry["title"], requirements, tuple(entry.get("left_out", ())))


def _requirement(number: str, entry: dict[str, Any]) -> Requirement:
    row = Row(number, *(str(entry.get(name, "")) for name in ("section", "level", "name")))
    state, reason = entry.get("state", MET), entry.get("reason", "")
    problems = [
        (set(entry) - _FIELDS, "an unknown field"),
        (not (row.section and row.name and entry.get("text")), "section, name or text missing"),
        (row.level not in LEVELS, "an unknown level"),
        (state not in STATES, "an unknown state"),
        (state != MET and not reason, "a state other than met, and no reason"),
    ]
    for is_wrong, problem in problems:
        if is_wrong:
            raise WrongCatalogue(f"{row}: {problem}")
    return Requirement(row, entry["text"], tuple(entry.get("also", ())), state, reason)


def find_proofs(root: Path) -> tuple[Proof, ...]:
    """The marks of all tests below `root/tests`, without importing one.

    Raises `WrongCatalogue` for a mark that is not spelled out, or not on a test.
    """
    found: list[Proof] = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        source = path.read_text("utf-8")
        if f"@{_MARKER}(" in source:
            file = path.relative_to(root).as_posix()
            found += proofs_in(source, file)
    return tuple(sorted(found))


def proofs_in(source: str, file: str) -> Iterator[Proof]:
    """The marks of one file."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            yield from _marks(node, node.name, file)
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield from _marks(inner, f"{node.name}::{inner.name}", file)
        elif isinstance(node, ast.FunctionDef):
            yield from _marks(node, node.name, file)


def _marks(node: ast.FunctionDef | ast.ClassDef, name: str, file: str) -> Iterator[Proof]:
    for mark in node.decorator_list:
        if not (isinstance(mark, ast.Call) and ast.unparse(mark.func) == _MARKER):
            continue
        where = f"{file}, line {mark.lineno}"
        if not node.name.startswith(("test_", "Test")):
            raise WrongCatalogue(f"{where}: {name} is no test")
        words = [each.value for each in mark.args if isinstance(each, ast.Constant)]
        if len(words) != 4 or mark.keywords or not all(isinstance(w, str) for w in words):
            raise WrongCatalogue(f"{where}: expected four texts, spelled out")
        yield Proof(Row(*(str(word) for word in words)), file, name)


def unknown_rows(documents: tuple[Document, ...], proofs: tuple[Proof, ...]) -> list[str]:
    """Marks that name no row of the catalogue."""
    known = {each.row for document in documents for each in document.requirements}
    return [f"{each.file}::{each.test}: {each.row}" for each in proofs if each.row not in known]


def unproven_rows(documents: tuple[Document, ...], proofs: tuple[Proof, ...]) -> list[str]:
    """Rows that no test names."""
    proven = {each.row for each in proofs}
    rows = [each.row for document in documents for each in document.requirements]
    return [str(row) for row in rows if row not in proven]


_HEAD = """\
# Key requirements, and the tests that prove them

<!-- Made by `python -m tests.rfc.generate` (`make requirements`) from
     tests/rfc/requirements.toml and the marks of the tests. Do not edit. -->

What the RFCs ask of an authorization server, and of a resource server where userinfo,
introspection and the verifier act as one, each with the test that shows it. The words are ours;
the RFC decides. *plain* is what an RFC says without a word in capitals. A row without a test
fails the build, as does a test that names no row.

| state | |
|---|---|
| met | as asked |
| deviates | on purpose, with the reason beside it; the test shows what happens instead |
| with the operator | our part is tested, the rest is up to whoever runs the server |

"""


def render(documents: tuple[Document, ...], proofs: tuple[Proof, ...]) -> str:
    """The text of `docs/security/requirements.md`."""
    requirements = [each for document in documents for each in document.requirements]
    counts = ", ".join(
        f"{sum(each.state == state for each in requirements)} {state}" for state in STATES
    )
    parts = [_HEAD, f"{len(requirements)} rows: {counts}.\n"]
    for document in documents:
        parts.append(f"\n## RFC {document.number}: {document.title}\n")
        parts.append("\n| RFC | section | level | requirement | tests | state |")
        parts.append("\n|---|---|---|---|---|---|\n")
        parts += [_line(each, proofs) for each in document.requirements]
        if document.left_out:
            parts.append("\nWithout a row:\n\n")
            parts += [f"* {each}\n" for each in document.left_out]
    return "".join(parts)


def _line(requirement: Requirement, proofs: tuple[Proof, ...]) -> str:
    row = requirement.row
    sections = ", ".join(_link(row.rfc, each) for each in (row.section, *requirement.also))
    tests = "<br>".join(f"[`{each.test}`](../../{each.file})" for each in proofs if each.row == row)
    reason = f": {requirement.reason}" if requirement.reason else ""
    cells = (
        row.rfc,
        sections,
        row.level,
        f"**{row.name}**: {requirement.text}",
        tests,
        f"{requirement.state}{reason}",
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _link(number: str, section: str) -> str:
    kind = "section" if section[0].isdigit() else "appendix"
    return f"[{section}](https://www.rfc-editor.org/rfc/rfc{number}#{kind}-{section})"
