"""Changes that are only thought of: what a principal and a service account would be with them.

Nothing is written. What a draft speaks of is confined to the account of whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.domain.catalogue import Catalogue
from app.domain.documents import compile_document
from app.domain.impersonation import TrustedRelationship
from app.domain.policy import AttachedPolicy
from app.domain.problems import InvalidDocument
from app.services import trusts
from app.services.administration import Invalid, InvalidDocumentGiven, require
from app.services.runtime import Runtime
from app.services.trusts import NewTrust
from app.storage import policy_history

#: What a policy of a draft is called in answers.
_NAME = "draft"


@dataclass(frozen=True, slots=True)
class DraftPolicy:
    """A policy to attach: a document, or the id of one that the account may attach."""

    document: dict[str, Any] | None = None
    policy_id: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """Policies to attach to the principal or to detach from it, trust of the service account to
    add or to remove. `remove_trusts` are ids of relationships or of trusted accounts."""

    attach: tuple[DraftPolicy, ...] = ()
    detach: tuple[str, ...] = ()
    add_trusts: tuple[NewTrust, ...] = ()
    remove_trusts: tuple[str, ...] = ()

    @property
    def changes_policies(self) -> bool:
        return bool(self.attach or self.detach)

    @property
    def changes_trust(self) -> bool:
        return bool(self.add_trusts or self.remove_trusts)


def policies_with(
    connection: Connection,
    catalogue: Catalogue,
    account_id: str,
    held: tuple[AttachedPolicy, ...],
    draft: Draft,
) -> tuple[AttachedPolicy, ...]:
    """The policies that would apply. Raises `Invalid`."""
    for index, policy_id in enumerate(draft.detach):
        require(
            any(each.id == policy_id for each in held),
            "this policy does not apply to the principal, so that it cannot be detached",
            f"/draft/detachPolicies/{index}",
        )
    kept = tuple(each for each in held if each.id not in draft.detach)
    attached = tuple(
        _attached(connection, catalogue, account_id, each, index)
        for index, each in enumerate(draft.attach)
    )
    return (*kept, *attached)


def _attached(
    connection: Connection, catalogue: Catalogue, account_id: str, draft: DraftPolicy, index: int
) -> AttachedPolicy:
    at = f"/draft/attachPolicies/{index}"
    if draft.policy_id is not None:
        found = policy_history.find_in_force(connection, account_id, draft.policy_id)
        if found is None:
            raise Invalid(f"the account has no policy {draft.policy_id}", f"{at}/policyId")
        return found
    try:
        document = compile_document(draft.document, catalogue)
    except InvalidDocument as error:
        raise InvalidDocumentGiven(error, at) from None
    return AttachedPolicy(f"{_NAME}-{index}", _NAME, 1, document)


def trust_with(
    runtime: Runtime, trust: TrustedRelationship | None, account_id: str, draft: Draft
) -> TrustedRelationship | None:
    """The relationship that a service account would have with one account. Raises `Invalid`."""
    for index, name in enumerate(draft.remove_trusts):
        require(
            trust is not None and name in (trust.id, trust.trusted_account_id),
            f"the service account has no such trusted relationship with account {account_id}",
            f"/draft/removeTrusts/{index}",
        )
    if draft.remove_trusts:
        trust = None
    for index, added in enumerate(trusts.prepare(runtime, draft.add_trusts, "/draft/addTrusts")):
        at = f"/draft/addTrusts/{index}/trustedRootUserId"
        require(
            added.trusted_account_id == account_id,
            f"the question is about account {account_id}: trust in another does not matter to it",
            at,
        )
        require(trust is None, f"the service account trusts account {account_id} already", at)
        trust = added
    return trust
