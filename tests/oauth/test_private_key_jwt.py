"""private_key_jwt (RFC 7523 section 2.2, RFC 10070): a client proves itself by its own key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.services import accounts, client_assertions, service_accounts
from app.services.administration import Invalid, NotFound
from tests.support.assertions import (
    HERE,
    MINE,
    OTHER,
    TYPE,
    by_assertion,
    jwks,
    not_authenticated,
    proof,
)
from tests.support.lifecycle import (
    APP_CALLBACK,
    Application,
    ask,
    code_from,
    is_active,
    refused,
    signed_in_browser,
    tenant_client,
)
from tests.support.world import CLI, VERIFIER, World


@pytest.fixture
def machine(world: World) -> World:
    """The story, where the service account has registered a key of its own."""
    client_assertions.set_keys(world.runtime, world.client_id, jwks(MINE))
    return world


def test_an_assertion_is_as_good_as_a_secret(machine: World) -> None:
    answer = by_assertion(machine, proof(machine))

    assert answer.status_code == 200, answer.json
    assert is_active(machine, answer.json["access_token"])


def test_the_secret_still_works_beside_the_key(machine: World) -> None:
    assert machine.machine_token().status_code == 200


def test_the_client_id_may_be_sent_along_if_it_is_the_same(machine: World) -> None:
    """RFC 7521 section 4.2."""
    assert by_assertion(machine, proof(machine), client_id=machine.client_id).status_code == 200
    not_authenticated(by_assertion(machine, proof(machine), client_id=CLI))
    not_authenticated(by_assertion(machine, proof(machine), client_id="unknown"))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"{HERE}/oauth2/token"},
        {"aud": [HERE, "https://other.example"]},
        {"aud": None},
        {"exp": 1_700_000_000},
        {"exp": 1_900_000_000},
        {"jti": None},
        {"iss": HERE},
        {"sub": CLI},
        {"sub": None},
        {"key": OTHER},
        {"key": OTHER, "header": {"kid": "mine"}},
        {"header": {"alg": "RS256"}},
        {"header": {"typ": "at+jwt"}},
        {"header": {"jwk": OTHER.as_dict(private=False)}},
    ],
)
def test_whatever_is_wrong_the_answer_is_one(machine: World, changes: dict[str, Any]) -> None:
    answer = by_assertion(machine, proof(machine, **changes))

    not_authenticated(answer)
    assert answer.json == by_assertion(machine, "nonsense").json


def test_tokens_of_ours_prove_no_client(machine: World) -> None:
    own = machine.machine_token().json["access_token"]

    not_authenticated(by_assertion(machine, own))


def test_another_clients_key_proves_that_client_alone(machine: World) -> None:
    other = service_accounts.create(machine.runtime, "60108", "other")
    client_assertions.set_keys(machine.runtime, other.client_id, jwks(OTHER))

    not_authenticated(by_assertion(machine, proof(machine, key=OTHER)))
    own = proof(machine, key=OTHER, iss=other.client_id, sub=other.client_id)
    assert by_assertion(machine, own).status_code == 200


def test_failures_are_counted(machine: World) -> None:
    by_assertion(machine, proof(machine, key=OTHER))

    [row] = machine.rows("SELECT * FROM failure_counts")
    assert (row.kind, row.count) == ("token:client-authentication", 1)


# ----------------------------------------------------------------------------- one way at a time


def test_two_ways_of_authentication_are_refused(machine: World) -> None:
    """RFC 6749 section 2.3."""
    header = (machine.client_id, machine.client_secret)
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE}

    by_header = machine.token_call({**form, "client_assertion": proof(machine)}, auth=header)
    refused(by_header, "invalid_request")
    by_form = by_assertion(
        machine, proof(machine), client_id=machine.client_id, client_secret=machine.client_secret
    )
    refused(by_form, "invalid_request")
    refused(machine.token_call(form, auth=header), "invalid_request")


@pytest.mark.parametrize(
    "fields",
    [
        {"client_assertion": "x"},
        {"client_assertion_type": TYPE},
        {"client_assertion": "x", "client_assertion_type": "urn:unknown"},
        {"client_assertion": "x", "client_assertion_type": TYPE.upper()},
    ],
)
def test_the_two_parameters_come_together(machine: World, fields: dict[str, str]) -> None:
    answer = machine.token_call({"grant_type": "client_credentials", **fields})

    refused(answer, "invalid_request")


def test_a_client_that_has_no_key_has_no_assertion(world: World) -> None:
    not_authenticated(by_assertion(world, proof(world)))
    not_authenticated(by_assertion(world, proof(world, iss=CLI, sub=CLI)))
    not_authenticated(by_assertion(world, proof(world, iss="unknown", sub="unknown")))


def test_a_client_of_private_key_jwt_has_no_other_way(world: World) -> None:
    app = tenant_client(world, auth_method="private_key_jwt", jwks=jwks(MINE))
    assert app.secret is None

    for secret in (None, "", "x"):
        pretender = Application(app.id, APP_CALLBACK, secret)
        answer = world.token_call(
            {"grant_type": "authorization_code", "code": "x", **pretender.fields},
            auth=pretender.auth,
        )
        not_authenticated(answer)


# -------------------------------------------------------------------------------------- disabled


def _service_account(world: World) -> None:
    service_accounts.set_enabled(world.runtime, world.service_account_id, enabled=False)


def _account(world: World) -> None:
    accounts.disable_account(world.runtime, "60108")


def _keys(world: World) -> None:
    client_assertions.set_keys(world.runtime, world.client_id, None)


@pytest.mark.parametrize("end", [_service_account, _account, _keys])
def test_a_client_that_is_disabled_proves_nothing(
    machine: World, end: Callable[[World], None]
) -> None:
    """CVE-2026-1609, CVE-2025-64521."""
    end(machine)

    not_authenticated(by_assertion(machine, proof(machine)))


def test_a_new_key_set_replaces_the_old_one(machine: World) -> None:
    client_assertions.set_keys(machine.runtime, machine.client_id, jwks(OTHER))

    not_authenticated(by_assertion(machine, proof(machine)))
    assert by_assertion(machine, proof(machine, key=OTHER)).status_code == 200
    row = machine.rows("SELECT * FROM audit_events WHERE event = 'oauth-client:keys:set'")[-1]
    assert row.resource == f"oauth-client/{machine.client_id}"


def test_keys_are_for_a_client_that_is_there_and_can_keep_them(world: World) -> None:
    with pytest.raises(NotFound):
        client_assertions.set_keys(world.runtime, "unknown", jwks(MINE))
    with pytest.raises(Invalid, match="public"):
        client_assertions.set_keys(world.runtime, CLI, jwks(MINE))
    with pytest.raises(Invalid, match="private or symmetric"):
        client_assertions.set_keys(
            world.runtime, world.client_id, {"keys": [MINE.as_dict(private=True)]}
        )


# ------------------------------------------------------------------------------ with other grants


def test_a_code_and_a_revocation_by_assertion(world: World) -> None:
    app = tenant_client(world, auth_method="private_key_jwt", jwks=jwks(MINE))
    browser = signed_in_browser(world)
    code = code_from(ask(browser, app, scope="openid"), browser)

    def signed() -> dict[str, str]:
        token = proof(world, iss=app.id, sub=app.id)
        return {"client_assertion_type": TYPE, "client_assertion": token}

    answer = world.token_call(
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": app.redirect_uri,
            "code_verifier": VERIFIER,
            **signed(),
        }
    )

    assert answer.status_code == 200, answer.json
    access_token = answer.json["access_token"]
    form = {"token": access_token, **signed()}
    assert world.client.post("/oauth2/introspect", data=form).json["active"]
    form = {"token": access_token, **signed()}
    assert world.client.post("/oauth2/revoke", data=form).status_code == 200
    assert not is_active(world, access_token)


def test_discovery_says_so(world: World) -> None:
    metadata = world.client.get("/.well-known/oauth-authorization-server").json

    for endpoint in ("token", "revocation", "introspection"):
        assert "private_key_jwt" in metadata[f"{endpoint}_endpoint_auth_methods_supported"]
        algorithms = metadata[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert algorithms == ["ES256", "RS256", "Ed25519"]
