"""A create that is sent again with the same key answers as the first time, and creates nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.domain.names import Vrn
from app.services.administration import AdministrationError
from app.services.authority import Caller
from app.services.runtime import Runtime, StaleFacts
from app.storage import idempotency
from app.storage.idempotency import KeptAnswer

__all__ = ["AnotherBody", "KeptAnswer", "Once"]

LIFETIME = 24 * 3600
_KEY, _BODY = "idempotency-key", "idempotency-body"


class AnotherBody(AdministrationError):
    """The key was used with another body."""


@dataclass(frozen=True, slots=True)
class Once:
    """One `Idempotency-Key` of one caller at one path."""

    runtime: Runtime
    key: str
    body: str

    @classmethod
    def of(cls, runtime: Runtime, caller: Caller, path: str, key: str, body: bytes) -> Once:
        actor = caller.actor.subject if caller.actor is not None else ""
        whose = "\0".join((caller.principal.id, actor, path, key))
        text = body.decode("utf-8", "backslashreplace")
        return cls(runtime, runtime.secrets.hash(whose, _KEY), runtime.secrets.hash(text, _BODY))

    def answered(self, caller: Caller) -> KeptAnswer | None:
        """What was answered before, to a caller that may still ask for it.

        Raises `AnotherBody`, and `Forbidden`: rights may have been taken away since, and another
        token of the same caller may have been issued for less.
        """
        with self.runtime.database.read() as connection:
            kept = idempotency.find(connection, self.key, self.runtime.now())
        if kept is None:
            return None
        for action, name in kept.asked:
            resource = Vrn.parse(name)
            caller.require(action, resource.type, resource.id)
        if kept.body != self.body:
            raise AnotherBody("this Idempotency-Key was used with another body")
        return kept

    def keep(self, caller: Caller, status: int, present: Callable[[Any], dict[str, Any]]) -> None:
        """Have the answer kept in the transaction of the caller's change.

        Where another request with the key got there first, the change is not made: `StaleFacts`.
        """

        def close(connection: Connection, result: Any) -> None:
            now = self.runtime.now()
            if idempotency.find(connection, self.key, now) is not None:
                raise StaleFacts
            kept = KeptAnswer(self.body, status, present(result), tuple(caller.asked))
            idempotency.keep(connection, self.key, kept, now + LIFETIME, now)

        caller.closing.append(close)
