"""An account that wants to know the other's half, and asks in every way that there is.

The same script is played in worlds that differ in the other half alone. All that the account is
told, byte by byte, has to be the same; ids are numbered in the order in which they are seen.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.services import accounts, policies, service_accounts, trusts
from tests.support.api import ROOT_B, ApiCaller, root
from tests.support.world import World, allow, build_world, deny

SIMULATIONS = "/policies-api/v1/simulations"
DECISIONS = "/audit-api/v1/decisions/"
EVENTS = "/audit-api/v1/events"
BECOME = "iam:ImpersonateServiceAccount"
MFA = {"bool": {"iam:MfaPresent": [True]}}
POLICY = "ImpersonateToRootUserAccountB"
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Change = Callable[[World], None]
Script = Callable[[World], list[str]]


class Notes:
    """What an account was told, in order, and each thing a second after the one before."""

    def __init__(self, world: World) -> None:
        world.clock.advance(1)
        self._clock = world.clock
        self._told: list[str] = []
        self._names: dict[str, str] = {}

    def add(self, answer: Any) -> Any:
        self._clock.advance(1)
        text = f"{answer.status_code} {answer.content_type} {answer.text}"
        self._told.append(_ID.sub(self._name, text))
        return answer.json if answer.is_json else None

    def _name(self, match: re.Match[str]) -> str:
        return self._names.setdefault(match.group(), f"<{len(self._names)}>")

    @property
    def told(self) -> list[str]:
        return self._told


def look_around(notes: Notes, caller: ApiCaller, decisions: list[str]) -> None:
    """The log and the decisions, in every form."""
    for decision_id in decisions:
        notes.add(caller.get(DECISIONS + decision_id))
    for query in (
        {},
        {"action": "service-account:impersonate"},
        {"outcome": "denied"},
        {"resource": "iam::60108:*"},
        {"format": "ndjson"},
    ):
        # Signing in is several things in one instant, and then their ids say which comes first.
        answer = caller.get(EVENTS, pageSize=100, **query)
        assert answer.status_code == 200
        notes.add(_InOrder(answer))


class _InOrder:
    """A list of events in an order that does not hang on random ids."""

    def __init__(self, answer: Any) -> None:
        self.status_code, self.content_type = answer.status_code, answer.content_type
        self.is_json = False
        if answer.is_json:
            total = answer.json["totalItems"]
            found = [str(sorted(each.items(), key=str)) for each in answer.json["data"]]
        else:
            found, total = answer.text.splitlines(), 0
        self.text = "\n".join(sorted((_ID.sub("<id>", each) for each in found), key=str))
        self.text += f"\n{total}"


def ask_everything(
    notes: Notes, caller: ApiCaller, body: dict[str, Any], drafts: list[dict[str, Any]]
) -> None:
    for draft, context in itertools.product(drafts, ({}, {"iam:MfaPresent": True})):
        asked = {**body, "draft": draft, "context": context, "replay": {"days": 30}}
        notes.add(caller.post(SIMULATIONS, asked))


def refused(notes: Notes, world: World, token: str, **fields: str) -> str:
    answer = notes.add(world.impersonate(token, **fields))
    assert answer["error"] == "invalid_target"
    return str(answer["decision_id"])


# What A can do to learn of B


def curious_caller(world: World, *, allowed: bool) -> list[str]:
    """A's half says yes, or no; whatever A's users try, they are refused."""
    notes, a = Notes(world), root(world)
    if not allowed:
        policies.detach(world.runtime, POLICY, "iam-user", world.user_id)
    token = world.user_token()
    unknown = "sa-00000000-0000-4000-8000-000000000000"
    names = [world.service_account_id, world.vrn, unknown, world.vrn.replace("60108", "53461")]
    tried = [refused(notes, world, token, requested_subject=name) for name in names]
    tried.append(refused(notes, world, token, external_id="deal-7", reason="let me in"))
    ((held,),) = world.rows(f"SELECT id FROM policies WHERE name = '{POLICY}'")
    detached = {"detachPolicies": [held]} if allowed else {}
    drafts = [
        {},
        detached,
        {"attachPolicies": [allow(BECOME, world.vrn)]},
        {"attachPolicies": [allow(BECOME, world.vrn, condition=MFA)]},
        {"attachPolicies": [deny("iam:*")]},
        {"removeTrusts": ["53461"]},
        {"addTrusts": [{"trustedRootUserId": "53461"}]},
    ]
    principal = {"type": "iam-user", "id": world.user_id}
    for resource in (world.vrn, f"iam::60108:service-account/{unknown}", names[3]):
        body = {"principal": principal, "action": BECOME, "resource": resource}
        ask_everything(notes, a, body, drafts)
    for other in ("60108", "777", "53461"):
        strangers = {"type": "root-account", "id": other}
        for resource in (world.vrn, names[3]):
            body = {"principal": strangers, "action": BECOME, "resource": resource}
            ask_everything(notes, a, body, [{}, {"removeTrusts": [other]}])
    servers = {"action": "vserver:ListServers", "resource": "vserver::60108:server/*"}
    for each in (principal, {"type": "service-account", "id": world.service_account_id}):
        ask_everything(notes, a, {"principal": each, **servers}, [{}, drafts[2]])
    look_around(notes, a, tried)
    return notes.told


def remove_trust(world: World) -> None:
    trusts.remove_trust(world.runtime, world.service_account_id, "53461")


def trust_under_a_condition(world: World) -> None:
    remove_trust(world)
    trusts.add_trust(world.runtime, world.service_account_id, "53461", MFA)


def let_trust_expire(world: World) -> None:
    remove_trust(world)
    end = int(world.clock.now) + 1  # over by the time that anybody asks
    trusts.add_trust(world.runtime, world.service_account_id, "53461", None, end)


def trust_somebody_else(world: World) -> None:
    remove_trust(world)
    trusts.add_trust(world.runtime, world.service_account_id, "777")


def disable_service_account(world: World) -> None:
    service_accounts.set_enabled(world.runtime, world.service_account_id, enabled=False)


def disable_account(world: World) -> None:
    accounts.disable_account(world.runtime, "60108")


def delete_service_account(world: World) -> None:
    path = f"/accounts-api/v1/service-accounts/{world.service_account_id}"
    assert root(world, ROOT_B).delete(path, cascade="true").status_code == 204


def nothing(_world: World) -> None:
    """As the story has it: B trusts A, and A's half says yes."""


