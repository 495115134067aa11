"""Becoming a service account: whom one asks for, and what comes back (RFC 8693 section 2)."""

from __future__ import annotations

import pytest

from app.services import service_accounts
from tests.support import changes
from tests.support.tokens import user_token
from tests.support.world import (
    ACCESS_TOKEN,
    CLI,
    START,
    VSERVER,
    World,
    basic,
    claims_of,
    deny,
)


def test_the_answer_is_that_of_section_2_2_1(world: World, token: str) -> None:
    answer = world.impersonate(token)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert answer.content_type == "application/json"
    body = answer.json
    assert body.pop("access_token").count(".") == 2
    assert body == {
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "vserver:*",
    }


def test_no_refresh_token_comes_from_an_exchange(world: World, token: str) -> None:
    assert "refresh_token" not in world.impersonate(token).json
    assert "refresh_token" not in world.exchange(token).json


def test_the_token_says_whose_it_is_and_who_acts(world: World, token: str) -> None:
    claims = claims_of(world.impersonate(token, display_name="on-call").json["access_token"])

    decision_id, token_id = claims.pop("decision_id"), claims.pop("jti")
    assert len(decision_id) == len(token_id) == 36
    assert claims == {
        "iss": "http://127.0.0.1:8000",
        "sub": world.service_account_id,
        "aud": [VSERVER],
        "client_id": CLI,
        "account_id": "60108",
        "user_type": "service-account",
        "scope": "vserver:*",
        "act": {
            "sub": world.user_id,
            "account_id": "53461",
            "user_type": "iam-user",
            "username": "System1",
            "name": "on-call",
        },
        "iat": START,
        "exp": START + 3600,
    }


def test_the_actor_has_no_name_that_nobody_gave(world: World, token: str) -> None:
    assert "name" not in claims_of(world.impersonate(token).json["access_token"])["act"]


class TestRequestedSubject:
    """Which service account: by id, by VRN, or by a VRN as `audience`."""

    def test_by_id(self, world: World, token: str) -> None:
        answer = world.exchange(token, requested_subject=world.service_account_id)

        assert claims_of(answer.json["access_token"])["sub"] == world.service_account_id

    def test_by_vrn(self, world: World, token: str) -> None:
        answer = world.exchange(token, requested_subject=world.vrn)

        assert claims_of(answer.json["access_token"])["sub"] == world.service_account_id

    def test_by_audience_for_sdks_that_cannot_send_it(self, world: World, token: str) -> None:
        """The VRN does not count as an API: those are still the products of the scope."""
        claims = claims_of(world.exchange(token, audience=world.vrn).json["access_token"])

        assert (claims["sub"], claims["aud"]) == (world.service_account_id, [VSERVER])

    def test_by_audience_beside_an_api(self, world: World, token: str) -> None:
        answer = world.exchange(token, audience=[world.vrn, "vserver"])

        assert claims_of(answer.json["access_token"])["aud"] == [VSERVER]

    @pytest.mark.parametrize("form", ["id", "vrn"])
    def test_both_ways_where_they_agree(self, world: World, token: str, form: str) -> None:
        requested = world.vrn if form == "vrn" else world.service_account_id
        answer = world.exchange(token, requested_subject=requested, audience=world.vrn)

        assert claims_of(answer.json["access_token"])["sub"] == world.service_account_id

    @pytest.mark.parametrize("account", ["60108", "53461"])
    def test_both_ways_where_they_do_not_agree(
        self, world: World, token: str, account: str
    ) -> None:
        answer = world.exchange(
            token,
            requested_subject=f"iam::60108:service-account/{world.service_account_id}",
            audience=f"iam::{account}:service-account/"
            + (world.service_account_id if account == "53461" else "sa-another"),
        )

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert "decision_id" not in answer.json

    def test_two_service_accounts_as_audience(self, world: World, token: str) -> None:
        answer = world.exchange(
            token, audience=[world.vrn, "iam::60108:service-account/sa-another"]
        )

        assert answer.json["error"] == "invalid_request"

    @pytest.mark.parametrize(
        "name",
        [
            "*",
            "a name with spaces",
            "sa-1/../sa-2",
            "sa-1%00",
            "iam::60108:service-account/*",
            "iam::60108:service-account/",
            "iam::60108:iam-user/user-1",
            "iam::*:service-account/sa-1",
            "iam::sixty:service-account/sa-1",
            "iam:60108:service-account/sa-1",
            "vserver::60108:service-account/sa-1",
            "IAM::60108:service-account/sa-1",
            "iam::60108:service-account/sa-1/sa-2",
            "sa-" + "1" * 200,
        ],
    )
    def test_what_names_no_service_account_is_malformed(
        self, world: World, token: str, name: str
    ) -> None:
        answer = world.exchange(token, requested_subject=name)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert "decision_id" not in answer.json


class TestTheCaller:
    """Any registered client that may use this grant; a public one sends `client_id`."""

    def test_a_product_may_exchange_a_token_that_is_for_it(self, world: World) -> None:
        users = user_token(world, resources=(VSERVER,))

        answer = world.token_call(
            {
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "subject_token": users,
                "subject_token_type": ACCESS_TOKEN,
                "requested_subject": world.service_account_id,
            },
            auth=(world.product_client_id, world.product_client_secret),
        )

        claims = claims_of(answer.json["access_token"])
        assert claims["client_id"] == world.product_client_id
        assert claims["act"]["sub"] == world.user_id

    def test_a_user_of_the_same_account_needs_no_trust(self, world: World) -> None:
        own = changes.new_service_account(world, "Own", "vServerFullAccess", account_id="53461")
        document = {
            "statements": [
                {
                    "effect": "allow",
                    "actions": ["iam:*"],
                    "resources": [str(own.account.vrn)],
                }
            ]
        }
        changes.give(world, document)

        answer = world.impersonate(requested_subject=own.account.id)

        claims = claims_of(answer.json["access_token"])
        assert (claims["sub"], claims["account_id"]) == (own.account.id, "53461")

    def test_a_service_account_cannot_be_reached_through_another(self, world: World) -> None:
        """No chains: the subject of the token has to be an IAM user (rule 1)."""
        other = changes.new_service_account(world, "Other", "vServerFullAccess")
        service_accounts.add_trust(world.runtime, other.account.id, "53461")
        first = world.impersonate().json["access_token"]

        answer = world.exchange(first, requested_subject=other.account.id)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    def test_a_root_user_cannot_become_a_service_account(self, world: World) -> None:
        """CVE-2026-109374 and its kin: the widest identity is no way around the rules."""
        root = user_token(world, username=None)

        answer = world.exchange(root, requested_subject=world.service_account_id)

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    def test_a_client_that_holds_a_valid_token_gains_no_other_identity(self, world: World) -> None:
        """CVE-2022-1245: naming a client as the target makes nobody into it."""
        machine = world.machine_token(audience="iam").json["access_token"]

        answer = world.client.post(
            "/oauth2/token",
            data={
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "subject_token": machine,
                "subject_token_type": ACCESS_TOKEN,
                "audience": world.product_client_id,
            },
            headers={"Authorization": basic(world.client_id, world.client_secret)},
        )

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")


def test_a_deny_of_the_callers_own_account_reaches_abroad(world: World, token: str) -> None:
    changes.give(world, deny("iam:*", "iam::60108:service-account/*"))

    assert world.impersonate(token).json["error"] == "invalid_target"
