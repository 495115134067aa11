"""Every decision, and every token issued or refused to who proved itself, is one durable row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import changes
from tests.support.browser import signed_in
from tests.support.observation import bytes_on_disk, grown, newest_event, row_counts
from tests.support.tokens import code_for, user_token
from tests.support.world import (
    ACCESS_TOKEN,
    CALLBACK,
    CLI,
    EXCHANGE,
    VERIFIER,
    World,
    allow,
    basic,
    claims_of,
)


def redeem(world: World, code: str, **changed: Any) -> Any:
    return world.token_call(
        {
            "grant_type": "authorization_code",
            "client_id": CLI,
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **changed,
        }
    )


class TestATokenIsOneRow:
    def test_impersonation(self, world: World, token: str) -> None:
        before = row_counts(world)
        answer = world.impersonate(token, display_name="Ann", reason="ticket 7")

        assert grown(before, row_counts(world)) == {"audit_events": 1, "tokens": 1}
        claims, event = claims_of(answer.json["access_token"]), newest_event(world)
        assert event.id == claims["decision_id"]
        assert event.token_id == claims["jti"]
        assert (event.event, event.outcome) == ("service-account:impersonate", "allowed")
        assert (event.actor_type, event.actor_id, event.actor_name, event.actor_account_id) == (
            "iam-user",
            world.user_id,
            "System1",
            "53461",
        )
        assert (event.acting_as, event.owner_account_id) == (world.service_account_id, "60108")
        assert (event.resource, event.owner_listed) == (world.vrn, 1)
        assert (event.client_id, event.source_ip) == (CLI, "127.0.0.1")
        assert (event.display_name, event.stated_reason) == ("Ann", "ticket 7")
        assert event.at == world.clock.now

    def test_it_keeps_what_each_half_rested_on(self, world: World, token: str) -> None:
        world.impersonate(token)

        event = newest_event(world)
        owner, caller = json.loads(event.owner_half), json.loads(event.caller_half)
        assert owner["allowed"] is caller["allowed"] is True
        assert owner["trust"]["version"] == 1
        assert [match["policy_name"] for match in caller["allows"]] == [
            "ImpersonateToRootUserAccountB"
        ]
        assert json.loads(event.detail) == {
            "audience": ["https://vserver.example"],
            "scope": "vserver:*",
            "evaluate": False,
            "expires_at": int(world.clock.now) + 3600,
            "parent_token_id": claims_of(token)["jti"],
        }

    def test_narrowing(self, world: World, token: str) -> None:
        held = world.impersonate(token).json["access_token"]
        before = row_counts(world)

        narrow = world.exchange(held, scope="vserver:List*").json["access_token"]

        assert grown(before, row_counts(world)) == {"audit_events": 1, "tokens": 1}
        event = newest_event(world)
        assert (event.event, event.token_id) == ("token:narrow", claims_of(narrow)["jti"])
        assert event.id != claims_of(narrow)["decision_id"]  # no new decision was made
        assert (event.actor_id, event.actor_account_id) == (world.user_id, "53461")
        assert (event.acting_as, event.owner_account_id) == (world.service_account_id, "60108")

    def test_client_credentials(self, world: World) -> None:
        before = row_counts(world)
        answer = world.machine_token()

        assert grown(before, row_counts(world)) == {"audit_events": 1, "tokens": 1}
        event = newest_event(world)
        assert (event.event, event.token_id) == (
            "token:issue",
            claims_of(answer.json["access_token"])["jti"],
        )
        assert (event.actor_id, event.actor_account_id) == (world.service_account_id, "60108")
        assert (event.acting_as, event.owner_account_id) == (None, None)

    def test_authorization_code(self, world: World) -> None:
        code = code_for(world)
        before = row_counts(world)
        redeem(world, code)

        assert grown(before, row_counts(world)) == {"audit_events": 1, "tokens": 1}
        event = newest_event(world)
        assert (event.event, event.actor_id) == ("token:issue", world.user_id)


class TestARefusalIsOneRow:
    """To who proved itself: a client by its secret, or a user by a live token."""

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"scope": "iam:*"}, "scope-widens"),
            ({"audience": "nowhere"}, "unknown-api"),
            ({"audience": ["iam", "vserver"]}, "api-widens"),
        ],
    )
    def test_after_a_decision(
        self, world: World, token: str, fields: dict[str, Any], reason: str
    ) -> None:
        """One row for decision and refusal together, found by the decision's id."""
        before = row_counts(world)
        answer = world.impersonate(token, **fields)

        assert grown(before, row_counts(world)) == {"audit_events": 1}
        event = newest_event(world)
        assert event.id == answer.json["decision_id"]
        assert (event.event, event.outcome, event.reason) == ("token:refuse", "denied", reason)
        assert (event.actor_id, event.acting_as) == (world.user_id, world.service_account_id)
        assert event.owner_account_id == "60108"
        assert json.loads(event.owner_half)["allowed"] is True
        assert json.loads(event.caller_half)["allowed"] is True

    def test_narrowing(self, world: World, token: str) -> None:
        before = row_counts(world)
        world.exchange(token, scope="vserver:*")

        assert grown(before, row_counts(world)) == {"audit_events": 1}
        event = newest_event(world)
        assert (event.event, event.reason) == ("token:refuse", "scope-widens")
        assert (event.actor_id, event.actor_account_id) == (world.user_id, "53461")

    def test_a_root_user_who_would_become_another(self, world: World) -> None:
        root = user_token(world, username=None)
        before = row_counts(world)
        world.impersonate(root)

        assert grown(before, row_counts(world)) == {"audit_events": 1}
        event = newest_event(world)
        assert (event.actor_type, event.actor_account_id) == ("root-user", "53461")
        assert event.reason == "subject-token"

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            ({"grant_type": "client_credentials", "scope": "iam:*"}, "scope-widens"),
            ({"grant_type": "client_credentials", "scope": "x"}, "malformed-scope"),
            ({"grant_type": "client_credentials", "audience": "x"}, "unknown-api"),
            ({"grant_type": "password"}, "unsupported-grant"),
            ({"grant_type": "authorization_code", "code": "x"}, "unauthorized-client"),
            ({"scope": "x"}, "malformed-request"),
            (
                {"grant_type": EXCHANGE, "subject_token": "x", "subject_token_type": ACCESS_TOKEN},
                "subject-token",
            ),
        ],
    )
    def test_a_client_with_its_secret(
        self, world: World, data: dict[str, str], reason: str
    ) -> None:
        before = row_counts(world)
        world.token_call(data, auth=(world.client_id, world.client_secret))

        assert grown(before, row_counts(world)) == {"audit_events": 1}
        event = newest_event(world)
        assert (event.event, event.outcome, event.reason) == ("token:refuse", "denied", reason)
        assert (event.client_id, event.actor_id) == (world.client_id, world.service_account_id)
        assert event.actor_account_id == "60108"

    def test_a_tenants_client(self, world: World) -> None:
        world.token_call({"grant_type": "password"}, auth=changes.new_client(world, "app"))

        event = newest_event(world)
        assert (event.actor_type, event.actor_id, event.actor_account_id) == (
            "client",
            "app",
            "53461",
        )


