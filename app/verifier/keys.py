"""The issuer's signing keys, kept for a while.

How long a key is trusted, all in seconds:

* `FRESH_FOR` (300) after a good fetch, or the `max-age` that the issuer sends if that is
  smaller, the keys are used without asking.
* A token with an unknown `kid` makes the cache ask again, at most once in `RETRY_PAUSE` (10),
  so that tokens with invented ids can't make this server hammer the issuer.
* When the issuer can't be reached, keys that it gave at most `USABLE_FOR` (3600) ago still
  count. After that nothing is accepted (`KeysUnavailable`) until the issuer answers. A key that
  is withdrawn while the issuer is out of reach is thus trusted for one hour at most.

One thread asks at a time. The others go on with the key that they have, or wait for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import base64_to_int

from app.verifier.discovery import (
    DocumentUnusable,
    Fetch,
    fetch_document,
    find_jwks_uri,
    read_json_object,
)

FRESH_FOR = 300.0
USABLE_FOR = 3600.0
RETRY_PAUSE = 10.0
COLD_RETRY_PAUSE = 1.0
"""Between two tries while there is no usable key at all: the issuer may just be starting."""
LONGEST_WAIT = 5.0
"""How long a request waits for the thread that is asking."""

MIN_RSA_BITS = 2048

PublicKey = ECKey | RSAKey | OKPKey

_log = logging.getLogger("app.verifier")


class KeysUnavailable(Exception):
    """No key can be trusted now, so no token can be judged. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("The issuer's signing keys cannot be read at the moment.")
        self.retry_after = retry_after


class UnknownKey(LookupError):
    """The issuer has no key with this id."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key and the one algorithm that it is for (RFC 8725 section 3.1)."""

    kid: str
    algorithm: str
    key: PublicKey


@dataclass(frozen=True, slots=True)
class KeySnapshot:
    """The keys of one fetch, by `kid`. `fetched_at` in epoch seconds, `fresh_for` in seconds."""

    keys: Mapping[str, SigningKey]
    fetched_at: float
    fresh_for: float

    def is_fresh(self, now: float) -> bool:
        return 0 <= now - self.fetched_at < self.fresh_for

    def is_usable(self, now: float) -> bool:
        # A clock that was set back makes the age negative, which proves nothing: not usable.
        return 0 <= now - self.fetched_at < USABLE_FOR


