"""Key sets that clients keep at a URI of their own (`jwks_uri`), remembered for a while.

How long a key is trusted, in seconds: `FRESH_FOR` after it was fetched no one is asked again; an
assertion by an unknown key asks again, at most once in `PAUSE`. Where the client's server does
not answer, keys that it gave at most `USABLE_FOR` ago still count.

Anybody can make this server ask by naming a client. So a URI is asked by one at a time, those of
one owner too, all of them together by `MOST_AT_ONCE`, and not again for `PAUSE` after a failure;
whoever comes in between goes on with what is there.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.tokens.assertions import InvalidKeySet, check_key_set
from app.tokens.outbound import Fetch, FetchFailed

FRESH_FOR = 300.0
USABLE_FOR = 3600.0
PAUSE = 30.0
MOST_AT_ONCE = 2
#: URIs that are remembered; the longest unused one is forgotten.
MOST_KEPT = 1000

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kept:
    """What is known of one URI. Times in epoch seconds."""

    jwks: dict[str, Any] | None = None
    fetched_at: float = 0.0
    tried_at: float | None = None
    is_asking: bool = False


class RemoteKeySets:
    """Safe to share between threads. `clock` gives epoch seconds."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._asking: list[str | None] = []
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def get(
        self, uri: str, *, anew: bool = False, owner: str | None = None
    ) -> dict[str, Any] | None:
        """The key set behind a URI; None where there is none that can be trusted now.

        `anew` is for a key that is not in the set: it may have been added since. `owner` is the
        account that registered the URI: its slow servers keep nobody else waiting.
        """
        now = self._clock()
        with self._lock:
            kept = self._kept.setdefault(uri, _Kept())
            self._kept.move_to_end(uri)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            asks = self._should_ask(kept, now, anew, owner)
            if asks:
                kept.is_asking, kept.tried_at = True, now
                self._asking.append(owner)
        if asks:
            self._ask(uri, kept, now, owner)
        with self._lock:
            return kept.jwks if 0 <= now - kept.fetched_at < USABLE_FOR else None

    def _should_ask(self, kept: _Kept, now: float, anew: bool, owner: str | None) -> bool:
        if kept.is_asking or len(self._asking) >= MOST_AT_ONCE:
            return False
        if owner is not None and owner in self._asking:
            return False
        if kept.tried_at is not None and 0 <= now - kept.tried_at < PAUSE:
            return False
        fresh = kept.jwks is not None and 0 <= now - kept.fetched_at < FRESH_FOR
        return anew or not fresh

    def _ask(self, uri: str, kept: _Kept, now: float, owner: str | None) -> None:
        found: dict[str, Any] | None = None
        try:
            found = _read(self._fetch(uri))
        except (FetchFailed, InvalidKeySet) as error:
            _log.warning("no key set from %s: %s", uri, error)
        finally:
            with self._lock:
                self._asking.remove(owner)
                kept.is_asking = False
                if found is not None:
                    kept.jwks, kept.fetched_at = found, now


def _read(body: bytes) -> dict[str, Any]:
    """Held to the rules of a set that is registered. Raises InvalidKeySet."""
    try:
        jwks = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidKeySet("no JSON document") from None
    check_key_set(jwks)
    return {"keys": jwks["keys"]}