OWNER_REFUSES: list[Change] = [
    remove_trust,
    trust_under_a_condition,
    let_trust_expire,
    trust_somebody_else,
    disable_service_account,
    disable_account,
    delete_service_account,
]


# What B can do to learn of A


def curious_owner(world: World, scope: str = "openid") -> list[str]:
    """B is told the ids of the decisions by somebody of A, and reads what there is.

    A's user tries with a token of this scope.
    """
    notes, b = Notes(world), root(world, ROOT_B)
    token = world.user_token(scope=scope)
    tried = []
    for fields in ({}, {"requested_subject": world.vrn}, {"external_id": "deal-7"}):
        answer = world.impersonate(token, **fields)
        assert answer.status_code == 400, answer.text
        tried.append(str(answer.json["decision_id"]))
        world.clock.advance(1)
    changed = [{"trustedRootUserId": "53461", "condition": MFA}]
    drafts: list[dict[str, Any]] = [
        {},
        {"removeTrusts": ["53461"]},
        {"addTrusts": [{"trustedRootUserId": "53461"}]},
        {"removeTrusts": ["53461"], "addTrusts": changed},
        {"attachPolicies": [allow(BECOME, world.vrn)]},
    ]
    for other in ("53461", "777"):
        strangers = {"type": "root-account", "id": other}
        body = {"principal": strangers, "action": BECOME, "resource": world.vrn}
        ask_everything(notes, b, body, drafts)
    for principal in (
        {"type": "iam-user", "id": world.user_id},
        {"type": "iam-user", "id": "nobody"},
        {"type": "service-account", "id": world.service_account_id},
    ):
        body = {"principal": principal, "action": BECOME, "resource": world.vrn}
        ask_everything(notes, b, body, [{}, drafts[4]])
    look_around(notes, b, tried)
    return notes.told


def detach(world: World) -> None:
    policies.detach(world.runtime, POLICY, "iam-user", world.user_id)


def attach_deny(world: World) -> None:
    policies.create(world.runtime, "53461", "NotAbroad", deny(BECOME))
    policies.attach(world.runtime, "NotAbroad", "iam-user", world.user_id)


def attach_under_a_condition(world: World) -> None:
    detach(world)
    policies.create(world.runtime, "53461", "WithMfa", allow(BECOME, world.vrn, condition=MFA))
    policies.attach(world.runtime, "WithMfa", "iam-user", world.user_id)


CALLER_REFUSES: list[Change] = [detach, attach_deny, attach_under_a_condition]
#: A token that is too narrow refuses, whatever the policies say.
NARROW = "openid vserver:*"


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Callable[[Change], World]]:
    """As many worlds as a test asks for, each changed in one way."""
    made: list[World] = []

    def build(*changes: Change) -> World:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        world = build_world(folder)
        made.append(world)
        for change in changes:
            change(world)
        return world

    yield build
    for world in made:
        world.close()


def same(stories: dict[str, list[str]]) -> None:
    """Every account of it is, letter by letter, the same."""
    (name, first), *others = stories.items()
    assert len(first) > 20
    for other, story in others:
        assert len(story) == len(first), (name, other)
        for told, expected in zip(story, first, strict=True):
            assert told == expected, (name, other)


def test_a_caller_whose_half_says_yes_does_not_learn_why_it_is_refused(worlds: Any) -> None:
    same(
        {change.__name__: curious_caller(worlds(change), allowed=True) for change in OWNER_REFUSES}
    )


def test_a_caller_whose_half_says_no_does_not_learn_what_the_other_says(worlds: Any) -> None:
    same(
        {
            change.__name__: curious_caller(worlds(change), allowed=False)
            for change in (nothing, remove_trust, trust_under_a_condition, delete_service_account)
        }
    )


def test_an_owner_whose_half_says_no_does_not_learn_what_the_other_says(worlds: Any) -> None:
    stories = {
        change.__name__: curious_owner(worlds(remove_trust, change))
        for change in (nothing, *CALLER_REFUSES)
    }
    same({**stories, "narrow": curious_owner(worlds(remove_trust), NARROW)})


def test_an_owner_whose_half_says_yes_does_not_learn_why_the_other_refuses(worlds: Any) -> None:
    stories = {change.__name__: curious_owner(worlds(change)) for change in CALLER_REFUSES}
    same({**stories, "narrow": curious_owner(worlds(nothing), NARROW)})


def test_a_difference_in_ones_own_half_is_told(worlds: Any) -> None:
    """Or else the comparisons above would prove nothing."""
    assert curious_owner(worlds(remove_trust)) != curious_owner(worlds(detach))
    refusing = worlds(remove_trust), worlds(remove_trust)
    assert curious_caller(refusing[0], allowed=True) != curious_caller(refusing[1], allowed=False)
