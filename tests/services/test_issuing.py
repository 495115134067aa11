"""From reading the facts to a token that is out: whatever comes in between counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.services import accounts, policies, products, service_accounts, sign_in
from app.services.sign_in import SignInForm
from app.storage import epoch, tokens
from tests.support.changes import (
    change,
    disable_service_account,
    disable_user,
    give,
    replace_trust,
    revoke,
    take_impersonation,
    take_servers,
)
from tests.support.interruptions import before_next_write
from tests.support.observation import (
    break_store,
    grown,
    mend_store,
    newest_event,
    row_counts,
)
from tests.support.tokens import code_for, user_token
from tests.support.world import CALLBACK, CLI, START, VERIFIER, World, allow, claims_of, deny

FORM = SignInForm("iam", "root-a@example.com", "System1", "System1-password")


@pytest.fixture
def token(world: World) -> str:
    return user_token(world)


def issued(world: World) -> int:
    return row_counts(world)["tokens"]


def untrust(world: World) -> None:
    service_accounts.remove_trust(world.runtime, world.service_account_id, "53461")


def redeem(world: World, code: str) -> TestResponse:
    return world.token_call(
        grant_type="authorization_code",
        client_id=CLI,
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )


# --------------------------------------------------- administrative writes while a token is made


@pytest.mark.parametrize(
    "take_away",
    [
        pytest.param(untrust, id="trust removed"),
        pytest.param(lambda w: replace_trust(w, {"bool": {"iam:MfaPresent": [True]}}), id="MFA"),
        pytest.param(
            lambda w: replace_trust(w, expires_at=START + 1) or w.clock.advance(1), id="end"
        ),
        pytest.param(take_impersonation, id="caller's policy detached"),
        pytest.param(lambda w: give(w, deny("iam:*", w.vrn)), id="caller's deny attached"),
        pytest.param(disable_service_account, id="service account disabled"),
    ],
)
def test_a_right_that_is_taken_while_the_token_is_made_is_not_used(
    world: World, token: str, take_away: Callable[[World], Any]
) -> None:
    before = issued(world)
    assert world.impersonate(token).status_code == 200
    before_next_write(world, lambda: take_away(world))

    answer = world.impersonate(token)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_target")
    assert issued(world) == before + 1
    event = newest_event(world)
    assert (event.id, event.event, event.outcome) == (
        answer.json["decision_id"],
        "service-account:impersonate",
        "denied",
    )
    # The answer is that of somebody who came too late.
    late = world.impersonate(token).json
    assert {**answer.json, "decision_id": ""} == {**late, "decision_id": ""}


@pytest.mark.parametrize(
    "take_away",
    [
        pytest.param(disable_user, id="user disabled"),
        pytest.param(lambda w: accounts.disable_account(w.runtime, "53461"), id="account disabled"),
    ],
)
def test_a_caller_who_is_disabled_while_the_token_is_made_gets_none(
    world: World, token: str, take_away: Callable[[World], Any]
) -> None:
    before = issued(world)
    before_next_write(world, lambda: take_away(world))

    answer = world.impersonate(token)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert issued(world) == before


def test_a_right_that_is_given_while_the_token_is_made_counts(world: World, token: str) -> None:
    before_next_write(world, lambda: give(world, allow("vserver:List*"), service_account=None))
    assert world.impersonate(token).json["scope"] == "vserver:*"

    take_servers(world)
    give_back = allow("vserver:ListServers")
    before_next_write(
        world,
        lambda: give(world, give_back, "given", service_account=world.service_account_id),
    )
    assert world.impersonate(token).json["scope"] == "vserver:ListServers"


def test_a_scope_that_is_taken_while_the_token_is_made_is_not_granted(world: World) -> None:
    before_next_write(world, lambda: take_servers(world))
    assert world.machine_token(scope="vserver:List*").json["error"] == "invalid_scope"

    policies.attach(world.runtime, "vServerFullAccess", "service-account", world.service_account_id)
    before_next_write(world, lambda: take_servers(world))
    answer = world.machine_token()
    assert "scope" not in answer.json
    assert claims_of(answer.json["access_token"])["aud"] == [world.runtime.settings.issuer]


@pytest.mark.parametrize(
    "take_away",
    [
        pytest.param(
            lambda w: service_accounts.replace_secret(w.runtime, w.service_account_id), id="secret"
        ),
        pytest.param(disable_service_account, id="disabled"),
        pytest.param(lambda w: accounts.disable_account(w.runtime, "60108"), id="account disabled"),
    ],
)
def test_a_client_that_is_shut_out_while_the_token_is_made_gets_none(
    world: World, take_away: Callable[[World], Any]
) -> None:
    before_next_write(world, lambda: take_away(world))

    answer = world.machine_token()

    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert issued(world) == 0


def test_an_api_that_moves_while_the_token_is_made_is_named_as_it_is_now(world: World) -> None:
    moved = products.sample_product().model_copy(update={"identifier": "https://moved.example"})
    before_next_write(world, lambda: products.register(world.runtime, moved))

    answer = world.machine_token(audience="vserver")

    assert claims_of(answer.json["access_token"])["aud"] == ["https://moved.example"]


def test_a_token_that_is_made_again_is_one_token(world: World, token: str) -> None:
    before = row_counts(world)
    seen = before_next_write(world, lambda: change(world, lambda c: None), times=3)

    answer = world.impersonate(token)

    assert answer.status_code == 200
    assert len(seen) == 3
    assert grown(before, row_counts(world)) == {"tokens": 1, "audit_events": 1}
    assert newest_event(world).token_id == claims_of(answer.json["access_token"])["jti"]


def test_writes_that_keep_coming_in_between_end_in_an_answer(world: World) -> None:
    before = row_counts(world)
    seen = before_next_write(world, lambda: change(world, lambda c: None), times=100)

    answer = world.machine_token()

    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["Retry-After"] == "2"
    assert len(seen) == 8
    assert grown(before, row_counts(world)) == {}


def test_issuing_moves_the_epoch_for_nobody(world: World, token: str) -> None:
    def current() -> int:
        with world.runtime.database.read() as connection:
            return epoch.current(connection)

    before = current()
    world.impersonate(token)
    world.machine_token()
    world.machine_token(scope="vdisk:*")

    assert current() == before


# ------------------------------------------------------------------- what a token comes out of


def test_a_subject_token_that_is_revoked_meanwhile_yields_nothing(world: World, token: str) -> None:
    before = issued(world)
    before_next_write(world, lambda: revoke(world, token))

    answer = world.impersonate(token)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert answer.json["decision_id"]
    assert issued(world) == before
    event = newest_event(world)
    assert (event.id, event.event, event.outcome) == (
        answer.json["decision_id"],
        "token:refuse",
        "denied",
    )


def test_a_token_above_the_subject_token_takes_it_along(world: World, token: str) -> None:
    through = world.impersonate(token).json["access_token"]
    before = issued(world)
    before_next_write(world, lambda: revoke(world, token))

    answer = world.exchange(through, scope="vserver:List*")

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert issued(world) == before


def test_a_code_that_somebody_else_redeems_meanwhile_ends_what_they_got(world: World) -> None:
    code = code_for(world)
    winner: list[TestResponse] = []
    before_next_write(world, lambda: winner.append(redeem(world, code)))

    answer = redeem(world, code)

    assert winner[0].status_code == 200
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert [row.revoked_at for row in world.rows("SELECT revoked_at FROM tokens")] == [START]
    reuse = "SELECT outcome FROM audit_events WHERE event = 'authorization-code:reuse'"
    assert world.rows(reuse) == [("denied",)]


def sign_out_everywhere(world: World) -> None:
    for row in world.rows("SELECT id FROM sign_in_sessions"):
        with world.runtime.database.read() as connection:
            session = sign_in.sessions.find_by_id(connection, row.id)
            signed_in = sign_in.signed_in(world.runtime, connection, session)
        assert signed_in is not None
        sign_in.sign_out(world.runtime, signed_in)


def test_signing_out_while_a_code_is_redeemed_leaves_no_token(world: World) -> None:
    code = code_for(world)
    before_next_write(world, lambda: sign_out_everywhere(world))

    answer = redeem(world, code)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert issued(world) == 0


def test_signing_out_while_a_token_is_exchanged_leaves_no_token(world: World, token: str) -> None:
    before_next_write(world, lambda: sign_out_everywhere(world))

    answer = world.impersonate(token)

    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert world.rows("SELECT id FROM tokens WHERE revoked_at IS NULL") == []


# ------------------------------------------------------------------------- a store that fails


@pytest.mark.parametrize("table", ["tokens", "audit_events"])
def test_a_token_that_cannot_be_recorded_does_not_go_out(
    world: World, token: str, table: str
) -> None:
    before = row_counts(world)
    break_store(world, table)

    for answer in (world.machine_token(), world.impersonate(token), world.exchange(token)):
        assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
        assert set(answer.json) == {"error", "error_description"}
    assert row_counts(world) == before

    mend_store(world)
    assert world.impersonate(token).status_code == 200


def test_a_code_is_not_used_up_by_a_token_that_cannot_be_recorded(world: World) -> None:
    code = code_for(world)
    break_store(world, "tokens")
    assert redeem(world, code).status_code == 503

    mend_store(world)
    assert redeem(world, code).status_code == 200


def test_a_denial_that_cannot_be_recorded_is_not_told(world: World, token: str) -> None:
    break_store(world, "refusal_counts")

    answer = world.impersonate(token, requested_subject="sa-unknown")

    assert answer.status_code == 503
    assert "decision_id" not in answer.json


# -------------------------------------------------------------------------- what is kept of it


def test_the_record_says_what_the_token_says(world: World, token: str) -> None:
    answer = world.impersonate(token, display_name="on-call", scope="vserver:List*")
    claims = claims_of(answer.json["access_token"])

    with world.runtime.database.read() as connection:
        record = tokens.find(connection, claims["jti"])
    assert record is not None
    assert (record.subject_id, record.account_id, record.client_id) == (
        claims["sub"],
        claims["account_id"],
        claims["client_id"],
    )
    assert (list(record.audience), record.scope) == (claims["aud"], claims["scope"])
    assert (record.issued_at, record.expires_at) == (claims["iat"], claims["exp"])
    assert record.actor is not None
    assert record.actor.claim() == claims["act"]
    assert record.decision_id == claims["decision_id"]
    assert record.parent_id == claims_of(token)["jti"]
    assert record.patterns == ("vserver:List*",)
    assert answer.json["expires_in"] == claims["exp"] - claims["iat"]


def test_the_token_itself_is_not_kept(world: World, token: str) -> None:
    answer = world.impersonate(token)
    dump = str([world.rows(f"SELECT * FROM {table}") for table in ("tokens", "audit_events")])

    for secret in (token, answer.json["access_token"]):
        for part in secret.split("."):
            assert part not in dump
