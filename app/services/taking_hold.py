"""Taking hold of a service account, or lending it out: its secrets, its keys, whom it trusts.

One rule for all of these doors. Whoever has a secret or a key of a service account, or is trusted
by it, may do all that it may: so the caller has to hold all of that itself
(`app.services.handing_over`). And no service account does it to itself, neither with its own
token nor through somebody who acts as it: what got in once could make itself a way to stay.
"""

from __future__ import annotations

from sqlalchemy import Connection

from app.domain.advice import WIDENS_ITSELF
from app.domain.principals import ServiceAccount
from app.services import handing_over
from app.services.administration import NotFound
from app.services.authority import Administrator, Caller, Forbidden
from app.services.runtime import Runtime
from app.storage import service_account_details
from app.storage.service_account_details import ServiceAccountDetails


class WidensItself(Forbidden):
    """A service account asked for another way to become it; no policy allows that."""

    reason = WIDENS_ITSELF

    def __init__(self, action: str, account: ServiceAccount) -> None:
        super().__init__(action, str(account.vrn), None)
        self.args = ("a service account does not widen its own trust, secrets or keys",)


def find(
    connection: Connection, by: Administrator, service_account_id: str
) -> ServiceAccountDetails:
    """A service account that the caller may know of. Raises `NotFound`."""
    missing = f"there is no service account {service_account_id}"
    found = service_account_details.find(connection, service_account_id)
    if found is None:
        raise NotFound(missing)
    by.confine(found.account.account.id, missing)
    return found


def require(
    runtime: Runtime,
    connection: Connection,
    by: Administrator,
    action: str,
    account: ServiceAccount,
) -> None:
    """Raises `WidensItself`, or `BeyondOwn` where the service account may do more than the caller.

    `iam:GrantBeyondOwn` lifts the second, nothing lifts the first.
    """
    if isinstance(by, Caller) and _speaks_for(by, account):
        raise WidensItself(action, account)
    handing_over.require_covered(runtime, connection, by, action, account)


def _speaks_for(by: Caller, account: ServiceAccount) -> bool:
    """Whether it is the service account that calls, by itself or through whoever acts as it."""
    return isinstance(by.principal, ServiceAccount) and by.principal.id == account.id
