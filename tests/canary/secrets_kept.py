"""Secrets that a test gives away, and finding them again in whatever spelling."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

#: Of a secret as of a piece of one: fewer characters could be there by chance.
_PIECE = 24


def marked(kind: str) -> str:
    """A secret that no other text has in it."""
    return f"{kind}-{secrets.token_urlsafe(36)}"


@dataclass
class Canaries:
    """All that was given away: values by kind, some kinds with several."""

    values: dict[str, list[str]] = field(default_factory=dict)

    def keep(self, kind: str, value: str) -> str:
        """Note a secret. Returns it."""
        assert len(value) >= _PIECE, f"{kind} is too short to be told from chance"
        self.values.setdefault(kind, []).append(value)
        return value

    def new(self, kind: str) -> str:
        return self.keep(kind, marked(kind.replace(" ", "-")))

    def found_in(self, text: bytes) -> list[str]:
        """The kinds of which something is in the text."""
        return sorted(
            kind
            for kind, values in self.values.items()
            if any(trace in text for value in values for trace in traces(value))
        )


def traces(secret: str) -> set[bytes]:
    """The spellings by which a secret could be found: itself, encoded, or a long piece of it."""
    raw = secret.encode()
    found = {
        raw,
        raw.hex().encode(),
        raw.hex().upper().encode(),
        quote(secret, safe="").encode(),
        quote_plus(secret).encode(),
        json.dumps(secret)[1:-1].encode(),
        secret.encode("utf-16-le"),
        raw[::-1],
    }
    if secret.count(".") == 2:
        # A token cut in two is still its signature, which nobody may have, and its claims.
        found |= {part for part in raw.split(b".")[1:] if len(part) >= _PIECE}
    return found | set(_in_base64(raw))


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """As base64 writes it, wherever in a longer text it begins."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * before + raw).rstrip(b"=")
            # The first and the last characters depend on the neighbours.
            piece = whole[4 if before else 0 : len(whole) - 2]
            if len(piece) >= _PIECE:
                yield piece
