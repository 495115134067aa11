"""Nobody hands over more than they hold: asked before each change that gives somebody rights.

The rule is `app.domain.delegation`; here the rights of both sides are read, inside the transaction
of the change. The operator and whoever may do `iam:GrantBeyondOwn` are let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from app.domain.conditions import PRINCIPAL_NAME
from app.domain.delegation import MOST_COMPARISONS, Grantor, Lack, Missing, find_excess
from app.domain.policy import AttachedPolicy, Statement
from app.domain.principals import IamUser, ServiceAccount
from app.services import principals
from app.services.authority import Administrator, BeyondOwn, Caller
from app.services.runtime import Runtime

Holder = IamUser | ServiceAccount

_TOO_MANY = (Missing("", "", 0, "*", "*", Lack.TOO_MANY),)

#: So many statements are compared for one change, those of everybody whom it concerns and each
#: time the caller's, before the answer is no: the store's lock is held meanwhile.
MOST_STATEMENTS = 5_000
#: So often a value of one condition may have to be held against a value of another.
MOST_VALUE_PAIRS = 200_000


def require_covered(
    runtime: Runtime, connection: Connection, by: Administrator, action: str, holder: Holder
) -> None:
    """Raises `BeyondOwn` unless the caller holds all rights of the holder.

    For whoever takes hold of it (its secrets, keys, password) or lends it out (trust).
    """
    if isinstance(by, Caller) and not by.may_grant_beyond_own():
        after = _Reading(by, action).rights_of(connection, holder)
        _require(runtime, connection, by, action, holder, (), after)


def require_nameable(
    runtime: Runtime, connection: Connection, by: Administrator, action: str, holder: Holder
) -> None:
    """Raises `BeyondOwn` where another name could give the holder what the caller lacks.

    That is where a policy of the holder asks for a name: an allow that the new one meets, a deny
    that it does not meet any more.
    """
    if any(map(_asks_for_a_name, _statements(principals.policies_of(connection, holder)))):
        require_covered(runtime, connection, by, action, holder)


def _asks_for_a_name(statement: Statement) -> bool:
    condition = statement.condition
    return condition is not None and any(each.key == PRINCIPAL_NAME for each in condition.tests)


@contextmanager
def within_own(
    runtime: Runtime,
    connection: Connection,
    by: Administrator,
    action: str,
    holders: Iterable[Holder],
) -> Iterator[None]:
    """Around a change of policies: what it gives any of the holders has to be the caller's own.

    Raises `BeyondOwn` at its end; the transaction is then undone.
    """
    if not isinstance(by, Caller) or by.may_grant_beyond_own():
        yield
        return
    reading = _Reading(by, action)
    before = [(holder, reading.rights_of(connection, holder)) for holder in holders]
    yield
    after = [reading.rights_of(connection, holder) for holder, _ in before]
    for (holder, held), given in zip(before, after, strict=True):
        _require(runtime, connection, by, action, holder, held, given, len(before))


@dataclass(slots=True)
class _Reading:
    """The rights that are read for one change, as long as they are not too many."""

    by: Caller
    action: str
    left: int = MOST_STATEMENTS

    def rights_of(self, connection: Connection, holder: Holder) -> tuple[AttachedPolicy, ...]:
        """All policies of a holder. Raises `BeyondOwn` where it would be too many."""
        found = principals.policies_of(connection, holder)
        self.left -= len(_statements(found)) + len(_own_statements(self.by))
        if self.left < 0:
            raise _beyond(self.action, holder, _TOO_MANY)
        return found


def _require(
    runtime: Runtime,
    connection: Connection,
    by: Caller,
    action: str,
    holder: Holder,
    before: tuple[AttachedPolicy, ...],
    after: tuple[AttachedPolicy, ...],
    holders: int = 1,
) -> None:
    """What all `holders` of one change may take is bounded: each has its share."""
    given, held = _values(_statements(after)), _values(_statements(before))
    if given * (given + held + _values(_own_statements(by))) > MOST_VALUE_PAIRS // holders:
        raise _beyond(action, holder, _TOO_MANY)
    own = Grantor(by.account_id, by.policies, by.limits)
    catalogue = runtime.catalogue(connection, by.epoch)
    most = MOST_COMPARISONS // holders
    excess = find_excess(own, holder.account.id, before, after, catalogue, most)
    if excess:
        raise _beyond(action, holder, excess)


def _statements(policies: Iterable[AttachedPolicy]) -> list[Statement]:
    return [statement for policy in policies for statement in policy.document.statements]


def _own_statements(by: Caller) -> list[Statement]:
    """Those of the caller, its token's inline policies included."""
    inline = [statement for document in by.limits.inline for statement in document.statements]
    return [*_statements(by.policies), *inline]


def _values(statements: Iterable[Statement]) -> int:
    conditions = (each.condition for each in statements)
    return sum(len(test.operands) for each in conditions if each is not None for test in each.tests)


def _beyond(action: str, holder: Holder, excess: tuple[Missing, ...]) -> BeyondOwn:
    resource = f"iam::{holder.account.id}:{holder.type.value}/{holder.id}"
    return BeyondOwn(action, resource, tuple(str(each) for each in excess))
