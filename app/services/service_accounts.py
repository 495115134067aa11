"""Service accounts: their secrets, and whom they trust."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.domain.clients import Client, ClientKind
from app.domain.conditions import Condition, parse_condition
from app.domain.documents import MAX_DOCUMENT_BYTES
from app.domain.events import Event
from app.domain.impersonation import TrustedRelationship
from app.domain.principals import (
    DEFAULT_TOKEN_LIFETIME,
    MAX_TOKEN_LIFETIME,
    MIN_TOKEN_LIFETIME,
    ServiceAccount,
    is_account_id,
    is_name,
)
from app.domain.problems import InvalidDocument, Problem
from app.services import audit as audit_service
from app.services.administration import (
    Conflict,
    NotFound,
    change,
    require,
    require_account,
    require_description,
)
from app.services.runtime import Runtime
from app.storage import accounts, clients, service_accounts, tokens

CLIENT_SECRET = "client-secret"
#: Of the year 9999.
_LAST_SECOND = 253_402_300_799
_GRANTS = ("client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange")


@dataclass(frozen=True, slots=True)
class NewServiceAccount:
    """`client_secret` is shown this once: only its keyed hash is kept."""

    account: ServiceAccount
    client_id: str
    client_secret: str


def create(
    runtime: Runtime,
    account_id: str,
    name: str,
    description: str = "",
    max_token_lifetime: int = DEFAULT_TOKEN_LIFETIME,
) -> NewServiceAccount:
    """Create a service account with its client and first secret. Raises `AdministrationError`."""
    require(is_name(name), "a name is 1 to 50 of A-Z a-z 0-9 . _ - and space")
    require_description(description)
    require(
        MIN_TOKEN_LIFETIME <= max_token_lifetime <= MAX_TOKEN_LIFETIME,
        f"a token lifetime is {MIN_TOKEN_LIFETIME} to {MAX_TOKEN_LIFETIME} seconds",
    )
    secret, now = runtime.new_secret(), runtime.now()

    def write(connection: Connection) -> NewServiceAccount:
        root = accounts.find_root(connection, account_id)
        if root is None:
            raise NotFound(f"there is no root account {account_id}")
        if service_accounts.find_id_by_name(connection, account_id, name) is not None:
            raise Conflict(f"account {account_id} has a service account {name} already")
        account = ServiceAccount(
            f"sa-{runtime.new_id()}", name, root.account, True, max_token_lifetime
        )
        client = Client(
            id=runtime.new_id(),
            kind=ClientKind.SERVICE_ACCOUNT,
            name=name,
            account_id=account_id,
            grant_types=_GRANTS,
            service_account=account,
        )
        service_accounts.add(connection, account, now, description)
        clients.add(connection, client, now)
        add_secret(runtime, connection, client.id, secret)
        audit_service.write_by_operator(
            runtime, connection, Event.SERVICE_ACCOUNT_CREATE, account_id, str(account.vrn)
        )
        return NewServiceAccount(account, client.id, secret)

    return change(runtime, write)


def list_of_account(runtime: Runtime, account_id: str) -> list[ServiceAccount]:
    """The service accounts of a root account. Raises `NotFound`."""
    with runtime.database.read() as connection:
        require_account(connection, account_id)
        return service_accounts.list_of_account(connection, account_id)


def find_client_id(runtime: Runtime, service_account_id: str) -> str:
    """The client of a service account. Raises `NotFound`."""
    with runtime.database.read() as connection:
        client_id = clients.find_id_of_service_account(connection, service_account_id)
    if client_id is None:
        raise NotFound(f"there is no service account {service_account_id}")
    return client_id


def find_trust(
    runtime: Runtime, service_account_id: str, trusted_account_id: str
) -> TrustedRelationship | None:
    """The trusted relationship with one root account, an expired one included."""
    with runtime.database.read() as connection:
        return service_accounts.find_with_trust(connection, service_account_id, trusted_account_id)[
            1
        ]


def add_secret(runtime: Runtime, connection: Connection, client_id: str, secret: str) -> None:
    """Keep the keyed hash of a client's new secret."""
    digest = runtime.secrets.hash(secret, CLIENT_SECRET)
    clients.add_secret(connection, runtime.new_id(), client_id, digest, runtime.now())


