"""Nobody hands over more than they hold: asked before each change that gives somebody rights.

The rule is `app.domain.delegation`; here the rights of both sides are read, inside the transaction
of the change. The operator and whoever may do `iam:GrantBeyondOwn` are let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from app.domain.delegation import MOST_COMPARISONS, Grantor, Missing, find_excess
from app.domain.policy import AttachedPolicy
from app.domain.principals import IamUser, Principal, ServiceAccount
from app.services import principals
from app.services.authority import Administrator, BeyondOwn, Caller
from app.services.runtime import Runtime

Holder = IamUser | ServiceAccount


def require_covered(
    runtime: Runtime, connection: Connection, by: Administrator, action: str, holder: Holder
) -> None:
    """Raises `BeyondOwn` unless the caller holds all rights of the holder.

    For whoever takes hold of it (its secrets, keys, password) or lends it out (trust).
    """
    if isinstance(by, Caller):
        after = principals.policies_of(connection, holder)
        _require(runtime, connection, by, action, holder, (), after, MOST_COMPARISONS)


@contextmanager
def within_own(
    runtime: Runtime,
    connection: Connection,
    by: Administrator,
    action: str,
    holders: list[Holder],
) -> Iterator[None]:
    """Around a change of policies: what it gives any of the holders has to be the caller's own.

    Raises `BeyondOwn` at its end; the transaction is then undone.
    """
    if not isinstance(by, Caller):
        yield
        return
    before = [principals.policies_of(connection, holder) for holder in holders]
    yield
    # The store's lock is held: what all of them may take is bounded, not each.
    most = MOST_COMPARISONS // max(1, len(holders))
    for holder, held in zip(holders, before, strict=True):
        after = principals.policies_of(connection, holder)
        _require(runtime, connection, by, action, holder, held, after, most)


def _require(
    runtime: Runtime,
    connection: Connection,
    by: Caller,
    action: str,
    holder: Principal,
    before: tuple[AttachedPolicy, ...],
    after: tuple[AttachedPolicy, ...],
    most: int,
) -> None:
    if by.may_grant_beyond_own():
        return
    own = Grantor(by.account_id, by.policies, by.limits)
    catalogue = runtime.catalogue(connection, by.epoch)
    excess: tuple[Missing, ...] = find_excess(
        own, holder.account.id, before, after, catalogue, most
    )
    if excess:
        raise BeyondOwn(
            action,
            f"iam::{holder.account.id}:{holder.type.value}/{holder.id}",
            tuple(str(each) for each in excess),
        )
