"""Real exchanges of the last days, asked again under a draft: one's own half alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from app.domain.impersonation import TrustedRelationship
from app.domain.policy import AttachedPolicy
from app.domain.principals import Principal, ServiceAccount
from app.services.hindsight import Recorded
from app.storage import audit_queries, service_accounts, tokens
from app.storage.audit import AuditEvent

MOST_EXCHANGES = 1000
MOST_EXAMPLES = 20
#: For one replay: so many policies may apply that a thousand exchanges would take minutes.
MOST_COMPARISONS = 1_000_000
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Example:
    """An exchange whose own half would have come out differently. `at` in epoch seconds."""

    decision_id: str
    at: float
    was_allowed: bool
    would_be_allowed: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """How many exchanges were looked at, and what became of them.

    `unknown` are those that hang on what was not written down; `is_cut` says that there were
    more than could be looked at, and the newest were.
    """

    considered: int
    same: int
    differently: int
    unknown: int
    is_cut: bool
    examples: tuple[Example, ...]


def since(now: float, days: int) -> float:
    return now - days * _DAY


def of_user(
    connection: Connection,
    caller: Principal,
    policies: tuple[AttachedPolicy, ...],
    begin: float,
) -> Replay:
    """The exchanges of a user, under other policies.

    Where a service account is of the user's own account, its half is asked again as well.
    """
    account_id = caller.account.id
    rows = audit_queries.exchanges_of(connection, account_id, caller.id, begin, MOST_EXCHANGES + 1)

    def again(row: AuditEvent) -> tuple[bool, bool | None]:
        recorded = _recorded(connection, row)
        was = bool((row.caller_half or {}).get("allowed"))
        would_be = recorded.callers_half_again(caller, policies, row.at)
        if account_id not in (row.owner_account_id, recorded.target.account_id):
            return was, would_be
        account, _ = service_accounts.find_with_trust(connection, str(row.acting_as), account_id)
        was = was and bool((row.owner_half or {}).get("allowed"))
        return was, _both(would_be, recorded.owners_half_again(account, None, row.at))

    return _counted(rows, again, lambda row: Recorded(row, None).effort(policies))


def into(
    connection: Connection,
    account: ServiceAccount,
    foreign_account_id: str,
    trust: TrustedRelationship | None,
    begin: float,
) -> Replay:
    """The exchanges in which users of a foreign account asked for a service account, under
    another trusted relationship with it."""
    rows = audit_queries.exchanges_into(
        connection, account.account.id, account.id, foreign_account_id, begin, MOST_EXCHANGES + 1
    )

    def again(row: AuditEvent) -> tuple[bool, bool | None]:
        was = bool((row.owner_half or {}).get("allowed"))
        return was, _recorded(connection, row).owners_half_again(account, trust, row.at)

    return _counted(rows, again, lambda _row: 1)


def _recorded(connection: Connection, row: AuditEvent) -> Recorded:
    parent = row.detail.get("parent_token_id")
    return Recorded(row, None if parent is None else tokens.find(connection, parent))


def _both(one: bool | None, other: bool | None) -> bool | None:
    """Kleene's and: false beats unknown."""
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _counted(
    rows: Sequence[AuditEvent],
    again: Callable[[AuditEvent], tuple[bool, bool | None]],
    effort: Callable[[AuditEvent], int],
) -> Replay:
    considered = same = unknown = 0
    differing: list[Example] = []
    left = MOST_COMPARISONS
    for row in rows[:MOST_EXCHANGES]:
        if left <= 0:
            break
        left -= effort(row)
        considered += 1
        was, would_be = again(row)
        if would_be is None:
            unknown += 1
        elif would_be == was:
            same += 1
        else:
            differing.append(Example(row.id, row.at, was, would_be))
    return Replay(
        considered,
        same,
        len(differing),
        unknown,
        len(rows) > considered,
        tuple(differing[:MOST_EXAMPLES]),
    )
