"""Where this server may go on a tenant's word: https, to the public internet, and nowhere else.

Whoever registers a URI to be fetched must not reach through us what only we can reach: this
machine, its network, a cloud's metadata service (server-side request forgery).
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

MAX_LENGTH = 2048
_SAFE = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")
_HOST = re.compile(r"(?=.{1,253}\Z)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
#: Networks that lead on to addresses of IPv4, private ones too: NAT64, 6to4, Teredo.
_TUNNELS = tuple(
    ipaddress.IPv6Network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)


def problem_of(uri: str) -> str | None:
    """Why the URI may not be registered to be fetched, or None where it may."""
    if not uri or len(uri) > MAX_LENGTH:
        return f"expected a URI of at most {MAX_LENGTH} characters"
    if not _SAFE.fullmatch(uri):
        return "a character that no URI to be fetched has"
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "not a URI"
    if parts.scheme != "https":
        return "expected https"
    if "@" in parts.netloc:
        return "a URI to be fetched has no user information"
    if port not in (None, 443):
        return "expected the port of https, 443"
    if host is None or not _HOST.fullmatch(host):
        return "expected the full name of a host, no address"
    return None


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet; False for what is no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_public(str(found.ipv4_mapped))
        if any(found in network for network in _TUNNELS):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved
