"""Service accounts: `/accounts-api/v1/service-accounts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from app.domain.principals import DEFAULT_TOKEN_LIFETIME, MAX_TOKEN_LIFETIME, MIN_TOKEN_LIFETIME
from app.management.iam_users import Cascade
from app.management.models import (
    Description,
    Model,
    Name,
    Page,
    PageQuery,
    Timestamp,
    page_of,
    timestamp,
)
from app.management.operations import Call, Operation
from app.management.trusted_relationships import NewTrustedRelationship, wanted
from app.services import new_service_accounts, service_accounts
from app.services.authority import Caller
from app.services.new_service_accounts import NewServiceAccount, Wanted
from app.services.service_accounts import ServiceAccountChange, ServiceAccountDetails

_PATH = "/accounts-api/v1/service-accounts"
_ONE = _PATH + "/{serviceAccountId}"
_MOST = 50

PolicyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Lifetime = Annotated[
    int,
    Field(
        ge=MIN_TOKEN_LIFETIME,
        le=MAX_TOKEN_LIFETIME,
        description="How long its tokens are valid at most, in seconds.",
    ),
]
Jwks = Annotated[
    dict[str, Any],
    Field(description="Public keys for `private_key_jwt` (RFC 7517): EC P-256, Ed25519 or RSA."),
]


class ServiceAccountWanted(Model):
    """A machine identity, made whole: with its policies and whom it trusts, or not at all.

    `policyIds` needs `iam:AttachPolicy` on each policy and on service accounts as well, and
    `trustedRelationships` needs `iam:AddTrustedRelationship`. Rights that the caller lacks are
    not handed over.
    """

    name: Name = Field(examples=["AllowAccessFromRootUserAccountA"])
    description: Description = ""
    access_token_life_span: Lifetime = DEFAULT_TOKEN_LIFETIME
    jwks: Jwks | None = None
    policy_ids: list[PolicyId] = Field([], max_length=_MOST)
    trusted_relationships: list[NewTrustedRelationship] = Field([], max_length=_MOST)


class ServiceAccountPatch(Model):
    """What is sent is changed. Disabling ends its tokens for good; a `jwks` of null removes the
    keys, and another one hands over all that the service account may do."""

    name: Name | None = None
    description: Description | None = None
    enabled: bool | None = None
    access_token_life_span: Lifetime | None = None
    jwks: Jwks | None = None


class ServiceAccountShown(Model):
    """A service account. `clientId` is what it authenticates as."""

    id: str = Field(examples=["sa-1f2e6b1c-7a0d-4c52-9a57-5b1b3f8f2a10"])
    vrn: str = Field(
        examples=["iam::60108:service-account/sa-1f2e6b1c-7a0d-4c52-9a57-5b1b3f8f2a10"]
    )
    client_id: str
    name: str
    description: str
    enabled: bool
    access_token_life_span: int
    jwks: dict[str, Any] | None = None
    created_at: Timestamp


class NewServiceAccountShown(ServiceAccountShown):
    """A service account as it was made. The secret is in this answer alone, and in no replay."""

    client_secret: str | None = Field(None, description="Shown this once.")


def _fields(details: ServiceAccountDetails) -> dict[str, Any]:
    account = details.account
    return {
        "id": account.id,
        "vrn": str(account.vrn),
        "client_id": details.client_id,
        "name": account.name,
        "description": details.description,
        "enabled": account.enabled,
        "access_token_life_span": account.max_token_lifetime,
        "jwks": details.jwks,
        "created_at": timestamp(details.created_at),
    }


def shown(details: ServiceAccountDetails) -> ServiceAccountShown:
    return ServiceAccountShown(**_fields(details))


def _shown_once(new: NewServiceAccount) -> NewServiceAccountShown:
    return NewServiceAccountShown(**_fields(new.details), client_secret=new.client_secret)


def _list(call: Call) -> Page[ServiceAccountShown]:
    query: PageQuery = call.query
    found, total = service_accounts.list_page(
        call.runtime, call.caller, query.page_number, query.page_size, query.name
    )
    return page_of(ServiceAccountShown, [shown(each) for each in found], query, total)


def _create(call: Call) -> NewServiceAccount:
    body: ServiceAccountWanted = call.body
    return new_service_accounts.create_whole(
        call.runtime,
        call.caller,
        call.caller.account_id,
        Wanted(
            body.name,
            body.description,
            body.access_token_life_span,
            body.jwks,
            body.policy_ids,
            [wanted(each) for each in body.trusted_relationships],
        ),
    )


def _get(call: Call) -> ServiceAccountDetails:
    return service_accounts.get(call.runtime, call.caller, call.ids["serviceAccountId"])


def _update(call: Call) -> ServiceAccountDetails:
    body: ServiceAccountPatch = call.body
    change = ServiceAccountChange(
        name=body.name,
        description=body.description,
        max_token_lifetime=body.access_token_life_span,
        enabled=body.enabled,
        jwks=body.jwks,
        remove_keys=body.jwks is None and "jwks" in body.model_fields_set,
    )
    return service_accounts.update(call.runtime, call.caller, call.ids["serviceAccountId"], change)


def _delete(call: Call) -> None:
    service_accounts.delete(
        call.runtime, call.caller, call.ids["serviceAccountId"], cascade=call.query.cascade
    )


def _current(connection: Any, caller: Caller, ids: Mapping[str, str]) -> ServiceAccountShown:
    return shown(service_accounts.load(connection, caller, ids["serviceAccountId"]))


OPERATIONS = (
    Operation(
        "GET",
        _PATH,
        "listServiceAccounts",
        "The account's service accounts, a page at a time",
        "iam:ListServiceAccount",
        _list,
        lambda result: result,
        answer=Page[ServiceAccountShown],
        query=PageQuery,
    ),
    Operation(
        "POST",
        _PATH,
        "createServiceAccount",
        "Create a service account with its first secret",
        "iam:CreateServiceAccount",
        _create,
        _shown_once,
        answer=NewServiceAccountShown,
        body=ServiceAccountWanted,
        status=201,
        once=("clientSecret",),
    ),
    Operation(
        "GET",
        _ONE,
        "getServiceAccount",
        "One service account",
        "iam:GetServiceAccount",
        _get,
        shown,
        answer=ServiceAccountShown,
        current=_current,
    ),
    Operation(
        "PATCH",
        _ONE,
        "updateServiceAccount",
        "Change, disable or enable a service account, or set its keys",
        "iam:UpdateServiceAccount",
        _update,
        shown,
        answer=ServiceAccountShown,
        body=ServiceAccountPatch,
        current=_current,
    ),
    Operation(
        "DELETE",
        _ONE,
        "deleteServiceAccount",
        "Delete a service account; its tokens end",
        "iam:DeleteServiceAccount",
        _delete,
        query=Cascade,
        status=204,
        current=_current,
    ),
)
