"""RFC 8693: token exchange, its request, its answer, its errors and its claims."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.verifier import token as verified
from tests.rfc import protocol
from tests.rfc.protocol import ISSUER, introspect, refused
from tests.support import changes
from tests.support.forgery import ATTACKERS_KEY, forge
from tests.support.requirements import rfc
from tests.support.world import ACCESS_TOKEN, CLI, VSERVER, World, build_world, claims_of
from tests.verifier import local_issuer

TYPE = "urn:ietf:params:oauth:token-type:"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from protocol.shared_world(tmp_path_factory)


@pytest.fixture(scope="module")
def subject(shared: World) -> str:
    """System1's token, by the command line, for the issuer."""
    return str(protocol.tokens(shared)["access_token"])


def became(world: World, token: str, **fields: Any) -> dict[str, Any]:
    answer = world.impersonate(token, **fields)
    assert answer.status_code == 200, answer.json
    assert isinstance(answer.json, dict)
    return answer.json


# ----------------------------------------------------------------------------------- 2.1 Request


@rfc("8693", "2.1", "REQUIRED", "subject token and type")
@pytest.mark.parametrize("name", ["subject_token", "subject_token_type"])
def test_what_is_required(shared: World, subject: str, name: str) -> None:
    form = {
        "grant_type": protocol.EXCHANGE,
        "client_id": CLI,
        "subject_token": subject,
        "subject_token_type": ACCESS_TOKEN,
    }
    assert shared.token_call(form).status_code == 200

    del form[name]

    refused(shared.token_call(form), "invalid_request")


@rfc("8693", "2.1", "plain", "client authentication")
def test_the_client_is_authenticated_and_may_use_the_grant(shared: World, subject: str) -> None:
    form = {"grant_type": protocol.EXCHANGE, "subject_token": subject}

    client_id, secret = protocol.register(
        shared, "no-exchange", grant_types=("authorization_code",)
    )
    refused(shared.token_call(form), "invalid_client", 401)
    refused(shared.token_call(form, auth=(client_id, "wrong")), "invalid_client", 401)
    refused(shared.token_call(form, auth=(client_id, secret)), "unauthorized_client")


@rfc("8693", "2.1", "MUST", "subject token is checked")
@rfc("8693", "2.2.2", "MUST", "error response")
@rfc("8693", "2.2.2", "MUST", "bad subject token")
def test_a_subject_token_that_is_not_good(world: World) -> None:
    """Forged, of another kind, revoked, of another client, for another, or expired."""
    held = protocol.tokens(world)
    good, gone = held["access_token"], protocol.tokens(world)["access_token"]
    protocol.revoke(world, gone)
    other = protocol.register(world, "other")
    forged = forge(claims_of(good), key=ATTACKERS_KEY)
    for token in ("x", forged, held["id_token"], held["refresh_token"], gone):
        answer = world.impersonate(token)
        refused(answer, "invalid_request")
        assert answer.headers["Cache-Control"] == "no-store"
    form = {
        "grant_type": protocol.EXCHANGE,
        "subject_token": good,
        "subject_token_type": ACCESS_TOKEN,
        "requested_subject": world.service_account_id,
    }
    refused(world.token_call(form, auth=other), "invalid_request")
    assert world.impersonate(good).status_code == 200

    world.clock.advance(3600)
    refused(world.impersonate(good), "invalid_request")


@rfc("8693", "2.2.2", "MUST", "bad subject token")
def test_a_subject_token_that_policy_does_not_accept(world: World) -> None:
    """Of a machine, of a root user, of a user who was disabled."""
    machine = world.machine_token().json["access_token"]
    form = {
        "grant_type": protocol.EXCHANGE,
        "subject_token": machine,
        "subject_token_type": ACCESS_TOKEN,
        "requested_subject": world.service_account_id,
    }
    refused(world.token_call(form, auth=protocol.machine(world)), "invalid_request")
    refused(
        world.impersonate(protocol.tokens(world, username=None)["access_token"]), "invalid_request"
    )
    token = protocol.tokens(world)["access_token"]
    changes.disable_user(world)
    refused(world.impersonate(token), "invalid_request")


