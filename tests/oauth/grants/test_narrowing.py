"""Exchange without `requested_subject`: the same subject with less, never with more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.services import policies, service_accounts
from tests.support import changes
from tests.support.observation import newest_event
from tests.support.tokens import user_token
from tests.support.world import (
    ACCESS_TOKEN,
    EXCHANGE,
    START,
    VSERVER,
    World,
    allow,
    claims_of,
    deny,
)

ISSUER = "http://127.0.0.1:8000"


def narrowed(world: World, token: str, **fields: Any) -> str:
    answer = world.exchange(token, **fields)
    assert answer.status_code == 200, answer.json
    return str(answer.json["access_token"])


class TestWhatStays:
    def test_a_token_that_nothing_is_asked_of(self, world: World, token: str) -> None:
        before, after = claims_of(token), claims_of(narrowed(world, token))

        assert before.pop("scope") == "openid"  # identity scopes are for the sign-in's own token
        assert before.pop("jti") != after.pop("jti")
        assert after == before

    def test_actor_and_decision(self, world: World, token: str) -> None:
        first = world.impersonate(token, display_name="Ann").json["access_token"]

        after = narrowed(world, first, scope="vserver:List*", display_name="Somebody else")

        for claim in ("sub", "account_id", "user_type", "act", "decision_id"):
            assert claims_of(after)[claim] == claims_of(first)[claim]
        assert claims_of(after)["act"]["name"] == "Ann"

    def test_the_sign_in_that_it_came_of(self, world: World, token: str) -> None:
        after = claims_of(narrowed(world, token))

        assert (after["auth_time"], after["amr"]) == (START, ["pwd"])

    def test_every_inline_policy(self, world: World, token: str) -> None:
        first, second = allow("vserver:*"), allow("vserver:ListServers")
        held = world.impersonate(token, policy=json.dumps(first)).json["access_token"]

        held = narrowed(world, narrowed(world, held, policy=json.dumps(second)))

        kept = world.rows(
            "SELECT inline_policies FROM tokens WHERE id = :id", id=claims_of(held)["jti"]
        )
        assert json.loads(kept[0].inline_policies) == [first, second]
        assert claims_of(held)["evaluate"] is True
        assert "scope" not in claims_of(held)

    def test_the_same_policy_again_is_the_same_token(self, world: World, token: str) -> None:
        """A row cannot grow without end."""
        for _ in range(3):
            token = narrowed(world, token, policy=json.dumps(allow("vserver:*")))

        kept = world.rows(
            "SELECT inline_policies FROM tokens WHERE id = :id", id=claims_of(token)["jti"]
        )
        assert len(json.loads(kept[0].inline_policies)) == 1

    def test_more_inline_policies_than_anybody_needs(self, world: World, token: str) -> None:
        for number in range(32):
            document = allow("vserver:*", f"vserver::60108:server/{number}")
            token = narrowed(world, token, policy=json.dumps(document))

        answer = world.exchange(token, policy=json.dumps(allow("vserver:*")))

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert narrowed(world, token)

    def test_revoking_the_first_ends_the_last(self, world: World, token: str) -> None:
        held = token
        for _ in range(3):
            held = narrowed(world, held)
        changes.revoke(world, token)

        assert world.exchange(held).json["error"] == "invalid_request"


class TestScope:
    def test_fewer_actions(self, world: World, token: str) -> None:
        first = world.impersonate(token).json["access_token"]

        answer = world.exchange(first, scope="vserver:List* vserver:StopServer")

        assert answer.json["scope"] == "vserver:List* vserver:StopServer"
        again = world.exchange(answer.json["access_token"], scope="vserver:ListServers")
        assert again.json["scope"] == "vserver:ListServers"

    @pytest.mark.parametrize("wider", ["vserver:*", "vserver:Get*", "vserver:L*", "*"])
    def test_never_back(self, world: World, token: str, wider: str) -> None:
        held = world.impersonate(token, scope="vserver:List*").json["access_token"]

        answer = world.exchange(held, scope=wider)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")
        assert claims_of(narrowed(world, held))["scope"] == "vserver:List*"

    def test_rights_that_came_later_are_not_in_it(self, world: World, token: str) -> None:
        """What a resource server read from the first token it reads from the second."""
        changes.take_servers(world)
        policies.attach(
            world.runtime, "vServerReadOnlyAccess", "service-account", world.service_account_id
        )
        held = world.impersonate(token).json["access_token"]
        policies.attach(
            world.runtime, "vServerFullAccess", "service-account", world.service_account_id
        )

        assert claims_of(narrowed(world, held))["scope"] == claims_of(held)["scope"]
        answer = world.exchange(held, scope="vserver:StopServer")
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_scope")

    def test_rights_that_came_later_do_not_fill_an_empty_token(
        self, world: World, token: str
    ) -> None:
        changes.take_servers(world)
        held = world.impersonate(token, audience="vserver").json["access_token"]
        policies.attach(
            world.runtime, "vServerFullAccess", "service-account", world.service_account_id
        )

        assert not {"scope", "evaluate"} & claims_of(narrowed(world, held)).keys()

    def test_rights_that_went_are_gone(self, world: World, token: str) -> None:
        held = world.impersonate(token).json["access_token"]
        changes.take_servers(world)

        assert not {"scope", "evaluate"} & claims_of(narrowed(world, held)).keys()
        assert world.exchange(held, scope="vserver:List*").json["error"] == "invalid_scope"


class TestAudience:
    @pytest.fixture
    def both(self, world: World, token: str) -> str:
        """A token for two APIs."""
        changes.new_product(world, "network")
        changes.give(world, allow("network:*"), "network", service_account=world.service_account_id)
        return str(world.impersonate(token).json["access_token"])

    def test_a_token_for_apis_becomes_one_for_some(self, world: World, both: str) -> None:
        one = narrowed(world, both, audience="vserver")

        assert claims_of(one)["aud"] == [VSERVER]
        assert claims_of(one)["scope"] == "vserver:*"
        for other in ("network", "iam", ISSUER):
            answer = world.exchange(one, audience=other)
            assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")

    def test_the_products_of_the_scope(self, world: World, both: str) -> None:
        assert claims_of(narrowed(world, both, scope="network:*"))["aud"] == [
            "https://network.example"
        ]

    def test_a_token_for_the_issuer_becomes_one_for_apis(self, world: World, token: str) -> None:
        changes.new_product(world, "network")

        after = claims_of(narrowed(world, token, audience=["network", "vserver"]))

        assert after["aud"] == ["https://network.example", VSERVER]

    def test_no_api_named_stays_the_issuers(self, world: World, token: str) -> None:
        changes.give(world, allow("vserver:*"))

        after = claims_of(narrowed(world, token, scope="vserver:List*"))

        assert after["aud"] == [ISSUER]
        assert "scope" not in after

    def test_no_way_back_to_the_issuer(self, world: World, token: str) -> None:
        held = narrowed(world, token, audience="vserver")

        for fields in ({"audience": "iam"}, {"resource": ISSUER}, {"audience": ["vserver", "iam"]}):
            assert world.exchange(held, **fields).json["error"] == "invalid_target"
        assert claims_of(narrowed(world, held))["aud"] == [VSERVER]

    def test_a_scope_of_the_issuer_does_not_lead_there(self, world: World) -> None:
        changes.give(world, allow("iam:*"))
        held = user_token(world, resources=(VSERVER,))

        answer = world.exchange(held, scope="iam:ListIamUser")

        assert answer.status_code == 400 or claims_of(answer.json["access_token"])["aud"] == [
            VSERVER
        ]


class TestANarrowedUserToken:
    """Rule 5: the limits that a token was issued under go along to the impersonation."""

    @pytest.mark.parametrize(
        "fields",
        [
            {"scope": "iam:ListIamUser"},
            {"scope": "iam:Get* iam:List*"},
            {"policy": json.dumps(allow("iam:ListIamUser"))},
            {"policy": json.dumps(allow("iam:ImpersonateServiceAccount", "iam::1:*/*"))},
            {"policy": json.dumps(allow("iam:*", "iam::60108:service-account/*"))},
            {
                "policy": json.dumps(
                    {
                        "statements": [
                            *allow("*")["statements"],
                            *deny("iam:ImpersonateServiceAccount")["statements"],
                        ]
                    }
                )
            },
        ],
    )
    def test_that_excludes_impersonation_cannot_impersonate(
        self, world: World, token: str, fields: dict[str, str]
    ) -> None:
        changes.give(world, allow("iam:*"))
        held = narrowed(world, token, **fields)

        answer = world.impersonate(held)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")
        event = newest_event(world)
        assert json.loads(event.caller_half)["reasons"] == ["outside-the-token"]
        assert json.loads(event.owner_half)["allowed"] is True

    def test_that_includes_it_can(self, world: World, token: str) -> None:
        held = narrowed(
            world,
            token,
            scope="iam:ImpersonateServiceAccount",
            policy=json.dumps(allow("iam:ImpersonateServiceAccount", world.vrn)),
        )

        assert world.impersonate(held).status_code == 200

    def test_that_was_signed_in_for_less_cannot(self, world: World) -> None:
        held = user_token(world, scope="openid iam:ListIamUser")

        assert world.impersonate(held).json["error"] == "invalid_target"

    def test_that_was_signed_in_for_it_can(self, world: World) -> None:
        held = user_token(world, scope="openid iam:ImpersonateServiceAccount")

        assert world.impersonate(held).status_code == 200


class TestAServiceAccountsOwnToken:
    def narrow(self, world: World, token: str, **fields: Any) -> Any:
        return world.token_call(
            {
                "grant_type": EXCHANGE,
                "subject_token": token,
                "subject_token_type": ACCESS_TOKEN,
                **fields,
            },
            auth=(world.client_id, world.client_secret),
        )

    def test_it_can_be_narrowed(self, world: World) -> None:
        held = world.machine_token().json["access_token"]

        answer = self.narrow(world, held, scope="vserver:List*")

        claims = claims_of(answer.json["access_token"])
        assert (claims["sub"], claims["scope"]) == (world.service_account_id, "vserver:List*")
        assert not {"act", "decision_id"} & claims.keys()

    def test_it_cannot_become_another(self, world: World) -> None:
        other = changes.new_service_account(world, "Other")
        service_accounts.add_trust(world.runtime, other.account.id, "53461")
        held = world.machine_token().json["access_token"]

        for target in (other.account.id, world.service_account_id):
            answer = self.narrow(world, held, requested_subject=target)
            assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
