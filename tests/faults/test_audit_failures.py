"""The audit log takes no rows: then nothing is issued, nothing ended, and nothing used up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.changes import new_client
from tests.support.observation import break_store, mend_store
from tests.support.served_world import assertion, give_keys
from tests.support.tokens import code_for, user_token
from tests.support.world import CALLBACK, CLI, EXCHANGE, VERIFIER, World, basic

_SPENT = """
    SELECT (SELECT count(*) FROM tokens),
    (SELECT count(*) FROM tokens WHERE revoked_at IS NOT NULL),
    (SELECT count(*) FROM authorization_codes WHERE used_at IS NOT NULL),
    (SELECT count(*) FROM refresh_tokens), (SELECT count(*) FROM refresh_families),
    (SELECT count(*) FROM refresh_tokens WHERE used_at IS NOT NULL),
    (SELECT count(*) FROM refresh_families WHERE ended_at IS NOT NULL),
    (SELECT count(*) FROM audit_events)
"""


@dataclass(frozen=True)
class Held:
    """What the callers have from before the failure."""

    code: str
    access: str
    refresh: str
    root: str


@pytest.fixture
def held(world: World) -> Held:
    tokens = world.code_flow(scope="openid offline_access").json
    root = user_token(world, username=None)
    return Held(code_for(world), tokens["access_token"], tokens["refresh_token"], root)


def redeem(world: World, held: Held) -> Any:
    return world.token_call(
        grant_type="authorization_code",
        client_id=CLI,
        code=held.code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )


def rotate(world: World, held: Held) -> Any:
    return world.token_call(grant_type="refresh_token", client_id=CLI, refresh_token=held.refresh)


def sdk(world: World, version: int) -> Any:
    return world.client.post(
        f"/accounts-api/v{version}/auth/token",
        json={"grant_type" if version == 2 else "grantType": "client_credentials"},
        headers={"Authorization": basic(world.client_id, world.client_secret)},
    )


def revoke(world: World, token: str) -> Any:
    return world.client.post("/oauth2/revoke", data={"client_id": CLI, "token": token})


Call = Callable[[World, Held], Any]
ALLOWED: dict[str, Call] = {
    "authorization_code": redeem,
    "refresh_token": rotate,
    "client_credentials": lambda world, held: world.machine_token(),
    "client_credentials, SDK version 1": lambda world, held: sdk(world, 1),
    "client_credentials, SDK version 2": lambda world, held: sdk(world, 2),
    "token exchange, another's": lambda world, held: world.impersonate(held.access),
    "token exchange, narrower": lambda world, held: world.exchange(
        held.access, scope="iam:ImpersonateServiceAccount"
    ),
    "revocation, access token": lambda world, held: revoke(world, held.access),
    "revocation, refresh token": lambda world, held: revoke(world, held.refresh),
}
REFUSED: dict[str, Call] = {
    "token exchange, not permitted": lambda world, held: world.impersonate(
        held.access, requested_subject="sa-00000000-0000-4000-8000-000000000000"
    ),
    "token exchange, a root user's": lambda world, held: world.impersonate(held.root),
    "token exchange, too much": lambda world, held: world.impersonate(held.access, scope="iam:*"),
    "client_credentials, too much": lambda world, held: world.machine_token(scope="iam:*"),
    "a grant that is not for the client": lambda world, held: world.token_call(
        grant_type=EXCHANGE, client_id=world.client_id, client_secret=world.client_secret
    ),
}


def unavailable(answer: Any) -> None:
    assert answer.status_code == 503
    assert answer.json["error"] == "temporarily_unavailable"
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize("name", ALLOWED)
def test_what_would_be_done_is_not_and_can_be_done_later(
    world: World, held: Held, name: str
) -> None:
    before = world.rows(_SPENT)
    break_store(world, "audit_events")

    for _ in range(2):
        unavailable(ALLOWED[name](world, held))

    assert world.rows(_SPENT) == before
    mend_store(world)
    assert ALLOWED[name](world, held).status_code == 200


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_refused_gets_no_answer_either(world: World, held: Held, name: str) -> None:
    """A decision is told when its row is durable, not before."""
    break_store(world, "audit_events")

    answer = REFUSED[name](world, held)

    unavailable(answer)
    assert "decision_id" not in answer.json
    mend_store(world)
    assert REFUSED[name](world, held).status_code == 400


@pytest.mark.parametrize(("name", "call"), [("code", redeem), ("refresh token", rotate)])
def test_a_reuse_that_cannot_be_written_down_is_still_a_reuse(
    world: World, held: Held, name: str, call: Call
) -> None:
    """The second use ends what came of the first, with its row, as soon as that can be done."""
    first = call(world, held).json["access_token"]
    break_store(world, "audit_events")

    unavailable(call(world, held))

    mend_store(world)
    assert call(world, held).json["error"] == "invalid_grant"
    bearer = {"Authorization": f"Bearer {first}"}
    asked = world.client.post("/oauth2/introspect", data={"token": first}, headers=bearer)
    assert asked.status_code == 401


def test_a_code_outlives_a_failure_that_cost_its_client_an_assertion(world: World) -> None:
    """The proof of who asked is used up, what it was asked for is not."""
    client_id, _ = new_client(world, "an-app", auth_method="private_key_jwt")
    key = give_keys(world, client_id)
    uri = f"https://{client_id}.example/callback"
    code = code_for(world, client_id=client_id, redirect_uri=uri)

    def redeem_by(proof: Mapping[str, str]) -> Any:
        return world.token_call(
            grant_type="authorization_code",
            code=code,
            redirect_uri=uri,
            code_verifier=VERIFIER,
            **proof,
        )

    def proof() -> Mapping[str, str]:
        return assertion(key, client_id, world.runtime.settings.issuer, world.clock())

    spent = proof()
    break_store(world, "audit_events")
    unavailable(redeem_by(spent))
    mend_store(world)

    assert redeem_by(spent).json["error"] == "invalid_client"
    assert redeem_by(proof()).status_code == 200
