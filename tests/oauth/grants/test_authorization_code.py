"""Redeeming an authorization code: once, within a minute, by whom and for what it was made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.services import client_secrets
from tests.support import changes
from tests.support.observation import bytes_on_disk
from tests.support.tokens import code_for
from tests.support.world import CALLBACK, CLI, VERIFIER, World

ISSUER = "http://127.0.0.1:8000"


@pytest.fixture
def code(world: World) -> str:
    return code_for(world)


def redeem(world: World, code: str, *, auth: tuple[str, str] | None = None, **changed: Any) -> Any:
    form = {
        "grant_type": "authorization_code",
        "client_id": CLI,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
        **changed,
    }
    return world.token_call(
        {name: value for name, value in form.items() if value is not None}, auth=auth
    )


def refused(answer: Any, error: str = "invalid_grant") -> None:
    assert (answer.status_code, answer.json["error"]) == (400, error), answer.json


def test_the_answer_is_that_of_section_4_1_4(world: World, code: str) -> None:
    answer = redeem(world, code)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json
    assert body.pop("access_token")
    assert body.pop("id_token")
    assert body.pop("refresh_token")
    assert body == {"token_type": "Bearer", "expires_in": 3600, "scope": "openid"}


class TestOnce:
    def test_a_second_time(self, world: World, code: str) -> None:
        assert redeem(world, code).status_code == 200

        refused(redeem(world, code))

    def test_a_second_time_ends_all_that_came_of_it(self, world: World, code: str) -> None:
        """RFC 6749 section 4.1.2: the code was stolen, and nobody knows by whom."""
        first = redeem(world, code).json["access_token"]
        become = world.impersonate(first).json["access_token"]
        narrow = world.exchange(become, scope="vserver:List*").json["access_token"]
        assert world.introspect(narrow)["active"] is True

        refused(redeem(world, code))

        assert world.introspect(become) == world.introspect(narrow) == {"active": False}
        refused(world.exchange(first), "invalid_request")
        refused(world.impersonate(first), "invalid_request")
        events = [row.event for row in world.rows("SELECT event FROM audit_events")]
        assert events.count("authorization-code:reuse") == 1

    def test_by_another_client_it_ends_nothing(self, world: World, code: str) -> None:
        """Else whoever saw a used code could sign people out."""
        first = redeem(world, code).json["access_token"]
        client = changes.new_client(world, "app")

        refused(redeem(world, code, auth=client, client_id=None))

        assert world.exchange(first).status_code == 200

    def test_what_came_of_another_code_goes_on(self, world: World, code: str) -> None:
        other = redeem(world, code_for(world)).json["access_token"]
        redeem(world, code)
        redeem(world, code)

        assert world.exchange(other).status_code == 200

    def test_at_the_same_time(self, world: World, code: str) -> None:
        """CVE-2026-1035: check and use were two steps. Here one wins, and then nobody has it."""
        with ThreadPoolExecutor(4) as pool:
            answers = list(
                pool.map(
                    lambda _: world.app.test_client().post(
                        "/oauth2/token",
                        data={
                            "grant_type": "authorization_code",
                            "client_id": CLI,
                            "code": code,
                            "redirect_uri": CALLBACK,
                            "code_verifier": VERIFIER,
                        },
                    ),
                    range(4),
                )
            )

        granted = [each for each in answers if each.status_code == 200]
        assert len(granted) == 1
        for answer in answers:
            if answer is not granted[0]:
                refused(answer)
        refused(world.exchange(granted[0].json["access_token"]), "invalid_request")
        assert len(world.rows("SELECT id FROM tokens")) == 1

    def test_a_failed_attempt_does_not_use_it_up(self, world: World, code: str) -> None:
        """RFC 7636 and the person's patience: the right client can still redeem it."""
        refused(redeem(world, code, code_verifier="x" * 43))
        refused(redeem(world, code, redirect_uri="http://127.0.0.1/callback"))

        assert redeem(world, code).status_code == 200


class TestWithinAMinute:
    def test_until_then(self, world: World, code: str) -> None:
        world.clock.advance(59.9)

        assert redeem(world, code).status_code == 200

    def test_not_after(self, world: World, code: str) -> None:
        world.clock.advance(60)

        refused(redeem(world, code))

    def test_reuse_is_noticed_after_it_too(self, world: World, code: str) -> None:
        first = redeem(world, code).json["access_token"]
        world.clock.advance(600)

        refused(redeem(world, code))

        refused(world.exchange(first), "invalid_request")


