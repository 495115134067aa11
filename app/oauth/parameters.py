"""Reading request parameters: strictly, once, from one place.

A body that two readers could understand differently is refused: duplicate parameters (RFC 6749
section 3.2), bytes that are not UTF-8, control characters. A parameter sent empty counts as
not sent (section 3.1).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from app.services.refusals import Refusal, Refused

FORM = "application/x-www-form-urlencoded"

#: Parameters that may come more than once (RFC 8693 section 2.1, RFC 8707 section 2).
_REPEATABLE = frozenset({"resource", "audience"})
#: Line breaks are part of JSON text that people write.
_MULTILINE = frozenset({"policy"})
_MAX_NAME = 64
_MAX_VALUE = 32 * 1024
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a request, empty ones left out."""

    single: Mapping[str, str]
    repeated: Mapping[str, tuple[str, ...]]

    def get(self, name: str) -> str | None:
        return self.single.get(name)

    def all(self, name: str) -> tuple[str, ...]:
        """The values of a parameter that may repeat."""
        return self.repeated.get(name, ())

    def require(self, name: str) -> str:
        """The value, or `Refused` saying that it is missing."""
        value = self.single.get(name)
        if value is None:
            raise malformed(f"the parameter {name} is missing")
        return value


def malformed(message: str) -> Refused:
    return Refused(Refusal.MALFORMED_REQUEST, message)


def read_form(request: Request, max_fields: int) -> Parameters:
    """The form in the body; the query string is never looked at. Raises `Refused`."""
    if request.mimetype != FORM:
        raise malformed(f"expected the content type {FORM}")
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8"):
        raise malformed("expected the form in UTF-8")
    return parse(read_body(request), max_fields)


def read_body(request: Request) -> bytes:
    """The body, as far as the limit allows. Raises `Refused`."""
    try:
        return request.get_data(cache=True, parse_form_data=False)
    except RequestEntityTooLarge:
        raise malformed("the request body is too large") from None


def parse(encoded: bytes, max_fields: int) -> Parameters:
    """Parse ``a=1&b=2``. Raises `Refused` for whatever is not plainly that."""
    try:
        text = encoded.decode("ascii")
    except UnicodeDecodeError:
        raise malformed("the form is not percent-encoded") from None
    if _BAD_ESCAPE.search(text):
        raise malformed("the form has a broken percent-encoding")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=max_fields)
    except UnicodeDecodeError:
        raise malformed("a parameter is not UTF-8") from None
    except ValueError:
        raise malformed(f"more than {max_fields} parameters") from None
    return parse_pairs(pairs)


def parse_pairs(pairs: list[tuple[str, str]]) -> Parameters:
    """Take names and values that are already apart. Raises `Refused`."""
    single: dict[str, str] = {}
    repeated: dict[str, tuple[str, ...]] = {}
    seen: set[str] = set()
    for name, value in pairs:
        _check(name, value)
        if name in _REPEATABLE:
            if value:
                repeated[name] = (*repeated.get(name, ()), value)
            continue
        if name in seen:
            raise malformed(f"the parameter {_shown(name)} comes more than once")
        seen.add(name)
        if value:
            single[name] = value
    return Parameters(single, repeated)


def _check(name: str, value: str) -> None:
    if len(name) > _MAX_NAME or has_control_characters(name):
        raise malformed("a parameter's name is too long or has control characters")
    if len(value) > _MAX_VALUE:
        raise malformed(f"the parameter {_shown(name)} is too long")
    text = value
    if name in _MULTILINE:
        text = value.replace("\n", "").replace("\r", "").replace("\t", "")
    if has_control_characters(text):
        raise malformed(f"the parameter {_shown(name)} has control characters")


def has_control_characters(text: str) -> bool:
    """Whether there is anything that does not print: controls, surrogates, bidi overrides."""
    if text.isascii():
        return not text.isprintable()
    return any(_is_control(character) for character in text)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Cn") or character in _BIDI


#: They make a name read as another one (Trojan Source).
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


def _shown(name: str) -> str:
    return "".join(c for c in name if c.isascii() and (c.isalnum() or c in "_-."))[:_MAX_NAME]
