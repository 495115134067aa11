"""Libraries of the Node world against a served Crossroot: `python -m tests.node`.

Tells a story, serves it with two worker processes, and lets Node's own test runner loose on it.
What Node prints comes through as it is. Ends with 0 only if tests ran, all of them, and passed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from app.settings import load_settings
from tests.node.story import tell
from tests.support.processes import environment, free_port, served

HERE = Path(__file__).parent
#: Node's tests take seconds; one that hangs must not hold up everything.
DEADLINE = 300
_SUMMARY = re.compile(r"^\S+ (tests|pass|fail|cancelled|skipped|todo) (\d+)$", re.MULTILINE)


def main() -> int:
    node = shutil.which("node")
    if node is None or not (HERE / "node_modules").is_dir():
        sys.exit("These tests need Node.js 20 or newer, and `npm ci` in tests/node.")
    with TemporaryDirectory(prefix="crossroot-node-") as folder:
        port = free_port()
        env = environment(
            Path(folder), port=port, issuer=f"http://127.0.0.1:{port}", workers=2, threads=4
        )
        story = tell(load_settings(env))
        with served(Path(folder), env) as running:
            status, printed = run_tests(node, story)
            if status != 0:
                sys.stderr.write(running.printed())
    return status if all_ran(printed) else status or 1


def run_tests(node: str, story: dict[str, object]) -> tuple[int, str]:
    """Node's exit status, and what it printed (which is shown as well)."""
    files = sorted(str(path.relative_to(HERE)) for path in HERE.glob("*.test.mjs"))
    done = subprocess.run(
        [node, "--test", "--test-reporter=spec", *files],
        cwd=HERE,
        env={**os.environ, "STORY": json.dumps(story)},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    return done.returncode, done.stdout


def all_ran(printed: str) -> bool:
    """Whether Node's summary says that there were tests, and that every one of them passed."""
    counts = {name: int(number) for name, number in _SUMMARY.findall(printed)}
    return counts.get("tests", 0) > 0 and counts.get("pass") == counts["tests"]


if __name__ == "__main__":
    sys.exit(main())
