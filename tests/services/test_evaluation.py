"""What resource servers are told: the subject's policies, and all that a token rests on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.services import accounts, policies, service_accounts
from app.services.evaluation import WRITE_COUNTS_EVERY
from app.storage.database import StoreUnavailable
from tests.support.changes import (
    disable_account,
    disable_service_account,
    disable_user,
    give,
    new_client,
    new_service_account,
    replace_trust,
    revoke,
    take_impersonation,
    take_servers,
)
from tests.support.evaluation import (
    DB,
    WEB,
    ask,
    impersonation,
    machine,
    outcome,
    question,
    subject,
)
from tests.support.tokens import user_token
from tests.support.world import VSERVER, World, allow, claims_of, deny

ALLOWED, REFUSED, TOKEN = "allowed", "not-allowed", "token-not-valid"
OFFICE = {"ipAddress": {"iam:SourceIp": ["192.0.2.0/24"]}}


def root_user_of(world: World, account_id: str) -> str:
    rows = world.rows("SELECT root_user_id FROM accounts WHERE id = :id", id=account_id)
    return str(rows[0][0])


# Without a token: the subject's policies alone


def test_the_subjects_policies_are_asked(world: World) -> None:
    assert outcome(world) == ALLOWED
    assert outcome(world, resource="vserver::60108:server/*") == ALLOWED
    assert outcome(world, resource="vserver::53461:server/srv-web-1") == REFUSED

    take_servers(world)

    assert outcome(world) == REFUSED


def test_a_right_to_one_resource(world: World) -> None:
    take_servers(world)
    give(world, allow("vserver:StopServer", WEB), service_account=world.service_account_id)

    assert outcome(world) == ALLOWED
    assert outcome(world, resource=DB) == REFUSED
    assert outcome(world, action="vserver:StartServer") == REFUSED
    assert outcome(world, resource="vserver::60108:server/*") == REFUSED


def test_a_deny_wins(world: World) -> None:
    give(world, deny("vserver:Stop*", DB), service_account=world.service_account_id)

    assert outcome(world) == ALLOWED
    assert outcome(world, resource=DB) == REFUSED


def test_an_iam_user_and_a_root_user(world: World) -> None:
    user = {"type": "iam-user", "id": world.user_id}
    root = {"type": "root-user", "id": root_user_of(world, "53461")}
    server = "vserver::53461:server/srv-1"
    assert outcome(world, subject=user, resource=server) == REFUSED
    assert outcome(world, subject=root, resource=server) == ALLOWED
    assert outcome(world, subject=root) == REFUSED

    give(world, allow("vserver:StopServer"))

    assert outcome(world, subject=user, resource=server) == ALLOWED
    assert outcome(world, subject=user) == REFUSED


def test_the_address_that_the_resource_server_saw(world: World) -> None:
    take_servers(world)
    document = allow("vserver:*", condition=OFFICE)
    give(world, document, service_account=world.service_account_id)

    assert outcome(world) == REFUSED
    assert outcome(world, context={"iam:SourceIp": "192.0.2.7"}) == ALLOWED
    assert outcome(world, context={"iam:SourceIp": "::ffff:192.0.2.7"}) == ALLOWED
    assert outcome(world, context={"iam:SourceIp": "198.51.100.1"}) == REFUSED
    assert outcome(world, context={"SourceIp": "192.0.2.7"}) == REFUSED


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("iam:PrincipalName", "root"),
        ("iam:PrincipalAccount", "60109"),
        ("iam:ExternalId", "ext-1"),
        ("iam:Reason", "ticket"),
    ],
)
def test_nothing_else_of_the_context_is_taken(world: World, key: str, value: str) -> None:
    take_servers(world)
    document = allow("vserver:*", condition={"stringEquals": {key: [value]}})
    give(world, document, service_account=world.service_account_id)

    assert outcome(world, context={key: value}) == REFUSED


def test_who_is_unknown_or_disabled_is_nobody(world: World) -> None:
    nobody = {"type": "service-account", "id": "sa-of-nobody"}
    as_user = {"type": "iam-user", "id": world.service_account_id}
    assert outcome(world, subject=nobody) == REFUSED
    assert outcome(world, subject=as_user) == REFUSED

    disable_service_account(world)

    assert outcome(world) == REFUSED


def test_a_change_is_in_force_for_the_next_question(world: World) -> None:
    service_account = world.service_account_id
    assert outcome(world) == ALLOWED
    policies.detach(world.runtime, "vServerFullAccess", "service-account", service_account)
    assert outcome(world) == REFUSED
    policies.attach(world.runtime, "vServerFullAccess", "service-account", service_account)
    assert outcome(world) == ALLOWED


# With a token


@pytest.mark.parametrize("issued", [machine, impersonation])
def test_a_token_that_carries(world: World, issued: Callable[..., str]) -> None:
    assert outcome(world, issued(world)) == ALLOWED


def test_a_scope_takes_away(world: World) -> None:
    token = impersonation(world, scope="vserver:List*")

    assert outcome(world, token) == REFUSED
    assert outcome(world, token, action="vserver:ListServers") == ALLOWED


def test_an_inline_policy_takes_away(world: World) -> None:
    token = impersonation(world, policy=json.dumps(allow("vserver:*", WEB)))

    assert claims_of(token)["evaluate"] is True
    assert outcome(world, token) == ALLOWED
    assert outcome(world, token, resource=DB) == REFUSED


def test_narrowed_again_and_again_it_keeps_every_limit(world: World) -> None:
    token = impersonation(world, policy=json.dumps(allow("vserver:*", WEB)))
    for scope in ("vserver:St*", "vserver:Stop*"):
        answer = world.exchange(token, scope=scope)
        assert answer.status_code == 200, answer.json
        token = answer.json["access_token"]

    assert outcome(world, token) == ALLOWED
    assert outcome(world, token, resource=DB) == REFUSED
    assert outcome(world, token, action="vserver:StartServer") == REFUSED
    take_impersonation(world)
    assert outcome(world, token) == TOKEN


def test_what_its_subject_lost_it_has_lost(world: World) -> None:
    token = machine(world)
    assert outcome(world, token) == ALLOWED

    take_servers(world)

    assert outcome(world, token) == REFUSED


def test_what_its_subject_got_afterwards_is_not_in_a_scope_that_said_all(world: World) -> None:
    new = new_service_account(world, "Reader", "vServerReadOnlyAccess")
    answer = world.token_call(
        {"grant_type": "client_credentials"}, auth=(new.client_id, new.client_secret)
    )
    token = answer.json["access_token"]
    assert "evaluate" not in claims_of(token)
    policies.attach(world.runtime, "vServerFullAccess", "service-account", new.account.id)

    assert outcome(world, token) == REFUSED
    assert outcome(world, token, action="vserver:GetServer") == ALLOWED


def test_a_persons_token_knows_how_they_signed_in(world: World) -> None:
    give(
        world,
        allow("vserver:*", condition={"numberLessThan": {"iam:AuthAge": [60]}}),
    )
    token = user_token(world, scope="openid vserver:*", resources=(VSERVER,))
    server = "vserver::53461:server/srv-1"
    assert outcome(world, token, resource=server) == ALLOWED

    world.clock.advance(60)

    assert outcome(world, token, resource=server) == REFUSED
    assert outcome(world, subject={"type": "iam-user", "id": world.user_id}) == REFUSED


ENDS: dict[str, Callable[[World, str], Any]] = {
    "revoked": revoke,
    "expired": lambda world, _: world.clock.advance(3600),
    "its service account is disabled": lambda world, _: disable_service_account(world),
    "the account of that is disabled": lambda world, _: disable_account(world, "60108"),
}
ENDS_OF_IMPERSONATION: dict[str, Callable[[World, str], Any]] = {
    "its user is disabled": lambda world, _: disable_user(world),
    "the account of that is disabled": lambda world, _: disable_account(world, "53461"),
    "the trust is gone": lambda world, _: service_accounts.remove_trust(
        world.runtime, world.service_account_id, "53461"
    ),
    "the trust is another one": lambda world, _: replace_trust(world),
    "the permission is gone": lambda world, _: take_impersonation(world),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_token_that_has_ended(world: World, end: str) -> None:
    token = machine(world)
    assert outcome(world, token) == ALLOWED

    ENDS[end](world, token)

    assert outcome(world, token) == TOKEN


@pytest.mark.parametrize("end", [*ENDS, *ENDS_OF_IMPERSONATION])
def test_an_impersonation_that_has_ended(world: World, end: str) -> None:
    token = impersonation(world)
    assert outcome(world, token) == ALLOWED

    {**ENDS, **ENDS_OF_IMPERSONATION}[end](world, token)

    assert outcome(world, token) == TOKEN


def test_a_token_that_came_of_a_revoked_one(world: World) -> None:
    first = user_token(world)
    token = impersonation(world, subject_token=first)
    revoke(world, first)

    assert outcome(world, token) == TOKEN


def test_a_token_of_somebody_else(world: World) -> None:
    other = new_service_account(world, "Other", "vServerFullAccess")
    token = machine(world)
    properties = {"jti": claims_of(token)["jti"]}
    for kind, name in (
        ("service-account", other.account.id),
        ("iam-user", world.service_account_id),
        ("iam-user", world.user_id),
    ):
        asked = {"type": kind, "id": name, "properties": properties}
        assert outcome(world, subject=asked) == TOKEN


def test_a_token_that_never_was(world: World) -> None:
    asked = {**subject(world), "properties": {"jti": "never-issued"}}

    assert outcome(world, subject=asked) == TOKEN


def test_a_token_for_the_issuer_is_for_no_resource_server(world: World) -> None:
    token = str(world.machine_token(resource="iam").json["access_token"])

    assert outcome(world, token) == TOKEN


# Counting


def counted(world: World) -> dict[tuple[str, str, int], int]:
    rows = world.rows("SELECT product, outcome, hour, count FROM evaluation_counts")
    return {(row.product, row.outcome, row.hour): row.count for row in rows}


def test_evaluations_are_counted_and_leave_no_row_each(world: World) -> None:
    before = world.rows("SELECT count(*) FROM audit_events")
    for _ in range(3):
        outcome(world)
    outcome(world, resource=DB, action="vserver:FlyServer")
    ask(world, question(world), auth=("nobody", "secret"))
    assert counted(world) == {}, "not one write each"

    world.clock.advance(WRITE_COUNTS_EVERY)
    outcome(world)

    hour = int(world.clock.now // 3600)
    assert counted(world) == {
        ("vserver", "allowed", hour): 4,
        ("vserver", "refused", hour): 1,
        ("", "unauthenticated", hour): 1,
    }
    assert world.rows("SELECT count(*) FROM audit_events") == before


def test_each_hour_has_its_own_count(world: World) -> None:
    outcome(world)
    for _ in range(2):
        world.clock.advance(3600)
        outcome(world)

    hour = int(world.clock.now // 3600)
    assert counted(world) == {("vserver", "allowed", hour - number): 1 for number in range(3)}


def test_counts_that_the_store_did_not_take_are_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_work: object) -> None:
        raise StoreUnavailable("broken")

    outcome(world)
    world.clock.advance(WRITE_COUNTS_EVERY)
    with monkeypatch.context() as broken:
        broken.setattr(world.runtime.database, "write", fail)
        assert outcome(world) == ALLOWED
    world.clock.advance(WRITE_COUNTS_EVERY)
    outcome(world)

    assert sum(counted(world).values()) == 3


def test_a_disabled_client_of_a_tenant_is_nobody(world: World) -> None:
    credentials = new_client(world, "web-app")
    accounts.disable_account(world.runtime, "53461")

    assert ask(world, question(world), auth=credentials).status_code == 401
