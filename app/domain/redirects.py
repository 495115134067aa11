"""Redirect URIs: which may be registered, and which of them a request names.

Comparison is by the letter (RFC 9700 section 2.1), with the one exception of RFC 8252
section 7.3: on a loopback address the port may differ, for a native app takes a free one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

MAX_LENGTH = 2048
_LOOPBACK = re.compile(
    r"http://(?P<host>127\.0\.0\.1|\[::1\])(?P<port>:[0-9]{1,5})?(?P<rest>/[^#]*|)"
)
#: The characters of RFC 3986, but for those that are refused by name.
_SAFE = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()+,;=%-]+")
#: What the authorization response adds (RFC 6749 section 4.1.2, RFC 9207 section 2).
_OURS = frozenset({"code", "state", "iss", "error", "error_description", "error_uri"})
_FORBIDDEN_SCHEMES = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})


def problem_of(uri: str) -> str | None:
    """Why the URI may not be registered, or None where it may."""
    if not uri or len(uri) > MAX_LENGTH:
        return f"expected a URI of at most {MAX_LENGTH} characters"
    if "*" in uri:
        return "a wildcard would let the request choose where the code goes"
    if "#" in uri:
        return "a redirect URI has no fragment"
    if not _SAFE.fullmatch(uri):
        return "a character that no URI has"
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "not a URI"
    if not parts.scheme or parts.scheme in _FORBIDDEN_SCHEMES:
        return "this scheme cannot take an answer safely"
    if "@" in parts.netloc:
        return "a redirect URI has no user information"
    if any(name in _OURS for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        return "a parameter in the query that the answer brings"
    if parts.scheme == "https":
        return None if host else "the host is missing"
    if parts.scheme == "http":
        loopback = host in ("127.0.0.1", "::1", "localhost")
        return None if loopback else "plain http is only for loopback; use https"
    # A native app's own scheme is a domain name of its maker, backwards (RFC 8252 section 7.1).
    return None if "." in parts.scheme else "a private scheme is a reversed domain name"


def matches(registered: Iterable[str], requested: str) -> bool:
    """Whether the request names one of the registered URIs."""
    return any(uri == requested or _same_but_port(uri, requested) for uri in registered)


def _same_but_port(registered: str, requested: str) -> bool:
    ours, theirs = _LOOPBACK.fullmatch(registered), _LOOPBACK.fullmatch(requested)
    if ours is None or theirs is None:
        return False
    if ours["host"] != theirs["host"] or ours["rest"] != theirs["rest"]:
        return False
    port = theirs["port"]
    return port is None or 0 < int(port[1:]) <= 65535
