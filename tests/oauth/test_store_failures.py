"""A store that fails: no token goes out, and nothing of it stays behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.browser import ask, hidden_fields, is_page, signed_in
from tests.support.observation import break_store, grown, mend_store, row_counts
from tests.support.tokens import code_for, user_token
from tests.support.world import CALLBACK, CLI, VERIFIER, World


@pytest.fixture
def held(world: World, token: str) -> dict[str, str]:
    """What the callers have from before the failure."""
    return {"user": token, "root": user_token(world, username=None), "code": code_for(world)}


def redeem(world: World, held: dict[str, str]) -> Any:
    return world.token_call(
        grant_type="authorization_code",
        client_id=CLI,
        code=held["code"],
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )


Call = Callable[[World, dict[str, str]], Any]

ISSUING: dict[str, Call] = {
    "impersonation": lambda world, held: world.impersonate(held["user"]),
    "narrowing": lambda world, held: world.exchange(held["user"]),
    "client credentials": lambda world, held: world.machine_token(),
    "authorization code": redeem,
    "existing SDKs": lambda world, held: world.client.post(
        "/accounts-api/v2/auth/token",
        json={
            "grant_type": "client_credentials",
            "ClientId": world.client_id,
            "ClientSecret": world.client_secret,
        },
    ),
}
REFUSING: dict[str, Call] = {
    "a denial": lambda world, held: world.impersonate(held["user"], requested_subject="sa-none"),
    "a wider scope": lambda world, held: world.impersonate(held["user"], scope="iam:*"),
    "a root user": lambda world, held: world.impersonate(held["root"]),
    "a refused client": lambda world, held: world.machine_token(scope="iam:*"),
}
COUNTING: dict[str, Call] = {
    "a wrong secret": lambda world, held: world.token_call(client_id="nobody"),
    "a bad subject token": lambda world, held: world.exchange("x"),
    "introspection by a stranger": lambda world, held: world.client.post(
        "/oauth2/introspect", data={"token": "x", "client_id": "nobody"}
    ),
}


def unavailable(answer: Any) -> None:
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.content_type == "application/json"
    assert answer.json.keys() == {"error", "error_description"}
    assert answer.json["error"] == "temporarily_unavailable"
    for told in ("sqlite", "SELECT", "INSERT", "disk full", "Traceback", "audit_events"):
        assert told not in answer.text


@pytest.mark.parametrize("table", ["audit_events", "tokens"])
@pytest.mark.parametrize("name", ISSUING)
def test_no_token_without_its_rows(
    world: World, held: dict[str, str], name: str, table: str
) -> None:
    before = row_counts(world)
    break_store(world, table)

    unavailable(ISSUING[name](world, held))

    assert grown(before, row_counts(world)) == {}
    mend_store(world)
    assert ISSUING[name](world, held).status_code == 200


@pytest.mark.parametrize("name", REFUSING)
def test_no_answer_to_a_refusal_that_is_not_written_down(
    world: World, held: dict[str, str], name: str
) -> None:
    before = row_counts(world)
    break_store(world, "audit_events")

    unavailable(REFUSING[name](world, held))

    assert grown(before, row_counts(world)) == {}
    mend_store(world)
    assert REFUSING[name](world, held).status_code == 400


def test_a_denial_is_counted_or_not_given(world: World, held: dict[str, str]) -> None:
    """Row and count are one transaction."""
    before = row_counts(world)
    break_store(world, "refusal_counts")

    unavailable(REFUSING["a denial"](world, held))

    assert grown(before, row_counts(world)) == {}


@pytest.mark.parametrize("name", COUNTING)
def test_a_failure_that_cannot_be_counted(world: World, held: dict[str, str], name: str) -> None:
    break_store(world, "failure_counts")

    unavailable(COUNTING[name](world, held))


def test_a_code_is_not_used_up_by_a_failure(world: World, held: dict[str, str]) -> None:
    break_store(world, "audit_events")
    unavailable(redeem(world, held))
    unavailable(redeem(world, held))
    mend_store(world)

    assert redeem(world, held).status_code == 200


@pytest.mark.parametrize("table", ["tokens", "epoch", "service_accounts", "accounts"])
def test_a_store_that_cannot_be_read(world: World, held: dict[str, str], table: str) -> None:
    world.runtime.database.write(lambda c: c.exec_driver_sql(f"ALTER TABLE {table} RENAME TO gone"))

    unavailable(world.impersonate(held["user"]))


class TestPages:
    def test_no_code_without_its_row(self, world: World) -> None:
        browser = signed_in(world)
        page = ask(world, browser)
        break_store(world, "audit_events")

        for decision in ("approve", "deny"):
            answer = browser.post(
                "/oauth2/authorize/decision",
                data={**hidden_fields(page), "decision": decision},
            )
            assert is_page(answer, 503)
            assert answer.headers["Retry-After"] == "2"
        assert world.rows("SELECT digest FROM authorization_codes") == []

    def test_discovery_needs_no_store(self, world: World) -> None:
        world.runtime.database.write(
            lambda c: c.exec_driver_sql("ALTER TABLE oauth_clients RENAME TO gone")
        )

        for path in ("/.well-known/openid-configuration", "/oauth2/jwks", "/healthz"):
            assert world.client.get(path).status_code == 200


def test_a_reuse_that_cannot_be_acted_on_is_no_plain_refusal(
    world: World, held: dict[str, str]
) -> None:
    """CVE-2020-15223: a revocation that failed in the store was answered as if it had worked."""
    token = redeem(world, held).json["access_token"]
    break_store(world, "audit_events")

    unavailable(redeem(world, held))

    mend_store(world)
    assert world.exchange(token).status_code == 200
    assert redeem(world, held).json["error"] == "invalid_grant"
    assert world.exchange(token).json["error"] == "invalid_request"
