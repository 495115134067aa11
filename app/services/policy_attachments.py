"""Attaching policies to users, groups and service accounts, and what is attached to what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from app.domain.events import Event
from app.domain.principals import PrincipalType
from app.services import handing_over, holders, principals
from app.services.administration import NotFound, change, require
from app.services.authority import OPERATOR, Administrator, Caller
from app.services.handing_over import Holder
from app.services.runtime import Runtime
from app.storage import groups, policies, policy_attachments, policy_details
from app.storage.policies import GROUP
from app.storage.policy_attachments import Attachment
from app.storage.policy_details import PolicyDetails, PolicySummary

#: What a policy can be attached to, and the action by which one reads it. Root users are not
#: among them: they may do everything in their account as it is.
_READ = {
    PrincipalType.IAM_USER.value: "iam:GetIamUser",
    PrincipalType.SERVICE_ACCOUNT.value: "iam:GetServiceAccount",
    GROUP: "iam:GetGroup",
}


@dataclass(frozen=True, slots=True)
class _Target:
    """What a policy is attached to. `holders` are those whose rights it changes."""

    kind: str
    id: str
    account_id: str
    holders: Iterable[Holder]


def load_policy(connection: Connection, by: Caller, policy_id: str) -> PolicyDetails:
    """A policy that the caller's account may use. Raises `NotFound`."""
    found = policy_details.find(connection, by.account_id, policy_id)
    if found is None:
        raise NotFound(f"there is no policy {policy_id}")
    return found


def list_usage(
    runtime: Runtime, by: Caller, policy_id: str, number: int, size: int, name: str | None
) -> tuple[list[Attachment], int]:
    """One page of what a policy is attached to in the account, and how much there is.

    Raises `AdministrationError`.
    """
    by.require("iam:GetPolicy", "policy", policy_id)
    with runtime.database.read() as connection:
        load_policy(connection, by, policy_id)
        return policy_attachments.usage_page(
            connection, by.account_id, policy_id, number, size, name
        )


def list_attached(
    runtime: Runtime,
    by: Caller,
    kind: str,
    target_id: str,
    number: int,
    size: int,
    name: str | None,
) -> tuple[list[PolicySummary], int]:
    """One page of the policies attached to a user, group or service account, and how many.

    Raises `AdministrationError`.
    """
    by.require(_READ[kind], kind, target_id)
    with runtime.database.read() as connection:
        _load_target(connection, by, kind, target_id)
        return policy_attachments.page_of_principal(
            connection, by.account_id, kind, target_id, number, size, name
        )


def attach_by_id(runtime: Runtime, by: Caller, policy_id: str, kind: str, target_id: str) -> None:
    """Attach a policy; what is attached already stays so. Raises `AdministrationError`."""
    _set_by_id(runtime, by, policy_id, kind, target_id, attached=True)


def detach_by_id(runtime: Runtime, by: Caller, policy_id: str, kind: str, target_id: str) -> None:
    """Detach a policy: what it allowed ends, and what it denied. Raises `AdministrationError`."""
    _set_by_id(runtime, by, policy_id, kind, target_id, attached=False)


def _set_by_id(
    runtime: Runtime, by: Caller, policy_id: str, kind: str, target_id: str, *, attached: bool
) -> None:
    for asked, name in (("policy", policy_id), (kind, target_id)):
        by.require(_action(attached), asked, name)

    def write(connection: Connection) -> None:
        load_policy(connection, by, policy_id)
        target = _load_target(connection, by, kind, target_id)
        changed = _set(runtime, connection, by, policy_id, target, attached=attached)
        _record(runtime, connection, by, policy_id, target, attached=attached, changed=changed)

    change(runtime, write, by)


def attach(runtime: Runtime, policy: str, principal_type: str, principal_id: str) -> bool:
    """The operator attaches a policy, named or by id, to a user, group or service account.

    Returns whether it was not attached before. Raises `AdministrationError`.
    """
    return _set_by_operator(runtime, policy, principal_type, principal_id, attached=True)


def detach(runtime: Runtime, policy: str, principal_type: str, principal_id: str) -> bool:
    """Detach a policy; what it allowed ends now. Returns whether it was attached."""
    return _set_by_operator(runtime, policy, principal_type, principal_id, attached=False)


def _set_by_operator(
    runtime: Runtime, policy: str, principal_type: str, principal_id: str, *, attached: bool
) -> bool:
    require(
        principal_type in _READ,
        "a policy is attached to a group, an iam-user or a service-account",
    )

    def write(connection: Connection) -> bool:
        target = _load_target(connection, OPERATOR, principal_type, principal_id)
        policy_id = policies.find_id(connection, target.account_id, policy)
        if policy_id is None:
            raise NotFound(f"account {target.account_id} has no policy {policy}")
        changed = _set(runtime, connection, OPERATOR, policy_id, target, attached=attached)
        if changed:
            _record(runtime, connection, OPERATOR, policy_id, target, attached=attached)
        return changed

    return change(runtime, write)


def _load_target(connection: Connection, by: Administrator, kind: str, target_id: str) -> _Target:
    """Raises `NotFound` for what is not there or is not the caller's account's."""
    missing = f"there is no {kind} {target_id}"
    concerned: list[Holder] = []
    if kind == GROUP:
        group = groups.find(connection, target_id)
        account_id = None if group is None else group.account_id
    else:
        principal = principals.find(connection, kind, target_id)
        account_id = None if principal is None else principal.account.id
        concerned = [each for each in (principal,) if isinstance(each, Holder)]
    by.confine(account_id, missing)
    if account_id is None:
        raise NotFound(missing)
    return _Target(kind, target_id, account_id, concerned)


def _set(
    runtime: Runtime,
    connection: Connection,
    by: Administrator,
    policy_id: str,
    target: _Target,
    *,
    attached: bool,
) -> bool:
    """Attach or detach, within what the caller may hand over. Returns whether that changed it."""
    concerned = target.holders
    if target.kind == GROUP:
        concerned = holders.of_group(connection, target.id)
    with handing_over.within_own(runtime, connection, by, _action(attached), concerned):
        if attached:
            return policies.attach(connection, policy_id, target.kind, target.id, runtime.now())
        return policies.detach(connection, policy_id, target.kind, target.id)


def _action(attached: bool) -> str:
    return "iam:AttachPolicy" if attached else "iam:DetachPolicy"


def _record(
    runtime: Runtime,
    connection: Connection,
    by: Administrator,
    policy_id: str,
    target: _Target,
    *,
    attached: bool,
    changed: bool = True,
) -> None:
    by.write(
        runtime,
        connection,
        Event.POLICY_ATTACH if attached else Event.POLICY_DETACH,
        target.account_id,
        f"policy/{policy_id}",
        principal_type=target.kind,
        principal_id=target.id,
        changed=changed,
    )
