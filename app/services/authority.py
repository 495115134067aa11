"""Who administers: the operator on the host, or a caller whose policies are asked each time.

Services ask `require` for what they are about to do and `write` the audit row of what they did;
so every door that calls them (management API, console, command line) is held to one rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sqlalchemy import Connection

from app.domain.advice import BEYOND_OWN, NOT_ALLOWED_HERE
from app.domain.circumstances import Circumstances, context_of
from app.domain.conditions import Context
from app.domain.delegation import GRANT_BEYOND_OWN
from app.domain.events import Event, Outcome
from app.domain.limits import TokenLimits
from app.domain.names import Vrn
from app.domain.policy import AttachedPolicy, PolicyDecision, evaluate
from app.domain.principals import Actor, Principal
from app.services import audit as audit_service
from app.services import principals, remembered, subject_tokens
from app.services.administration import AdministrationError, NotFound
from app.services.runtime import Runtime, StaleFacts
from app.storage import audit, epoch, tokens
from app.storage.audit import AuditEvent
from app.storage.tokens import TokenRecord


class NotAuthenticated(RuntimeError):
    """The bearer token is no live token for this issuer."""


class Forbidden(AdministrationError):
    """The caller's policies, or the limits of its token, do not allow it.

    `decision_id` is that of the audit row, once it is written; `reason` is what the row says.
    """

    reason = NOT_ALLOWED_HERE

    def __init__(self, action: str, resource: str, decision: PolicyDecision | None) -> None:
        super().__init__(f"no policy allows {action} on {resource}")
        self.action = action
        self.resource = resource
        self.decision = decision
        self.decision_id: str | None = None


class BeyondOwn(Forbidden):
    """The change would give someone a right that the caller lacks; `excess` says which."""

    reason = BEYOND_OWN

    def __init__(self, action: str, resource: str, excess: tuple[str, ...]) -> None:
        super().__init__(action, resource, None)
        self.excess = excess
        self.args = (
            f"this hands over more than you hold: {'; '.join(excess)}. "
            f"Somebody with {GRANT_BEYOND_OWN} may do it",
        )


class Administrator(Protocol):
    """Whoever changes or reads what is in an account."""

    def require(self, action: str, kind: str, name: str = "*") -> None:
        """Raises `Forbidden` unless `action` is allowed on ``iam::<account>:<kind>/<name>``."""

    def confine(self, account_id: str | None, what: str) -> None:
        """Raises `NotFound`, with `what` there is not, for another account's object."""

    def require_current(self, connection: Connection) -> None:
        """Raises `StaleFacts` in a write transaction where the rights may have changed since."""

    def close(self, connection: Connection, result: object) -> None:
        """What belongs into the same transaction as a change."""

    def write(
        self,
        runtime: Runtime,
        connection: Connection,
        event: Event,
        account_id: str | None,
        resource: str,
        **detail: Any,
    ) -> None:
        """The audit row of an administrative write, in the write's own transaction."""


class _Operator:
    """Who runs the server: everything, in every account, by commands on the host."""

    def require(self, action: str, kind: str, name: str = "*") -> None:
        pass

    def confine(self, account_id: str | None, what: str) -> None:
        pass

    def require_current(self, connection: Connection) -> None:
        pass

    def close(self, connection: Connection, result: object) -> None:
        pass

    write = staticmethod(audit_service.write_by_operator)