class TestByWhom:
    """CVE-2026-55672: codes that were not bound to their client."""

    def test_another_client(self, world: World, code: str) -> None:
        client = changes.new_client(world, "app", redirect_uris=(CALLBACK,))

        refused(redeem(world, code, auth=client, client_id=None))
        assert redeem(world, code).status_code == 200

    def test_a_confidential_client_has_to_prove_itself(self, world: World) -> None:
        client_id, secret = changes.new_client(world, "app", redirect_uris=(CALLBACK,))
        code = code_for(world, client_id=client_id)

        answer = redeem(world, code, client_id=client_id)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
        assert redeem(world, code, auth=(client_id, secret), client_id=None).status_code == 200

    @pytest.mark.parametrize(
        "uri",
        [
            None,
            "",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:49153/callback",
            "http://[::1]:49152/callback",
            CALLBACK + "/",
        ],
    )
    def test_another_redirect_uri(self, world: World, code: str, uri: str | None) -> None:
        """Section 4.1.3: identical to the one that was sent, loopback or not."""
        refused(redeem(world, code, redirect_uri=uri))

    def test_what_is_no_code(self, world: World, code: str) -> None:
        """CVE-2023-0264, CVE-2026-4282: neither its stored form nor a part of it."""
        digest = world.rows("SELECT digest FROM authorization_codes")[0].digest
        grant_id = world.rows("SELECT grant_id FROM authorization_codes")[0].grant_id
        for value in (digest, grant_id, code[:-1], code + "x", code.swapcase(), "é", "x" * 9000):
            refused(redeem(world, value))
        refused(redeem(world, ""), "invalid_request")

    def test_it_is_kept_as_a_hash(
        self, world: World, code: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        answer = redeem(world, code)
        redeem(world, code)

        written = bytes_on_disk(tmp_path)
        for secret in (code, VERIFIER, answer.json["access_token"], answer.json["id_token"]):
            assert secret.encode() not in written
            assert secret not in caplog.text


class TestPkce:
    """RFC 7636, by S256 alone; CVE-2023-48228: the verifier absent, PKCE skipped."""

    @pytest.mark.parametrize("verifier", [None, ""])
    def test_without_the_verifier(self, world: World, code: str, verifier: str | None) -> None:
        refused(redeem(world, code, code_verifier=verifier), "invalid_request")

    @pytest.mark.parametrize("verifier", ["x" * 42, "x" * 129, "!" * 43, "é" * 43])
    def test_what_is_no_verifier(self, world: World, code: str, verifier: str) -> None:
        refused(redeem(world, code, code_verifier=verifier), "invalid_request")

    @pytest.mark.parametrize("verifier", ["x" * 43, VERIFIER + "x", VERIFIER.upper()])
    def test_another_verifier(self, world: World, code: str, verifier: str) -> None:
        refused(redeem(world, code, code_verifier=verifier))

    def test_the_challenge_is_no_verifier(self, world: World, code: str) -> None:
        challenge = world.rows("SELECT code_challenge FROM authorization_codes")[0][0]

        refused(redeem(world, code, code_verifier=challenge))


class TestWhoStands:
    def test_the_user_was_disabled_meanwhile(self, world: World, code: str) -> None:
        changes.disable_user(world)

        refused(redeem(world, code))

    def test_the_account_was_disabled_meanwhile(self, world: World, code: str) -> None:
        changes.disable_account(world, "53461")

        refused(redeem(world, code))

    def test_the_sign_in_ended_meanwhile(self, world: World, code: str) -> None:
        changes.end_session(world, world.rows("SELECT id FROM sign_in_sessions")[0].id)

        refused(redeem(world, code))

    def test_the_client_became_anothers(self, world: World) -> None:
        client = changes.new_client(world, "app", redirect_uris=(CALLBACK,))
        code = code_for(world, client_id="app")
        changes.change(
            world,
            lambda c: c.exec_driver_sql(
                "UPDATE oauth_clients SET account_id = '60108' WHERE id = 'app'"
            ),
        )

        refused(redeem(world, code, auth=client, client_id=None))
        assert client_secrets.find_enabled(world.runtime, "app") is not None
