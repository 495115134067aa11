"""What a call of the API is: a row that the dispatcher runs and the description is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from app.management.models import Empty, Query
from app.services.authority import Caller
from app.services.runtime import Runtime

#: An `If-Match` (RFC 9110 section 13.1.1) as we take it; and any other header of ours.
ENTITY_TAGS = r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'
KEY = r"^[!-~]{1,128}$"


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read and well-formed, by somebody who proved who it is."""

    runtime: Runtime
    caller: Caller
    ids: Mapping[str, str]
    body: Any = None
    query: Any = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of the API.

    `run` does it and returns what `present` makes the answer of (None: 204, no body). `path` has
    its ids in braces. `action` is what the services ask the policies about first, for the
    description. `once` are members of the answer that are shown this once. `current` loads the
    object that a `If-Match` speaks of, in the transaction of the change. `lines` says that the
    answer also comes as lines of JSON (NDJSON): `run` then returns the response itself.
    """

    method: str
    path: str
    name: str
    summary: str
    action: str
    run: Callable[[Call], Any]
    present: Callable[[Any], BaseModel] | None = None
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    query: type[Query] | None = None
    status: int = 200
    once: tuple[str, ...] = ()
    current: Callable[[Any, Caller, Mapping[str, str]], BaseModel] | None = None
    errors: tuple[int, ...] = field(default=())
    public: bool = False
    lines: bool = False

    @property
    def is_create(self) -> bool:
        """Whether an `Idempotency-Key` counts."""
        return self.method == "POST" and self.status == 201

    @property
    def takes_body(self) -> bool:
        return self.body is not None and self.body is not Empty
