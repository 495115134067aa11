"""Both halves, each simulated by its owner, together are what the exchange decides."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any

from app.domain.advice import Question
from app.domain.conditions import Condition, parse_condition
from app.domain.impersonation import Facts, Target, TrustedRelationship, may_impersonate
from app.domain.limits import NO_LIMITS
from app.domain.names import service_account_vrn
from app.domain.policy import IMPERSONATE, AttachedPolicy, PolicyDocument
from app.domain.principals import IamUser, Principal, RootAccount, RootUser, ServiceAccount
from app.services.simulation import Simulated, of_both, of_caller, of_owner
from tests.domain.strategies import ACTION_PATTERNS, CONDITIONS, RESOURCE_PATTERNS, compiled

WORLDS = 5_000
NOW = 1_000.0


class Chance(Random):
    """A world at random; what usually holds holds more often than not."""

    def usually(self, probability: float = 0.85) -> bool:
        return self.random() < probability

    def context(self) -> dict[str, Any]:
        known: dict[str, Any] = {
            "iam:MfaPresent": self.choice((True, True, False)),
            "iam:AuthAge": self.choice((0, 59, 60, 61)),
            "iam:PrincipalName": "System1",
            "iam:SourceIp": self.choice(("192.0.2.1", "10.1.2.3", "::ffff:10.1.2.3")),
        }
        return {key: value for key, value in known.items() if self.usually()}

    def condition(self) -> dict[str, Any] | None:
        return None if self.usually(0.6) else self.choice(CONDITIONS)

    def statement(self) -> dict[str, Any]:
        effect = "allow" if self.usually(0.8) else "deny"
        named = self.usually(0.5)
        row: dict[str, Any] = {
            "effect": effect,
            "actions": [IMPERSONATE if named else self.choice(ACTION_PATTERNS)],
            "resources": [
                "iam::2:service-account/sa-1"
                if named and effect == "allow"
                else self.choice(RESOURCE_PATTERNS)
            ],
        }
        condition = self.condition()
        return row if condition is None else {**row, "condition": condition}

    def policies(self) -> tuple[AttachedPolicy, ...]:
        return tuple(
            AttachedPolicy(f"p{number}", f"p{number}", 1, document(json.dumps(self.statement())))
            for number in range(self.randint(0, 4))
        )

    def caller(self, account_id: str) -> Principal:
        account = RootAccount(account_id, self.usually(0.95))
        if not self.usually(0.95):
            return RootUser("root", account)
        return IamUser("user-1", "System1", account, self.usually(0.95))

    def service_account(self, account_id: str) -> ServiceAccount | None:
        if not self.usually(0.95):
            return None
        account = RootAccount(account_id, self.usually(0.95))
        return ServiceAccount("sa-1", "name", account, self.usually(0.95))

    def trust(self, account_id: str) -> TrustedRelationship | None:
        if not self.usually():
            return None
        source = self.condition()
        ends = None if self.usually() else self.choice((999, 1_000, 1_001))
        condition = None if source is None else parsed(json.dumps(source))
        return TrustedRelationship("trust-1", 1, account_id, condition, ends)


@cache
def document(statement: str) -> PolicyDocument:
    return compiled([json.loads(statement)])


@cache
def parsed(source: str) -> Condition:
    condition = parse_condition(json.loads(source), "condition", [])
    assert condition is not None
    return condition


def simulated(facts: Facts, owner: str) -> list[Simulated]:
    """What the accounts concerned are told, each from what it has itself."""
    caller = facts.caller.account.id
    target = Target("sa-1", owner)
    question = Question(caller, IMPERSONATE, service_account_vrn(owner, "sa-1"))
    if caller == owner:
        whole = Facts(
            facts.caller,
            target,
            facts.service_account,
            None,
            facts.policies,
            facts.context,
            facts.now,
        )
        return [of_both(question, whole)]
    stranger = IamUser("", "", RootAccount(caller))
    of_a = Facts(facts.caller, target, None, None, facts.policies, facts.context, facts.now)
    of_b = Facts(
        stranger,
        target,
        facts.service_account,
        facts.trust,
        (),
        facts.context,
        facts.now,
        NO_LIMITS,
    )
    return [of_caller(question, of_a), of_owner(question, of_b)]


def test_both_halves_simulated_are_what_the_exchange_decides() -> None:
    chance = Chance(5)
    outcomes = {True: 0, False: 0}
    refused_by: dict[tuple[bool, ...], int] = {}
    for _ in range(WORLDS):
        caller, owner = chance.choice(("1", "1", "1", "12", "2")), "2"
        facts = Facts(
            caller=chance.caller(caller),
            target=Target("sa-1", chance.choice((owner, None))),
            service_account=chance.service_account(owner),
            trust=chance.trust(caller),
            policies=chance.policies(),
            context=chance.context(),
            now=NOW,
        )
        allowed = may_impersonate(facts).allowed
        answers = simulated(facts, owner)

        assert all(answer.allowed is not False for answer in answers) is allowed, facts
        for answer in answers:
            # Across accounts nobody is ever told a yes, and whoever refuses is told what to do.
            assert answer.allowed is not True or len(answers) == 1
            assert (answer.missing is None) is (answer.allowed is not False)
            assert (answer.half is None) is (answer.allowed is not False)
        outcomes[allowed] += 1
        verdict = tuple(answer.allowed is not False for answer in answers)
        refused_by[verdict] = refused_by.get(verdict, 0) + 1

    assert min(outcomes.values()) > WORLDS / 10, outcomes
    # Each way to refuse was seen often: one half, the other, both; inside one account, too.
    assert len(refused_by) == 6
    assert min(refused_by.values()) > WORLDS / 100, refused_by
