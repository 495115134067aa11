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
#: A full name in small letters, as `urlsplit` gives it (RFC 1123 section 2.1, RFC 1035 section
#: 2.3.4).
_HOST = re.compile(r"(?=.{,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
#: All that is given out of IPv6 (RFC 4291 section 2.4). NAT64 and site-local lie outside of it.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
#: Leads on to addresses of IPv4, private ones too (RFC 3056). So does Teredo, which is not global.
_6TO4 = ipaddress.IPv6Network("2002::/16")


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
        if found not in _GLOBAL_UNICAST or found in _6TO4:
            return False
    return found.is_global and not found.is_multicast
