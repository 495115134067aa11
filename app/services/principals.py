"""Finding who a token or session speaks for, and the policies that apply to them."""

from __future__ import annotations

from sqlalchemy import Connection

from app.domain.policy import AttachedPolicy, root_user_policies
from app.domain.principals import IamUser, Principal, PrincipalType, RootUser, ServiceAccount
from app.storage import accounts, policies, service_accounts

_FINDERS = {
    PrincipalType.ROOT_USER: accounts.find_root_by_user_id,
    PrincipalType.IAM_USER: accounts.find_user,
    PrincipalType.SERVICE_ACCOUNT: service_accounts.find,
}


def find(connection: Connection, principal_type: str, principal_id: str) -> Principal | None:
    """The principal as it is now, disabled ones included."""
    return _FINDERS[PrincipalType(principal_type)](connection, principal_id)


def policies_of(connection: Connection, principal: Principal) -> tuple[AttachedPolicy, ...]:
    """All policies in force for the principal; a user's groups included."""
    match principal:
        case RootUser():
            return root_user_policies()
        case IamUser():
            return policies.attached_to_user(connection, principal.id)
        case ServiceAccount():
            return policies.attached_to_service_account(connection, principal.id)
