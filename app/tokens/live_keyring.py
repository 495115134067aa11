"""The key ring of a running server: it follows what happens to the folders."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from app.tokens.keyring import FOLDERS, KeyRing, KeyRingError

RELOAD_CHECK_SECONDS = 1.0

logger = logging.getLogger(__name__)


class LiveKeyRing:
    """The ring of a directory that may change while the server runs.

    Looks at the three folders, their times and names, at most once a second by ``clock``
    (seconds, any origin) and reads again when one changed. A reload that fails keeps the last
    good ring, is logged once, and is tried again at the next look, since a ``chmod`` that repairs
    it changes no folder.
    """

    def __init__(self, directory: Path, clock: Callable[[], float]) -> None:
        """Raises KeyRingError when the directory can't be loaded: there is no last good ring."""
        self._directory = directory
        self._clock = clock
        self._reloading = threading.Lock()
        self._last_failure = ""
        self._looked_at = clock()
        # Taken before reading, so that a change during the read is seen at the next look.
        self._stamp = self._folder_stamps()
        self._ring = KeyRing.load(directory)

    def current(self) -> KeyRing:
        """The ring to use for one operation. Never raises and never waits for another thread."""
        if self._is_due() and self._reloading.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._reloading.release()
        return self._ring

    def _is_due(self) -> bool:
        # A clock that was set back makes a look due, so that it can't stop them.
        return not 0 <= self._clock() - self._looked_at < RELOAD_CHECK_SECONDS

    def _look(self) -> None:
        self._looked_at = self._clock()
        stamp = self._folder_stamps()
        if stamp == self._stamp and not self._last_failure:
            return
        try:
            self._ring = KeyRing.load(self._directory)
            self._last_failure = ""
        except KeyRingError as error:
            if str(error) != self._last_failure:
                logger.warning("keys not reloaded, still using the previous ones: %s", error)
            self._last_failure = str(error)
        self._stamp = stamp

    def _folder_stamps(self) -> tuple[object, ...]:
        """Names as well as times: two changes in one tick of the disk's clock leave one time."""
        stamps: list[object] = []
        for state, _, _ in FOLDERS:
            folder = self._directory / state
            with suppress(OSError):
                stamps.append((state, folder.stat().st_mtime_ns, sorted(folder.iterdir())))
        return tuple(stamps)
