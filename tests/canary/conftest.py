from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.canary import acts, mistakes
from tests.canary.aftermath import Aftermath, aftermath_of
from tests.canary.play import Stage
from tests.support.served_world import served_world

LOUD = [sys.executable, "-P", "-m", "tests.canary.loud_serve"]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """The whole play, once, and all that was left behind by it."""
    with served_world(tmp_path_factory.mktemp("canary"), LOUD) as served:
        stage = Stage(served)
        acts.people_sign_in(stage)
        tokens = acts.a_person_approves(stage)
        access = acts.refresh_tokens_rotate(stage, tokens)
        acts.clients_authenticate(stage)
        impersonation = acts.tokens_are_exchanged(stage, access)
        acts.tokens_are_asked_about(stage, access, impersonation)
        mistakes.in_query_strings(stage, access)
        mistakes.in_headers(stage)
        mistakes.in_other_parameters(stage, access)
        mistakes.in_broken_bodies(stage)
        mistakes.in_a_store_that_fails(stage, access)
        yield aftermath_of(stage)
