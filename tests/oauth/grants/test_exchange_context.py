"""What the caller says of itself: `display_name`, `reason`, `external_id`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import changes
from tests.support.observation import bytes_on_disk, newest_event
from tests.support.world import ACCESS_TOKEN, CLI, EXCHANGE, World, allow, claims_of

EXTERNAL_ID = "ticket-8f3a5c1e-not-to-be-kept"


def when(key: str, *values: Any, operator: str = "stringEquals") -> dict[str, Any]:
    return {operator: {key: list(values)}}


class TestDisplayNameAndReason:
    """Shown in the audit log as the caller's own words."""

    def test_they_are_kept_as_said(self, world: World, token: str) -> None:
        answer = world.impersonate(token, display_name="Ann, on call", reason="ticket 7: été")

        event = newest_event(world)
        assert (event.display_name, event.stated_reason) == ("Ann, on call", "ticket 7: été")
        assert claims_of(answer.json["access_token"])["act"]["name"] == "Ann, on call"
        assert event.actor_name == "System1"

    def test_a_denial_keeps_them_too(self, world: World, token: str) -> None:
        world.impersonate(token, requested_subject="sa-none", display_name="Ann", reason="why")

        event = newest_event(world)
        assert (event.display_name, event.stated_reason) == ("Ann", "why")

    @pytest.mark.parametrize(
        ("name", "longest"), [("display_name", 64), ("reason", 256), ("external_id", 256)]
    )
    def test_they_have_a_longest(self, world: World, token: str, name: str, longest: int) -> None:
        assert world.impersonate(token, **{name: "é" * longest}).status_code == 200

        answer = world.impersonate(token, **{name: "é" * (longest + 1)})
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert name in answer.json["error_description"]

    @pytest.mark.parametrize("name", ["display_name", "reason", "external_id"])
    @pytest.mark.parametrize(
        "value", ["a\nb", "a\0b", "a\x7fb", "a\x1b[31mb", "a\u202eb", "a\u2066b", "a\u2028b"]
    )
    def test_they_cannot_disguise_a_line_of_the_log(
        self, world: World, token: str, name: str, value: str
    ) -> None:
        answer = world.impersonate(token, **{name: value})

        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")

    def test_a_reason_is_seen_by_conditions(self, world: World, token: str) -> None:
        changes.replace_trust(world, when("iam:Reason", "ticket *", operator="stringLike"))

        assert world.impersonate(token).json["error"] == "invalid_target"
        assert world.impersonate(token, reason="because").json["error"] == "invalid_target"
        assert world.impersonate(token, reason="ticket 7").status_code == 200

    def test_a_display_name_is_not(self, world: World, token: str) -> None:
        """It is self-asserted: nothing is decided upon it, not even the principal's name."""
        changes.replace_trust(world, when("iam:PrincipalName", "Ann"))

        assert world.impersonate(token, display_name="Ann").json["error"] == "invalid_target"


class TestWhatTheServerSees:
    """Values that no caller can choose."""

    def test_the_address_is_that_of_the_connection(self, world: World, token: str) -> None:
        """A forwarded address is anybody's word."""
        changes.replace_trust(world, when("iam:SourceIp", "10.0.0.0/8", operator="ipAddress"))
        form = {
            "grant_type": EXCHANGE,
            "client_id": CLI,
            "subject_token": token,
            "subject_token_type": ACCESS_TOKEN,
            "requested_subject": world.service_account_id,
        }

        def from_address(address: str) -> Any:
            return world.client.post(
                "/oauth2/token",
                data=form,
                headers={"X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1"},
                environ_base={"REMOTE_ADDR": address},
            )

        assert from_address("192.0.2.1").json["error"] == "invalid_target"
        assert from_address("10.1.2.3").status_code == 200
        assert from_address("::ffff:10.1.2.3").status_code == 200

    def test_the_age_of_the_sign_in_goes_along(self, world: World, token: str) -> None:
        changes.replace_trust(world, when("iam:AuthAge", 300, operator="numberLessThan"))
        world.clock.advance(299)
        narrow = world.exchange(token).json["access_token"]
        assert world.impersonate(narrow).status_code == 200

        world.clock.advance(1)
        again = world.exchange(narrow).json["access_token"]
        assert world.impersonate(again).json["error"] == "invalid_target"

    def test_a_second_factor_is_not_a_parameter(self, world: World, token: str) -> None:
        changes.replace_trust(world, when("iam:MfaPresent", True, operator="bool"))

        answer = world.impersonate(token, amr="mfa", acr="mfa", mfa="true")

        assert answer.json["error"] == "invalid_target"

    def test_who_asks_is_the_tokens_user(self, world: World, token: str) -> None:
        changes.replace_trust(world, when("iam:PrincipalId", world.user_id))
        assert world.impersonate(token, username="x", sub="x").status_code == 200

        changes.replace_trust(world, when("iam:PrincipalName", "System2"))
        assert world.impersonate(token, username="System2").json["error"] == "invalid_target"


class TestExternalId:
    """A value that the owner's or the caller's condition asks for, and that is kept nowhere."""

    def test_the_owners_condition_sees_it(self, world: World, token: str) -> None:
        changes.replace_trust(world, when("iam:ExternalId", EXTERNAL_ID))

        assert world.impersonate(token).json["error"] == "invalid_target"
        assert world.impersonate(token, external_id="x").json["error"] == "invalid_target"
        assert world.impersonate(token, external_id=EXTERNAL_ID).status_code == 200

    def test_the_callers_condition_sees_it(self, world: World, token: str) -> None:
        changes.take_impersonation(world)
        changes.give(
            world,
            allow(
                "iam:ImpersonateServiceAccount",
                world.vrn,
                condition=when("iam:ExternalId", EXTERNAL_ID),
            ),
        )

        assert world.impersonate(token).json["error"] == "invalid_target"
        assert world.impersonate(token, external_id=EXTERNAL_ID).status_code == 200

    def test_it_is_a_word_of_this_request_alone(self, world: World, token: str) -> None:
        changes.replace_trust(world, when("iam:ExternalId", EXTERNAL_ID))
        assert world.impersonate(token, external_id=EXTERNAL_ID).status_code == 200

        assert world.impersonate(token).json["error"] == "invalid_target"

    def test_it_is_never_written_down(
        self,
        world: World,
        token: str,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level("DEBUG")
        changes.replace_trust(world, when("iam:ExternalId", "ticket-*", operator="stringLike"))

        granted = world.impersonate(token, external_id=EXTERNAL_ID)
        answers = [
            granted,
            world.impersonate(token, external_id=EXTERNAL_ID, scope="iam:*"),
            world.impersonate(token, external_id=EXTERNAL_ID, requested_subject="sa-none"),
            world.exchange(token, external_id=EXTERNAL_ID),
            world.exchange(token + "x", external_id=EXTERNAL_ID),
            world.impersonate(token, external_id=EXTERNAL_ID + "\n"),
            world.impersonate(token, external_id=EXTERNAL_ID * 20),
        ]

        assert [answer.status_code for answer in answers] == [200, 400, 400, 200, 400, 400, 400]
        written = bytes_on_disk(tmp_path)
        assert b"service-account:impersonate" in written
        assert EXTERNAL_ID.encode() not in written
        assert EXTERNAL_ID not in caplog.text
        assert not any(EXTERNAL_ID in answer.text for answer in answers)
        assert EXTERNAL_ID not in str(claims_of(granted.json["access_token"]))
