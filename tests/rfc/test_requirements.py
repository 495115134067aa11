"""Every row of the requirements table has a test, and every mark a row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.rfc.generate import CATALOGUE, DOCUMENT, ROOT, current
from tests.support.requirements import (
    Document,
    Proof,
    Requirement,
    Row,
    WrongCatalogue,
    find_proofs,
    proofs_in,
    read_catalogue,
    render,
    unknown_rows,
    unproven_rows,
)

RFCS = ["6749", "6750", "7636", "7009", "7662", "8414", "8693", "9068", "9207", "8707", "8725"]
RFCS += ["9700"]
ROW = Row("8693", "2.2.2", "MUST", "bad subject token")


@pytest.fixture(scope="module")
def documents() -> tuple[Document, ...]:
    return read_catalogue(CATALOGUE)


@pytest.fixture(scope="module")
def proofs() -> tuple[Proof, ...]:
    return find_proofs(ROOT)


def test_every_rfc_is_there(documents: tuple[Document, ...]) -> None:
    assert [document.number for document in documents] == RFCS


def test_every_row_has_a_test(documents: tuple[Document, ...], proofs: tuple[Proof, ...]) -> None:
    assert unproven_rows(documents, proofs) == []


def test_every_mark_has_a_row(documents: tuple[Document, ...], proofs: tuple[Proof, ...]) -> None:
    assert unknown_rows(documents, proofs) == []


def test_the_document_is_up_to_date() -> None:
    """Otherwise: make requirements."""
    assert DOCUMENT.read_text("utf-8") == current()


def a_document(**fields: str) -> tuple[Document, ...]:
    requirement = Requirement(ROW, "One error for a bad subject token.", **fields)  # type: ignore[arg-type]
    return (Document("8693", "Token Exchange", (requirement,)),)


def test_a_row_without_a_test_is_noticed() -> None:
    assert unproven_rows(a_document(), ()) == [str(ROW)]
    assert unproven_rows(a_document(), (Proof(ROW, "tests/x.py", "test_x"),)) == []


@pytest.mark.parametrize(
    "changed", [{"rfc": "1"}, {"section": "2"}, {"level": "SHOULD"}, {"name": "x"}]
)
def test_a_mark_without_a_row_is_noticed(changed: dict[str, str]) -> None:
    proof = Proof(replace(ROW, **changed), "tests/x.py", "test_x")

    assert len(unknown_rows(a_document(), (proof,))) == 1


def test_marks_are_found_on_functions_classes_and_methods() -> None:
    source = """
@rfc("1", "2", "MUST", "a")
@rfc("1", "2", "MUST", "b")
def test_one(): ...

@rfc("1", "2", "MUST", "c")
class TestTwo:
    @rfc("1", "2", "MUST", "d")
    def test_three(self): ...
"""

    found = {(each.row.name, each.test) for each in proofs_in(source, "tests/x.py")}

    assert found == {
        ("a", "test_one"),
        ("b", "test_one"),
        ("c", "TestTwo"),
        ("d", "TestTwo::test_three"),
    }


@pytest.mark.parametrize(
    "source",
    [
        '@rfc("1", "2", "MUST")\ndef test_one(): ...',
        '@rfc("1", "2", "MUST", NAME)\ndef test_one(): ...',
        '@rfc("1", "2", level="MUST", name="a")\ndef test_one(): ...',
        '@rfc("1", "2", "MUST", "a")\ndef one(): ...',
    ],
)
def test_a_mark_that_says_nothing_is_noticed(source: str) -> None:
    with pytest.raises(WrongCatalogue):
        list(proofs_in(source, "tests/x.py"))


@pytest.mark.parametrize(
    "row",
    [
        'section = "1"\nlevel = "MUST"\nname = "a"',
        'section = "1"\nlevel = "WILL"\nname = "a"\ntext = "b"',
        'section = "1"\nlevel = "MUST"\nname = "a"\ntext = "b"\nstate = "fine"',
        'section = "1"\nlevel = "MUST"\nname = "a"\ntext = "b"\nstate = "deviates"',
        'section = "1"\nlevel = "MUST"\nname = "a"\ntext = "b"\nwhy = "c"',
    ],
)
def test_a_row_that_is_not_complete_is_noticed(tmp_path: Path, row: str) -> None:
    path = tmp_path / "requirements.toml"
    path.write_text(f'[[document]]\nrfc = "1"\ntitle = "T"\n[[document.requirement]]\n{row}\n')

    with pytest.raises(WrongCatalogue):
        read_catalogue(path)


def test_what_a_line_of_the_document_says() -> None:
    proof = Proof(ROW, "tests/rfc/test_x.py", "test_x")

    line = render(a_document(state="deviates", reason="for a | reason"), (proof,)).splitlines()[-1]

    assert line == (
        "| 8693 | [2.2.2](https://www.rfc-editor.org/rfc/rfc8693#section-2.2.2) | MUST "
        "| **bad subject token**: One error for a bad subject token. "
        "| [`test_x`](../../tests/rfc/test_x.py) | deviates: for a \\| reason |"
    )
