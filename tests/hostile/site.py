"""A whole Crossroot under attack: the sound tokens, and what nothing hostile may change."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app.tokens.keyring import KeyRing
from tests.hostile.doors import ASSERTION_DOOR, DOORS, Door
from tests.hostile.forge import Case, Forge
from tests.hostile.loot import ISSUER, Keys, client_keys, gather, server_keys
from tests.support import world as world_module
from tests.support.observation import network
from tests.support.world import START, World, build_world, claims_of

_STATE = (
    "SELECT (SELECT count(*) FROM tokens),"
    " (SELECT count(*) FROM tokens WHERE revoked_at IS NOT NULL),"
    " (SELECT count(*) FROM used_assertions),"
    " (SELECT count(*) FROM authorization_codes WHERE used_at IS NOT NULL),"
    " (SELECT count(*) FROM refresh_tokens WHERE used_at IS NOT NULL),"
    " (SELECT count(*) FROM refresh_families WHERE ended_at IS NOT NULL),"
    " (SELECT count(*) FROM sign_in_sessions WHERE ended_at IS NOT NULL)"
)


@dataclass(frozen=True)
class Site:
    """`live` is a token that nobody attacks; hostile ones are made of the one in `victim`."""

    world: World
    live: str
    victim: list[str]
    access: Forge
    assertion: Forge

    def state(self) -> tuple[int, ...]:
        """What was issued, revoked and used up."""
        return tuple(self.world.rows(_STATE)[0])

    def accepts(self, door: Door, token: bytes) -> bool:
        """Whether the token does there what tokens do."""
        before = self.state()
        answer = door.present(self.world, self.live, token)
        return door.was_accepted(answer) or self.state() != before

    def complaints(self, case: Case) -> str:
        """What is wrong with how the doors took the case: nothing, if all is well.

        Made of an access token it is brought to every door, made of an assertion to the door of
        assertions; what makes sense for the one kind alone to every door.
        """
        found = []
        for forge in (self.access, self.assertion):
            if case.only not in (None, forge.kind):
                continue
            token, state = case.build(forge), self.state()
            everywhere = case.only is not None or forge.kind == "access token"
            for door in DOORS if everywhere else (ASSERTION_DOOR,):
                if door.name in case.not_at:
                    continue
                wrong, before, state = self._try(door, token), state, self.state()
                if state != before:
                    wrong.append(f"changed {before} to {state}")
                found += [f"{forge.kind} at {door.name}: {what}" for what in wrong]
        if found:
            # It may be revoked by now: the next case has to be refused for its own sake.
            self.victim[:] = [self.world.user_token()]
        return "\n".join(found)

    def _try(self, door: Door, token: bytes) -> list[str]:
        with network() as calls:
            answer = door.present(self.world, self.live, token)
        found = door.complaints(answer)
        if door.was_accepted(answer):
            found.append("accepted")
        if calls:
            found.append(f"called out: {calls}")
        if len(token) > 20 and token in answer.get_data():
            found.append("the token is in the answer")
        return found


def access_forge(victim: list[str], loot: dict[str, str]) -> Forge:
    """Makes hostile tokens of the access token that is in the list at that moment."""
    return _forge("access token", "at+jwt", server_keys(), lambda: claims_of(victim[0]), loot)


def assertion_forge(client_id: str, loot: dict[str, str]) -> Forge:
    """Makes hostile assertions of that client, each with a `jti` of its own."""

    def claims() -> dict[str, Any]:
        return {
            "iss": client_id,
            "sub": client_id,
            "aud": ISSUER,
            "jti": str(uuid.uuid4()),
            "iat": START,
            "exp": START + 300,
        }

    return _forge("client assertion", "JWT", client_keys(), claims, loot)


def _forge(kind: str, typ: str, keys: Keys, claims: Any, loot: dict[str, str]) -> Forge:
    natives = {}
    for key in keys:
        assert key.private_key is not None
        natives[key.alg] = key.private_key.get_op_key("sign")
    return Forge(kind, typ, natives, {key.alg: key.kid for key in keys}, claims, loot)


def _forget_syncing(connection: Any, _record: Any) -> None:
    """Thousands of failures are counted here; nobody pulls the plug."""
    connection.execute("PRAGMA synchronous=OFF")


@contextmanager
def built(folder: Path) -> Iterator[Site]:
    """The guide's story, in which the service account's client has keys of its own as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world_module, "RING", KeyRing.from_keys(server_keys()))
        world = build_world(folder)
        event.listen(world.runtime.database.engine, "connect", _forget_syncing)
        try:
            loot = gather(world)
            victim = [world.user_token()]
            access = access_forge(victim, loot)
            assertion = assertion_forge(world.client_id, loot)
            loot["jti"] = access.claims()["jti"]
            yield Site(world, world.user_token(), victim, access, assertion)
        finally:
            world.close()
