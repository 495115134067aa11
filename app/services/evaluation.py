"""Access evaluation: may this subject do this to that resource, now?

Resource servers ask, each about its own product. With the id of a token, the answer honours all
that the token may be used for and all that it rests on; without one it is that of the subject's
policies alone. What only administrative writes change is kept for an epoch, so that an answer
costs two reads: the epoch, and whether the token was revoked.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from app.domain.catalogue import Catalogue, Product
from app.domain.circumstances import Circumstances, context_of
from app.domain.clients import Client, ClientKind
from app.domain.limits import NO_LIMITS, TokenLimits
from app.domain.names import MalformedName, Vrn
from app.domain.policy import AttachedPolicy, Statement, evaluate
from app.domain.principals import Principal, PrincipalType, is_active
from app.services import client_secrets, remembered, standing, subject_tokens
from app.services.epoch_cache import EpochCache
from app.services.runtime import Runtime, StoreUnavailable
from app.storage import evaluation_counts, tokens
from app.storage.tokens import TokenRecord

_SUBJECT_TYPES = frozenset(str(each) for each in PrincipalType)

#: Seconds between two writes of the counts of this process.
WRITE_COUNTS_EVERY = 60.0


class UnknownCaller(RuntimeError):
    """Nobody that we know: no such client, a wrong secret, or a disabled one."""


class NotAResourceServer(RuntimeError):
    """A client that we know, but that is not a product's."""


class Reason(StrEnum):
    """Why a decision came out as it did: nothing that the caller could not know already.

    Whether the subject exists, is disabled, or has no such right is one reason; so is whatever
    may be wrong with a token.
    """

    ALLOWED = "allowed"
    NOT_ALLOWED = "not-allowed"
    TOKEN_NOT_VALID = "token-not-valid"
    OTHER_PRODUCT = "other-product"
    UNKNOWN_ACTION = "unknown-action"
    UNKNOWN_SUBJECT_TYPE = "unknown-subject-type"
    MALFORMED_RESOURCE = "malformed-resource"


