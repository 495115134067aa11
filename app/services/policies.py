"""Policies: writing them, and attaching them to users, groups and service accounts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from app.domain.account_settings import Quota
from app.domain.documents import compile_document
from app.domain.events import Event
from app.domain.principals import is_name
from app.domain.problems import InvalidDocument
from app.services import handing_over, holders, quotas
from app.services.administration import (
    Conflict,
    InvalidDocumentGiven,
    NotFound,
    change,
    require,
    require_account,
    require_description,
)
from app.services.authority import OPERATOR, Administrator, Caller
from app.services.policy_attachments import attach, detach, load_policy
from app.services.runtime import Runtime
from app.storage import policies, policy_attachments, policy_details
from app.storage.policy_attachments import Attachment
from app.storage.policy_details import PolicyDetails, PolicySummary, PolicyVersion

__all__ = ["PolicyDetails", "PolicySummary", "PolicyVersion", "attach", "detach", "load_policy"]

#: So many of what a policy is attached to are named where it is not deleted for that.
_MOST_NAMED = 5


def create(
    runtime: Runtime,
    account_id: str,
    name: str,
    document: dict[str, Any],
    description: str = "",
) -> str:
    """The operator writes a policy of an account. Returns its id. Raises `AdministrationError`."""
    return _create(runtime, OPERATOR, account_id, name, description, document).summary.id


def create_own(
    runtime: Runtime, by: Caller, name: str, description: str, statements: Any
) -> PolicyDetails:
    """A new policy of the caller's account, attached to nothing. Raises `AdministrationError`."""
    by.require("iam:CreatePolicy", "policy")
    document = {"statements": statements}
    return _create(runtime, by, by.account_id, name, description, document)


def _create(
    runtime: Runtime,
    by: Administrator,
    account_id: str,
    name: str,
    description: str,
    document: dict[str, Any],
) -> PolicyDetails:
    _require_valid(runtime, name, description, document)
    policy_id, now = runtime.new_id(), runtime.now()

    def write(connection: Connection) -> PolicyDetails:
        require_account(connection, account_id)
        _require_free(connection, account_id, name)
        quotas.require_room(connection, account_id, Quota.POLICIES)
        policies.add(connection, policy_id, account_id, name, document, now, description)
        by.write(
            runtime, connection, Event.POLICY_CREATE, account_id, f"policy/{policy_id}", name=name
        )
        summary = PolicySummary(policy_id, account_id, name, description, False, 1, now)
        return PolicyDetails(summary, document)

    return change(runtime, write, by)


def find(runtime: Runtime, account_id: str, name_or_id: str) -> str | None:
    """The id of a policy that the account may use: its own, or a managed one."""
    with runtime.database.read() as connection:
        return policies.find_id(connection, account_id, name_or_id)


def list_usable(runtime: Runtime, account_id: str) -> list[PolicySummary]:
    """The policies that an account may attach. Raises `NotFound`."""
    with runtime.database.read() as connection:
        require_account(connection, account_id)
        return policy_details.list_usable(connection, account_id)


def list_page(
    runtime: Runtime,
    by: Caller,
    number: int,
    size: int,
    name: str | None,
    is_managed: bool | None,
) -> tuple[list[PolicySummary], int]:
    """One page of the managed policies and the account's own, and how many there are.

    `is_managed` keeps one kind of them. Raises `Forbidden`.
    """
    by.require("iam:ListPolicy", "policy")
    with runtime.database.read() as connection:
        return policy_details.list_page(connection, by.account_id, number, size, name, is_managed)


def get(runtime: Runtime, by: Caller, policy_id: str) -> PolicyDetails:
    """Raises `Forbidden` or `NotFound`."""
    by.require("iam:GetPolicy", "policy", policy_id)
    with runtime.database.read() as connection:
        return load_policy(connection, by, policy_id)


def list_versions(
    runtime: Runtime, by: Caller, policy_id: str, number: int, size: int
) -> tuple[list[PolicyVersion], int]:
    """One page of a policy's versions, the newest first, and how many there are.

    Raises `Forbidden` or `NotFound`.
    """
    by.require("iam:GetPolicy", "policy", policy_id)
    with runtime.database.read() as connection:
        load_policy(connection, by, policy_id)
        return policy_details.versions_page(connection, policy_id, number, size)


