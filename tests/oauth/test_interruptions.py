"""An administrator changes something while a token request is answered (docs/decisions/0003)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.services import service_accounts
from tests.support import changes
from tests.support.interruptions import before_next_write
from tests.support.observation import grown, newest_event, row_counts
from tests.support.world import World

TAKEN: dict[str, tuple[Callable[[World], Any], str]] = {
    "trust": (
        lambda world: service_accounts.remove_trust(
            world.runtime, world.service_account_id, "53461"
        ),
        "invalid_target",
    ),
    "the caller's policy": (changes.take_impersonation, "invalid_target"),
    "the service account": (changes.disable_service_account, "invalid_target"),
    "the owner's account": (
        lambda world: changes.disable_account(world, "60108"),
        "invalid_target",
    ),
    "the user": (changes.disable_user, "invalid_request"),
    "the user's account": (
        lambda world: changes.disable_account(world, "53461"),
        "invalid_request",
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_right_that_was_taken_is_not_used(world: World, token: str, name: str) -> None:
    """Between the yes and its commit: the request is done again, from the new facts."""
    take, error = TAKEN[name]
    tokens = len(world.rows("SELECT id FROM tokens"))
    before_next_write(world, lambda: take(world))

    answer = world.impersonate(token)

    assert (answer.status_code, answer.json["error"]) == (400, error)
    assert len(world.rows("SELECT id FROM tokens")) == tokens


def test_the_subject_token_was_revoked(world: World, token: str) -> None:
    """Revoking moves no epoch; the commit itself asks."""
    before = row_counts(world)
    before_next_write(world, lambda: changes.revoke(world, token))

    answer = world.impersonate(token)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert grown(before, row_counts(world)) == {"audit_events": 1}
    event = newest_event(world)
    assert answer.json["decision_id"] == event.id
    assert (event.event, event.outcome) == ("token:refuse", "denied")
    assert (event.actor_id, event.acting_as) == (world.user_id, world.service_account_id)


def test_a_right_that_came_is_used(world: World, token: str) -> None:
    before_next_write(world, lambda: changes.new_product(world, "network"))

    assert world.impersonate(token).status_code == 200


def test_changes_that_do_not_stop(world: World, token: str) -> None:
    """After eight tries the answer is 503, and nothing went out."""
    numbers = iter(range(100))
    tokens = len(world.rows("SELECT id FROM tokens"))
    before_next_write(
        world, lambda: changes.new_user(world, "53461", f"Another{next(numbers)}"), times=50
    )

    answer = world.impersonate(token)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert len(world.rows("SELECT id FROM tokens")) == tokens
    assert next(numbers) == 8