@dataclass(frozen=True, slots=True)
class Question:
    """One access evaluation. `resource` is a VRN; `token_id` the `jti` of the token, if any."""

    subject_type: str
    subject_id: str
    action: str
    resource: str
    token_id: str | None = None
    source_ip: str | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token, with its limits compiled."""

    record: TokenRecord
    limits: TokenLimits


class AccessEvaluation:
    """Answers resource servers; one for a process, shared by its threads."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        # Not among the facts that all share: there are as many of these as resources.
        self.kept = EpochCache()
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._counting = threading.Lock()
        self._written_at = runtime.clock()

    def resource_server(self, credentials: tuple[str, str] | None) -> Client:
        """The product's client with that id and secret.

        Raises `UnknownCaller` or `NotAResourceServer`.
        """
        client = None
        if credentials is not None:
            client = client_secrets.check(self.runtime, *credentials)
        if client is None or client.is_public:
            self.count("", "unauthenticated")
            raise UnknownCaller
        if client.kind is not ClientKind.PRODUCT or client.product is None:
            raise NotAResourceServer
        return client

    @contextmanager
    def asking(self, client: Client) -> Iterator[Asking]:
        """The answers to one request: all of one moment. Raises `NotAResourceServer`."""
        with self.runtime.database.glance() as connection:
            catalogue = self.runtime.catalogue(connection, client.epoch)
            product = catalogue.products.get(client.product or "")
            if product is None:
                raise NotAResourceServer
            yield Asking(self, connection, client.epoch, catalogue, product, self.runtime.clock())
        self.write_counts(due=True)

    def count(self, product: str, outcome: str) -> None:
        """Count one evaluation, or one caller that nobody knows."""
        key = (product, outcome, int(self.runtime.clock() // 3600))
        with self._counting:
            self._counts[key] += 1

    def write_counts(self, *, due: bool = False) -> None:
        """Write down what was counted since; with `due`, only if it is time to.

        Where the store does not take it, it is counted on and written the next time. What was
        counted since the last time is lost with the process, unless its end calls this.
        """
        now = self.runtime.clock()
        if due and 0 <= now - self._written_at < WRITE_COUNTS_EVERY:
            return
        with self._counting:
            counts, self._counts = self._counts, Counter()
            self._written_at = now
        if not counts:
            return
        try:
            self.runtime.database.write(lambda c: evaluation_counts.add(c, counts))
        except StoreUnavailable:
            with self._counting:
                self._counts.update(counts)


@dataclass(frozen=True, slots=True)
class Asking:
    """One request of a resource server, about its `product`. `now` in epoch seconds."""

    evaluation: AccessEvaluation
    connection: Connection
    epoch: int
    catalogue: Catalogue
    product: Product
    now: float

    def answer(self, question: Question) -> Reason:
        """`Reason.ALLOWED` is the one that says yes."""
        reason = self._answer(question)
        outcome = "allowed" if reason is Reason.ALLOWED else "refused"
        self.evaluation.count(self.product.name, outcome)
        return reason

    def _answer(self, question: Question) -> Reason:
        action = question.action
        if action.partition(":")[0] != self.product.name:
            return Reason.OTHER_PRODUCT
        if not self.catalogue.has_action(action):
            return Reason.UNKNOWN_ACTION
        try:
            resource = Vrn.parse(question.resource)
        except MalformedName:
            return Reason.MALFORMED_RESOURCE
        if resource.product != self.product.name:
            return Reason.OTHER_PRODUCT
        if question.subject_type not in _SUBJECT_TYPES:
            return Reason.UNKNOWN_SUBJECT_TYPE
        return self._decide(question, resource)

    def _decide(self, question: Question, resource: Vrn) -> Reason:
        runtime, token = self.evaluation.runtime, None
        if question.token_id is not None:
            token = self._live_token(question, question.token_id)
            if token is None:
                return Reason.TOKEN_NOT_VALID
        principal = remembered.principal(
            runtime, self.connection, self.epoch, question.subject_type, question.subject_id
        )
        if principal is None or not is_active(principal):
            return Reason.NOT_ALLOWED if token is None else Reason.TOKEN_NOT_VALID
        auth_time, amr = (None, ()) if token is None else (token.record.auth_time, token.record.amr)
        context = context_of(principal, Circumstances(self.now, question.source_ip, auth_time, amr))
        account_id, action = principal.account.id, question.action
        policies = self._policies(principal, action, resource)
        allowed = evaluate(account_id, action, resource, context, policies).allowed
        limits = NO_LIMITS if token is None else token.limits
        if not allowed or not limits.cover(account_id, action, resource, context):
            return Reason.NOT_ALLOWED
        return Reason.ALLOWED

    def _live_token(self, question: Question, token_id: str) -> Token | None:
        """The token of that id if it is the subject's, for the caller, and carries at all."""
        token = self.evaluation.kept.get(
            self.epoch, ("token", token_id), lambda: self._load_token(token_id)
        )
        if token is None:
            return None
        record, runtime = token.record, self.evaluation.runtime
        if (record.subject_type, record.subject_id) != (
            question.subject_type,
            question.subject_id,
        ):
            return None
        if self.product.identifier not in record.audience or record.expires_at <= self.now:
            return None
        # All the rest of a token never changes.
        if tokens.is_revoked(self.connection, token_id):
            return None
        stands = standing.still_stands(runtime, self.connection, self.epoch, record)
        return token if stands else None

    def _load_token(self, token_id: str) -> Token | None:
        record = tokens.find(self.connection, token_id)
        if record is None:
            return None
        return Token(record, subject_tokens.limits_as_read(self.evaluation.runtime, record))

    def _policies(
        self, principal: Principal, action: str, resource: Vrn
    ) -> tuple[AttachedPolicy, ...]:
        """Those of the principal's policies that have a say in this at all: often one of many."""
        runtime, kept, whose = self.evaluation.runtime, self.evaluation.kept, principal.id
        account_id = principal.account.id

        def of_action() -> tuple[AttachedPolicy, ...]:
            every = remembered.policies_of(runtime, self.connection, self.epoch, principal)
            return _with(every, lambda statement: statement.speaks_of(action))

        def of_resource() -> tuple[AttachedPolicy, ...]:
            speaking = kept.get(self.epoch, ("action", principal.type, whose, action), of_action)
            return _with(
                speaking,
                lambda statement: (
                    statement.speaks_of(action) and statement.reaches(action, resource, account_id)
                ),
            )

        key = ("resource", principal.type, whose, action, resource)
        return kept.get(self.epoch, key, of_resource)


def _with(
    policies: Iterable[AttachedPolicy], has_a_say: Callable[[Statement], bool]
) -> tuple[AttachedPolicy, ...]:
    return tuple(
        policy
        for policy in policies
        if any(has_a_say(statement) for statement in policy.document.statements)
    )
