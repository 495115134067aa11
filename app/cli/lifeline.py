"""Processes that end with the one that started them, even if that is killed."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1


def stop_with_parent() -> None:
    """Get SIGTERM when the parent process dies (Linux; elsewhere nothing happens).

    A server whose parent was killed would go on listening: the next one would share its port,
    and every other request would be answered from settings that nobody remembers.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
