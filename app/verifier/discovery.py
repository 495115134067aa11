"""Reading the issuer's documents: its metadata and, named there, its JWK Set; and what it answers.

Everything is read from the issuer's own origin (scheme, host and port). Metadata that points
elsewhere is refused, so that nobody who can write one field of it can bring in keys of theirs.
"""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

FETCH_TIMEOUT = 5.0
"""Seconds until one document must have arrived."""

MAX_DOCUMENT_SIZE = 256 * 1024
"""Bytes that a document may have."""

WELL_KNOWN_PATH = "/.well-known/openid-configuration"
EVALUATION_WELL_KNOWN_PATH = "/.well-known/authzen-configuration"

_CHUNK = 64 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Printable ASCII without the backslash, which some parsers take for a slash, and without `#`.
_URL_CHARACTERS = re.compile(r"[!\"$-\[\]-~]+")
_MAX_AGE = re.compile(r"max-age=\"?(\d{1,9})\"?", re.ASCII)


class DocumentUnusable(OSError):
    """The issuer's metadata or JWK Set can't be had or can't be used; the message says why.

    An `OSError`, as a refused connection or a timeout is: all of them mean "no keys just now".
    """


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it came. `max_age` is the Cache-Control lifetime in seconds, None if unsaid."""

    body: bytes
    max_age: float | None = None


Fetch = Callable[[str], bytes | Document]
"""Reads a URL. Returns the body, or a `Document` to say how long it may be kept.

Raises `OSError` (urllib's and requests' errors are) when the document can't be had.
"""


Post = Callable[[str, bytes, Mapping[str, str]], bytes]
"""Sends JSON to a URL, with these headers. Returns the body of a 200 answer.

Raises `OSError` when there is no such answer.
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL (RFC 6454); equal if the URLs share them."""

    scheme: str
    host: str
    port: int


def parse_origin(url: str) -> Origin:
    """The origin of an http(s) URL.

    Raises `ValueError` for any other URL, and for one with a user name in it or a fragment.
    """
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("expected an http or https URL")
    if "@" in parts.netloc or not _URL_CHARACTERS.fullmatch(url):
        raise ValueError("a user name, a fragment or such a character has no place in this URL")
    return Origin(parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])


def check_issuer(issuer: str) -> str:
    """Returns the issuer if it can be one (RFC 8414 section 2); raises `ValueError` if not."""
    try:
        parse_origin(issuer)
    except ValueError as error:
        raise ValueError(f"The issuer {issuer!r} is no issuer URL: {error}.") from error
    if "?" in issuer:
        raise ValueError(f"The issuer {issuer!r} is no issuer URL: it has a query.")
    return issuer


class HttpFetch:
    """Fetches from one origin with the standard library, bounded in time and size.

    Redirects are not followed. A proxy named in the environment is not used: pass a `Fetch` of
    your own where the issuer can be reached through a proxy only.
    """

    def __init__(
        self,
        issuer: str,
        *,
        timeout: float = FETCH_TIMEOUT,
        max_size: int = MAX_DOCUMENT_SIZE,
    ) -> None:
        self._origin = parse_origin(issuer)
        self._timeout = timeout
        self._max_size = max_size
        # Put together by hand: build_opener() would add redirects, proxies, file: and ftp:.
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            self._opener.add_handler(handler)

    def __call__(self, url: str) -> Document:
        """Raises `DocumentUnusable`."""
        return self._ask(url, None, {})

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Sends JSON and returns the body of the answer. Raises `DocumentUnusable`."""
        return self._ask(url, body, {"Content-Type": "application/json", **headers}).body

    def _ask(self, url: str, body: bytes | None, headers: Mapping[str, str]) -> Document:
        _require_origin(url, self._origin)
        sent = {"Accept": "application/json", **headers}
        request = urllib.request.Request(url, body, sent)  # noqa: S310
        deadline = time.monotonic() + self._timeout
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                if response.status != http.HTTPStatus.OK:
                    raise DocumentUnusable(f"{url} answered {response.status}")
                found = self._read(response, url, deadline)
                return Document(found, _max_age(response.headers.get_all("Cache-Control")))
        except urllib.error.HTTPError as error:
            error.close()
            raise DocumentUnusable(f"{url} answered {error.code}") from None
        except (http.client.HTTPException, UnicodeError) as error:
            raise DocumentUnusable(f"{url} did not answer in HTTP") from error

    def _read(self, response: http.client.HTTPResponse, url: str, deadline: float) -> bytes:
        # The timeout of the socket is for each read. A server that sends a byte now and then
        # would hold us for ever without the deadline.
        body = bytearray()
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > self._max_size:
                raise DocumentUnusable(f"{url} is longer than {self._max_size} bytes")
            if time.monotonic() > deadline:
                raise DocumentUnusable(f"{url} did not arrive within {self._timeout:g} s")
        return bytes(body)


