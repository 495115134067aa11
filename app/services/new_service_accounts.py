"""Making service accounts: whole, with client, secret, keys, policies and trust, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.domain.account_settings import Quota
from app.domain.clients import Client, ClientKind
from app.domain.events import Event
from app.domain.impersonation import TrustedRelationship
from app.domain.principals import (
    DEFAULT_TOKEN_LIFETIME,
    MAX_TOKEN_LIFETIME,
    MIN_TOKEN_LIFETIME,
    ServiceAccount,
    is_name,
)
from app.services import handing_over, quotas, trusts
from app.services.administration import (
    Conflict,
    Invalid,
    NotFound,
    change,
    require,
    require_description,
)
from app.services.authority import OPERATOR, Administrator
from app.services.client_secrets import add_secret
from app.services.runtime import Runtime
from app.services.trusts import NewTrust
from app.storage import accounts, clients, policies, service_account_details, service_accounts
from app.storage.service_account_details import ServiceAccountDetails
from app.tokens.assertions import InvalidKeySet, check_key_set

_KIND = "service-account"
_GRANTS = ("client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new service account is to be and have. `max_token_lifetime` is in seconds."""

    name: str
    description: str = ""
    max_token_lifetime: int = DEFAULT_TOKEN_LIFETIME
    jwks: dict[str, Any] | None = None
    policy_ids: Sequence[str] = ()
    trusts: Sequence[NewTrust] = ()


@dataclass(frozen=True, slots=True)
class NewServiceAccount:
    """`client_secret` is shown this once: only its keyed hash is kept."""

    details: ServiceAccountDetails
    client_secret: str

    @property
    def account(self) -> ServiceAccount:
        return self.details.account

    @property
    def client_id(self) -> str:
        return self.details.client_id


def create(
    runtime: Runtime,
    account_id: str,
    name: str,
    description: str = "",
    max_token_lifetime: int = DEFAULT_TOKEN_LIFETIME,
) -> NewServiceAccount:
    """`create_whole` by the operator. Raises `AdministrationError`."""
    wanted = Wanted(name, description, max_token_lifetime)
    return create_whole(runtime, OPERATOR, account_id, wanted)


def create_whole(
    runtime: Runtime, by: Administrator, account_id: str, wanted: Wanted
) -> NewServiceAccount:
    """A service account with its client, first secret, keys, policies and trust, all or none.

    Raises `AdministrationError`. Whoever makes it gets its secret, and so all that it may do.
    """
    by.require("iam:CreateServiceAccount", _KIND)
    if wanted.policy_ids:
        by.require("iam:AttachPolicy", _KIND)
        for policy_id in dict.fromkeys(wanted.policy_ids):
            by.require("iam:AttachPolicy", "policy", policy_id)
    if wanted.trusts:
        by.require(trusts.ADD, _KIND)
    check(wanted.name, wanted.description, wanted.max_token_lifetime, wanted.jwks)
    require(
        len({each.trusted_account_id for each in wanted.trusts}) == len(wanted.trusts),
        "an account is trusted once",
        "/trustedRelationships",
    )
    prepared = trusts.prepare(runtime, wanted.trusts, "/trustedRelationships")
    secret = runtime.new_secret()

    def write(connection: Connection) -> NewServiceAccount:
        details = _add(runtime, connection, account_id, wanted)
        account = details.account
        add_secret(runtime, connection, details.client_id, secret)
        by.write(runtime, connection, Event.SERVICE_ACCOUNT_CREATE, account_id, str(account.vrn))
        _attach(runtime, connection, by, account, wanted.policy_ids)
        handing_over.require_covered(runtime, connection, by, "iam:AttachPolicy", account)
        _trust(runtime, connection, by, account, prepared)
        return NewServiceAccount(details, secret)

    return change(runtime, write, by)


def _add(
    runtime: Runtime, connection: Connection, account_id: str, wanted: Wanted
) -> ServiceAccountDetails:
    """The rows of the service account and of its client. Raises `NotFound` or `Conflict`."""
    root = accounts.find_root(connection, account_id)
    if root is None:
        raise NotFound(f"there is no root account {account_id}")
    quotas.require_room(connection, account_id, Quota.SERVICE_ACCOUNTS)
    require_free(connection, account_id, wanted.name)
    lifetime, now = wanted.max_token_lifetime, runtime.now()
    account = ServiceAccount(f"sa-{runtime.new_id()}", wanted.name, root.account, True, lifetime)
    client = Client(
        id=runtime.new_id(),
        kind=ClientKind.SERVICE_ACCOUNT,
        name=wanted.name,
        account_id=account_id,
        grant_types=_GRANTS,
        jwks=wanted.jwks,
        service_account=account,
    )
    service_accounts.add(connection, account, now, wanted.description)
    clients.add(connection, client, now)
    return ServiceAccountDetails(account, wanted.description, client.id, wanted.jwks, now)


def _attach(
    runtime: Runtime,
    connection: Connection,
    by: Administrator,
    account: ServiceAccount,
    policy_ids: Sequence[str],
) -> None:
    account_id = account.account.id
    usable = service_account_details.usable_policies(connection, account_id, list(policy_ids))
    for index, policy_id in enumerate(policy_ids):
        if policy_id not in usable:
            raise Invalid(f"there is no policy {policy_id}", f"/policyIds/{index}")
        if policies.attach(connection, policy_id, _KIND, account.id, runtime.now()):
            by.write(
                runtime,
                connection,
                Event.POLICY_ATTACH,
                account_id,
                f"policy/{policy_id}",
                principal_type=_KIND,
                principal_id=account.id,
                changed=True,
            )


def _trust(
    runtime: Runtime,
    connection: Connection,
    by: Administrator,
    account: ServiceAccount,
    prepared: Sequence[TrustedRelationship],
) -> None:
    for index, trust in enumerate(prepared):
        at = f"/trustedRelationships/{index}"
        trusts.add_prepared(runtime, connection, by, account, trust, at)


def check(
    name: str, description: str, max_token_lifetime: int, jwks: dict[str, Any] | None
) -> None:
    """What holds for a new one and for a changed one. Raises `Invalid`."""
    require(is_name(name), "a name is 1 to 50 of A-Z a-z 0-9 . _ - and space", "/name")
    require_description(description)
    require(
        MIN_TOKEN_LIFETIME <= max_token_lifetime <= MAX_TOKEN_LIFETIME,
        f"a token lifetime is {MIN_TOKEN_LIFETIME} to {MAX_TOKEN_LIFETIME} seconds",
        "/accessTokenLifeSpan",
    )
    if jwks is not None:
        try:
            check_key_set(jwks)
        except InvalidKeySet as error:
            raise Invalid(f"the key set is not valid: {error}", "/jwks") from None


def require_free(connection: Connection, account_id: str, name: str) -> None:
    """Raises `Conflict` where the account has a service account of that name."""
    if service_accounts.find_id_by_name(connection, account_id, name) is not None:
        raise Conflict(f"account {account_id} has a service account {name} already")
