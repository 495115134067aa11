"""The README's tour and the guides, as somebody pastes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import tour
from tests.docs.conftest import follow
from tests.support.processes import ROOT, Running

README = ROOT / "README.md"
TOUR = "A tour in five minutes"


def test_each_command_of_the_tour_works_and_prints_what_the_readme_shows(
    folder: Path, demo: Running
) -> None:
    assert follow(README, TOUR, folder) == 5


@pytest.mark.parametrize(("name", "promises"), [("share-access.md", 5), ("read-a-denial.md", 2)])
def test_each_command_of_a_guide_works_and_prints_what_it_shows(
    folder: Path, demo: Running, name: str, promises: int
) -> None:
    assert follow(ROOT / "docs" / name, "Step by step", folder) == promises


def test_every_link_of_the_documents_leads_somewhere() -> None:
    documents = [README, *ROOT.glob("docs/**/*.md")]
    assert len(documents) > 5
    for document in documents:
        for target in tour.links(document):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
