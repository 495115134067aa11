"""The commands of a document, and what it says that they print."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ELLIPSIS = "…"


def blocks(document: Path, heading: str) -> list[tuple[str, str]]:
    """The fenced `sh` and `text` blocks under one heading, in order."""
    text = document.read_text("utf-8")
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return _BLOCK.findall(section)


def script(parts: list[tuple[str, str]]) -> str:
    """One shell script of all commands, a line of its own printed after each block."""
    commands = [body for kind, body in parts if kind == "sh"]
    return "set -eu\n" + "".join(f"{body}\necho '{_mark(n)}'\n" for n, body in enumerate(commands))


def printed(output: str, parts: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """For each `text` block: what was printed so far in its place, and the lines it promises."""
    found, number, since = [], -1, ""
    for kind, body in parts:
        if kind == "sh":
            number += 1
            since = output.split(_mark(number), 1)[0].split(_mark(number - 1), 1)[-1]
        else:
            found.append((since, body.splitlines()))
    return found


def shows(printed_text: str, line: str) -> bool:
    """Whether some printed line is as the document has it, an ellipsis being anything."""
    pattern = fnmatch.translate(re.sub(r"([\[\]?*])", r"[\1]", line).replace(_ELLIPSIS, "*"))
    return any(re.match(pattern, each) for each in printed_text.splitlines())


def _mark(number: int) -> str:
    return f"--- block {number} done ---"


def links(document: Path) -> list[str]:
    """The relative targets of a document's links and pictures."""
    found = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text("utf-8"))
    return [target for target in found if "://" not in target]
