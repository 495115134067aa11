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


_MISSING: Any = object()


class EpochCache:
    """Values of the newest epoch that this process has seen.

    An epoch is that of what is committed: ask in a read transaction, never in a write, which
    sees what may yet be undone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # One attribute for both, so that no thread sees an epoch with the values of another.
        self._kept: tuple[int, dict[Hashable, Any]] = (0, {})

    def get(self, epoch: int, key: Hashable, load: Callable[[], Value]) -> Value:
        """The value under `key` in `epoch`; loaded where it is not kept.

        None is not kept: whoever makes up names would fill the memory with them.
        """
        values = self._values_of(epoch)
        if values is None:
            # An old view: it is not kept, and no newer value is handed to it.
            return load()
        found = values.get(key, _MISSING)
        if found is not _MISSING:
            return found  # type: ignore[no-any-return]
        value = load()
        if value is not None:
            if len(values) >= MAX_ENTRIES:
                values.clear()
            values[key] = value
        return value

    def _values_of(self, epoch: int) -> dict[Hashable, Any] | None:
        newest, values = self._kept
        if epoch > newest:
            with self._lock:
                if epoch > self._kept[0]:
                    self._kept = (epoch, {})
                newest, values = self._kept
        return values if epoch == newest else None
