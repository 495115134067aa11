"""What was read in one epoch, kept until the next: facts that only administrative writes change.

The epoch is read with each request, so a change is seen by every worker on its next request; a
request that was under way is caught when it commits. A value is loaded after its epoch was read,
so it is never older than the epoch that it is kept under.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")

#: Beyond this everything is forgotten and read again: a bound on memory, not a strategy.
MAX_ENTRIES = 20_000


class EpochCache:
    """Values of the newest epoch that this process has seen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epoch = 0
        self._values: dict[Hashable, Any] = {}

    def get(self, epoch: int, key: Hashable, load: Callable[[], Value]) -> Value:
        """The value under `key` in `epoch`; loaded where it is not kept."""
        if epoch > self._epoch:
            with self._lock:
                if epoch > self._epoch:
                    self._epoch, self._values = epoch, {}
        elif epoch < self._epoch:
            # An old view: it is not kept, and no newer value is handed to it.
            return load()
        values = self._values
        if key in values:
            return values[key]  # type: ignore[no-any-return]
        value = load()
        if len(values) >= MAX_ENTRIES:
            values.clear()
        values[key] = value
        return value
