"""Policies: writing them, and attaching them to principals."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from app.domain.documents import compile_document
from app.domain.events import Event
from app.domain.principals import PrincipalType, is_name
from app.domain.problems import InvalidDocument
from app.services import audit as audit_service
from app.services import principals
from app.services.administration import (
    Conflict,
    Invalid,
    NotFound,
    change,
    require,
    require_account,
    require_description,
)
from app.services.runtime import Runtime
from app.storage import policies
from app.storage.policies import PolicySummary

#: A root user may do everything in its account as it is.
_ATTACHABLE = (PrincipalType.IAM_USER, PrincipalType.SERVICE_ACCOUNT)


def create(
    runtime: Runtime,
    account_id: str,
    name: str,
    document: dict[str, Any],
    description: str = "",
) -> str:
    """Write a customer policy. Returns its id. Raises `AdministrationError`."""
    require(is_name(name), "a name is 1 to 50 of A-Z a-z 0-9 . _ - and space")
    require_description(description)
    policy_id = runtime.new_id()
    with runtime.database.read() as connection:
        catalogue = runtime.catalogue(connection)
    try:
        compile_document(document, catalogue)
    except InvalidDocument as error:
        raise Invalid(str(error)) from None

    def write(connection: Connection) -> str:
        require_account(connection, account_id)
        if policies.find_id(connection, account_id, name) is not None:
            raise Conflict(f"there is a policy {name} already")
        policies.add(connection, policy_id, account_id, name, document, runtime.now(), description)
        audit_service.write_by_operator(
            runtime, connection, Event.POLICY_CREATE, account_id, f"policy/{policy_id}"
        )
        return policy_id

    return change(runtime, write)


def find(runtime: Runtime, account_id: str, name_or_id: str) -> str | None:
    """The id of a policy that the account may use: its own, or a managed one."""
    with runtime.database.read() as connection:
        return policies.find_id(connection, account_id, name_or_id)


def list_usable(runtime: Runtime, account_id: str) -> list[PolicySummary]:
    """The policies that an account may attach. Raises `NotFound`."""
    with runtime.database.read() as connection:
        require_account(connection, account_id)
        return policies.list_usable(connection, account_id)


def attach(runtime: Runtime, policy: str, principal_type: str, principal_id: str) -> bool:
    """Attach a policy, named or by id, to an IAM user or a service account.

    Returns whether it was not attached before. Raises `AdministrationError`.
    """

    def write(connection: Connection) -> bool:
        account_id, policy_id = _resolve(connection, policy, principal_type, principal_id)
        is_new = policies.attach(connection, policy_id, principal_type, principal_id, runtime.now())
        if is_new:
            _record(runtime, connection, Event.POLICY_ATTACH, account_id, policy_id, principal_id)
        return is_new

    return change(runtime, write)


def detach(runtime: Runtime, policy: str, principal_type: str, principal_id: str) -> bool:
    """Detach a policy; what it allowed ends now. Returns whether it was attached."""

    def write(connection: Connection) -> bool:
        account_id, policy_id = _resolve(connection, policy, principal_type, principal_id)
        was_attached = policies.detach(connection, policy_id, principal_type, principal_id)
        if was_attached:
            _record(runtime, connection, Event.POLICY_DETACH, account_id, policy_id, principal_id)
        return was_attached

    return change(runtime, write)


def _resolve(
    connection: Connection, policy: str, principal_type: str, principal_id: str
) -> tuple[str, str]:
    """The principal's account, and the id of the policy as that account knows it."""
    require(
        principal_type in _ATTACHABLE, "a policy is attached to an iam-user or a service-account"
    )
    principal = principals.find(connection, principal_type, principal_id)
    if principal is None:
        raise NotFound(f"there is no {principal_type} {principal_id}")
    policy_id = policies.find_id(connection, principal.account.id, policy)
    if policy_id is None:
        raise NotFound(f"account {principal.account.id} has no policy {policy}")
    return principal.account.id, policy_id


def _record(
    runtime: Runtime,
    connection: Connection,
    event: Event,
    account_id: str,
    policy_id: str,
    principal_id: str,
) -> None:
    audit_service.write_by_operator(
        runtime,
        connection,
        event,
        account_id,
        f"policy/{policy_id}",
        principal_id=principal_id,
    )