def replace_secret(runtime: Runtime, service_account_id: str) -> str:
    """Replace all secrets by a new one, which is returned this once. Raises `NotFound`."""
    secret = runtime.new_secret()

    def write(connection: Connection) -> str:
        account = _require(connection, service_account_id)
        client_id = clients.find_id_of_service_account(connection, service_account_id)
        if client_id is None:
            raise NotFound(f"service account {service_account_id} has no client")
        clients.remove_secrets(connection, client_id)
        add_secret(runtime, connection, client_id, secret)
        audit_service.write_by_operator(
            runtime, connection, Event.SECRET_CREATE, account.account.id, str(account.vrn)
        )
        return secret

    return change(runtime, write)


def set_enabled(runtime: Runtime, service_account_id: str, *, enabled: bool) -> None:
    """Disable a service account, whose tokens then end for good, or enable it again.

    Raises `NotFound`.
    """

    def write(connection: Connection) -> None:
        account = _require(connection, service_account_id)
        service_accounts.set_enabled(connection, service_account_id, enabled)
        if not enabled:
            tokens.revoke_principal(
                connection, account.account.id, service_account_id, runtime.now()
            )
        event = Event.SERVICE_ACCOUNT_ENABLE if enabled else Event.SERVICE_ACCOUNT_DISABLE
        audit_service.write_by_operator(
            runtime, connection, event, account.account.id, str(account.vrn)
        )

    change(runtime, write)


def add_trust(
    runtime: Runtime,
    service_account_id: str,
    trusted_account_id: str,
    condition: dict[str, Any] | None = None,
    expires_at: int | None = None,
) -> TrustedRelationship:
    """Let the users of another root account ask to impersonate. Raises `AdministrationError`.

    `expires_at` is in epoch seconds. Whether the other account exists is not said.
    """
    require(is_account_id(trusted_account_id), "an account id is 1 to 20 digits")
    require(expires_at is None or expires_at > runtime.now(), "the expiry has to lie in the future")
    require(
        expires_at is None or expires_at <= _LAST_SECOND,
        "the expiry has to lie before the year 10000",
    )
    trust = TrustedRelationship(
        runtime.new_id(), 1, trusted_account_id, _condition(condition), expires_at
    )

    def write(connection: Connection) -> TrustedRelationship:
        account = _require(connection, service_account_id)
        require(
            trusted_account_id != account.account.id,
            "a service account need not trust its own account",
        )
        present = service_accounts.find_with_trust(
            connection, service_account_id, trusted_account_id
        )[1]
        if present is not None:
            raise Conflict(f"{service_account_id} trusts account {trusted_account_id} already")
        service_accounts.add_trust(connection, service_account_id, trust, runtime.now())
        _record_trust(runtime, connection, Event.TRUST_ADD, account, trusted_account_id)
        return trust

    return change(runtime, write)


def remove_trust(runtime: Runtime, service_account_id: str, trusted_account_id: str) -> None:
    """End a trusted relationship; the next exchange is refused. Raises `NotFound`."""

    def write(connection: Connection) -> None:
        account = _require(connection, service_account_id)
        removed = service_accounts.remove_trust(connection, service_account_id, trusted_account_id)
        if removed is None:
            raise NotFound(f"{service_account_id} does not trust account {trusted_account_id}")
        _record_trust(runtime, connection, Event.TRUST_REMOVE, account, trusted_account_id)

    change(runtime, write)


def _condition(source: dict[str, Any] | None) -> Condition | None:
    if source is None:
        return None
    # It is read and checked with each exchange, so it has the bound of a whole document.
    require(
        len(json.dumps(source)) <= MAX_DOCUMENT_BYTES,
        f"a condition has at most {MAX_DOCUMENT_BYTES} bytes",
    )
    problems: list[Problem] = []
    condition = parse_condition(source, "condition", problems)
    require(not problems, str(InvalidDocument(problems)))
    return condition


def _require(connection: Connection, service_account_id: str) -> ServiceAccount:
    account = service_accounts.find(connection, service_account_id)
    if account is None:
        raise NotFound(f"there is no service account {service_account_id}")
    return account


def _record_trust(
    runtime: Runtime,
    connection: Connection,
    event: Event,
    account: ServiceAccount,
    trusted_account_id: str,
) -> None:
    audit_service.write_by_operator(
        runtime,
        connection,
        event,
        account.account.id,
        str(account.vrn),
        trusted_account_id=trusted_account_id,
    )