@rfc("8693", "2.1", "MUST NOT", "no actor type alone")
def test_actor_tokens_are_refused_rather_than_ignored(shared: World, subject: str) -> None:
    refused(shared.impersonate(subject, actor_token_type=ACCESS_TOKEN), "invalid_request")
    both = {"actor_token": subject, "actor_token_type": ACCESS_TOKEN}
    refused(shared.impersonate(subject, **both), "invalid_request")


@rfc("8693", "2.1", "MUST", "resource is a known API")
@rfc("8693", "2.2.2", "SHOULD", "one message for every target failure")
@pytest.mark.parametrize("name", ["resource", "audience"])
@pytest.mark.parametrize("value", ["https://x.example", VSERVER + "#x", VSERVER + "/", "/x", "x"])
def test_a_target_that_is_no_api(shared: World, subject: str, name: str, value: str) -> None:
    refused(shared.impersonate(subject, **{name: value}), "invalid_target")


@rfc("8693", "2.1", "plain", "several targets")
def test_several_targets(world: World) -> None:
    changes.new_product(world, "network")
    token = protocol.tokens(world)["access_token"]

    held = became(world, token, resource=[VSERVER, VSERVER], audience=["network", "vserver"])

    assert claims_of(held["access_token"])["aud"] == [VSERVER, "https://network.example"]


@rfc("8693", "2.1.1", "plain", "scope at every target")
def test_scope_and_target_have_to_fit(shared: World, subject: str) -> None:
    held = became(shared, subject, resource=VSERVER, scope="vserver:List*")
    assert (held["scope"], claims_of(held["access_token"])["aud"]) == ("vserver:List*", [VSERVER])

    refused(shared.impersonate(subject, resource=VSERVER, scope="iam:*"), "invalid_scope")
    refused(shared.impersonate(subject, audience=["iam", VSERVER]), "invalid_target")


# ---------------------------------------------------------------------------------- 2.2 Response


@rfc("8693", "2.2.1", "REQUIRED", "answer")
@rfc("8693", "2.2.1", "RECOMMENDED", "lifetime")
@rfc("8693", "2.2.1", "REQUIRED", "scope")
@rfc("8693", "2.2.1", "plain", "no refresh token")
@pytest.mark.parametrize("kind", ["access_token", "jwt"])
def test_the_answer(shared: World, subject: str, kind: str) -> None:
    answer = became(shared, subject, requested_token_type=TYPE + kind)

    claims = claims_of(answer.pop("access_token"))
    assert answer == {
        "issued_token_type": TYPE + kind,
        "token_type": "Bearer",
        "expires_in": claims["exp"] - claims["iat"],
        "scope": "vserver:*",
    }


@rfc("8693", "2.2.2", "SHOULD", "one message for every target failure")
def test_every_target_failure_is_told_alike(world: World) -> None:
    """Unknown, untrusting, disabled, or not in the caller's policy."""
    token = protocol.tokens(world)["access_token"]
    distant = changes.new_service_account(world, "Distant", "vServerFullAccess")
    told = [world.impersonate(token, requested_subject="sa-nobody")]
    told += [world.impersonate(token, requested_subject=distant.account.id)]
    changes.take_impersonation(world)
    told += [world.impersonate(token)]
    changes.disable_service_account(world)
    told += [world.impersonate(token)]

    for answer in told:
        refused(answer, "invalid_target")
    assert len({answer.json["error_description"] for answer in told}) == 1


