"""Service accounts, as those who manage an account see, change and end them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from app.domain.events import Event
from app.domain.principals import ServiceAccount
from app.services import handing_over, new_service_accounts, taking_hold
from app.services.administration import Conflict, change, require_account
from app.services.authority import OPERATOR, Administrator, Caller
from app.services.client_secrets import CLIENT_SECRET, add_secret
from app.services.new_service_accounts import NewServiceAccount, create
from app.services.runtime import Runtime
from app.services.service_account_secrets import replace_secret
from app.services.trusts import add_trust, find_trust, remove_trust
from app.storage import (
    clients,
    policy_attachments,
    service_account_details,
    service_accounts,
    tokens,
)
from app.storage import trusts as trust_rows
from app.storage.service_account_details import ServiceAccountDetails

# What the operator does with a service account is all to be found here.
__all__ = [
    "CLIENT_SECRET",
    "NewServiceAccount",
    "ServiceAccountDetails",
    "add_secret",
    "add_trust",
    "create",
    "find_trust",
    "remove_trust",
    "replace_secret",
]

_KIND = "service-account"
_UPDATE = "iam:UpdateServiceAccount"


@dataclass(frozen=True, slots=True)
class ServiceAccountChange:
    """What is not None is changed; `remove_keys` takes the public keys away."""

    name: str | None = None
    description: str | None = None
    max_token_lifetime: int | None = None
    enabled: bool | None = None
    jwks: dict[str, Any] | None = None
    remove_keys: bool = False


def list_page(
    runtime: Runtime, by: Caller, number: int, size: int, name: str | None
) -> tuple[list[ServiceAccountDetails], int]:
    """One page of the account's service accounts, and how many there are. Raises `Forbidden`."""
    by.require("iam:ListServiceAccount", _KIND)
    with runtime.database.read() as connection:
        return service_account_details.list_page(connection, by.account_id, number, size, name)


def get(runtime: Runtime, by: Caller, service_account_id: str) -> ServiceAccountDetails:
    """Raises `Forbidden` or `NotFound`."""
    by.require("iam:GetServiceAccount", _KIND, service_account_id)
    with runtime.database.read() as connection:
        return load(connection, by, service_account_id)


#: A service account that the caller may know of. Raises `NotFound`.
load = taking_hold.find


def update(
    runtime: Runtime, by: Administrator, service_account_id: str, wanted: ServiceAccountChange
) -> ServiceAccountDetails:
    """Make a change; disabling ends the tokens for good. Raises `AdministrationError`.

    Whoever sets the keys can sign with them: it takes hold of all that the service account may.
    """
    by.require(_UPDATE, _KIND, service_account_id)

    def write(connection: Connection) -> ServiceAccountDetails:
        before = load(connection, by, service_account_id)
        after = _changed(before, wanted)
        account = after.account
        new_service_accounts.check(
            account.name, after.description, account.max_token_lifetime, wanted.jwks
        )
        if account.name.lower() != before.account.name.lower():
            new_service_accounts.require_free(connection, account.account.id, account.name)
        if account.name != before.account.name:
            handing_over.require_nameable(runtime, connection, by, _UPDATE, before.account)
        if after.jwks != before.jwks:
            if after.jwks is not None:
                taking_hold.require(runtime, connection, by, _UPDATE, before.account)
            clients.set_keys(connection, after.client_id, after.jwks)
        service_account_details.change(connection, after)
        service_accounts.set_enabled(connection, account.id, account.enabled)
        if wanted.enabled is False:
            _end_tokens(runtime, connection, account)
        by.write(
            runtime,
            connection,
            _event_of(wanted),
            account.account.id,
            str(account.vrn),
            changed=_differences(before, after),
        )
        return after

    return change(runtime, write, by)


def _changed(before: ServiceAccountDetails, wanted: ServiceAccountChange) -> ServiceAccountDetails:
    values = {
        "name": wanted.name,
        "max_token_lifetime": wanted.max_token_lifetime,
        "enabled": wanted.enabled,
    }
    given: dict[str, Any] = {name: value for name, value in values.items() if value is not None}
    description = before.description if wanted.description is None else wanted.description
    jwks = before.jwks if wanted.jwks is None else wanted.jwks
    if wanted.remove_keys:
        jwks = None
    account = replace(before.account, **given)
    return replace(before, account=account, description=description, jwks=jwks)


def _event_of(wanted: ServiceAccountChange) -> Event:
    if wanted == ServiceAccountChange(enabled=True):
        return Event.SERVICE_ACCOUNT_ENABLE
    if wanted == ServiceAccountChange(enabled=False):
        return Event.SERVICE_ACCOUNT_DISABLE
    return Event.SERVICE_ACCOUNT_UPDATE


def _end_tokens(runtime: Runtime, connection: Connection, account: ServiceAccount) -> int:
    """Returns how many were still alive."""
    now = runtime.now()
    return tokens.revoke_principal(connection, account.account.id, account.id, now)


def _differences(before: ServiceAccountDetails, after: ServiceAccountDetails) -> list[str]:
    """The names of what is not as it was."""
    pairs = {
        "name": (before.account.name, after.account.name),
        "description": (before.description, after.description),
        "accessTokenLifeSpan": (
            before.account.max_token_lifetime,
            after.account.max_token_lifetime,
        ),
        "enabled": (before.account.enabled, after.account.enabled),
        "jwks": (before.jwks, after.jwks),
    }
    return [name for name, (old, new) in pairs.items() if old != new]


def delete(runtime: Runtime, by: Caller, service_account_id: str, *, cascade: bool) -> None:
    """Take a service account away, its client and secrets too; tokens end.

    What hangs on it, policies and trust, is said and it is kept, unless `cascade`.
    Raises `AdministrationError`.
    """
    by.require("iam:DeleteServiceAccount", _KIND, service_account_id)

    def write(connection: Connection) -> None:
        details = load(connection, by, service_account_id)
        account = details.account
        attached = policy_attachments.policy_ids_of(connection, _KIND, account.id)
        trusted = trust_rows.trusted_accounts_of(connection, account.id)
        if (attached or trusted) and not cascade:
            raise Conflict(
                f"the service account has {len(attached)} policies attached and trusts "
                f"{len(trusted)} accounts; take them away first, or delete with ?cascade=true"
            )
        ended = _end_tokens(runtime, connection, account)
        service_account_details.remove(connection, details)
        by.write(
            runtime,
            connection,
            Event.SERVICE_ACCOUNT_DELETE,
            account.account.id,
            str(account.vrn),
            name=account.name,
            policies=attached,
            trusted_account_ids=trusted,
            tokens_ended=ended,
        )

    change(runtime, write, by)


def set_enabled(runtime: Runtime, service_account_id: str, *, enabled: bool) -> None:
    """Disable a service account, whose tokens then end for good, or enable it again.

    By the operator. Raises `NotFound`.
    """
    update(runtime, OPERATOR, service_account_id, ServiceAccountChange(enabled=enabled))


def list_of_account(runtime: Runtime, account_id: str) -> list[ServiceAccount]:
    """The service accounts of a root account. Raises `NotFound`."""
    with runtime.database.read() as connection:
        require_account(connection, account_id)
        return service_accounts.list_of_account(connection, account_id)


def find_client_id(runtime: Runtime, service_account_id: str) -> str:
    """The client of a service account. Raises `NotFound`."""
    with runtime.database.read() as connection:
        return load(connection, OPERATOR, service_account_id).client_id
