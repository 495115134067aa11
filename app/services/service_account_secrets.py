"""Secrets of service accounts: two may live at a time, so that one can follow the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from app.domain.events import Event
from app.services import client_secrets, taking_hold
from app.services.administration import Conflict, NotFound, change
from app.services.authority import OPERATOR, Administrator, Caller
from app.services.runtime import Runtime
from app.storage import clients
from app.storage.service_account_details import ServiceAccountDetails

MOST_LIVE = 2


@dataclass(frozen=True, slots=True)
class LiveSecret:
    """A secret, without itself. `created_at` in epoch seconds."""

    id: str
    created_at: int


@dataclass(frozen=True, slots=True)
class NewSecret:
    """`client_secret` is shown this once: only its keyed hash is kept."""

    id: str
    client_secret: str
    created_at: int


def list_live(runtime: Runtime, by: Caller, service_account_id: str) -> list[LiveSecret]:
    """The live secrets, oldest first. Raises `Forbidden` or `NotFound`."""
    by.require("iam:GetServiceAccount", "service-account", service_account_id)
    with runtime.database.read() as connection:
        client_id = taking_hold.find(connection, by, service_account_id).client_id
        return [LiveSecret(*each) for each in clients.list_secrets(connection, client_id)]


def create(runtime: Runtime, by: Administrator, service_account_id: str) -> NewSecret:
    """A second secret beside the first. Raises `AdministrationError`."""
    by.require("iam:CreateSecret", "service-account", service_account_id)
    secret = runtime.new_secret()

    def write(connection: Connection) -> NewSecret:
        details = taking_hold.find(connection, by, service_account_id)
        taking_hold.require(runtime, connection, by, "iam:CreateSecret", details.account)
        if len(clients.list_secrets(connection, details.client_id)) >= MOST_LIVE:
            raise Conflict(
                f"{service_account_id} has {MOST_LIVE} live secrets; delete one of them first"
            )
        return _add(runtime, connection, by, details, secret)

    return change(runtime, write, by)


def delete(runtime: Runtime, by: Administrator, service_account_id: str, secret_id: str) -> None:
    """Retire a secret; tokens that it got live on. Raises `Forbidden` or `NotFound`."""
    by.require("iam:DeleteSecret", "service-account", service_account_id)

    def write(connection: Connection) -> None:
        details = taking_hold.find(connection, by, service_account_id)
        if not clients.remove_secret(connection, details.client_id, secret_id):
            raise NotFound(f"{service_account_id} has no live secret {secret_id}")
        account = details.account
        by.write(
            runtime,
            connection,
            Event.SECRET_DELETE,
            account.account.id,
            str(account.vrn),
            secret_id=secret_id,
        )

    change(runtime, write, by)


def reset(runtime: Runtime, by: Administrator, service_account_id: str) -> NewSecret:
    """Replace all secrets by a new one. Raises `AdministrationError`.

    Tokens that the old ones got live on until they expire: as with the clouds' access keys, a
    secret is for getting tokens, and disabling the service account is what ends them.
    """
    by.require("iam:ResetSecret", "service-account", service_account_id)
    secret = runtime.new_secret()

    def write(connection: Connection) -> NewSecret:
        details = taking_hold.find(connection, by, service_account_id)
        taking_hold.require(runtime, connection, by, "iam:ResetSecret", details.account)
        old = [each for each, _ in clients.list_secrets(connection, details.client_id)]
        clients.remove_secrets(connection, details.client_id)
        return _add(runtime, connection, by, details, secret, old)

    return change(runtime, write, by)


def replace_secret(runtime: Runtime, service_account_id: str) -> str:
    """`reset` by the operator: the new secret, this once. Raises `NotFound`."""
    return reset(runtime, OPERATOR, service_account_id).client_secret


def _add(
    runtime: Runtime,
    connection: Connection,
    by: Administrator,
    details: ServiceAccountDetails,
    secret: str,
    replaced: Sequence[str] = (),
) -> NewSecret:
    secret_id = client_secrets.add_secret(runtime, connection, details.client_id, secret)
    account = details.account
    by.write(
        runtime,
        connection,
        Event.SECRET_CREATE,
        account.account.id,
        str(account.vrn),
        secret_id=secret_id,
        replaced=list(replaced),
    )
    return NewSecret(secret_id, secret, runtime.now())