def get_version(runtime: Runtime, by: Caller, policy_id: str, version: int) -> PolicyVersion:
    """Raises `Forbidden` or `NotFound`."""
    by.require("iam:GetPolicy", "policy", policy_id)
    with runtime.database.read() as connection:
        load_policy(connection, by, policy_id)
        found = policy_details.find_version(connection, policy_id, version)
    if found is None:
        raise NotFound(f"policy {policy_id} has no version {version}")
    return found


def update(
    runtime: Runtime,
    by: Caller,
    policy_id: str,
    *,
    name: str | None,
    description: str | None,
    statements: Any | None,
) -> PolicyDetails:
    """Change what is not None; statements make a new version. Raises `AdministrationError`.

    What the new statements give those whom the policy reaches has to be the caller's own.
    """
    by.require("iam:UpdatePolicy", "policy", policy_id)
    document = None if statements is None else {"statements": statements}
    _require_valid(runtime, name, description, document)

    def write(connection: Connection) -> PolicyDetails:
        before = load_policy(connection, by, policy_id).summary
        _require_own(before)
        changed = []
        if name is not None and name != before.name:
            _require_free(connection, by.account_id, name, policy_id)
            policy_details.set_name(connection, policy_id, name)
            changed.append("name")
        if description is not None and description != before.description:
            policy_details.set_description(connection, policy_id, description)
            changed.append("description")
        if document is not None:
            concerned = holders.of_policy(connection, policy_id)
            with handing_over.within_own(runtime, connection, by, "iam:UpdatePolicy", concerned):
                policy_details.add_version(
                    connection, policy_id, before.version + 1, document, runtime.now()
                )
            changed.append("statements")
        after = load_policy(connection, by, policy_id)
        by.write(
            runtime,
            connection,
            Event.POLICY_UPDATE,
            by.account_id,
            f"policy/{policy_id}",
            changed=changed,
            version=after.summary.version,
        )
        return after

    return change(runtime, write, by)


def delete(runtime: Runtime, by: Caller, policy_id: str, *, cascade: bool) -> None:
    """Take a policy away. Raises `AdministrationError`.

    What it is attached to is said and the policy kept, unless `cascade`. A deny that goes away
    with it gives what another policy allows: the caller has to hold that.
    """
    by.require("iam:DeletePolicy", "policy", policy_id)

    def write(connection: Connection) -> None:
        policy = load_policy(connection, by, policy_id).summary
        _require_own(policy)
        attached = policy_attachments.list_usage(connection, by.account_id, policy_id)
        if attached and not cascade:
            raise Conflict(_in_use(attached))
        concerned = holders.of_policy(connection, policy_id)
        with handing_over.within_own(runtime, connection, by, "iam:DeletePolicy", concerned):
            policy_details.remove(connection, policy_id, runtime.now())
        by.write(
            runtime,
            connection,
            Event.POLICY_DELETE,
            by.account_id,
            f"policy/{policy_id}",
            name=policy.name,
            attached=[f"{each.kind}/{each.id}" for each in attached],
        )

    change(runtime, write, by)


def _in_use(attached: list[Attachment]) -> str:
    named = ", ".join(f"{each.kind} {each.name}" for each in attached[:_MOST_NAMED])
    more = len(attached) - _MOST_NAMED
    return (
        f"the policy is attached to {named}{f' and {more} more' if more > 0 else ''}; "
        "detach it first, or delete with ?cascade=true"
    )


def _require_valid(
    runtime: Runtime, name: str | None, description: str | None, document: dict[str, Any] | None
) -> None:
    require(
        name is None or is_name(name), "a name is 1 to 50 of A-Z a-z 0-9 . _ - and space", "/name"
    )
    require_description(description or "")
    if document is None:
        return
    with runtime.database.read() as connection:
        catalogue = runtime.catalogue(connection)
    try:
        compile_document(document, catalogue)
    except InvalidDocument as error:
        raise InvalidDocumentGiven(error) from None


def _require_free(
    connection: Connection, account_id: str, name: str, policy_id: str | None = None
) -> None:
    if policies.find_id(connection, account_id, name) not in (None, policy_id):
        raise Conflict(f"there is a policy {name} already")


def _require_own(policy: PolicySummary) -> None:
    """Managed policies are the same in every account: nobody's policies could allow it."""
    if policy.is_managed:
        raise Conflict(
            f"{policy.name} is a managed policy, the same in every account, and cannot be changed "
            "or deleted; create a policy of your own instead"
        )
