"""How long a denied exchange takes, cause by cause: can a caller tell causes apart by the clock?

    python -m bench.denial_timing [requests for each cause, 2000 unless told]

One process, Flask's test client, SQLite on disk with a full sync at each commit. The causes take
turns in random order, so that whatever else the machine does hits all alike. Prints the median
of each cause, and the largest against the smallest of them.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from app.services import accounts, service_accounts
from tests.support import changes
from tests.support.tokens import user_token
from tests.support.world import START, World, build_world

IMPERSONATE = "iam:ImpersonateServiceAccount"
WARM_UP = 50


def prepare(world: World) -> dict[str, Callable[[], str]]:
    """A service account for each cause, all held by one user. Returns what to ask for."""
    accounts.create_account(world.runtime, "70000", "root-c@example.com", "root-c-password")
    names = (
        "no trust",
        "no trust and many policies",
        "trust expired",
        "trust condition not met",
        "service account disabled",
        "no policy",
        "policy denies",
        "policy condition not met",
    )
    made = {name: changes.new_service_account(world, name, "vServerFullAccess") for name in names}
    made["owner's account disabled"] = changes.new_service_account(
        world, "disabled", "vServerFullAccess", account_id="70000"
    )
    condition = {"stringEquals": {"iam:ExternalId": ["never sent"]}}
    for name, new in made.items():
        if not name.startswith("no trust"):
            service_accounts.add_trust(
                world.runtime,
                new.account.id,
                "53461",
                condition if name == "trust condition not met" else None,
                START + 1 if name == "trust expired" else None,
            )
    plain = {"no policy", "policy condition not met"}
    allowed = [str(new.account.vrn) for name, new in made.items() if name not in plain]
    statements = [
        {"effect": "allow", "actions": [IMPERSONATE], "resources": allowed},
        {
            "effect": "deny",
            "actions": [IMPERSONATE],
            "resources": [str(made["policy denies"].account.vrn)],
        },
        {
            "effect": "allow",
            "actions": [IMPERSONATE],
            "resources": [str(made["policy condition not met"].account.vrn)],
            "condition": {"bool": {"iam:MfaPresent": [True]}},
        },
    ]
    changes.give(world, {"statements": statements}, "bench")
    for number in range(20):
        changes.give(
            world,
            {"statements": [_long_statement()] * 10},
            f"long {number}",
            service_account=made["no trust and many policies"].account.id,
        )
    changes.disable_service_account(world, made["service account disabled"].account.id)
    changes.disable_account(world, "70000")
    world.clock.advance(1)

    def asking(text: str) -> Callable[[], str]:
        return lambda: text

    return {
        "unknown id": lambda: f"sa-{uuid.uuid4()}",
        "unknown VRN": lambda: f"iam::60108:service-account/sa-{uuid.uuid4()}",
        "wrong account in the VRN": asking(world.vrn.replace("60108", "53461")),
        **{name: asking(new.account.id) for name, new in made.items()},
    }


def _long_statement() -> dict[str, object]:
    resources = [f"vserver::60108:server/srv-{number}" for number in range(40)]
    return {"effect": "allow", "actions": ["vserver:StopServer"], "resources": resources}


def measure(world: World, causes: dict[str, Callable[[], str]], count: int) -> dict[str, float]:
    """The median of each cause, in milliseconds."""
    token = user_token(world)
    taken: dict[str, list[int]] = {name: [] for name in causes}
    order = list(causes)
    for number in range(WARM_UP + count):
        random.shuffle(order)
        for name in order:
            target = causes[name]()
            begin = time.perf_counter_ns()
            answer = world.exchange(token, requested_subject=target)
            end = time.perf_counter_ns()
            if answer.json["error"] != "invalid_target":
                raise SystemExit(f"{name}: expected a denial, got {answer.json}")
            if number >= WARM_UP:
                taken[name].append(end - begin)
    return {name: statistics.median(each) / 1e6 for name, each in taken.items()}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as folder:
        world = build_world(Path(folder))
        medians = measure(world, prepare(world), count)
        world.close()
    fastest = min(medians.values())
    print(f"{'cause':28} median    against the fastest   ({count} requests each)")
    for name, median in sorted(medians.items(), key=lambda each: each[1]):
        print(f"{name:28} {median:.3f} ms  {median / fastest:.3f}")
    print(f"largest ratio: {max(medians.values()) / fastest:.3f}")


if __name__ == "__main__":
    main()
