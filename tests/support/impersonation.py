"""The story that the product exists for, as facts that a test bends where it has to.

Root account B (60108) has the service account `SERVICE_ACCOUNT` and trusts root account A
(53461), whose user System1 holds a policy that names it.
"""

from __future__ import annotations

from typing import Any

from app.domain.impersonation import Facts, Target, TrustedRelationship
from app.domain.principals import IamUser, RootAccount, ServiceAccount
from tests.support.policies import allow, policy

A = RootAccount("53461")
B = RootAccount("60108")
SYSTEM1 = IamUser("user-1", "System1", A)
SERVICE_ACCOUNT = ServiceAccount("sa-1", "AllowAccessFromRootUserAccountA", B)
NOW = 1_700_000_000.0
CALLERS_POLICY = policy(
    allow("iam:ImpersonateServiceAccount", str(SERVICE_ACCOUNT.vrn)),
    name="ImpersonateToRootUserAccountB",
)


def trust(**changes: Any) -> TrustedRelationship:
    """B's trust in A, without condition or end unless the test says so."""
    fields: dict[str, Any] = {"id": "trust-1", "version": 1, "trusted_account_id": A.id}
    return TrustedRelationship(**{**fields, **changes})


def facts(**changes: Any) -> Facts:
    """Facts under which System1 may impersonate the service account, changed as told."""
    fields: dict[str, Any] = {
        "caller": SYSTEM1,
        "target": Target(SERVICE_ACCOUNT.id, B.id),
        "service_account": SERVICE_ACCOUNT,
        "trust": trust(),
        "policies": (CALLERS_POLICY,),
        "context": {},
        "now": NOW,
    }
    return Facts(**{**fields, **changes})
