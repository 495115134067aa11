"""Signing keys in the audit log."""

from __future__ import annotations

import json

from app.services import keys
from app.tokens.keyring import SigningKey
from tests.support.observation import newest_event
from tests.support.world import START, World


def test_a_new_key_is_written_down_without_its_private_half(world: World) -> None:
    key = SigningKey.create("ES256", START, "next")
    keys.record_generated(world.runtime, key)

    event = newest_event(world)
    assert (event.event, event.actor_type) == ("signing-key:generate", "operator")
    assert (event.resource, event.owner_account_id) == (f"signing-key/{key.kid}", None)
    assert json.loads(event.detail) == {"alg": "ES256", "state": "next"}
