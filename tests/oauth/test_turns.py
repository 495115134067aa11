"""Token requests that are answered together: each as if it were alone, and one commit for all."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.tokens.secrets import PasswordHasher
from tests.support import changes
from tests.support.lifecycle import built_anew
from tests.support.observation import break_store, mend_store, row_counts
from tests.support.served_world import assertion, give_keys
from tests.support.tokens import code_for
from tests.support.turns import Call, together, transactions
from tests.support.world import CALLBACK, CLI, VERIFIER, World, basic, claims_of

_ISSUED = """
    SELECT count(*) FROM tokens JOIN audit_events ON audit_events.token_id = tokens.id
    WHERE outcome = 'allowed' AND tokens.id = :id
"""


def holds(world: World, answer: TestResponse) -> None:
    """A success, with its row and its audit row."""
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    body = answer.json
    token = body.get("access_token") or body["accessToken"]
    assert world.rows(_ISSUED, id=claims_of(token)["jti"]) == [(1,)]


def heard(answer: TestResponse) -> tuple[int, str | None]:
    assert answer.json is not None
    return answer.status_code, answer.json.get("error")


def redeem(world: World, code: str) -> TestResponse:
    return world.token_call(
        grant_type="authorization_code",
        client_id=CLI,
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )


def refresh(world: World, token: str) -> TestResponse:
    return world.token_call(grant_type="refresh_token", client_id=CLI, refresh_token=token)


def sdk(world: World, version: int) -> TestResponse:
    return world.client.post(
        f"/accounts-api/v{version}/auth/token",
        json={"grant_type" if version == 2 else "grantType": "client_credentials"},
        headers={"Authorization": basic(world.client_id, world.client_secret)},
    )


def counted(call: Call) -> tuple[Call, list[int]]:
    """The same call, and how often it was asked."""
    asked: list[int] = []

    def ask() -> TestResponse:
        asked.append(len(asked))
        return call()

    return ask, asked


def by_assertion(world: World) -> Call:
    """client_credentials by private_key_jwt: asked twice, it would be refused the second time."""
    key = give_keys(world, world.client_id)
    issuer = world.runtime.settings.issuer
    proof = assertion(key, world.client_id, issuer, world.clock())
    return lambda: world.token_call(grant_type="client_credentials", **proof)


@pytest.fixture
def every(world: World, token: str) -> dict[str, Call]:
    """Every kind of request that the lane answers with a token, each from its own past."""
    first = world.code_flow(scope="openid offline_access").json
    assert first is not None
    code = code_for(world)
    return {
        "authorization_code": lambda: redeem(world, code),
        "refresh_token": lambda: refresh(world, first["refresh_token"]),
        "client_credentials": world.machine_token,
        "impersonation": lambda: world.impersonate(token),
        "narrowing": lambda: world.exchange(token, scope="iam:ImpersonateServiceAccount"),
        "SDK version 1": lambda: sdk(world, 1),
        "SDK version 2": lambda: sdk(world, 2),
    }


class TestOneCommit:
    def test_every_grant(self, world: World, every: dict[str, Call]) -> None:
        with transactions(world) as seen:
            answers = together(world, *every.values())

        assert seen == [0]
        for answer in answers:
            holds(world, answer)

    def test_refusals_wait_along(self, world: World, token: str) -> None:
        """Somebody who is refused again and again must not cost the others a sync each time."""
        before = row_counts(world)
        with transactions(world) as seen:
            answers = together(
                world,
                world.machine_token,
                lambda: world.token_call(client_id="nobody"),
                lambda: world.impersonate(token, requested_subject="sa-none"),
                lambda: world.machine_token(scope="iam:*"),
                lambda: world.exchange("x"),
                lambda: world.impersonate(token),
            )

        assert seen == [0]
        assert [answer.status_code for answer in answers] == [200, 401, 400, 400, 400, 200]
        after = row_counts(world)
        assert after["audit_events"] - before["audit_events"] == 4
        assert after["tokens"] - before["tokens"] == 2
        counts = "SELECT sum(count) FROM failure_counts"
        assert world.rows(counts) == [(2,)]

    def test_a_password_is_never_hashed_here(
        self, world: World, every: dict[str, Call], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """That takes a tenth of a second, and everybody in the turn would wait for it."""
        proof = by_assertion(world)

        def refused(*_: object) -> None:
            raise AssertionError("a password is hashed in the lane")

        for name in [name for name in vars(PasswordHasher) if not name.startswith("_")]:
            monkeypatch.setattr(PasswordHasher, name, refused)

        for answer in together(world, *every.values(), proof):
            holds(world, answer)


class TestFactsThatChange:
    def test_only_the_request_that_read_before_is_asked_again(self, world: World) -> None:
        other = built_anew(world)
        before, asked_before = counted(world.machine_token)
        after, asked_after = counted(world.machine_token)

        def change() -> TestResponse:
            changes.new_product(other, "network")
            return other.client.get("/healthz")

        answers = together(world, before, change, after)

        holds(world, answers[0])
        holds(world, answers[2])
        assert (len(asked_before), len(asked_after)) == (2, 1)
        other.close()

    def test_a_right_that_was_taken_before_the_commit(self, world: World, token: str) -> None:
        """All have read the old facts; each is done over, and those that may not are refused."""
        other = built_anew(world)
        tokens = row_counts(world)["tokens"]

        with transactions(world, lambda: changes.take_impersonation(other)):
            answers = together(
                world,
                world.machine_token,
                lambda: world.impersonate(token),
                lambda: world.exchange(token),
                lambda: world.impersonate(token),
            )

        assert [heard(answer) for answer in answers] == [
            (200, None),
            (400, "invalid_target"),
            (200, None),
            (400, "invalid_target"),
        ]
        holds(world, answers[0])
        holds(world, answers[2])
        assert row_counts(world)["tokens"] == tokens + 2
        other.close()

    def test_a_subject_token_that_was_revoked_before_the_commit(
        self, world: World, token: str
    ) -> None:
        """Revoking moves no epoch: the commit itself refuses, and takes nobody along."""
        other = built_anew(world)
        again, asked = counted(lambda: world.impersonate(token))
        good, asked_good = counted(world.machine_token)

        with transactions(world, lambda: changes.revoke(other, token)):
            answers = together(world, good, again, good)

        assert [heard(answer) for answer in answers] == [
            (200, None),
            (400, "invalid_request"),
            (200, None),
        ]
        assert (len(asked), len(asked_good)) == (2, 2)
        # Asked again it is a request that came after: its token proves nothing about who asks.
        assert world.rows("SELECT sum(count) FROM failure_counts") == [(1,)]
        assert "decision_id" not in answers[1].json
        other.close()

    def test_changes_that_do_not_stop(self, world: World) -> None:
        other = built_anew(world)
        numbers = iter(range(100))

        def change() -> None:
            changes.new_user(other, "53461", f"Another{next(numbers)}")

        with transactions(world, *[change] * 50):
            answers = together(world, world.machine_token, world.machine_token)

        assert [heard(answer) for answer in answers] == [(503, "temporarily_unavailable")] * 2
        assert world.rows("SELECT id FROM tokens") == []
        other.close()


class TestWhatIsGoodOnce:
    @pytest.mark.parametrize("kind", ["code", "refresh token"])
    def test_two_uses_in_one_turn(self, world: World, kind: str) -> None:
        """At most one gets something, and what it got is ended: two had the same secret."""
        use: Callable[[], TestResponse]
        if kind == "code":
            use = functools.partial(redeem, world, code_for(world, scope="openid offline_access"))
        else:
            first = world.code_flow(scope="openid offline_access").json
            assert first is not None
            use = functools.partial(refresh, world, first["refresh_token"])

        one, two, other = together(world, use, use, world.machine_token)

        assert [heard(one), heard(two)] == [(200, None), (400, "invalid_grant")]
        holds(world, other)
        assert one.json is not None
        jti = claims_of(one.json["access_token"])["jti"]
        [(revoked_at,)] = world.rows("SELECT revoked_at FROM tokens WHERE id = :id", id=jti)
        assert revoked_at is not None
        assert heard(refresh(world, one.json["refresh_token"])) == (400, "invalid_grant")

    def test_a_request_that_used_an_assertion_up_is_not_asked_again(self, world: World) -> None:
        other = built_anew(world)
        proof, asked = counted(by_assertion(world))

        # Its assertion is written, and then, before its token: a change.
        with transactions(
            world, lambda: None, lambda: changes.new_product(other, "network")
        ) as seen:
            answers = together(world, proof, world.machine_token)

        for answer in answers:
            holds(world, answer)
        assert len(asked) == 1
        assert len(seen) == 4
        assert heard(proof()) == (401, "invalid_client")
        other.close()

    def test_an_assertion_twice_in_one_turn(self, world: World) -> None:
        proof = by_assertion(world)

        one, two = together(world, proof, proof)

        holds(world, one)
        assert heard(two) == (401, "invalid_client")

    def test_somebody_elses_failure_does_not_cost_an_assertion(
        self, world: World, token: str
    ) -> None:
        other = built_anew(world)
        proof, asked = counted(by_assertion(world))
        revoke = functools.partial(changes.revoke, other, token)

        # Assertion, its token, and then the commit of those that wait.
        with transactions(world, lambda: None, lambda: None, revoke):
            answers = together(world, world.machine_token, proof, lambda: world.impersonate(token))

        assert [heard(answer)[0] for answer in answers] == [200, 200, 400]
        assert len(asked) == 1
        other.close()


class TestAStoreThatFails:
    @pytest.mark.parametrize("table", ["audit_events", "tokens"])
    def test_each_hears_of_it_and_nothing_is_used_up(
        self, world: World, every: dict[str, Call], table: str
    ) -> None:
        before = row_counts(world)
        break_store(world, table)

        answers = together(world, *every.values())

        for answer in answers:
            assert heard(answer) == (503, "temporarily_unavailable")
            assert answer.headers["Retry-After"] == "2"
            assert answer.json is not None
            assert not {"access_token", "accessToken", "decision_id"} & answer.json.keys()
        assert row_counts(world) == before
        mend_store(world)
        for answer in together(world, *every.values()):
            holds(world, answer)

    def test_a_refusal_that_cannot_be_written_down_is_not_given(
        self, world: World, token: str
    ) -> None:
        break_store(world, "audit_events")

        denied, counted_only, refused = together(
            world,
            lambda: world.impersonate(token, requested_subject="sa-none"),
            lambda: world.token_call(client_id="nobody"),
            lambda: world.machine_token(scope="iam:*"),
        )

        for answer in (denied, refused):
            assert heard(answer) == (503, "temporarily_unavailable")
            assert answer.json is not None
            assert "decision_id" not in answer.json
        # Its count is in another table: one that fails takes nobody along.
        assert heard(counted_only) == (401, "invalid_client")

    def test_a_commit_that_fails_is_no_success(self, world: World) -> None:
        """And nobody waits once more for a store that has just failed."""

        def full() -> Any:
            raise sqlite3.OperationalError("disk full")

        with transactions(world, full) as seen:
            answers = together(world, world.machine_token, lambda: world.token_call(client_id="x"))

        assert {heard(answer) for answer in answers} == {(503, "temporarily_unavailable")}
        assert seen == [0]
        assert world.rows("SELECT id FROM tokens") == []

    def test_a_store_that_cannot_be_read(self, world: World, every: dict[str, Call]) -> None:
        world.runtime.database.write(
            lambda connection: connection.exec_driver_sql("ALTER TABLE epoch RENAME TO gone")
        )

        for answer in together(world, *every.values()):
            assert heard(answer) == (503, "temporarily_unavailable")
