"""IAM users: `/accounts-api/v1/iam-users`, and who the caller is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr

from app.domain.principals import IamUser, RootUser
from app.management.models import Model, Page, PageQuery, Query, Timestamp, page_of, timestamp
from app.management.operations import Call, Operation
from app.services import users
from app.services.authority import Caller
from app.services.users import UserDetails

_PATH = "/accounts-api/v1/iam-users"


class NewIamUser(Model):
    """A person who will be able to sign in, and may do nothing until a policy allows it."""

    username: str = Field(pattern=r"^[A-Za-z0-9._-]{5,50}$", examples=["System1"])
    password: SecretStr = Field(min_length=8, max_length=1024)
    email: str | None = Field(None, min_length=3, max_length=254, examples=["ops@example.com"])


class IamUserChange(Model):
    """What is sent is changed; disabling ends the user's sessions and tokens for good.

    An email of null takes the e-mail away.
    """

    username: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{5,50}$")
    email: str | None = Field(None, min_length=3, max_length=254)
    enabled: bool | None = None


class NewPassword(Model):
    """What the old password opened ends."""

    password: SecretStr = Field(min_length=8, max_length=1024)


class IamUserShown(Model):
    """An IAM user."""

    id: str
    vrn: str = Field(examples=["iam::53461:iam-user/4f0c6a52-8a4e-4f0b-9d1c-0d6a6b1b7c11"])
    username: str
    email: str | None = None
    enabled: bool
    created_at: Timestamp


class Cascade(Query):
    """Whether what hangs on the object goes with it."""

    cascade: bool = False


class UserInfo(Model):
    """Who the bearer of the token is."""

    user_id: str
    user_type: str = Field(examples=["iam-user"])
    account_id: str
    username: str
    root_email: str
    two_factor_auth: bool


def shown(details: UserDetails) -> IamUserShown:
    user = details.user
    return IamUserShown(
        id=user.id,
        vrn=f"iam::{user.account.id}:iam-user/{user.id}",
        username=user.username,
        email=details.email,
        enabled=user.enabled,
        created_at=timestamp(details.created_at),
    )


def _list(call: Call) -> Page[IamUserShown]:
    query: PageQuery = call.query
    found, total = users.list_page(
        call.runtime, call.caller, query.page_number, query.page_size, query.name
    )
    return page_of(IamUserShown, [shown(each) for each in found], query, total)


def _create(call: Call) -> UserDetails:
    body: NewIamUser = call.body
    password = body.password.get_secret_value()
    return users.create(call.runtime, call.caller, body.username, password, body.email)


def _get(call: Call) -> UserDetails:
    return users.get(call.runtime, call.caller, call.ids["userId"])


def _update(call: Call) -> UserDetails:
    body: IamUserChange = call.body
    return users.update(
        call.runtime,
        call.caller,
        call.ids["userId"],
        username=body.username,
        email=body.email,
        remove_email=body.email is None and "email" in body.model_fields_set,
        enabled=body.enabled,
    )


def _delete(call: Call) -> None:
    users.delete(call.runtime, call.caller, call.ids["userId"], cascade=call.query.cascade)


def _reset_password(call: Call) -> None:
    password = call.body.password.get_secret_value()
    users.reset_password(call.runtime, call.caller, call.ids["userId"], password)


def _current(connection: Any, caller: Caller, ids: Mapping[str, str]) -> IamUserShown:
    return shown(users.load(connection, caller, ids["userId"]))


def _userinfo(call: Call) -> UserInfo:
    principal = call.caller.principal
    token = call.caller.token
    return UserInfo(
        user_id=principal.id,
        user_type=principal.type.value,
        account_id=principal.account.id,
        username=principal.name,
        root_email=users.root_email(call.runtime, call.caller),
        two_factor_auth=isinstance(principal, RootUser | IamUser)
        and token is not None
        and "mfa" in token.amr,
    )


OPERATIONS = (
    Operation(
        "GET",
        "/accounts-api/v1/auth/userinfo",
        "getCaller",
        "Who the bearer of the token is",
        "",
        _userinfo,
        lambda result: result,
        answer=UserInfo,
    ),
    Operation(
        "GET",
        _PATH,
        "listIamUsers",
        "The account's users, a page at a time",
        "iam:ListIamUser",
        _list,
        lambda result: result,
        answer=Page[IamUserShown],
        query=PageQuery,
    ),
    Operation(
        "POST",
        _PATH,
        "createIamUser",
        "Create a user",
        "iam:CreateIamUser",
        _create,
        shown,
        answer=IamUserShown,
        body=NewIamUser,
        status=201,
    ),
    Operation(
        "GET",
        _PATH + "/{userId}",
        "getIamUser",
        "One user",
        "iam:GetIamUser",
        _get,
        shown,
        answer=IamUserShown,
        current=_current,
    ),
    Operation(
        "PATCH",
        _PATH + "/{userId}",
        "updateIamUser",
        "Change, disable or enable a user",
        "iam:UpdateIamUser",
        _update,
        shown,
        answer=IamUserShown,
        body=IamUserChange,
        current=_current,
    ),
    Operation(
        "DELETE",
        _PATH + "/{userId}",
        "deleteIamUser",
        "Delete a user",
        "iam:DeleteIamUser",
        _delete,
        query=Cascade,
        status=204,
        current=_current,
    ),
    Operation(
        "POST",
        _PATH + "/{userId}/reset-password",
        "resetPassword",
        "Give a user another password",
        "iam:ResetPassword",
        _reset_password,
        body=NewPassword,
        status=204,
    ),
)