def find_jwks_uri(issuer: str, fetch: Fetch) -> str:
    """Where the issuer's keys are (OpenID Connect Discovery 1.0 section 4).

    Raises `DocumentUnusable`; lets the `OSError` of `fetch` through.
    """
    url = issuer.rstrip("/") + WELL_KNOWN_PATH
    metadata = _metadata(issuer, url, "issuer", fetch)
    return _address(metadata, "jwks_uri", issuer, url)


def find_evaluation_endpoints(issuer: str, fetch: Fetch) -> tuple[str, str]:
    """Where one access evaluation is asked for, and where several (AuthZEN section 9).

    Raises `DocumentUnusable`; lets the `OSError` of `fetch` through.
    """
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    url = origin + EVALUATION_WELL_KNOWN_PATH + path
    metadata = _metadata(issuer, url, "policy_decision_point", fetch)
    return (
        _address(metadata, "access_evaluation_endpoint", issuer, url),
        _address(metadata, "access_evaluations_endpoint", issuer, url),
    )


def _metadata(issuer: str, url: str, name: str, fetch: Fetch) -> dict[str, Any]:
    """The document at `url`, whose member `name` has to be the issuer."""
    metadata = read_json_object(fetch_document(fetch, url).body, url)
    if metadata.get(name) != issuer:
        # OpenID Connect Discovery section 4.3. Without it, any server could speak for this issuer.
        raise DocumentUnusable(f"{url} is not about the issuer {issuer}: its {name} differs")
    return metadata


def _address(metadata: Mapping[str, Any], name: str, issuer: str, url: str) -> str:
    address = metadata.get(name)
    if not isinstance(address, str):
        raise DocumentUnusable(f"{url} has no {name}")
    _require_origin(address, parse_origin(issuer))
    return address


def fetch_document(fetch: Fetch, url: str) -> Document:
    """`fetch(url)`, with the short form of its answer made the long one."""
    answer = fetch(url)
    return Document(answer) if isinstance(answer, bytes) else answer


def read_json_object(body: bytes, url: str) -> dict[str, Any]:
    """The JSON object in `body`. Raises `DocumentUnusable`."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DocumentUnusable(f"{url} is not JSON") from error
    if not isinstance(value, dict):
        raise DocumentUnusable(f"{url} is not a JSON object")
    return value


def _require_origin(url: str, origin: Origin) -> None:
    try:
        same = parse_origin(url) == origin
    except ValueError as error:
        raise DocumentUnusable(f"{url!r} is no URL to read from: {error}") from error
    if not same:
        raise DocumentUnusable(f"{url!r} is not on the issuer's own host, scheme and port")


def _max_age(cache_control: list[str] | None) -> float | None:
    """Seconds that a response may be kept (RFC 9111 section 5.2.2), None if it doesn't say."""
    directives = [
        directive.strip().lower() for line in cache_control or () for directive in line.split(",")
    ]
    if "no-store" in directives or "no-cache" in directives:
        return 0.0
    ages = [float(found[1]) for each in directives if (found := _MAX_AGE.fullmatch(each))]
    return min(ages, default=None)
