"""Facts of the hot path, read once an epoch: clients, principals, policies, account settings.

What a caller asks *about* is never among them. Whether a service account exists is looked up
anew each time, so that the time of an answer does not tell whether somebody asked before.
"""

from __future__ import annotations

from sqlalchemy import Connection

from app.domain.account_settings import AccountSettings, read_settings
from app.domain.clients import Client
from app.domain.policy import AttachedPolicy
from app.domain.principals import Principal
from app.services import principals
from app.services.runtime import Runtime
from app.storage import accounts, clients, epoch


def client(runtime: Runtime, connection: Connection, client_id: str) -> Client | None:
    """A client by id, as of now: the epoch is read with every call."""
    now = epoch.current(connection)
    return runtime.facts.get(
        now, ("client", client_id), lambda: clients.find(connection, client_id)
    )


def principal(
    runtime: Runtime, connection: Connection, known_epoch: int, kind: str, principal_id: str
) -> Principal | None:
    """Who a token speaks for, disabled ones included."""
    return runtime.facts.get(
        known_epoch,
        ("principal", kind, principal_id),
        lambda: principals.find(connection, kind, principal_id),
    )


def policies_of(
    runtime: Runtime, connection: Connection, known_epoch: int, of: Principal
) -> tuple[AttachedPolicy, ...]:
    """All policies in force for a principal."""
    return runtime.facts.get(
        known_epoch,
        ("policies", of.type, of.id),
        lambda: principals.policies_of(connection, of),
    )


def account_settings(
    runtime: Runtime, connection: Connection, known_epoch: int, account_id: str
) -> AccountSettings:
    """What an account has set for itself; the defaults for what it has not."""
    return runtime.facts.get(
        known_epoch,
        ("account-settings", account_id),
        lambda: read_settings(accounts.find_settings(connection, account_id)),
    )