OPERATOR: Administrator = _Operator()


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal that administers its own account, with what it may do there.

    `token` is None for a browser session. `asked` collects the questions that were answered yes.
    `opening` and `closing` are run in the transaction of a change, before and after it.
    """

    principal: Principal
    policies: tuple[AttachedPolicy, ...]
    limits: TokenLimits
    context: Context
    epoch: int
    source_ip: str | None = None
    token: TokenRecord | None = None
    asked: list[tuple[str, str]] = field(default_factory=list, compare=False)
    opening: list[Callable[[Connection], None]] = field(default_factory=list, compare=False)
    closing: list[Callable[[Connection, Any], None]] = field(default_factory=list, compare=False)

    @property
    def account_id(self) -> str:
        return self.principal.account.id

    @property
    def actor(self) -> Actor | None:
        return None if self.token is None else self.token.actor

    def vrn(self, kind: str, name: str = "*") -> Vrn:
        return Vrn("iam", self.account_id, kind, name)

    def decide(self, action: str, kind: str, name: str = "*") -> PolicyDecision:
        """What the caller's policies say; a yes outside of the token's limits is a no."""
        resource = self.vrn(kind, name)
        decision = evaluate(self.account_id, action, resource, self.context, self.policies)
        if decision.allowed and not self.limits.cover(
            self.account_id, action, resource, self.context
        ):
            return PolicyDecision(False, (), decision.denies, decision.withheld)
        return decision

    def may(self, action: str, kind: str, name: str = "*") -> bool:
        return self.decide(action, kind, name).allowed

    def may_grant_beyond_own(self) -> bool:
        """A root user may do everything in its account, and so this, as far as its token goes."""
        return self.may(GRANT_BEYOND_OWN, "account", self.account_id)

    def require(self, action: str, kind: str, name: str = "*") -> None:
        decision = self.decide(action, kind, name)
        if not decision.allowed:
            raise Forbidden(action, str(self.vrn(kind, name)), decision)
        self.asked.append((action, str(self.vrn(kind, name))))

    def confine(self, account_id: str | None, what: str) -> None:
        if account_id != self.account_id:
            raise NotFound(what)

    def require_current(self, connection: Connection) -> None:
        if epoch.held(connection) != self.epoch and not self._is_as_it_was(connection):
            raise StaleFacts
        if self.token is not None and tokens.is_revoked(connection, self.token.id):
            raise NotAuthenticated
        for each in self.opening:
            each(connection)

    def _is_as_it_was(self, connection: Connection) -> bool:
        """Whether the writes that came in between have left the caller and its rights alone.

        Most are those of other accounts. Whoever writes all the time must not keep the others
        from writing, least of all while they hash a password.
        """
        if self.actor is not None:
            return False  # the token rests on trust and on another principal's rights as well
        found = principals.find(connection, self.principal.type, self.principal.id)
        if found is None or found != self.principal:
            return False
        return principals.policies_of(connection, found) == self.policies

    def close(self, connection: Connection, result: object) -> None:
        for each in self.closing:
            each(connection, result)

    def write(
        self,
        runtime: Runtime,
        connection: Connection,
        event: Event,
        account_id: str | None,
        resource: str,
        **detail: Any,
    ) -> None:
        if account_id is not None and "::" not in resource:
            resource = f"iam::{account_id}:{resource}"
        if self.asked:
            # The log is looked through by what was asked for, too.
            detail = {"action": self.asked[0][0], **detail}
        audit.add(connection, self._row(runtime, event, resource, detail))

    def _row(
        self, runtime: Runtime, event: Event, resource: str, detail: dict[str, Any]
    ) -> AuditEvent:
        """Who acted and through whom; a row of the account that is administered."""
        if self.actor is None:
            who = audit_service.by_principal(self.principal)
        else:
            who = {
                "actor_type": self.actor.user_type,
                "actor_id": self.actor.subject,
                "actor_name": self.actor.username,
                "actor_account_id": self.actor.account_id,
                "acting_as": self.principal.id,
            }
        return AuditEvent(
            id=runtime.new_id(),
            at=runtime.clock(),
            event=event,
            owner_account_id=self.account_id,
            resource=resource,
            client_id=None if self.token is None else self.token.client_id,
            token_id=None if self.token is None else self.token.id,
            source_ip=self.source_ip,
            display_name=None if self.actor is None else self.actor.name,
            detail=detail,
            **who,
        )


def caller_by_token(runtime: Runtime, bearer: str, source_ip: str | None) -> Caller:
    """Who speaks with a bearer token for this issuer (RFC 6750). Raises `NotAuthenticated`."""
    now = runtime.clock()
    with runtime.database.glance() as connection:
        at = epoch.current(connection)
        live = subject_tokens.find_live(runtime, connection, bearer, at)
        if live is None or not subject_tokens.is_for_issuer(runtime, live.record):
            raise NotAuthenticated
        policies = remembered.policies_of(runtime, connection, at, live.principal)
    record = live.record
    circumstances = Circumstances(now, source_ip, record.auth_time, record.amr)
    context = context_of(live.principal, circumstances)
    limits = record.limits
    return Caller(live.principal, policies, limits, context, at, source_ip, record)


def record_read(runtime: Runtime, caller: Caller) -> None:
    """One row for a reading call: what was asked, and that it was allowed."""
    action, resource = caller.asked[0]
    event = caller._row(runtime, Event.API_READ, resource, {"action": action})
    runtime.database.write_before_answer(lambda connection: audit.add(connection, event))


def record_forbidden(runtime: Runtime, caller: Caller, refused: Forbidden) -> None:
    """One row for a call that was refused; its id is the decision id that the caller gets.

    The policies that refused are those of the service account's account where one is acted
    through: its half of the row has them, and the actor's account never sees them.
    """
    row = caller._row(runtime, Event.API_REFUSE, refused.resource, {"action": refused.action})
    half = {
        "allowed": False,
        "reasons": [refused.reason],
        **audit_service.policy_of(refused.decision),
    }
    acts_alone = caller.actor is None
    denied = replace(
        row,
        outcome=Outcome.DENIED,
        caller_half=half if acts_alone else None,
        owner_half=None if acts_alone else half,
    )
    runtime.database.write_before_answer(lambda connection: audit.add(connection, denied))
    refused.decision_id = denied.id