class KeyCache:
    """The keys of one issuer. Safe to share between threads.

    `clock` gives epoch seconds.
    """

    def __init__(self, issuer: str, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._snapshot: KeySnapshot | None = None
        self._tried_at: float | None = None
        self._last_try_failed = False
        self._flight: threading.Event | None = None

    def key(self, kid: str) -> SigningKey:
        """The key with this id.

        Raises `UnknownKey` if the issuer has none, `KeysUnavailable` if that can't be known.
        """
        snapshot = self._snapshot
        if snapshot is not None and snapshot.is_fresh(self._clock()):
            found = snapshot.keys.get(kid)
            if found is not None:
                return found
        self._refresh(kid)
        return self._find(kid)

    def _find(self, kid: str) -> SigningKey:
        with self._lock:
            snapshot, failed = self._snapshot, self._last_try_failed
        if snapshot is None or not snapshot.is_usable(self._clock()):
            raise KeysUnavailable(COLD_RETRY_PAUSE)
        found = snapshot.keys.get(kid)
        if found is not None:
            return found
        if failed:
            # It may be a new key of an issuer that can't be reached: that is no bad token.
            raise KeysUnavailable(RETRY_PAUSE)
        raise UnknownKey

    def _refresh(self, kid: str) -> None:
        """Ask the issuer if that is due, or wait for the thread that does."""
        now = self._clock()
        with self._lock:
            snapshot, flight = self._snapshot, self._flight
            usable = snapshot if snapshot is not None and snapshot.is_usable(now) else None
            leading = flight is None
            if flight is None:
                if not self._is_due(kid, now):
                    return
                flight = self._flight = threading.Event()
        if leading:
            try:
                self._ask()
            finally:
                with self._lock:
                    self._flight = None
                flight.set()
        elif usable is not None and kid in usable.keys:
            return
        elif not flight.wait(LONGEST_WAIT):
            raise KeysUnavailable(COLD_RETRY_PAUSE)

    def _is_due(self, kid: str, now: float) -> bool:
        snapshot = self._snapshot
        if snapshot is not None and snapshot.is_fresh(now) and kid in snapshot.keys:
            return False
        usable = snapshot is not None and snapshot.is_usable(now)
        pause = RETRY_PAUSE if usable else COLD_RETRY_PAUSE
        return self._tried_at is None or not 0 <= now - self._tried_at < pause

    def _ask(self) -> None:
        snapshot = None
        try:
            snapshot = load_keys(self._issuer, self._fetch, self._clock)
        except OSError as error:
            _log.warning("The signing keys of %s could not be read: %s", self._issuer, error)
        finally:
            # Also when `fetch` raised something else, which then goes on up to the caller.
            with self._lock:
                self._tried_at = self._clock()
                self._last_try_failed = snapshot is None
                if snapshot is not None:
                    self._snapshot = snapshot


def load_keys(issuer: str, fetch: Fetch, clock: Callable[[], float]) -> KeySnapshot:
    """Read the metadata, then the JWK Set that it names.

    Raises `DocumentUnusable`, also if there is no key that can be used; lets the `OSError` of
    `fetch` through.
    """
    started = clock()
    jwks_uri = find_jwks_uri(issuer, fetch)
    document = fetch_document(fetch, jwks_uri)
    keys = parse_key_set(read_json_object(document.body, jwks_uri))
    if not keys:
        raise DocumentUnusable(f"{jwks_uri} has no key for ES256, RS256 or Ed25519 signatures")
    # `max-age=0` is no fetch for every request: the pause between two tries is kept anyway.
    asked = FRESH_FOR if document.max_age is None else document.max_age
    return KeySnapshot(keys, started, min(FRESH_FOR, asked))


def parse_key_set(key_set: Mapping[str, Any]) -> Mapping[str, SigningKey]:
    """The usable public keys of a JWK Set, by `kid`; the others are left out (RFC 7517 section 5).

    Left out are keys without `kid`, not for signatures, of another kind or algorithm, malformed
    or too short. Of two keys with one `kid` the first counts.
    """
    found: dict[str, SigningKey] = {}
    members = key_set.get("keys")
    for jwk in members if isinstance(members, list) else ():
        key = _parse_key(jwk)
        if key is not None:
            found.setdefault(key.kid, key)
    return MappingProxyType(found)


def _parse_key(jwk: object) -> SigningKey | None:
    if not isinstance(jwk, dict):
        return None
    kid, use, operations = jwk.get("kid"), jwk.get("use", "sig"), jwk.get("key_ops", ["verify"])
    if not isinstance(kid, str) or not kid or use != "sig":
        return None
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        imported = _import_public(jwk)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if imported is None:
        return None
    algorithm, key = imported
    # An `alg` in the key may only say what the kind of key says already.
    return SigningKey(kid, algorithm, key) if jwk.get("alg", algorithm) == algorithm else None


def _import_public(jwk: dict[str, Any]) -> tuple[str, PublicKey] | None:
    # Only the public members go in: the kit has no use for a private key, not even by mistake.
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if kind == "EC" and curve == "P-256":
        return "ES256", ECKey.import_key(_members(jwk, "kty", "crv", "x", "y"))
    if kind == "OKP" and curve == "Ed25519":
        return "Ed25519", OKPKey.import_key(_members(jwk, "kty", "crv", "x"))
    if kind == "RSA":
        if base64_to_int(jwk["n"]).bit_length() < MIN_RSA_BITS:
            return None
        return "RS256", RSAKey.import_key(_members(jwk, "kty", "n", "e"))
    return None


def _members(jwk: dict[str, Any], *names: str) -> dict[str, str | list[str]]:
    return {name: jwk[name] for name in names}
