"""What an access evaluation costs: `python -m bench.evaluation`.

Beside a Flask view, on the very server stack, that parses the same JSON body and Basic header and
answers as much. The account has a thousand policies, all attached to the service account that is
asked about; the questions are about a thousand servers in turn. Ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import Request, urlopen

from flask import Flask, Response, jsonify, request

from app.cli import serving
from app.cli.bridge import Bridge
from app.cli.init import prepare
from app.cli.lifeline import stop_with_parent
from app.factory import create_app, runtime_of
from app.services import accounts, policies, products, service_accounts
from app.services.runtime import Runtime
from app.settings import Settings, load_settings
from bench.load import CONNECTIONS, Measured, Target, measure
from bench.story import Call, basic
from tests.support.processes import command, environment, free_port, listens, started, until
from tests.support.world import ACCESS_TOKEN, EXCHANGE, VSERVER, World, allow, claims_of

ROOT = Path(__file__).parent.parent
WORKERS = 2
POLICIES = 1000
MOST = 3.0
FLOOR = "a Flask view that parses as much"
_PATH = "/access/v1/evaluation"
_RESOURCE = "vserver::60108:server/srv-@N@"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of one target in one round")
    parser.add_argument("--floor", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor:
        serve_floor()
        return 0
    if shutil.which("wrk") is None:
        sys.exit("The load comes from wrk (on Debian: apt install wrk).")
    os.environ |= {"BENCH_CONTENT_TYPE": "application/json", "BENCH_VARIED": str(POLICIES)}
    (ROOT / "var").mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="bench-", dir=ROOT / "var") as name:
        return run(Path(name), options.rounds, options.seconds)


def run(folder: Path, rounds: int, seconds: int) -> int:
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        questions = stack.enter_context(crossroot(folder))
        targets = [stack.enter_context(floor(folder, questions[-1].call)), *questions]
        results: dict[str, list[Measured]] = {target.name: [] for target in targets}
        for target in targets:
            assert ask(target)["decision"] is True
            measure(target, 2)  # caches, compiled code, connections
        for number in range(rounds):
            for target in targets:
                results[target.name].append(measure(target, seconds))
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    print("| | requests/s | p50 ms | p99 ms | server CPU, µs a request | times the view |")
    print("|---|--:|--:|--:|--:|--:|")
    worst = 0.0
    for name, measured in results.items():
        costs = [
            theirs.per_second / ours.per_second
            for ours, theirs in zip(measured, results[FLOOR], strict=True)
        ]
        worst = max(worst, median(costs))
        cells = (
            f"{median(m.per_second for m in measured):.0f}",
            f"{median(m.p50 for m in measured):.1f}",
            f"{median(m.p99 for m in measured):.1f}",
            f"{median(m.cpu for m in measured):.0f}",
            f"**{median(costs):.2f}** ({min(costs):.2f}-{max(costs):.2f})",
        )
        print(f"| {name} | {' | '.join(cells)} |")
    print(
        f"\nMedians of {rounds} rounds of {seconds} s, {CONNECTIONS} connections, "
        f"{os.cpu_count()} cores that the load generator shares; in brackets the least and the "
        f"most of a round. Load of the machine before: {load:.1f}."
    )
    return int(worst > MOST)


def ask(target: Target) -> Any:
    """The answer to one request. Raises where it is no success."""
    headers = {"Content-Type": "application/json", "Authorization": target.call.authorization}
    body = target.call.body.replace("@N@", "7").encode()
    with urlopen(Request(target.origin + target.call.path, body, headers), timeout=30) as response:
        return json.load(response)


@contextmanager
def crossroot(folder: Path) -> Iterator[list[Target]]:
    """`crossroot serve`, and three questions: by policies alone, by each kind of token."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    env = environment(folder, port=port, issuer=issuer, workers=WORKERS)
    calls = tell(load_settings(env))
    with started(folder, command("serve"), env, "crossroot") as running:
        until(lambda: listens(port), "the server")
        yield [Target(name, issuer, call, running.process.pid) for name, call in calls.items()]


@contextmanager
def floor(folder: Path, call: Call) -> Iterator[Target]:
    port = free_port()
    env = environment(folder, port=port, workers=WORKERS)
    program = [sys.executable, "-P", "-m", "bench.evaluation", "--floor"]
    with started(folder, program, env, "floor") as running:
        until(lambda: listens(port), "the floor")
        yield Target(FLOOR, f"http://127.0.0.1:{port}", call, running.process.pid)


