"""Who is asking: HTTP Basic, each part form-decoded after base64 (RFC 6749 section 2.3.1)."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_plus


def read_basic(header: str | None) -> tuple[str, str] | None:
    """Client id and secret of an `Authorization` header; None where it has none to read."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(" "), validate=True).decode("ascii")
        client_id, _, secret = text.partition(":")
        parts = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        return None
    # No id or secret that we make has other characters, and no store has to look for them.
    plain = all(part.isascii() and part.isprintable() and part for part in parts)
    return parts if plain else None
