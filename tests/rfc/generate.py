"""`python -m tests.rfc.generate`: write docs/security/requirements.md."""

from __future__ import annotations

from pathlib import Path

from tests.support.requirements import find_proofs, read_catalogue, render

ROOT = Path(__file__).parent.parent.parent
CATALOGUE = Path(__file__).parent / "requirements.toml"
DOCUMENT = ROOT / "docs" / "security" / "requirements.md"


def current() -> str:
    """The document as it should be now."""
    return render(read_catalogue(CATALOGUE), find_proofs(ROOT))


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text(current(), "utf-8")
