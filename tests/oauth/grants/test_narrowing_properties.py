"""Twenty narrowings in a row move nothing outwards: random chains, judged by introspection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.catalogue import ActionPattern
from app.domain.names import Vrn
from app.domain.scopes import parse_scope
from app.storage import tokens
from app.storage.tokens import TokenRecord
from tests.support import changes
from tests.support.tokens import user_token
from tests.support.world import START, VSERVER, World, allow, build_world, claims_of, deny

ISSUER = "http://127.0.0.1:8000"
NETWORK = "https://network.example"

SCOPES = (
    "*",
    "vserver:*",
    "vserver:List*",
    "vserver:ListServers",
    "vserver:StopServer",
    "vserver:*Server",
    "network:*",
    "network:ListThing",
    "iam:*",
    "iam:Get*",
    "iam:ImpersonateServiceAccount",
)
APIS = ("vserver", VSERVER, "network", "iam", ISSUER)
POLICIES = (
    allow("*"),
    allow("vserver:*"),
    allow("vserver:*", "vserver::60108:server/srv-1"),
    allow("network:ListThing"),
    allow("iam:*"),
    {"statements": [*allow("*")["statements"], *deny("vserver:Stop*")["statements"]]},
)
QUESTIONS = [
    (action, Vrn(action.partition(":")[0], account, "server", name))
    for action in ("vserver:ListServers", "vserver:StopServer", "network:ListThing", "iam:GetGroup")
    for account in ("60108", "53461")
    for name in ("srv-1", "srv-2")
]

steps = st.fixed_dictionaries(
    {},
    optional={
        "scope": st.lists(st.sampled_from(SCOPES), min_size=1, max_size=3).map(" ".join),
        "audience": st.lists(st.sampled_from(APIS), min_size=1, max_size=2),
        "resource": st.sampled_from(APIS),
        "requested_expires_in": st.integers(60, 50_000).map(str),
        "policy": st.sampled_from(POLICIES).map(json.dumps),
    },
)


@dataclass
class Setting:
    world: World
    firsts: dict[str, str]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """A service account with rights of every shape, and tokens of every kind."""
    world = build_world(tmp_path_factory.mktemp("narrowing"))
    changes.new_product(world, "network")
    owner = world.service_account_id
    changes.give(world, allow("network:List*"), "network", service_account=owner)
    changes.give(
        world,
        allow("network:WriteThing", "network::60108:thing/one"),
        "one thing",
        service_account=owner,
    )
    changes.give(world, allow("iam:Get*"), "iam", service_account=owner)
    changes.give(world, allow("vserver:*"), "servers of A")
    changes.give(world, allow("iam:*"), "iam of A")
    user = user_token(world)
    firsts = {
        "user": user,
        "user, for APIs": user_token(world, resources=(VSERVER, NETWORK)),
        "user, with patterns": user_token(world, scope="openid vserver:List* iam:Get*"),
        "service account": world.impersonate(user, display_name="Ann").json["access_token"],
        "service account, for the issuer": world.impersonate(user, audience="iam").json[
            "access_token"
        ],
        "service account, for less": world.impersonate(
            user, scope="vserver:List*", policy=json.dumps(allow("vserver:*"))
        ).json["access_token"],
    }
    yield Setting(world, firsts)
    world.close()


def introspected(world: World, token: str) -> dict[str, Any]:
    """What introspection says to the token's own bearer."""
    state = world.client.post(
        "/oauth2/introspect",
        data={"token": token},
        headers={"Authorization": f"Bearer {token}"},
    ).json
    assert state["active"] is True
    return dict(state)


def record_of(world: World, token: str) -> TokenRecord:
    with world.runtime.database.read() as connection:
        found = tokens.find(connection, claims_of(token)["jti"])
    assert found is not None
    return found


def patterns_of(state: dict[str, Any]) -> tuple[ActionPattern, ...]:
    return parse_scope(state.get("scope", "")).patterns


def assert_inside(before: dict[str, Any], after: dict[str, Any]) -> None:
    """As others see it: nothing of `after` lies outside of `before`."""
    same = ("iss", "sub", "account_id", "user_type", "username", "act", "decision_id", "auth_time")
    assert {name: after.get(name) for name in same} == {name: before.get(name) for name in same}
    assert after["exp"] <= before["exp"]
    assert ISSUER not in after["aud"] or after["aud"] == [ISSUER]
    if before["aud"] != [ISSUER]:
        assert set(after["aud"]) <= set(before["aud"])
        assert not after.get("evaluate") or before.get("evaluate") or before.get("scope")
        for pattern in patterns_of(after):
            assert any(held.covers(pattern) for held in patterns_of(before))


def assert_limits_inside(before: TokenRecord, after: TokenRecord) -> None:
    """As the server keeps it: every limit of `before` is still there."""
    assert after.inline_policies[: len(before.inline_policies)] == before.inline_policies
    for action, resource in QUESTIONS:
        now, earlier = (
            each.limits.cover("60108", action, resource, {}) for each in (after, before)
        )
        assert earlier or not now, (action, str(resource))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), chain=st.lists(steps, min_size=1, max_size=20))
def test_nothing_moves_outwards(
    setting: Setting, data: st.DataObject, chain: list[dict[str, Any]]
) -> None:
    world = setting.world
    world.clock.now = START
    token = setting.firsts[data.draw(st.sampled_from(sorted(setting.firsts)))]
    first = introspected(world, token)
    before, kept = first, record_of(world, token)

    for step in chain:
        world.clock.advance(data.draw(st.integers(0, 100)))
        answer = world.exchange(token, **step)
        if answer.status_code != 200:
            assert answer.json["error"] in ("invalid_scope", "invalid_target", "invalid_request")
            if before["exp"] <= world.clock.now:
                break
            continue
        token = answer.json["access_token"]
        after, record = introspected(world, token), record_of(world, token)
        assert_inside(before, after)
        assert_inside(first, after)
        assert_limits_inside(kept, record)
        before, kept = after, record


def test_twenty_in_a_row(setting: Setting) -> None:
    """The longest chain that the contract speaks of, each step asking for all there is."""
    world = setting.world
    world.clock.now = START
    token = setting.firsts["service account"]
    first = introspected(world, token)

    for number in range(20):
        world.clock.advance(100)
        step = {"requested_expires_in": "43200", "policy": json.dumps(POLICIES[number % 6])}
        token = world.exchange(token, **step).json["access_token"]
        assert_inside(first, introspected(world, token))

    assert introspected(world, token)["exp"] == first["exp"]
    assert len(record_of(world, token).inline_policies) == 6
