"""What policies are attached to: attaching, detaching, and lists from both ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from app.management.models import Model, Page, PageQuery, page_of
from app.management.operations import Call, Operation
from app.management.policies import PATH, PolicyListed, listed
from app.services import policy_attachments

#: A type of what has policies, its collection, its id in a path, and its name in sentences.
_TARGETS = (
    ("iam-user", "iam-users", "userId", "user", "IamUser"),
    ("group", "groups", "groupId", "group", "Group"),
    (
        "service-account",
        "service-accounts",
        "serviceAccountId",
        "service account",
        "ServiceAccount",
    ),
)


class UsageShown(Model):
    """Something that a policy is attached to."""

    type: Literal["iam-user", "group", "service-account"]
    id: str
    vrn: str = Field(examples=["iam::53461:iam-user/4f0c6a52-8a4e-4f0b-9d1c-0d6a6b1b7c11"])
    name: str


def _list_usage(call: Call) -> Page[UsageShown]:
    query: PageQuery = call.query
    found, total = policy_attachments.list_usage(
        call.runtime,
        call.caller,
        call.ids["policyId"],
        query.page_number,
        query.page_size,
        query.name,
    )
    account_id = call.caller.account_id
    items = [
        UsageShown.model_validate(
            {
                "type": each.kind,
                "id": each.id,
                "vrn": f"iam::{account_id}:{each.kind}/{each.id}",
                "name": each.name,
            }
        )
        for each in found
    ]
    return page_of(UsageShown, items, query, total)


def _list_attached(kind: str, named: str) -> Callable[[Call], Any]:
    def run(call: Call) -> Page[PolicyListed]:
        query: PageQuery = call.query
        found, total = policy_attachments.list_attached(
            call.runtime,
            call.caller,
            kind,
            call.ids[named],
            query.page_number,
            query.page_size,
            query.name,
        )
        return page_of(PolicyListed, [listed(each) for each in found], query, total)

    return run


def _attach(kind: str) -> Callable[[Call], None]:
    return lambda call: policy_attachments.attach_by_id(
        call.runtime, call.caller, call.ids["policyId"], kind, call.ids["targetId"]
    )


def _detach(kind: str) -> Callable[[Call], None]:
    return lambda call: policy_attachments.detach_by_id(
        call.runtime, call.caller, call.ids["policyId"], kind, call.ids["targetId"]
    )


def _operations_of(
    kind: str, collection: str, named: str, noun: str, name: str
) -> tuple[Operation, ...]:
    one = f"{PATH}/{{policyId}}/{collection}/{{targetId}}"
    return (
        Operation(
            "POST",
            one,
            f"attachPolicyTo{name}",
            f"Attach a policy to a {noun}; asked on both, and well if it is attached already",
            "iam:AttachPolicy",
            _attach(kind),
            status=204,
        ),
        Operation(
            "DELETE",
            one,
            f"detachPolicyFrom{name}",
            f"Detach a policy from a {noun}; asked on both, and well if it is not attached",
            "iam:DetachPolicy",
            _detach(kind),
            status=204,
        ),
        Operation(
            "GET",
            f"/accounts-api/v1/{collection}/{{{named}}}/policies",
            f"listPoliciesOf{name}",
            f"The policies attached to a {noun}, a page at a time",
            f"iam:Get{name}",
            _list_attached(kind, named),
            lambda result: result,
            answer=Page[PolicyListed],
            query=PageQuery,
        ),
    )


OPERATIONS = (
    Operation(
        "GET",
        PATH + "/{policyId}/usage",
        "listPolicyUsage",
        "What a policy is attached to in the account, a page at a time",
        "iam:GetPolicy",
        _list_usage,
        lambda result: result,
        answer=Page[UsageShown],
        query=PageQuery,
    ),
    *(operation for target in _TARGETS for operation in _operations_of(*target)),
)
