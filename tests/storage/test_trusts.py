"""Trusted relationships: found with their service account, changed, and taken away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from app.domain.conditions import parse_condition
from app.domain.impersonation import TrustedRelationship
from app.domain.principals import ServiceAccount
from app.domain.problems import InvalidDocument
from app.storage import service_accounts, trusts
from app.storage.database import Database, StoreUnavailable
from app.storage.trusts import TrustDetails, TrustRow
from tests.support.impersonation import SERVICE_ACCOUNT, A, B, trust


def add_trust(database: Database, relationship: TrustedRelationship) -> None:
    database.write(lambda each: trusts.add(each, SERVICE_ACCOUNT.id, relationship, 1))


def found(
    database: Database, trusted: str = A.id
) -> tuple[ServiceAccount | None, TrustedRelationship | None]:
    with database.read() as connection:
        return service_accounts.find_with_trust(connection, SERVICE_ACCOUNT.id, trusted)


def condition(source: dict[str, Any]) -> TrustedRelationship:
    parsed = parse_condition(source, "condition", [])
    assert parsed is not None
    return trust(condition=parsed, expires_at=5_000, version=3)


@pytest.mark.parametrize(
    "relationship",
    [
        pytest.param(trust(), id="plain"),
        pytest.param(trust(expires_at=4_102_444_800), id="with an end after 2038"),
        pytest.param(
            condition({"bool": {"iam:MfaPresent": [True]}, "ipAddress": {"iam:SourceIp": ["::1"]}}),
            id="with a condition",
        ),
    ],
)
def test_a_trusted_relationship_comes_back_as_it_was(
    database: Database, relationship: TrustedRelationship
) -> None:
    add_trust(database, relationship)

    assert found(database) == (SERVICE_ACCOUNT, relationship)


def test_trust_is_found_for_the_one_account_that_is_asked_for(database: Database) -> None:
    add_trust(database, trust())
    add_trust(database, trust(id="trust-2", trusted_account_id="70000"))

    assert found(database, "70000")[1] == trust(id="trust-2", trusted_account_id="70000")
    assert found(database, "70001") == (SERVICE_ACCOUNT, None)
    assert found(database, B.id) == (SERVICE_ACCOUNT, None)
    assert found(database, "") == (SERVICE_ACCOUNT, None)


def test_an_account_is_trusted_once(database: Database) -> None:
    add_trust(database, trust())

    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        add_trust(database, trust(id="trust-2"))


def test_removing_trust_says_which_it_was(database: Database) -> None:
    add_trust(database, trust())

    def remove(trusted: str) -> str | None:
        return database.write(lambda each: trusts.remove(each, SERVICE_ACCOUNT.id, trusted))

    assert remove("70000") is None
    assert remove(A.id) == "trust-1"
    assert remove(A.id) is None
    assert found(database) == (SERVICE_ACCOUNT, None)


def test_a_condition_that_cannot_be_read_is_not_taken_for_none(database: Database) -> None:
    add_trust(database, trust())
    database.write(lambda each: each.execute(update(TrustRow).values(condition={"odd": {}})))

    with pytest.raises(InvalidDocument, match="condition"):
        found(database)


def test_another_version_takes_the_place_of_the_one_before(database: Database) -> None:
    add_trust(database, trust())
    changed = replace(condition({"bool": {"iam:MfaPresent": [True]}}), version=2)
    database.write(lambda each: trusts.replace(each, changed))

    assert found(database) == (SERVICE_ACCOUNT, changed)
    database.write(lambda each: trusts.replace(each, trust(version=3)))
    assert found(database) == (SERVICE_ACCOUNT, trust(version=3))


def test_trust_is_found_by_its_id_on_its_own_service_account_alone(database: Database) -> None:
    add_trust(database, trust())

    with database.read() as connection:
        assert trusts.find(connection, SERVICE_ACCOUNT.id, "trust-1") == TrustDetails(trust(), 1)
        assert trusts.find(connection, SERVICE_ACCOUNT.id, "trust-2") is None
        assert trusts.find(connection, "sa-9", "trust-1") is None


def test_trust_is_listed_page_by_page_in_order_of_the_accounts(database: Database) -> None:
    others = {f"trust-{number}": str(number) for number in (70001, 70000, 80000)}
    for trust_id, account_id in others.items():
        add_trust(database, trust(id=trust_id, trusted_account_id=account_id))

    def listed(number: int, size: int, name: str | None = None) -> tuple[list[str], int]:
        with database.read() as connection:
            rows, total = trusts.list_page(connection, SERVICE_ACCOUNT.id, number, size, name)
        return [row.trust.trusted_account_id for row in rows], total

    assert listed(0, 2) == (["70000", "70001"], 3)
    assert listed(1, 2) == (["80000"], 3)
    assert listed(0, 9, "0000") == (["70000", "80000"], 2)
    assert listed(0, 9, "8") == (["80000"], 1)
    assert listed(0, 9, "%") == ([], 0)


def test_all_trust_of_one_service_account_goes_with_it(database: Database) -> None:
    other = ServiceAccount("sa-2", "other", B)
    database.write(lambda each: service_accounts.add(each, other, 1))
    add_trust(database, trust())
    add_trust(database, trust(id="trust-2", trusted_account_id="70000"))
    kept = trust(id="trust-3")
    database.write(lambda each: trusts.add(each, "sa-2", kept, 1))

    with database.read() as connection:
        assert trusts.trusted_accounts_of(connection, SERVICE_ACCOUNT.id) == [A.id, "70000"]
    database.write(lambda each: trusts.remove_all(each, SERVICE_ACCOUNT.id))

    with database.read() as connection:
        assert trusts.trusted_accounts_of(connection, SERVICE_ACCOUNT.id) == []
        assert trusts.trusted_accounts_of(connection, "sa-2") == [A.id]
