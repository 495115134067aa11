"""Service accounts: secrets that are shown once, and whom they trust."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.domain.principals import RootAccount
from app.services import service_accounts
from app.services.administration import Conflict, Invalid, NotFound
from app.services.runtime import Runtime
from app.storage import service_accounts as rows
from tests.support.observation import bytes_on_disk, grown, newest_event, row_counts
from tests.support.tokens import user_token
from tests.support.world import START, World, claims_of

MFA = {"bool": {"iam:MfaPresent": [True]}}


def trust_of(world: World, trusted: str) -> Any:
    with world.runtime.database.read() as connection:
        return rows.find_with_trust(connection, world.service_account_id, trusted)[1]


# ------------------------------------------------------------------------------------- making


def test_a_new_service_account_gets_a_token_with_its_first_secret(world: World) -> None:
    new = service_accounts.create(world.runtime, "53461", "Nightly backup", "by night", 900)

    answer = world.token_call(
        {"grant_type": "client_credentials"}, auth=(new.client_id, new.client_secret)
    )
    claims = claims_of(answer.json["access_token"])
    assert re.fullmatch(r"sa-[0-9a-f]{8}-[0-9a-f-]{27}", new.account.id)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f-]{27}", new.client_id)
    assert (claims["sub"], claims["account_id"]) == (new.account.id, "53461")
    assert answer.json["expires_in"] == 900


def test_a_new_service_account_is_trusted_and_allowed_nothing(world: World) -> None:
    new = service_accounts.create(world.runtime, "60108", "Nightly backup")

    answer = world.token_call(
        {"grant_type": "client_credentials"}, auth=(new.client_id, new.client_secret)
    )
    assert "scope" not in answer.json
    assert claims_of(answer.json["access_token"])["aud"] == [world.runtime.settings.issuer]
    assert world.impersonate(requested_subject=new.account.id).status_code == 400


@pytest.mark.parametrize("name", ["a", "x" * 50, "Nightly backup", "A.b_c-9", "a  b"])
def test_a_name_has_1_to_50_plain_characters(runtime: Runtime, name: str) -> None:
    new = service_accounts.create(runtime, "53461", name)

    with runtime.database.read() as connection:
        assert rows.find_id_by_name(connection, "53461", name.upper()) == new.account.id


@pytest.mark.parametrize("name", ["", " a", "a ", "x" * 51, "a/b", "ü", "a\nb", "a\tb", "a:b", "*"])
def test_what_is_no_name_is_refused(runtime: Runtime, name: str) -> None:
    with pytest.raises(Invalid, match="1 to 50"):
        service_accounts.create(runtime, "53461", name)


@pytest.mark.parametrize(
    "name", ["AllowAccessFromRootUserAccountA", "allowaccessfromrootuseraccounta"]
)
def test_a_name_is_given_once_in_an_account(world: World, name: str) -> None:
    before = row_counts(world)
    with pytest.raises(Conflict, match="account 60108 has a service account"):
        service_accounts.create(world.runtime, "60108", name)

    assert row_counts(world) == before
    assert service_accounts.create(world.runtime, "53461", name).account.account.id == "53461"


@pytest.mark.parametrize("description", ["", "x" * 256, "Ünïcode, by night"])
def test_a_description_is_one_line(world: World, description: str) -> None:
    new = service_accounts.create(world.runtime, "53461", "first", description)

    found = world.rows("SELECT description FROM service_accounts WHERE id = :id", id=new.account.id)
    assert found == [(description,)]


@pytest.mark.parametrize("description", ["x" * 257, "two\nlines", "a\0b", "\ud800", "\x1b[2J"])
def test_any_other_description_is_refused(runtime: Runtime, description: str) -> None:
    with pytest.raises(Invalid, match="at most 256 characters, all on one line"):
        service_accounts.create(runtime, "53461", "first", description)


@pytest.mark.parametrize("lifetime", [900, 3600, 43_200])
def test_a_lifetime_is_15_minutes_to_12_hours(runtime: Runtime, lifetime: int) -> None:
    new = service_accounts.create(runtime, "53461", "first", max_token_lifetime=lifetime)

    assert new.account.max_token_lifetime == lifetime


@pytest.mark.parametrize("lifetime", [-1, 0, 899, 43_201])
def test_any_other_lifetime_is_refused(runtime: Runtime, lifetime: int) -> None:
    with pytest.raises(Invalid, match="900 to 43200 seconds"):
        service_accounts.create(runtime, "53461", "first", max_token_lifetime=lifetime)


def test_a_service_account_needs_its_root_account(world: World) -> None:
    before = row_counts(world)
    with pytest.raises(NotFound, match="no root account 70000"):
        service_accounts.create(world.runtime, "70000", "first")

    assert row_counts(world) == before


def test_a_new_service_account_is_written_down(world: World) -> None:
    before = row_counts(world)
    new = service_accounts.create(world.runtime, "53461", "first")

    event = newest_event(world)
    assert grown(before, row_counts(world)) == {
        "service_accounts": 1,
        "oauth_clients": 1,
        "client_secrets": 1,
        "audit_events": 1,
    }
    assert (event.event, event.actor_type, event.owner_account_id, event.resource) == (
        "service-account:create",
        "operator",
        "53461",
        str(new.account.vrn),
    )


# ------------------------------------------------------------------------------------ secrets


def test_a_secret_has_256_bits_and_needs_no_encoding(runtime: Runtime) -> None:
    secrets = {
        service_accounts.create(runtime, "53461", f"number {number}").client_secret
        for number in range(20)
    }

    assert len(secrets) == 20
    # 43 characters of 6 bits each hold 256 bits and two zeroes.
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", secret) for secret in secrets)


def test_a_secret_is_kept_as_a_keyed_hash_only(world: World, tmp_path: Path) -> None:
    new = service_accounts.create(world.runtime, "53461", "first")
    other = service_accounts.replace_secret(world.runtime, world.service_account_id)
    digests = [row[0] for row in world.rows("SELECT digest FROM client_secrets")]
    written = bytes_on_disk(tmp_path)

    assert new.client_id.encode() in written
    for secret in (new.client_secret, other, world.client_secret):
        assert secret.encode() not in written
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    # Without the pepper the hash says nothing, not even to who knows the secret.
    assert world.runtime.secrets.hash(other, service_accounts.CLIENT_SECRET) in digests


def test_replacing_the_secret_ends_the_old_one(world: World) -> None:
    old = (world.client_id, world.client_secret)
    new = service_accounts.replace_secret(world.runtime, world.service_account_id)
    grant = {"grant_type": "client_credentials"}

    assert world.token_call(grant, auth=old).status_code == 401
    assert world.token_call(grant, auth=(world.client_id, new)).status_code == 200
    event = newest_event(world)  # of the token
    assert event.event == "token:issue"
    written = world.rows("SELECT * FROM audit_events WHERE event = 'service-account:secret:create'")
    assert [(row.owner_account_id, row.resource) for row in written] == [("60108", world.vrn)]
    assert new not in str(written)


def test_a_second_secret_stands_beside_the_first(world: World) -> None:
    second = world.runtime.new_secret()
    world.runtime.database.write(
        lambda each: service_accounts.add_secret(world.runtime, each, world.client_id, second)
    )

    for secret in (world.client_secret, second):
        answer = world.token_call(
            {"grant_type": "client_credentials"}, auth=(world.client_id, secret)
        )
        assert answer.status_code == 200


def test_who_is_not_there_gets_no_secret(world: World) -> None:
    before = row_counts(world)
    with pytest.raises(NotFound, match="no service account sa-9"):
        service_accounts.replace_secret(world.runtime, "sa-9")

    assert row_counts(world) == before


def test_a_service_account_without_a_client_has_no_secret_to_replace(world: World) -> None:
    new = rows.ServiceAccount("sa-bare", "bare", RootAccount("60108"))
    world.runtime.database.write(lambda each: rows.add(each, new, START))

    with pytest.raises(NotFound, match="no service account sa-bare"):
        service_accounts.replace_secret(world.runtime, "sa-bare")


# -------------------------------------------------------------------------------------- trust


def test_trust_comes_back_as_it_was_given(world: World) -> None:
    trust = service_accounts.add_trust(
        world.runtime, world.service_account_id, "70000", MFA, START + 60
    )

    assert trust_of(world, "70000") == trust
    assert (trust.version, trust.expires_at) == (1, START + 60)
    assert trust.condition is not None
    assert trust.condition.source == MFA


def test_an_account_that_does_not_exist_can_be_trusted(world: World) -> None:
    """Otherwise adding trust would tell which root accounts there are."""
    known = service_accounts.create(world.runtime, "60108", "first")
    for trusted in ("53461", "70000"):
        service_accounts.add_trust(world.runtime, known.account.id, trusted)


@pytest.mark.parametrize("account_id", ["", "0", "12a", "*", "9" * 21, "53461 "])
def test_only_an_account_id_can_be_trusted(runtime: Runtime, account_id: str) -> None:
    with pytest.raises(Invalid, match="1 to 20 digits"):
        service_accounts.add_trust(runtime, "sa-1", account_id)


def test_the_own_account_need_not_be_trusted(world: World) -> None:
    with pytest.raises(Invalid, match="need not trust its own account"):
        service_accounts.add_trust(world.runtime, world.service_account_id, "60108")


def test_an_account_is_trusted_once(world: World) -> None:
    with pytest.raises(Conflict, match="trusts account 53461 already"):
        service_accounts.add_trust(world.runtime, world.service_account_id, "53461")


def test_trust_that_has_ended_can_be_added_again(world: World) -> None:
    first = service_accounts.add_trust(
        world.runtime, world.service_account_id, "70000", None, START + 60
    )
    world.clock.advance(60)

    again = service_accounts.add_trust(world.runtime, world.service_account_id, "70000")
    assert trust_of(world, "70000") == again
    assert again.id != first.id


@pytest.mark.parametrize("ago", [0, 1, 1_000_000, START])
def test_an_end_lies_in_the_future(world: World, ago: int) -> None:
    with pytest.raises(Invalid, match="in the future"):
        service_accounts.add_trust(
            world.runtime, world.service_account_id, "70000", None, START - ago
        )
    assert trust_of(world, "70000") is None


@pytest.mark.parametrize(
    ("condition", "path"),
    [
        pytest.param({}, "condition", id="empty"),
        pytest.param({"odd": {"iam:MfaPresent": [True]}}, "condition.odd", id="operator"),
        pytest.param({"bool": {"iam:Odd": [True]}}, "condition.bool.iam:Odd", id="key"),
        pytest.param({"bool": {"iam:MfaPresent": ["yes"]}}, "iam:MfaPresent", id="value"),
        pytest.param({"bool": {"iam:MfaPresent": []}}, "iam:MfaPresent", id="no value"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused_with_its_path(
    world: World, condition: dict[str, Any], path: str
) -> None:
    with pytest.raises(Invalid, match=re.escape(path)):
        service_accounts.add_trust(world.runtime, world.service_account_id, "70000", condition)
    assert trust_of(world, "70000") is None


def test_a_condition_is_no_larger_than_a_document(world: World) -> None:
    def add(trusted: str, names: int) -> None:
        condition = {"stringEquals": {"iam:PrincipalName": ["x" * 96] * names}}
        service_accounts.add_trust(world.runtime, world.service_account_id, trusted, condition)

    add("70000", 160)
    with pytest.raises(Invalid, match="at most 16384 bytes"):
        add("70001", 170)
    assert trust_of(world, "70001") is None


@pytest.mark.parametrize("end", [253_402_300_800, 10**30])
def test_an_end_lies_in_a_year_that_can_be_written(world: World, end: int) -> None:
    with pytest.raises(Invalid, match="before the year 10000"):
        service_accounts.add_trust(world.runtime, world.service_account_id, "70000", None, end)
    last = service_accounts.add_trust(
        world.runtime, world.service_account_id, "70000", None, 253_402_300_799
    )
    assert trust_of(world, "70000") == last


def test_trust_needs_its_service_account(world: World) -> None:
    before = row_counts(world)
    with pytest.raises(NotFound, match="no service account sa-9"):
        service_accounts.add_trust(world.runtime, "sa-9", "70000")
    with pytest.raises(NotFound, match="no service account sa-9"):
        service_accounts.remove_trust(world.runtime, "sa-9", "70000")

    assert row_counts(world) == before


def test_without_trust_the_next_exchange_is_refused(world: World) -> None:
    token = user_token(world)
    assert world.impersonate(token).status_code == 200

    service_accounts.remove_trust(world.runtime, world.service_account_id, "53461")
    assert world.impersonate(token).json["error"] == "invalid_target"

    service_accounts.add_trust(world.runtime, world.service_account_id, "53461")
    assert world.impersonate(token).status_code == 200


def test_trust_that_is_not_there_cannot_be_removed(world: World) -> None:
    with pytest.raises(NotFound, match="does not trust account 70000"):
        service_accounts.remove_trust(world.runtime, world.service_account_id, "70000")


def test_adding_and_removing_trust_is_written_down_for_the_owner(world: World) -> None:
    service_accounts.add_trust(world.runtime, world.service_account_id, "70000")
    added = newest_event(world)
    service_accounts.remove_trust(world.runtime, world.service_account_id, "70000")
    removed = newest_event(world)

    for event, what in ((added, "add"), (removed, "remove")):
        assert event.event == f"service-account:trust:{what}"
        assert (event.owner_account_id, event.resource) == ("60108", world.vrn)
        detail = json.loads(event.detail)
        assert (detail["trusted_account_id"], detail["version"]) == ("70000", 1)
        # The trusted account's log is not told.
        assert event.actor_account_id is None


# ------------------------------------------------------------------------------------- lists


def test_service_accounts_are_listed_by_account(world: World) -> None:
    first = service_accounts.create(world.runtime, "60108", "aardvark")

    listed = service_accounts.list_of_account(world.runtime, "60108")
    assert [each.id for each in listed] == [first.account.id, world.service_account_id]
    assert service_accounts.list_of_account(world.runtime, "53461") == []
    with pytest.raises(NotFound, match="no root account 70000"):
        service_accounts.list_of_account(world.runtime, "70000")


def test_the_client_of_a_service_account_is_found(world: World) -> None:
    assert (
        service_accounts.find_client_id(world.runtime, world.service_account_id) == world.client_id
    )
    with pytest.raises(NotFound, match="no service account sa-9"):
        service_accounts.find_client_id(world.runtime, "sa-9")


def test_trust_is_found_even_after_its_end(world: World) -> None:
    trust = service_accounts.add_trust(
        world.runtime, world.service_account_id, "70000", None, START + 60
    )
    world.clock.advance(3600)

    assert service_accounts.find_trust(world.runtime, world.service_account_id, "70000") == trust
    assert service_accounts.find_trust(world.runtime, world.service_account_id, "70001") is None
    assert service_accounts.find_trust(world.runtime, "sa-9", "70000") is None
