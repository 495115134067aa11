"""Whom a service account trusts: other root accounts, whose users may ask to become it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from app.domain.conditions import Condition, parse_condition
from app.domain.containment import entails
from app.domain.documents import MAX_DOCUMENT_BYTES
from app.domain.events import Event
from app.domain.impersonation import TrustedRelationship
from app.domain.principals import ServiceAccount, is_account_id
from app.domain.problems import InvalidDocument, Problem
from app.services import taking_hold
from app.services.administration import (
    Conflict,
    Invalid,
    InvalidDocumentGiven,
    NotFound,
    change,
    require,
)
from app.services.authority import OPERATOR, Administrator, Caller
from app.services.runtime import Runtime
from app.storage import service_accounts, trusts
from app.storage.trusts import TrustDetails

__all__ = ["TrustDetails"]

ADD, REMOVE = "iam:AddTrustedRelationship", "iam:RemoveTrustedRelationship"
#: Of the year 9999.
_LAST_SECOND = 253_402_300_799


@dataclass(frozen=True, slots=True)
class NewTrust:
    """Whom to trust. `condition` is the document as written, `expires_at` in epoch seconds."""

    trusted_account_id: str
    condition: dict[str, Any] | None = None
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class TrustChange:
    """What is to change: each of the two only if `fields` names it; None takes it away."""

    fields: frozenset[str]
    condition: dict[str, Any] | None = None
    expires_at: int | None = None


def list_page(
    runtime: Runtime,
    by: Caller,
    service_account_id: str,
    number: int,
    size: int,
    name: str | None,
) -> tuple[list[TrustDetails], int]:
    """One page, and how many there are. Raises `Forbidden` or `NotFound`."""
    by.require("iam:GetServiceAccount", "service-account", service_account_id)
    with runtime.database.read() as connection:
        taking_hold.find(connection, by, service_account_id)
        return trusts.list_page(connection, service_account_id, number, size, name)


def get(runtime: Runtime, by: Caller, service_account_id: str, trust_id: str) -> TrustDetails:
    """Raises `Forbidden` or `NotFound`."""
    by.require("iam:GetServiceAccount", "service-account", service_account_id)
    with runtime.database.read() as connection:
        return load(connection, by, service_account_id, trust_id)


def load(
    connection: Connection, by: Administrator, service_account_id: str, trust_id: str
) -> TrustDetails:
    """A relationship of a service account that the caller may know of. Raises `NotFound`."""
    taking_hold.find(connection, by, service_account_id)
    found = trusts.find(connection, service_account_id, trust_id)
    if found is None:
        raise NotFound(f"{service_account_id} has no trusted relationship {trust_id}")
    return found


def add(
    runtime: Runtime, by: Administrator, service_account_id: str, wanted: NewTrust
) -> TrustDetails:
    """Let the users of another root account ask. Raises `AdministrationError`.

    Whether the other account exists is not said.
    """
    by.require(ADD, "service-account", service_account_id)
    (trust,) = prepare(runtime, (wanted,))

    def write(connection: Connection) -> TrustDetails:
        account = taking_hold.find(connection, by, service_account_id).account
        taking_hold.require(runtime, connection, by, ADD, account)
        return add_prepared(runtime, connection, by, account, trust)

    return change(runtime, write, by)


def prepare(
    runtime: Runtime, wanted: Sequence[NewTrust], at: str | None = None
) -> tuple[TrustedRelationship, ...]:
    """Check what is to be trusted. Raises `Invalid`; `at` points to the list in the body."""
    found = []
    for index, each in enumerate(wanted):
        here = "" if at is None else f"{at}/{index}"
        require(
            is_account_id(each.trusted_account_id),
            "an account id is 1 to 20 digits",
            f"{here}/trustedRootUserId",
        )
        _require_end(runtime, each.expires_at, here)
        condition = _condition(each.condition, here)
        found.append(
            TrustedRelationship(
                runtime.new_id(), 1, each.trusted_account_id, condition, each.expires_at
            )
        )
    return tuple(found)


def add_prepared(
    runtime: Runtime,
    connection: Connection,
    by: Administrator,
    account: ServiceAccount,
    trust: TrustedRelationship,
    at: str = "",
) -> TrustDetails:
    """Write trust that was prepared; an expired one gives way. Raises `AdministrationError`."""
    trusted = trust.trusted_account_id
    require(
        trusted != account.account.id,
        "a service account need not trust its own account",
        f"{at}/trustedRootUserId",
    )
    present = service_accounts.find_with_trust(connection, account.id, trusted)[1]
    if present is not None:
        if not _is_expired(runtime, present):
            raise Conflict(f"{account.id} trusts account {trusted} already")
        trusts.remove(connection, account.id, trusted)
        _record(runtime, connection, by, Event.TRUST_REMOVE, account, present)
    now = runtime.now()
    trusts.add(connection, account.id, trust, now)
    _record(runtime, connection, by, Event.TRUST_ADD, account, trust)
    return TrustDetails(trust, now)


def update(
    runtime: Runtime, by: Administrator, service_account_id: str, trust_id: str, wanted: TrustChange
) -> TrustDetails:
    """Change condition or end; where that trusts more than before, it counts as adding trust.

    Raises `AdministrationError`.
    """
    by.require(ADD, "service-account", service_account_id)
    condition = _condition(wanted.condition, "")
    _require_end(runtime, wanted.expires_at, "")

    def write(connection: Connection) -> TrustDetails:
        before = load(connection, by, service_account_id, trust_id)
        account = taking_hold.find(connection, by, service_account_id).account
        after = before.trust
        if "condition" in wanted.fields:
            after = replace(after, condition=condition)
        if "expires_at" in wanted.fields:
            after = replace(after, expires_at=wanted.expires_at)
        if widens(before.trust, after):
            taking_hold.require(runtime, connection, by, ADD, account)
        if after != before.trust:
            after = replace(after, version=before.trust.version + 1)
            trusts.replace(connection, after)
        _record(runtime, connection, by, Event.TRUST_UPDATE, account, after)
        return replace(before, trust=after)

    return change(runtime, write, by)


def widens(before: TrustedRelationship, after: TrustedRelationship) -> bool:
    """Whether the trust holds somewhere, or at some time, where it did not hold before."""
    lasts_longer = before.expires_at is not None and (
        after.expires_at is None or after.expires_at > before.expires_at
    )
    return lasts_longer or not entails(after.condition, before.condition)


def remove(runtime: Runtime, by: Administrator, service_account_id: str, trust_id: str) -> None:
    """End a relationship; the next exchange is refused. Raises `AdministrationError`."""
    by.require(REMOVE, "service-account", service_account_id)

    def write(connection: Connection) -> None:
        trust = load(connection, by, service_account_id, trust_id).trust
        account = taking_hold.find(connection, by, service_account_id).account
        trusts.remove(connection, service_account_id, trust.trusted_account_id)
        _record(runtime, connection, by, Event.TRUST_REMOVE, account, trust)

    change(runtime, write, by)


def find_trust(
    runtime: Runtime, service_account_id: str, trusted_account_id: str
) -> TrustedRelationship | None:
    """The trusted relationship with one root account, an expired one included."""
    with runtime.database.read() as connection:
        found = service_accounts.find_with_trust(connection, service_account_id, trusted_account_id)
        return found[1]


def add_trust(
    runtime: Runtime,
    service_account_id: str,
    trusted_account_id: str,
    condition: dict[str, Any] | None = None,
    expires_at: int | None = None,
) -> TrustedRelationship:
    """`add` by the operator. Raises `AdministrationError`."""
    wanted = NewTrust(trusted_account_id, condition, expires_at)
    return add(runtime, OPERATOR, service_account_id, wanted).trust


def remove_trust(runtime: Runtime, service_account_id: str, trusted_account_id: str) -> None:
    """End the trust in one root account, by the operator. Raises `NotFound`."""

    def write(connection: Connection) -> None:
        account = taking_hold.find(connection, OPERATOR, service_account_id).account
        found = service_accounts.find_with_trust(connection, service_account_id, trusted_account_id)
        if found[1] is None:
            raise NotFound(f"{service_account_id} does not trust account {trusted_account_id}")
        trusts.remove(connection, service_account_id, trusted_account_id)
        _record(runtime, connection, OPERATOR, Event.TRUST_REMOVE, account, found[1])

    change(runtime, write)


def _is_expired(runtime: Runtime, trust: TrustedRelationship) -> bool:
    return trust.expires_at is not None and runtime.clock() >= trust.expires_at


def _require_end(runtime: Runtime, expires_at: int | None, at: str) -> None:
    where = f"{at}/expiresAt"
    require(
        expires_at is None or expires_at > runtime.now(),
        "the expiry has to lie in the future",
        where,
    )
    require(
        expires_at is None or expires_at <= _LAST_SECOND,
        "the expiry has to lie before the year 10000",
        where,
    )


def _condition(source: dict[str, Any] | None, at: str) -> Condition | None:
    if source is None:
        return None
    # It is read and checked with each exchange, so it has the bound of a whole document.
    if len(json.dumps(source)) > MAX_DOCUMENT_BYTES:
        raise Invalid(f"a condition has at most {MAX_DOCUMENT_BYTES} bytes", f"{at}/condition")
    problems: list[Problem] = []
    condition = parse_condition(source, "condition", problems)
    if problems:
        raise InvalidDocumentGiven(InvalidDocument(problems), at)
    return condition


def _record(
    runtime: Runtime,
    connection: Connection,
    by: Administrator,
    event: Event,
    account: ServiceAccount,
    trust: TrustedRelationship,
) -> None:
    """A row of the owner alone. The condition is left out: it may have an external id in it."""
    by.write(
        runtime,
        connection,
        event,
        account.account.id,
        str(account.vrn),
        trusted_account_id=trust.trusted_account_id,
        trust_id=trust.id,
        version=trust.version,
        expires_at=trust.expires_at,
    )
