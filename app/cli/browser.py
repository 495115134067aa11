"""A browser without a window: pages, forms and cookies of one server.

It fills in the pages that a person would see, so that a script signs in by the same door. What
was typed goes to the server that it was typed for, and to no other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from email.message import Message
from html.parser import HTMLParser
from http.client import HTTPException
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from app.cli.errors import CannotDo

_TIMEOUT = 30
_LARGEST_PAGE = 1024 * 1024


@dataclass
class Form:
    """A form: where it goes, what it already holds, and the names of all its fields."""

    action: str
    hidden: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Page:
    """What came back. `location` is where a redirect leads."""

    url: str
    status: int
    text: str
    location: str | None = None

    def forms(self) -> list[Form]:
        parser = _FormParser()
        parser.feed(self.text)
        return parser.forms

    def json(self) -> dict[str, Any]:
        """The JSON object of the answer. Raises `CannotDo`."""
        try:
            value = json.loads(self.text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise CannotDo(f"{self.url} answered {self.status} without a JSON object")
        return value


class Browser:
    """One visitor of one server, `origin` such as `https://id.example`."""

    def __init__(self, origin: str) -> None:
        self._origin = origin_of(origin)
        jar = CookieJar(DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrict))
        self._opener = _opener(HTTPCookieProcessor(jar), self._origin)

    def get(self, url: str) -> Page:
        """Raises `CannotDo` where the server cannot be reached."""
        return self._send(Request(self._own(url)))  # noqa: S310 (an http or https URL)

    def post(self, url: str, fields: dict[str, str]) -> Page:
        """Send a form. Raises `CannotDo` where the server cannot be reached."""
        body = urlencode(fields).encode("ascii")
        return self._send(Request(self._own(url), body))  # noqa: S310 (as above)

    def call(
        self, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Page:
        """Call an API with JSON. Raises `CannotDo` where the server cannot be reached."""
        data = None if body is None else json.dumps(body).encode("utf-8")
        kind = {} if data is None else {"Content-Type": "application/json"}
        every = {**(headers or {}), **kind}
        request = Request(self._own(url), data, every, method=method)  # noqa: S310 (as above)
        return self._send(request)

    def _own(self, url: str) -> str:
        if origin_of(url) != self._origin:
            raise CannotDo(f"{self._origin} sends us to another server, {origin_of(url)}")
        return url

    def _send(self, request: Request) -> Page:
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                return _page(request, response.status, response, response.headers)
        except HTTPError as error:
            with error:
                return _page(request, error.code, error, error.headers)
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            raise CannotDo(f"cannot reach {self._origin}: {reason}") from None


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _page(request: Request, status: int, answer: Any, headers: Message) -> Page:
    text = answer.read(_LARGEST_PAGE).decode("utf-8", "replace")
    location = headers.get("Location")
    url = request.full_url
    return Page(url, status, text, None if location is None else urljoin(url, location))


class _NoRedirects(HTTPRedirectHandler):
    """Each redirect is looked at before it is followed."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _opener(cookies: HTTPCookieProcessor, origin: str) -> OpenerDirector:
    handlers: list[Any] = [cookies, _NoRedirects()]
    if urlsplit(origin).hostname in ("127.0.0.1", "::1", "localhost"):
        handlers.append(ProxyHandler({}))  # no proxy reaches our own machine
    return build_opener(*handlers)


class _FormParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(values.get("action", "")))
            self._is_inside = True
        elif tag == "input" and self._is_inside and values.get("name"):
            form = self.forms[-1]
            form.names.add(values["name"])
            if values.get("type") == "hidden":
                form.hidden[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
