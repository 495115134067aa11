"""Slowing down guesses at passwords, without locking the victim out.

Attempts are counted before the password is looked at, so that parallel ones cannot slip by, in
the store, so that a restart or another worker does not forget them. Three counters, each over
a quarter of an hour:

* one user from one network: few attempts;
* one network, whoever it tries: many;
* one user from all networks together: many, but networks from which the user has signed in
  before are exempt. Whoever attacks a user from everywhere cannot lock that user out of home.

Every window ends by itself: nobody is locked out for ever.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from sqlalchemy import Connection

from app.services.runtime import Runtime
from app.storage import known_addresses, throttle

WINDOW_SECONDS = 15 * 60
PER_USER_AND_NETWORK = 10
PER_NETWORK = 200
PER_USER = 50
KNOWN_FOR_SECONDS = 90 * 24 * 3600

_PURPOSE = "throttle"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A counted attempt. `admitted` is False where the password must not be believed."""

    admitted: bool
    pair_key: str
    network_key: str
    user_key: str


def begin(runtime: Runtime, user: str, source_ip: str | None) -> Attempt:
    """Count an attempt of `user`, spelled in its one canonical way, from an address."""
    network = _network(source_ip)
    pair, network_key, user_key = (
        runtime.secrets.hash("\0".join(parts), _PURPOSE)
        for parts in (("pair", user, network), ("network", network), ("user", user))
    )
    now = runtime.now()

    def write(connection: Connection) -> bool:
        throttle.forget_ended(connection, now)
        # What one limit refuses does not count for the next: whoever goes on and on from one
        # place must not use up what the user has left everywhere.
        if throttle.count(connection, network_key, now, WINDOW_SECONDS) > PER_NETWORK:
            return False
        if throttle.count(connection, pair, now, WINDOW_SECONDS) > PER_USER_AND_NETWORK:
            return False
        by_user = throttle.count(connection, user_key, now, WINDOW_SECONDS)
        at_home = known_addresses.is_known(connection, pair, now - KNOWN_FOR_SECONDS)
        return by_user <= PER_USER or at_home

    return Attempt(runtime.database.write(write), pair, network_key, user_key)


def succeeded(runtime: Runtime, connection: Connection, attempt: Attempt) -> None:
    """The attempt was no guess: it does not count, and its network is known from now on."""
    throttle.forget(connection, attempt.pair_key)
    throttle.give_back(connection, attempt.network_key)
    throttle.give_back(connection, attempt.user_key)
    known_addresses.note(connection, attempt.pair_key, runtime.now())


def _network(source_ip: str | None) -> str:
    """The address, or the /64 of an IPv6 one: its owner has all the rest of it for free."""
    try:
        address = ipaddress.ip_address(source_ip or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
