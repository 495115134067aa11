"""The vocabulary of the audit log: one word for each thing that is recorded."""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    """What happened, as ``subject:verb`` or ``subject:part:verb``."""

    IMPERSONATE = "service-account:impersonate"
    TOKEN_ISSUE = "token:issue"
    TOKEN_NARROW = "token:narrow"
    TOKEN_REFRESH = "token:refresh"
    TOKEN_REFUSE = "token:refuse"
    TOKEN_REVOKE = "token:revoke"
    CODE_ISSUE = "authorization-code:issue"
    CODE_REUSE = "authorization-code:reuse"
    REFRESH_REUSE = "refresh-token:reuse"
    AUTHORIZATION_DENY = "authorization:deny"
    SIGN_IN = "session:sign-in"
    SIGN_OUT = "session:sign-out"

    ACCOUNT_CREATE = "account:create"
    ACCOUNT_DISABLE = "account:disable"
    ACCOUNT_ENABLE = "account:enable"
    USER_CREATE = "iam-user:create"
    USER_UPDATE = "iam-user:update"
    USER_DISABLE = "iam-user:disable"
    USER_ENABLE = "iam-user:enable"
    USER_DELETE = "iam-user:delete"
    PASSWORD_RESET = "user:password:reset"
    SERVICE_ACCOUNT_CREATE = "service-account:create"
    SERVICE_ACCOUNT_UPDATE = "service-account:update"
    SERVICE_ACCOUNT_DISABLE = "service-account:disable"
    SERVICE_ACCOUNT_ENABLE = "service-account:enable"
    SERVICE_ACCOUNT_DELETE = "service-account:delete"
    SECRET_CREATE = "service-account:secret:create"
    TRUST_ADD = "service-account:trust:add"
    TRUST_REMOVE = "service-account:trust:remove"
    POLICY_CREATE = "policy:create"
    POLICY_UPDATE = "policy:update"
    POLICY_DELETE = "policy:delete"
    POLICY_ATTACH = "policy:attach"
    POLICY_DETACH = "policy:detach"
    PRODUCT_ADD = "product:add"
    CLIENT_CREATE = "oauth-client:create"
    CLIENT_SECRET_CREATE = "oauth-client:secret:create"
    CLIENT_KEYS_SET = "oauth-client:keys:set"
    KEY_GENERATE = "signing-key:generate"
    KEY_PROMOTE = "signing-key:promote"
    KEY_RETIRE = "signing-key:retire"
    KEY_REVOKE = "signing-key:revoke"


class Outcome(StrEnum):
    ALLOWED = "allowed"
    DENIED = "denied"