@rfc("8693", "3", "plain", "token types")
@pytest.mark.parametrize("kind", ["refresh_token", "id_token", "saml1", "saml2", "x", ""])
def test_a_type_that_is_not_exchanged(shared: World, subject: str, kind: str) -> None:
    refused(shared.impersonate(subject, subject_token_type=TYPE + kind), "invalid_request")
    refused(shared.impersonate(subject, requested_token_type=TYPE + kind), "invalid_request")


# ------------------------------------------------------------------------------------- 4 Claims


@rfc("8693", "4.1", "plain", "act")
def test_act_names_who_acts(shared: World, subject: str) -> None:
    held = became(shared, subject, display_name="on-call")["access_token"]
    claims = claims_of(held)

    assert claims["sub"] == shared.service_account_id
    assert claims["act"] == {
        "sub": shared.user_id,
        "account_id": "53461",
        "user_type": "iam-user",
        "username": "System1",
        "name": "on-call",
    }
    assert introspect(shared, held)["act"] == claims["act"]


@rfc("8693", "4.1", "MUST", "only the current actor")
def test_a_nested_actor_counts_for_nothing(world: World) -> None:
    """The verifier reads the current one; who acted, not who is nested, ends the token."""
    claims = local_issuer.claims()
    claims["act"]["act"] = {"sub": "somebody-else", "account_id": "1", "user_type": "root-user"}

    read = verified.read_claims(
        claims, issuer=local_issuer.URL, audience=local_issuer.AUDIENCE, now=local_issuer.NOW
    )

    assert read.actor is not None
    assert read.actor.subject == "user-1"
    held = became(world, protocol.tokens(world)["access_token"])["access_token"]
    changes.disable_user(world)
    assert introspect(world, held) == {"active": False}


@rfc("8693", "4.2", "plain", "scope claim")
@rfc("8693", "4.3", "plain", "client_id claim")
def test_scope_and_client_id(shared: World, subject: str) -> None:
    asked = "vserver:List* vserver:Get*"

    claims = claims_of(became(shared, subject, scope=asked)["access_token"])

    assert claims["scope"] == "vserver:Get* vserver:List*"
    assert claims["client_id"] == CLI


# ---------------------------------------------------------------------- 5 Security and 6 Privacy


@rfc("8693", "5", "plain", "never wider")
def test_what_comes_of_a_token_is_never_more(world: World) -> None:
    token = protocol.tokens(world)["access_token"]
    held = became(world, token, scope="vserver:List*", requested_expires_in="600")["access_token"]
    world.clock.advance(300)

    refused(world.exchange(held, scope="vserver:*"), "invalid_scope")
    narrowed = world.exchange(held, requested_expires_in="43200").json["access_token"]

    assert claims_of(narrowed)["exp"] == claims_of(held)["exp"]
    assert claims_of(narrowed)["scope"] == "vserver:List*"
    assert claims_of(narrowed)["act"] == claims_of(held)["act"]
    refused(world.exchange(held, resource=ISSUER), "invalid_target")
    protocol.revoke(world, token)
    assert introspect(world, narrowed) == introspect(world, held) == {"active": False}


@rfc("8693", "6", "MUST", "TLS")
def test_the_address_is_https_in_production(tmp_path: Path) -> None:
    world = build_world(tmp_path, environment="production", issuer="https://id.example")
    document = world.client.get("/.well-known/oauth-authorization-server").json
    world.close()

    assert document["token_endpoint"] == "https://id.example/oauth2/token"


@rfc("8693", "6", "SHOULD", "least data")
def test_a_token_says_no_more_than_who_acts(shared: World, subject: str) -> None:
    """The reason and the external id stay with the server."""
    told = {"reason": "incident 7", "external_id": "secret-7", "policy": ""}

    held = became(shared, subject, **told)["access_token"]

    assert claims_of(held).keys() == {
        *("iss", "sub", "aud", "client_id", "account_id", "user_type", "scope", "act"),
        *("decision_id", "iat", "exp", "jti"),
    }
    assert "incident" not in str(claims_of(held))
    assert "secret-7" not in str(claims_of(held))
