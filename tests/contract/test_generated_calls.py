"""Twenty thousand generated calls against the description that the server gives of itself.

Schemathesis makes requests of `/openapi.json`, valid ones and broken ones, and checks each answer
against it: no 5xx, no status, header or body that is not described, nothing accepted that is not
valid, nothing answered without a token. Half of the ids are those of real objects.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import integers
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig

from app.management.operations import Operation
from app.management.server import OPERATIONS
from tests.support.api import ROOT_B, ApiCaller, root
from tests.support.world import World, build_world

#: Enough for twenty thousand, shared out among all calls and both kinds of data.
CALLS = int(os.environ.get("GENERATED_CALLS", "20000"))
EACH = -(-CALLS // (2 * len(OPERATIONS)))

#: Valid data may still be refused: ids are made up, names are taken, actions are unknown.
_CONFIG = {
    "checks": {
        "positive_data_acceptance": {"enabled": False},
        # What is too long may be too large as well.
        "negative_data_rejection": {
            "expected-statuses": [400, 401, 403, 404, 405, 409, 412, 413, 415, 422]
        },
    },
    # The token is ours to give.
    "generation": {"with-security-parameters": False},
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = build_world(Path(tmp_path_factory.mktemp("contract")))
    yield made
    made.close()


@pytest.fixture(scope="module")
def caller(world: World) -> ApiCaller:
    return root(world, ROOT_B)


@pytest.fixture(scope="module")
def described(world: World) -> Any:
    config = SchemathesisConfig.from_dict(_CONFIG)
    return schemathesis.openapi.from_wsgi("/openapi.json", world.app, config=config)


def cases() -> Iterator[Any]:
    """Each call with valid data, and with broken data where it takes any."""
    for operation in OPERATIONS:
        yield pytest.param(operation, GenerationMode.POSITIVE, id=f"{operation.name}-valid")
        if "{" in operation.path or operation.takes_body or operation.query or operation.is_create:
            yield pytest.param(operation, GenerationMode.NEGATIVE, id=f"{operation.name}-broken")


@pytest.mark.parametrize(("operation", "mode"), list(cases()))
def test_every_answer_is_as_described(
    operation: Operation, mode: GenerationMode, described: Any, caller: ApiCaller, world: World
) -> None:
    strategy = described[operation.path][operation.method].as_strategy(generation_mode=mode)
    known = real_ids(world)

    @settings(
        max_examples=EACH,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=strategy, pick=integers(0, 3))
    def run(case: Case, pick: int) -> None:
        for name in case.path_parameters:
            # What is meant to be wrong stays wrong.
            if pick and name in known and mode is GenerationMode.POSITIVE:
                case.path_parameters[name] = known[name][pick % len(known[name])]
        case.call_and_validate(headers={"Authorization": f"Bearer {caller.token}"})

    run()


def real_ids(world: World) -> dict[str, list[str]]:
    """Ids of B's objects that are there, by the name of the path's parameter."""
    return {"serviceAccountId": [world.service_account_id]}
