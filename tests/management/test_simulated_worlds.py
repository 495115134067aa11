"""Both halves, each simulated by its owner over HTTP, are what the real exchange answers."""

from __future__ import annotations

from random import Random
from typing import Any

from app.services import accounts, policies, service_accounts, trusts
from tests.support.api import ROOT_B, ApiCaller, root
from tests.support.world import World

SIMULATIONS = "/policies-api/v1/simulations"
BECOME = "iam:ImpersonateServiceAccount"
USERS, SERVICE_ACCOUNTS = 12, 25
CONDITIONS: tuple[dict[str, Any], ...] = (
    {"bool": {"iam:MfaPresent": [False]}},
    {"bool": {"iam:MfaPresent": [True]}},
    {"numberLessThan": {"iam:AuthAge": [60]}},
    {"ipAddress": {"iam:SourceIp": ["127.0.0.0/8"]}},
    {"notIpAddress": {"iam:SourceIp": ["127.0.0.0/8"]}},
    {"stringEquals": {"iam:ExternalId": ["deal-7"]}},
    {"stringNotEquals": {"iam:ExternalId": ["deal-7"]}},
    {"stringLike": {"iam:Reason": ["ticket *"]}},
    {"stringLike": {"iam:PrincipalName": ["Person*"]}, "bool": {"iam:MfaPresent": [False]}},
    {"stringEquals": {"iam:PrincipalAccount": ["53461"], "iam:PrincipalType": ["iam-user"]}},
)


def maybe_condition(chance: Random) -> dict[str, Any]:
    return {"condition": chance.choice(CONDITIONS)} if chance.random() < 0.4 else {}


def make_service_accounts(world: World, chance: Random) -> list[str]:
    """B's, most of which trust A, under one condition or another."""
    names = []
    for number in range(SERVICE_ACCOUNTS):
        account = service_accounts.create(world.runtime, "60108", f"machine {number}").account
        names.append(str(account.vrn))
        if chance.random() < 0.85:
            condition = maybe_condition(chance).get("condition")
            ends = chance.choice((None, None, None, int(world.clock.now) + 10))
            trusts.add_trust(world.runtime, account.id, "53461", condition, ends)
        if chance.random() < 0.1:
            service_accounts.set_enabled(world.runtime, account.id, enabled=False)
    world.clock.advance(10)
    return names


def make_user(world: World, chance: Random, number: int, targets: list[str]) -> tuple[str, str]:
    """One of A's, with allows and denies for some of them: its id and its token."""
    name = f"Person{number}" if chance.random() < 0.8 else f"Nobody{number}"
    user = accounts.create_user(world.runtime, "53461", name, f"{name}-password")
    allowed = chance.sample(targets, 12)
    if chance.random() < 0.3:
        allowed = ["iam::60108:service-account/*"]
    rows: list[dict[str, Any]] = [
        {"effect": "allow", "actions": [BECOME], "resources": [each], **maybe_condition(chance)}
        for each in allowed
    ]
    rows.append({"effect": "allow", "actions": ["*"], "resources": ["*"]})
    rows.extend(
        {
            "effect": "deny",
            "actions": [chance.choice(("iam:*", BECOME))],
            "resources": [each],
            **maybe_condition(chance),
        }
        for each in chance.sample(targets, 3)
    )
    chance.shuffle(rows)
    policies.create(world.runtime, "53461", name, {"statements": rows})
    policies.attach(world.runtime, name, "iam-user", user.id)
    return user.id, world.user_token(username=name)


def said_no(caller: ApiCaller, principal: dict[str, str], vrn: str, context: Any) -> bool:
    body = {"principal": principal, "action": BECOME, "resource": vrn, "context": context}
    answer = caller.post(SIMULATIONS, body)
    assert answer.status_code == 200, answer.text
    assert answer.json["allowed"] in (False, "unknown")
    return answer.json["allowed"] is False


def test_what_both_say_is_what_the_exchange_answers(world: World) -> None:
    chance = Random(7)
    a, b = root(world), root(world, ROOT_B)
    targets = make_service_accounts(world, chance)
    ways: dict[tuple[bool, bool], int] = {}
    for number in range(USERS):
        user_id, token = make_user(world, chance, number, targets)
        ((name,),) = world.rows(f"SELECT username FROM iam_users WHERE id = '{user_id}'")
        for vrn in targets:
            told = {
                key: value
                for key, value in (("external_id", "deal-7"), ("reason", "ticket 7"))
                if chance.random() < 0.5
            }
            context = {"iam:SourceIp": "127.0.0.1", "iam:AuthAge": 0, "iam:MfaPresent": False}
            keys = {"external_id": "iam:ExternalId", "reason": "iam:Reason"}
            context.update({keys[key]: value for key, value in told.items()})
            asked = vrn if chance.random() < 0.5 else vrn.rpartition("/")[2]

            answer = world.impersonate(token, requested_subject=asked, **told)
            callers = said_no(a, {"type": "iam-user", "id": user_id}, vrn, context)
            known = {"iam:PrincipalId": user_id, "iam:PrincipalName": name}
            strangers = {"type": "root-account", "id": "53461"}
            owners = said_no(b, strangers, vrn, {**context, **known})

            assert (answer.status_code == 200) is not (callers or owners), answer.text
            ways[callers, owners] = ways.get((callers, owners), 0) + 1

    assert len(ways) == 4
    assert min(ways.values()) > USERS * SERVICE_ACCOUNTS / 30, ways
