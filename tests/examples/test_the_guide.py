"""What `docs/protect-an-api.md` shows is in the samples, letter by letter."""

from __future__ import annotations

import json
import re

from app.services.evaluation import Reason
from tests.support.processes import ROOT

GUIDE = (ROOT / "docs" / "protect-an-api.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_code_is_that_of_the_samples() -> None:
    python = [
        (ROOT / "examples" / name / "api.py").read_text()
        for name in ("protect_flask", "protect_fastapi")
    ]
    node = [(ROOT / "examples" / "protect_express" / "server.js").read_text()]
    shown = [(block, python) for block in blocks("python")] + [
        (block, node) for block in blocks("js")
    ]

    assert len(shown) == 6
    assert [block for block, files in shown if not any(block in file for file in files)] == []


def test_the_bodies_are_json() -> None:
    bodies = [*blocks("json"), *(block.partition("\n\n")[2] for block in blocks("http"))]

    assert [sorted(json.loads(body)) for body in bodies] == [
        ["context", "decision"],
        ["action", "evaluations", "options", "subject"],
        ["action", "context", "resource", "subject"],
    ]


def test_each_reason_is_named() -> None:
    assert [reason for reason in Reason if f"`{reason}`" not in GUIDE] == []
