"""Names of resources (VRNs) and the one wildcard language that all patterns share.

A VRN is ``<product>::<rootAccountId>:<type>/<id>``, for example
``iam::60108:service-account/sa-1f2e``. In a pattern, ``*`` stands for any run of characters
inside one part, never across ``:`` or ``/``; a lone ``*`` is every resource.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_NAME_LENGTH = 256

_PRODUCT = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PRODUCT_PATTERN = re.compile(r"[a-z0-9*-]{1,32}")
_ACCOUNT = re.compile(r"[0-9]{1,20}")
_ACCOUNT_PATTERN = re.compile(r"[0-9*]{1,20}")
_TYPE = re.compile(r"[a-z][a-z0-9-]{0,63}")
_TYPE_PATTERN = re.compile(r"[a-z0-9*-]{1,64}")
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}|\*")
_ID_PATTERN = re.compile(r"[A-Za-z0-9._*-]{1,128}")

VRN_SHAPE = "<product>::<rootAccountId>:<type>/<id>"


class MalformedName(ValueError):
    """A name or pattern is malformed; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern in which ``*`` matches any run of characters, the empty run included.

    Matching walks the text once, whatever the pattern: the pieces between stars are looked
    for from left to right and the search position never moves back.
    """

    text: str
    _pieces: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pieces", tuple(self.text.split("*")))

    @property
    def is_literal(self) -> bool:
        return len(self._pieces) == 1

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` matches."""
        pieces = self._pieces
        if len(pieces) == 1:
            return text == self.text
        first, last = pieces[0], pieces[-1]
        if len(text) < len(first) + len(last):
            return False
        if not text.startswith(first) or not text.endswith(last):
            return False
        position, end = len(first), len(text) - len(last)
        for piece in pieces[1:-1]:
            found = text.find(piece, position, end)
            if found < 0:
                return False
            position = found + len(piece)
        return True

    def covers(self, other: Glob) -> bool:
        """Whether everything that `other` matches is matched by this pattern too.

        A star of `other` may become any text, so only a star of ours can take it in. Matched as
        one more letter it is, for no letter of ours is a star.
        """
        return self.matches(other.text)

    def overlaps(self, other: Glob) -> bool:
        """Whether some text is matched by both patterns.

        Where both have a star, each star can take in all that stands between the other's ends:
        only the ends can be at odds.
        """
        if self.is_literal:
            return other.matches(self.text)
        if other.is_literal:
            return self.matches(other.text)
        first, last = self._pieces[0], self._pieces[-1]
        others_first, others_last = other._pieces[0], other._pieces[-1]
        return (first.startswith(others_first) or others_first.startswith(first)) and (
            last.endswith(others_last) or others_last.endswith(last)
        )


@dataclass(frozen=True, slots=True)
class Vrn:
    """The name of one resource. `id` is ``*`` where a call concerns all of a type."""

    product: str
    account_id: str
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.product}::{self.account_id}:{self.type}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> Vrn:
        """Read a VRN. Raises `MalformedName` where the text is none."""
        parts = _split(text)
        for part, rule in zip(parts, (_PRODUCT, _ACCOUNT, _TYPE, _ID), strict=True):
            if not rule.fullmatch(part):
                raise MalformedName(_malformed(text))
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class VrnPattern:
    """A pattern over VRNs, matched part by part; `parts` is None for the lone ``*``."""

    text: str
    parts: tuple[Glob, Glob, Glob, Glob] | None

    @classmethod
    def parse(cls, text: str) -> VrnPattern:
        """Read a pattern. Raises `MalformedName` where the text is neither ``*`` nor a VRN."""
        if text == "*":
            return cls(text, None)
        parts = _split(text)
        rules = (_PRODUCT_PATTERN, _ACCOUNT_PATTERN, _TYPE_PATTERN, _ID_PATTERN)
        for part, rule in zip(parts, rules, strict=True):
            if not rule.fullmatch(part):
                raise MalformedName(_malformed(text))
        product, account, type_, id_ = (Glob(part) for part in parts)
        return cls(text, (product, account, type_, id_))

    def matches(self, vrn: Vrn) -> bool:
        if self.parts is None:
            return True
        product, account, type_, id_ = self.parts
        return (
            account.matches(vrn.account_id)
            and product.matches(vrn.product)
            and type_.matches(vrn.type)
            and id_.matches(vrn.id)
        )

    @property
    def literal_account(self) -> str | None:
        """The account id that the pattern spells out, or None where it does not."""
        if self.parts is None or not self.parts[1].is_literal:
            return None
        return self.parts[1].text

    def is_whole_product(self, product: str, account_id: str) -> bool:
        """Whether no resource of this product in the account falls outside the pattern."""
        if self.parts is None:
            return True
        product_part, account, type_, id_ = self.parts
        return (
            product_part.matches(product)
            and account.matches(account_id)
            and type_.text.strip("*") == ""
            and id_.text.strip("*") == ""
        )

    def touches_account(self, account_id: str) -> bool:
        """Whether the pattern can match a resource of the account at all."""
        return self.parts is None or self.parts[1].matches(account_id)


def _split(text: str) -> tuple[str, str, str, str]:
    """Cut at the separators. Raises `MalformedName` where the text is too long.

    A part that is missing comes out empty, which no rule for a part takes.
    """
    if len(text) > MAX_NAME_LENGTH:
        raise MalformedName(f"longer than {MAX_NAME_LENGTH} characters; expected {VRN_SHAPE}")
    product, _, rest = text.partition("::")
    account, _, rest = rest.partition(":")
    type_, _, id_ = rest.partition("/")
    return product, account, type_, id_


def _malformed(text: str) -> str:
    return f"{text!r} is not a resource name; expected {VRN_SHAPE}"


def service_account_vrn(account_id: str, service_account_id: str) -> Vrn:
    """The name of a service account, the resource of ``iam:ImpersonateServiceAccount``."""
    return Vrn("iam", account_id, "service-account", service_account_id)
