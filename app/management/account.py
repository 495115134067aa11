"""The account's settings: `/accounts-api/v1/account`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from app.domain.account_settings import DEFAULT_QUOTA, LONGEST_MINIMUM, SHORTEST_PASSWORD
from app.domain.principals import MAX_TOKEN_LIFETIME, MIN_TOKEN_LIFETIME
from app.management.models import Model
from app.management.operations import Call, Operation
from app.services import account_settings
from app.services.account_settings import AccountDetails, SettingsChange
from app.services.authority import Caller

_PATH = "/accounts-api/v1/account"

MinLength = Annotated[int, Field(ge=SHORTEST_PASSWORD, le=LONGEST_MINIMUM)]
Lifetime = Annotated[
    int, Field(ge=MIN_TOKEN_LIFETIME, le=MAX_TOKEN_LIFETIME, description="Seconds.")
]
Timeout = Annotated[
    Literal[900, 1800, 3600],
    Field(description="Seconds after a sign-in at which it ends; without it, the server's own."),
]
Room = Annotated[
    int, Field(ge=0, le=DEFAULT_QUOTA, description="How many there may be; what is there stays.")
]


class PasswordPolicy(Model):
    """What new passwords of the account's users are like."""

    min_length: MinLength
    require_digit: bool


class TokenLifetimes(Model):
    """The longest that access tokens live; other limits of the server hold beside it."""

    service_account: Lifetime
    iam_user: Lifetime


class Quotas(Model):
    """How many of each the account may have."""

    iam_users: Room
    groups: Room
    service_accounts: Room
    policies: Room
    oauth_clients: Room


class AccountShown(Model):
    """The caller's root account and its settings."""

    account_id: str = Field(examples=["53461"])
    root_email: str = Field(examples=["root-a@example.com"])
    password_policy: PasswordPolicy
    session_timeout: Timeout | None = None
    max_token_lifetime: TokenLifetimes
    quotas: Quotas


class PasswordPolicyChange(Model):
    """What is sent is changed."""

    min_length: MinLength | None = None
    require_digit: bool | None = None


class TokenLifetimesChange(Model):
    """What is sent is changed."""

    service_account: Lifetime | None = None
    iam_user: Lifetime | None = None


class QuotasChange(Model):
    """What is sent is changed."""

    iam_users: Room | None = None
    groups: Room | None = None
    service_accounts: Room | None = None
    policies: Room | None = None
    oauth_clients: Room | None = None


class AccountChange(Model):
    """What is sent is changed, members of members too; a sessionTimeout of null is the server's."""

    password_policy: PasswordPolicyChange | None = None
    session_timeout: Timeout | None = None
    max_token_lifetime: TokenLifetimesChange | None = None
    quotas: QuotasChange | None = None


def shown(details: AccountDetails) -> AccountShown:
    settings = details.settings
    lifetimes, quotas = settings.max_token_lifetime, settings.quotas
    return AccountShown.model_validate(
        {
            "account_id": details.account_id,
            "root_email": details.root_email,
            "password_policy": PasswordPolicy(
                min_length=settings.password_policy.min_length,
                require_digit=settings.password_policy.require_digit,
            ),
            "session_timeout": settings.session_timeout,
            "max_token_lifetime": TokenLifetimes(
                service_account=lifetimes.service_account, iam_user=lifetimes.iam_user
            ),
            "quotas": Quotas(
                iam_users=quotas.iam_users,
                groups=quotas.groups,
                service_accounts=quotas.service_accounts,
                policies=quotas.policies,
                oauth_clients=quotas.oauth_clients,
            ),
        },
        by_name=True,
    )


def _get(call: Call) -> AccountDetails:
    return account_settings.get(call.runtime, call.caller)


def _update(call: Call) -> AccountDetails:
    body: AccountChange = call.body
    sent = "session_timeout" in body.model_fields_set
    wanted = SettingsChange(
        password_policy=_given(body.password_policy),
        max_token_lifetime=_given(body.max_token_lifetime),
        quotas=_given(body.quotas),
        session_timeout=(body.session_timeout,) if sent else None,
    )
    return account_settings.update(call.runtime, call.caller, wanted)


def _given(group: Model | None) -> dict[str, Any]:
    """The members that are to change, by our names for them."""
    return {} if group is None else group.model_dump(exclude_none=True)


def _current(connection: Any, caller: Caller, _ids: Mapping[str, str]) -> AccountShown:
    return shown(account_settings.load(connection, caller))


OPERATIONS = (
    Operation(
        "GET",
        _PATH,
        "getAccount",
        "The caller's root account and its settings",
        "iam:GetAccountSettings",
        _get,
        shown,
        answer=AccountShown,
        current=_current,
    ),
    Operation(
        "PATCH",
        _PATH,
        "updateAccount",
        "Change the account's settings",
        "iam:UpdateAccountSettings",
        _update,
        shown,
        answer=AccountShown,
        body=AccountChange,
        current=_current,
    ),
)
