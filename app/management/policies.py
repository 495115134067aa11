"""Policies: `/policies-api/v1/policies`, and their versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SkipValidation

from app.domain.documents import MAX_STATEMENTS
from app.management.iam_users import Cascade
from app.management.models import (
    LARGEST_PAGE,
    Description,
    Model,
    Name,
    Page,
    PageQuery,
    Query,
    Timestamp,
    page_of,
    timestamp,
)
from app.management.operations import Call, Operation
from app.services import policies
from app.services.authority import Caller
from app.services.policies import PolicyDetails, PolicySummary, PolicyVersion

PATH = "/policies-api/v1/policies"
_ONE = PATH + "/{policyId}"
_VERSION = re.compile(r"[1-9][0-9]{0,8}")

Manager = Literal["user", "managed"]


class PolicyStatement(Model):
    """What is allowed or denied, on what, and when. Default deny; a deny beats every allow."""

    effect: Literal["allow", "deny"]
    actions: list[str] = Field(min_length=1, examples=[["vserver:StopServer", "vserver:List*"]])
    resources: list[str] = Field(min_length=1, examples=[["vserver::53461:server/*"]])
    condition: dict[str, dict[str, list[str | int | float | bool]]] | None = Field(
        None,
        description="By operator, by key: any one of the values.",
        examples=[{"bool": {"iam:MfaPresent": [True]}}],
    )


#: Read by the rules for documents, which tell every fault; the model is for the description.
Statements = Annotated[
    list[PolicyStatement], Field(min_length=1, max_length=MAX_STATEMENTS), SkipValidation()
]


class NewPolicy(Model):
    """A policy of the account, attached to nothing yet."""

    name: Name = Field(examples=["Operators"])
    description: Description = ""
    statements: Statements


class PolicyChange(Model):
    """What is sent is changed; statements replace all that there were, as a new version."""

    name: Name | None = None
    description: Description | None = None
    statements: Statements | None = None


class PolicyListed(Model):
    """A policy without its statements."""

    id: str
    vrn: str = Field(examples=["iam::53461:policy/managed-iam-full-access"])
    name: str
    description: str
    manager: Manager = Field(description="Who wrote it: the account's users, or the server.")
    version: int = Field(ge=1, description="The version in force.")
    created_at: Timestamp


class PolicyShown(PolicyListed):
    """A policy, as it is in force."""

    statements: list[PolicyStatement]


class VersionListed(Model):
    """One version of a policy."""

    version: int = Field(ge=1)
    created_at: Timestamp


class VersionShown(VersionListed):
    """One version of a policy; it never changes."""

    statements: list[PolicyStatement]


class PolicyQuery(PageQuery):
    """Of one kind, if one is named."""

    manager: Manager | None = None


class VersionQuery(Query):
    """A page of versions, which have no names."""

    page_number: int = Field(0, ge=0, le=1_000_000)
    page_size: int = Field(20, ge=1, le=LARGEST_PAGE)


def listed(policy: PolicySummary) -> PolicyListed:
    return PolicyListed(**_members(policy))


def shown(details: PolicyDetails) -> PolicyShown:
    return PolicyShown(**_members(details.summary), statements=_statements(details.document))


def _members(policy: PolicySummary) -> dict[str, Any]:
    return {
        "id": policy.id,
        "vrn": f"iam::{policy.account_id}:policy/{policy.id}",
        "name": policy.name,
        "description": policy.description,
        "manager": "managed" if policy.is_managed else "user",
        "version": policy.version,
        "created_at": timestamp(policy.created_at),
    }


def _statements(document: Mapping[str, Any]) -> list[PolicyStatement]:
    return [PolicyStatement.model_validate(each) for each in document["statements"]]


def _version_listed(version: PolicyVersion) -> VersionListed:
    return VersionListed(version=version.version, created_at=timestamp(version.created_at))


def _version_shown(version: PolicyVersion) -> VersionShown:
    return VersionShown(
        version=version.version,
        created_at=timestamp(version.created_at),
        statements=_statements(version.document),
    )


def _list(call: Call) -> Page[PolicyListed]:
    query: PolicyQuery = call.query
    found, total = policies.list_page(
        call.runtime,
        call.caller,
        query.page_number,
        query.page_size,
        query.name,
        None if query.manager is None else query.manager == "managed",
    )
    return page_of(PolicyListed, [listed(each) for each in found], query, total)


def _create(call: Call) -> PolicyDetails:
    body: NewPolicy = call.body
    return policies.create_own(
        call.runtime, call.caller, body.name, body.description, body.statements
    )


def _get(call: Call) -> PolicyDetails:
    return policies.get(call.runtime, call.caller, call.ids["policyId"])


def _update(call: Call) -> PolicyDetails:
    body: PolicyChange = call.body
    return policies.update(
        call.runtime,
        call.caller,
        call.ids["policyId"],
        name=body.name,
        description=body.description,
        statements=body.statements,
    )


def _delete(call: Call) -> None:
    policies.delete(call.runtime, call.caller, call.ids["policyId"], cascade=call.query.cascade)


def _list_versions(call: Call) -> Page[VersionListed]:
    query = PageQuery(page_number=call.query.page_number, page_size=call.query.page_size)
    found, total = policies.list_versions(
        call.runtime, call.caller, call.ids["policyId"], query.page_number, query.page_size
    )
    return page_of(VersionListed, [_version_listed(each) for each in found], query, total)


def _get_version(call: Call) -> PolicyVersion:
    version = call.ids["version"]
    number = int(version) if _VERSION.fullmatch(version) else 0
    return policies.get_version(call.runtime, call.caller, call.ids["policyId"], number)


def _current(connection: Any, caller: Caller, ids: Mapping[str, str]) -> PolicyShown:
    return shown(policies.load_policy(connection, caller, ids["policyId"]))


OPERATIONS = (
    Operation(
        "GET",
        PATH,
        "listPolicies",
        "The managed policies and the account's own, a page at a time",
        "iam:ListPolicy",
        _list,
        lambda result: result,
        answer=Page[PolicyListed],
        query=PolicyQuery,
    ),
    Operation(
        "POST",
        PATH,
        "createPolicy",
        "Write a policy",
        "iam:CreatePolicy",
        _create,
        shown,
        answer=PolicyShown,
        body=NewPolicy,
        status=201,
    ),
    Operation(
        "GET",
        _ONE,
        "getPolicy",
        "One policy with its statements",
        "iam:GetPolicy",
        _get,
        shown,
        answer=PolicyShown,
        current=_current,
    ),
    Operation(
        "PATCH",
        _ONE,
        "updatePolicy",
        "Change a policy of the account; old versions are kept. A managed one is a 409",
        "iam:UpdatePolicy",
        _update,
        shown,
        answer=PolicyShown,
        body=PolicyChange,
        current=_current,
    ),
    Operation(
        "DELETE",
        _ONE,
        "deletePolicy",
        "Delete a policy of the account. A managed one is a 409",
        "iam:DeletePolicy",
        _delete,
        query=Cascade,
        status=204,
        current=_current,
    ),
    Operation(
        "GET",
        _ONE + "/versions",
        "listPolicyVersions",
        "A policy's versions, the newest first",
        "iam:GetPolicy",
        _list_versions,
        lambda result: result,
        answer=Page[VersionListed],
        query=VersionQuery,
    ),
    Operation(
        "GET",
        _ONE + "/versions/{version}",
        "getPolicyVersion",
        "One version of a policy with its statements",
        "iam:GetPolicy",
        _get_version,
        _version_shown,
        answer=VersionShown,
    ),
)