class TestWhatIsCounted:
    """Callers that nobody could name are counted, not kept one by one."""

    @pytest.mark.parametrize(
        ("form", "kind"),
        [
            ({"client_id": "nobody"}, "token:client-authentication"),
            ({"client_id": CLI}, "token:malformed-request"),
            ({"client_id": CLI, "grant_type": "password"}, "token:unsupported-grant"),
            (
                {
                    "client_id": CLI,
                    "grant_type": EXCHANGE,
                    "subject_token": "x",
                    "subject_token_type": ACCESS_TOKEN,
                },
                "token:subject-token",
            ),
            ({"client_id": CLI, "grant_type": "authorization_code", "code": "x"}, "token:grant"),
        ],
    )
    def test_no_row_for_strangers(self, world: World, form: dict[str, str], kind: str) -> None:
        before = row_counts(world)
        for _ in range(3):
            world.token_call(form)

        assert grown(before, row_counts(world)) == {"failure_counts": 1}
        rows = world.rows("SELECT kind, count FROM failure_counts")
        assert [tuple(row) for row in rows] == [(kind, 3)]


def test_no_secret_is_written_anywhere(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A day in the life, searched for whatever must not be in a row or a log."""
    caplog.set_level("DEBUG")
    code = code_for(world)
    tokens = redeem(world, code).json
    user = tokens["access_token"]
    held = world.impersonate(user, external_id="external-id-8f31").json["access_token"]
    narrow = world.exchange(held, policy=json.dumps(allow("vserver:List*"))).json["access_token"]
    machine = world.machine_token().json["access_token"]
    refused = [
        world.exchange(user + "x"),
        world.impersonate(user, requested_subject="sa-none"),
        world.impersonate(user, scope="iam:*"),
        redeem(world, code),
        redeem(world, "a-code-that-never-was"),
        world.token_call({"grant_type": "x"}, auth=(world.client_id, "a-wrong-secret")),
        world.token_call(
            {"grant_type": "x", "client_id": world.client_id, "client_secret": "another-wrong"}
        ),
        world.client.post(
            "/oauth2/introspect",
            data={"token": held},
            headers={"Authorization": basic(world.product_client_id, "third-wrong")},
        ),
    ]
    signed_in(world)

    written = bytes_on_disk(tmp_path)
    for secret in (
        user,
        tokens["id_token"],
        held,
        narrow,
        machine,
        code,
        VERIFIER,
        world.client_secret,
        world.product_client_secret,
        "System1-password",
        "root-a-password",
        "external-id-8f31",
        "a-code-that-never-was",
        "a-wrong-secret",
        "another-wrong",
        "third-wrong",
    ):
        # A token's signature alone would be enough to look it up.
        for part in {secret, secret.rpartition(".")[2]}:
            assert part.encode() not in written
            assert part not in caplog.text
            assert not any(part in answer.text for answer in refused)