def floor_app() -> Flask:
    """POST reads the JSON body and the Basic header, and answers yes."""
    app = Flask("floor", static_folder=None)

    @app.post(_PATH)
    def parsed() -> Response | tuple[Response, int]:
        credentials = request.authorization
        if credentials is None or not (credentials.username and credentials.password):
            return jsonify(error="invalid_client"), 401
        body = request.get_json()
        if not (body["subject"]["id"] and body["action"]["name"] and body["resource"]["id"]):
            return jsonify(error="invalid_request"), 400
        return jsonify(decision=True, context={"reason": "allowed"})

    return app


def load_floor(settings: Settings, log_access: bool) -> Any:
    """In place of `app.cli.serving.load_worker`."""
    stop_with_parent()
    return Bridge(
        floor_app(),
        threads=settings.threads,
        max_body_bytes=settings.max_body_bytes,
        log_access=log_access,
    )


def serve_floor() -> None:
    # The workers import this module by its name.
    from bench.evaluation import load_floor as loader

    settings = load_settings(os.environ)
    serving.load_worker = loader
    serving.serve(settings, settings.host, log_access=False, on_listening=lambda: None)


def tell(settings: Settings) -> dict[str, Call]:
    """The guide's story with a thousand policies, and the questions that are measured."""
    prepare(settings)
    app = create_app(settings)
    runtime = runtime_of(app)
    try:
        return _tell(app, runtime)
    finally:
        runtime.database.close()


def _tell(app: Flask, runtime: Runtime) -> dict[str, Call]:
    product = products.register(runtime, products.sample_product())
    accounts.create_account(runtime, "53461", "root-a@example.com", "root-a-password")
    accounts.create_account(runtime, "60108", "root-b@example.com", "root-b-password")
    new = service_accounts.create(runtime, "60108", "AllowAccessFromRootUserAccountA")
    machine = new.account
    for number in range(POLICIES):
        document = allow("vserver:StopServer", _RESOURCE.replace("@N@", str(number)))
        policies.create(runtime, "60108", f"Stop-{number}", document)
        policies.attach(runtime, f"Stop-{number}", "service-account", machine.id)
    service_accounts.add_trust(runtime, machine.id, "53461")
    user = accounts.create_user(runtime, "53461", "System1", "System1-password")
    policies.create(
        runtime, "53461", "Become", allow("iam:ImpersonateServiceAccount", str(machine.vrn))
    )
    policies.attach(runtime, "Become", "iam-user", user.id)
    credentials = str(product.client_id), str(product.client_secret)
    names = {"service_account_id": machine.id, "vrn": str(machine.vrn), "user_id": user.id}
    ids = {"client_id": new.client_id, "client_secret": new.client_secret}
    of_product = {"product_client_id": credentials[0], "product_client_secret": credentials[1]}
    world = World(app, runtime, runtime.clock, **names, **ids, **of_product)  # type: ignore[arg-type]
    own = world.machine_token(resource=VSERVER).json
    person = world.user_token()
    borrowed = world.exchange(
        person,
        grant_type=EXCHANGE,
        subject_token_type=ACCESS_TOKEN,
        requested_subject=machine.id,
        resource=VSERVER,
    ).json
    authorization = basic(*credentials)
    tokens = {
        "evaluation by policies alone": None,
        "evaluation by a service account's token": own,
        "evaluation by an impersonation token": borrowed,
    }
    return {
        name: Call(_PATH, json.dumps(_question(machine.id, token)), authorization)
        for name, token in tokens.items()
    }


def _question(service_account_id: str, answer: Any) -> dict[str, Any]:
    subject: dict[str, Any] = {"type": "service-account", "id": service_account_id}
    if answer is not None:
        subject["properties"] = {"jti": claims_of(answer["access_token"])["jti"]}
    return {
        "subject": subject,
        "action": {"name": "vserver:StopServer"},
        "resource": {"type": "server", "id": _RESOURCE},
        "context": {"iam:SourceIp": "192.0.2.7"},
    }


if __name__ == "__main__":
    sys.exit(main())
