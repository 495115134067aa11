"""How fast, against whom: `make bench`, or `python -m bench`.

Crossroot, its floors and a peer run side by side, two worker processes each, and are asked in
turn, round after round: what else the machine does then hits all of them alike. Only ratios
count, each taken within a round.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.load import CONNECTIONS, Measured, Target, ask, measure
from bench.servers import FLOOR, PEER_OF, all_targets, versions

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
_LABELS = {
    "bare": "(a) bare Flask view",
    FLOOR: "(b) the same, reading form and Basic header",
    "client_credentials": "(c) Crossroot client_credentials",
    "token exchange": "(d) Crossroot token exchange",
    "peer client_credentials": "(e) oidc-provider client_credentials",
    "peer token exchange": "(e) oidc-provider token exchange",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of one target in one round")
    parser.add_argument("--record", action="store_true", help=f"write the table into {PAGE.name}")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("The load comes from wrk (on Debian: apt install wrk).")
    (ROOT / "var").mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="bench-", dir=ROOT / "var") as name:
        folder = Path(name)
        require_disk(folder)
        text = run(folder, options.rounds, options.seconds)
    print(text)
    if options.record:
        record(PAGE, "bench", text)


def run(folder: Path, rounds: int, seconds: int) -> str:
    load = os.getloadavg()[0]
    with all_targets(folder) as targets:
        results: dict[str, list[Measured]] = {target.name: [] for target in targets}
        for target in targets:
            if target.name not in ("bare", FLOOR):
                assert "access_token" in ask(target)
            measure(target, 2)  # caches, compiled code, connections
        before = recorded(folder)
        for number in range(rounds):
            for target in targets:
                results[target.name].append(measure(target, seconds))
            note(f"round {number + 1} of {rounds}")
        answered = sum(m.requests for name in PEER_OF for m in results[name])
        require_audited(recorded(folder) - before, answered)
        return table(targets, results, load, seconds)


def table(
    targets: list[Target], results: dict[str, list[Measured]], load: float, seconds: int
) -> str:
    """The Markdown table: medians over the rounds, ratios taken within each."""
    lines = [
        "| | requests/s | p50 ms | p99 ms | server CPU, µs a request | of (b) | of (e) |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for target in targets:
        rounds = results[target.name]
        peer = PEER_OF.get(target.name)
        cells = [
            f"{median(m.per_second for m in rounds):.0f}",
            f"{median(m.p50 for m in rounds):.1f}",
            f"{median(m.p99 for m in rounds):.1f}",
            f"{median(m.cpu for m in rounds):.0f}",
            ratio(rounds, results[FLOOR]),
            "" if peer is None else ratio(rounds, results[peer]),
        ]
        lines.append(f"| {_LABELS[target.name]} | {' | '.join(cells)} |")
    count = len(results[FLOOR])
    lines += [
        "",
        f"Medians of {count} rounds of {seconds} s, {CONNECTIONS} connections, "
        f"{os.cpu_count()} cores that the load generator shares; in brackets the least and the "
        f"most of a round. Load of the machine before: {load:.1f}. {versions()}.",
    ]
    return "\n".join(lines)


def ratio(ours: list[Measured], theirs: list[Measured]) -> str:
    found = [a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True)]
    return f"**{median(found):.2f}** ({min(found):.2f}-{max(found):.2f})"


def recorded(folder: Path) -> int:
    """The rows of the audit log."""
    with sqlite3.connect(f"file:{folder}/var/crossroot.db?mode=ro", uri=True) as store:
        return int(store.execute("SELECT count(*) FROM audit_events").fetchone()[0])


def require_audited(rows: int, answered: int) -> None:
    """No token without its row. The last requests of a round may end unheard, with a row."""
    if rows < answered:
        raise RuntimeError(f"{answered} tokens were answered, and {rows} are in the audit log")


def require_disk(folder: Path) -> None:
    """A commit is only worth something where there is a disk to sync."""
    kind = subprocess.run(
        ["stat", "--file-system", "--format=%T", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        sys.exit(f"{folder} is in memory ({kind}): the audit log has to reach a disk.")


def record(page: Path, name: str, text: str) -> None:
    """Put a text between its two marks in a page."""
    start, end = f"<!-- {name}: written by python -m bench -->", f"<!-- end of {name} -->"
    head, _, rest = page.read_text().partition(start)
    _, found, tail = rest.partition(end)
    if not found:
        sys.exit(f"{page} has no marks for {name}")
    page.write_text(f"{head}{start}\n\n{text}\n\n{end}{tail}")


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
