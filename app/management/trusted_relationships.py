"""Trusted relationships: `/accounts-api/v1/service-accounts/{id}/trusted-relationships`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from app.management.models import AccountId, Model, Page, PageQuery, Timestamp, page_of, timestamp
from app.management.operations import Call, Operation
from app.services import trusts
from app.services.authority import Caller
from app.services.trusts import NewTrust, TrustChange, TrustDetails

_PATH = "/accounts-api/v1/service-accounts/{serviceAccountId}/trusted-relationships"
_ONE = _PATH + "/{relationshipId}"
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _moment(text: str) -> datetime:
    """RFC 3339 section 5.6. Raises `ValueError`; a leap second is refused too."""
    if _RFC_3339.fullmatch(text) is None:
        raise ValueError("expected a time as in RFC 3339, such as 2027-01-15T08:00:00Z")
    return datetime.fromisoformat(text.upper())


def _is_moment(text: str) -> str:
    _moment(text)
    return text


Moment = Annotated[
    str,
    AfterValidator(_is_moment),
    Field(
        description="RFC 3339, in UTC; a fraction of a second is dropped.",
        examples=["2027-01-15T08:00:00Z"],
        json_schema_extra={"format": "date-time"},
    ),
]
ConditionDocument = Annotated[
    dict[str, Any],
    Field(
        description="As in a policy statement: an operator, its keys, the values of each.",
        examples=[{"bool": {"iam:MfaPresent": [True]}}],
    ),
]


class NewTrustedRelationship(Model):
    """Another root account, whose users may ask to impersonate the service account.

    Each of them needs a policy of their own account as well. Whether there is such an account is
    not said.
    """

    trusted_root_user_id: AccountId
    condition: ConditionDocument | None = None
    expires_at: Moment | None = None


class TrustedRelationshipChange(Model):
    """What is sent is changed, and null takes it away; each change counts `version` up.

    Trusting more than before (another condition or none, a later end or none) is held to the
    rules of adding trust.
    """

    condition: ConditionDocument | None = None
    expires_at: Moment | None = None


class TrustedRelationshipShown(Model):
    """A trusted relationship; an expired one stays until it is removed or added again."""

    id: str
    trusted_root_user_id: AccountId
    condition: ConditionDocument | None = None
    expires_at: Timestamp | None = None
    version: int = Field(ge=1)
    created_at: Timestamp


class TrustQuery(PageQuery):
    """A page of a list. `name` keeps those whose trusted account's id has it in it."""


def wanted(body: NewTrustedRelationship) -> NewTrust:
    """What the services take."""
    expires_at = _epoch_seconds(body.expires_at)
    return NewTrust(body.trusted_root_user_id, body.condition, expires_at)


def _epoch_seconds(text: str | None) -> int | None:
    return None if text is None else int(_moment(text).timestamp())


def shown(details: TrustDetails) -> TrustedRelationshipShown:
    trust = details.trust
    return TrustedRelationshipShown(
        id=trust.id,
        trusted_root_user_id=trust.trusted_account_id,
        condition=None if trust.condition is None else dict(trust.condition.source),
        expires_at=None if trust.expires_at is None else timestamp(trust.expires_at),
        version=trust.version,
        created_at=timestamp(details.created_at),
    )


def _list(call: Call) -> Page[TrustedRelationshipShown]:
    query: TrustQuery = call.query
    found, total = trusts.list_page(
        call.runtime,
        call.caller,
        call.ids["serviceAccountId"],
        query.page_number,
        query.page_size,
        query.name,
    )
    return page_of(TrustedRelationshipShown, [shown(each) for each in found], query, total)


def _create(call: Call) -> TrustDetails:
    return trusts.add(call.runtime, call.caller, call.ids["serviceAccountId"], wanted(call.body))


def _get(call: Call) -> TrustDetails:
    return trusts.get(call.runtime, call.caller, *_both(call.ids))


def _update(call: Call) -> TrustDetails:
    body: TrustedRelationshipChange = call.body
    change = TrustChange(
        frozenset(body.model_fields_set), body.condition, _epoch_seconds(body.expires_at)
    )
    return trusts.update(call.runtime, call.caller, *_both(call.ids), change)


def _delete(call: Call) -> None:
    trusts.remove(call.runtime, call.caller, *_both(call.ids))


def _current(connection: Any, caller: Caller, ids: Mapping[str, str]) -> TrustedRelationshipShown:
    return shown(trusts.load(connection, caller, *_both(ids)))


def _both(ids: Mapping[str, str]) -> tuple[str, str]:
    return ids["serviceAccountId"], ids["relationshipId"]


OPERATIONS = (
    Operation(
        "GET",
        _PATH,
        "listTrustedRelationships",
        "Whom a service account trusts, a page at a time",
        "iam:GetServiceAccount",
        _list,
        lambda result: result,
        answer=Page[TrustedRelationshipShown],
        query=TrustQuery,
    ),
    Operation(
        "POST",
        _PATH,
        "addTrustedRelationship",
        "Let users of another root account ask to impersonate a service account",
        "iam:AddTrustedRelationship",
        _create,
        shown,
        answer=TrustedRelationshipShown,
        body=NewTrustedRelationship,
        status=201,
    ),
    Operation(
        "GET",
        _ONE,
        "getTrustedRelationship",
        "One trusted relationship",
        "iam:GetServiceAccount",
        _get,
        shown,
        answer=TrustedRelationshipShown,
        current=_current,
    ),
    Operation(
        "PATCH",
        _ONE,
        "updateTrustedRelationship",
        "Change the condition or the end of a trusted relationship",
        "iam:AddTrustedRelationship",
        _update,
        shown,
        answer=TrustedRelationshipShown,
        body=TrustedRelationshipChange,
        current=_current,
    ),
    Operation(
        "DELETE",
        _ONE,
        "removeTrustedRelationship",
        "End a trusted relationship: the next exchange is refused",
        "iam:RemoveTrustedRelationship",
        _delete,
        status=204,
        current=_current,
    ),
)
