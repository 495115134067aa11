"""A sound token whose text was changed on the way: parts, padding, spaces, lengths, bits."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import quote

from joserfc import jwe
from joserfc.jwk import ECKey, RSAKey

from tests.hostile.forge import Case, Forge, cases
from tests.hostile.signing import as_json, b64, compact, jwk_of, sign_with

#: HTTP takes spaces off the ends of a header, so that there such a token is the sound one.
_BEARER = frozenset({"bearer at userinfo", "bearer at introspection"})

Change = Callable[[bytes], bytes]
_PARTS: dict[str, Change] = {
    "missing": lambda part: b"",
    "padded": lambda part: part + b"=" * (-len(part) % 4 or 4),
    "padded by one": lambda part: part + b"=",
    "padding within": lambda part: part[:4] + b"=" + part[4:],
    "a space within": lambda part: part[:5] + b" " + part[5:],
    "a tab within": lambda part: part[:5] + b"\t" + part[5:],
    "a line break within": lambda part: part[:5] + b"\r\n" + part[5:],
    "NUL within": lambda part: part[:5] + b"\0" + part[5:],
    "a plus": lambda part: part[:5] + b"+" + part[6:],
    "a slash": lambda part: part[:5] + b"/" + part[6:],
    "a percent sign": lambda part: part[:5] + b"%41" + part[6:],
    "an asterisk": lambda part: part[:5] + b"*" + part[6:],
    "a letter with an accent": lambda part: part[:5] + "é".encode() + part[6:],
    "a Cyrillic letter": lambda part: part[:5] + "\u0410".encode() + part[6:],
    "a byte that is no UTF-8": lambda part: part[:5] + b"\xff" + part[6:],
    "a surrogate in UTF-8": lambda part: part[:5] + b"\xed\xa0\x80" + part[6:],
    "one character less": lambda part: part[:-1],
    "the first character less": lambda part: part[1:],
    "one character more": lambda part: part + b"A",
    "four characters more": lambda part: part + b"AAAA",
    "twice": lambda part: part + part,
    "half": lambda part: part[: len(part) // 2],
    "in capitals": lambda part: part.upper(),
    "backwards": lambda part: part[::-1],
    "in base64 once more": b64,
}
_NAMES = ("header", "payload", "signature")
_WHOLES: dict[str, Change] = {
    "empty": lambda token: b"",
    "a dot": lambda token: b".",
    "two dots": lambda token: b"..",
    "three dots": lambda token: b"...",
    "a.b.c": lambda token: b"a.b.c",
    "dots for parts": lambda token: b".".join([b"."] * 3),
    "without the signature": lambda token: token.rpartition(b".")[0],
    "without the signature, dot kept": lambda token: token.rpartition(b".")[0] + b".",
    "the header alone": lambda token: token.split(b".")[0],
    "the payload alone": lambda token: token.split(b".")[1],
    "the signature alone": lambda token: token.rpartition(b".")[2],
    "the payload taken out": lambda token: token.split(b".")[0] + b".." + token.rpartition(b".")[2],
    "a part more": lambda token: token + b".AAAA",
    "an empty part more": lambda token: token + b".",
    "an empty part before": lambda token: b"." + token,
    "twice": lambda token: token + token,
    "twice with a dot": lambda token: token + b"." + token,
    "twice with a comma": lambda token: token + b"," + token,
    "twice with a space": lambda token: token + b" " + token,
    "in quotes": lambda token: b'"' + token + b'"',
    "in brackets": lambda token: b"<" + token + b">",
    "as a JSON list": lambda token: as_json([token.decode()]),
    "with its scheme": lambda token: b"Bearer " + token,
    "percent-encoded": lambda token: quote(token.decode()).replace(".", "%2E").encode(),
    "in hex": lambda token: token.hex().encode(),
    "in base64": base64.b64encode,
    "in UTF-16": lambda token: token.decode().encode("utf-16-le"),
    "in capitals": lambda token: token.upper(),
    "with a colon for a dot": lambda token: token.replace(b".", b":", 1),
    "with full-width dots": lambda token: token.replace(b".", "\uff0e".encode()),
    "a byte order mark before it": lambda token: b"\xef\xbb\xbf" + token,
    "a zero-width space after it": lambda token: token + "\u200b".encode(),
    "a non-breaking space after it": lambda token: token + b"\xa0",
    "a next-line character after it": lambda token: token + b"\x85",
    "a line break after it": lambda token: token + b"\n",
    "a line break before it": lambda token: b"\n" + token,
    "a tab after it": lambda token: token + b"\t",
    "a vertical tab after it": lambda token: token + b"\x0b",
    "a form feed after it": lambda token: token + b"\x0c",
    "a unit separator after it": lambda token: token + b"\x1f",
    "NUL after it": lambda token: token + b"\0",
    "NUL and more after it": lambda token: token + b"\0.attacker",
    "a parameter after it": lambda token: token + b"&scope=iam:*",
    "8193 characters": lambda token: token + b"A" * (8193 - len(token)),
    "8193 dots": lambda token: b"." * 8193,
    "30000 characters": lambda token: b"A" * 30000,
    "30000 dots": lambda token: b"." * 30000,
    "60000 characters": lambda token: b"e30." * 15000,
}
_SPACES: dict[str, Change] = {
    "a space after it": lambda token: token + b" ",
    "a space before it": lambda token: b" " + token,
}


def _part(forge: Forge, index: int, change: Change) -> bytes:
    parts = forge.token().split(b".")
    parts[index] = change(parts[index])
    return b".".join(parts)


def _whole(forge: Forge, change: Change) -> bytes:
    return change(forge.token())


def _flipped(forge: Forge, seed: int) -> bytes:
    """One bit of the text, anywhere; the dots as well."""
    token = bytearray(forge.token())
    chosen = random.Random(seed)
    token[chosen.randrange(len(token))] ^= 1 << chosen.randrange(7)
    return bytes(token)


def _flipped_inside(forge: Forge, index: int, seed: int) -> bytes:
    """One bit of what a part encodes, so that it is still a part."""
    parts = forge.token().split(b".")
    data = bytearray(base64.urlsafe_b64decode(parts[index] + b"=="))
    chosen = random.Random(seed)
    data[chosen.randrange(len(data))] ^= 1 << chosen.randrange(8)
    parts[index] = b64(bytes(data))
    return b".".join(parts)


def _respelt(forge: Forge) -> bytes:
    """The spare bits of the last character set: the same bytes, spelt another way."""
    token = forge.token()
    return token[:-1] + bytes([token[-1] + 1])


def _flattened(forge: Forge) -> bytes:
    """RFC 7515 section 7.2.2."""
    header, payload, signature = forge.token().decode().split(".")
    return as_json({"protected": header, "payload": payload, "signature": signature})


def _general(forge: Forge) -> bytes:
    """RFC 7515 section 7.2.1, a bad signature beside the good one."""
    header, payload, signature = forge.token().decode().split(".")
    good = {"protected": header, "signature": signature}
    return as_json({"payload": payload, "signatures": [good, {**good, "signature": "AAAA"}]})


def _unencoded(forge: Forge) -> bytes:
    """RFC 7797: the payload as it is, signed so."""
    header = b64(as_json(forge.header(b64=False, crit=["b64"])))
    payload = as_json(forge.claims()).replace(b".", b"_")
    signature = sign_with(forge.ec_key)(header + b"." + payload)
    return header + b"." + payload + b"." + b64(signature)


def _encrypted(forge: Forge, alg: str) -> bytes:
    """The sound token, encrypted to the server's own public key: five parts (RFC 7516)."""
    key: ECKey | RSAKey
    if alg == "ECDH-ES":
        key = ECKey.import_key(jwk_of(forge.ec_key))
    else:
        key = RSAKey.import_key(jwk_of(forge.rsa_key))
    header = {"alg": alg, "enc": "A128GCM", "cty": "JWT"}
    return jwe.encrypt_compact(header, forge.token(), key).encode()


def _nested(forge: Forge, depth: int) -> bytes:
    """A token in a token in a token, each soundly signed (RFC 7519 section 5.2)."""
    token = forge.token()
    for _ in range(depth):
        token = compact(forge.header(), token, sign_with(forge.ec_key))
    return token


def _nested_as_text(forge: Forge) -> bytes:
    return forge.token(claims=json.dumps(forge.token().decode()))


def _all() -> Iterator[Case]:
    for index, name in enumerate(_NAMES):
        changes = {n: partial(_part, index=index, change=c) for n, c in _PARTS.items()}
        yield from cases(name, changes)
    yield from cases("token", {n: partial(_whole, change=c) for n, c in _WHOLES.items()})
    yield from cases(
        "token", {n: partial(_whole, change=c) for n, c in _SPACES.items()}, not_at=_BEARER
    )
    yield from cases("one bit", {str(seed): partial(_flipped, seed=seed) for seed in range(40)})
    for index, name in enumerate(_NAMES):
        flips = {str(n): partial(_flipped_inside, index=index, seed=n) for n in range(12)}
        yield from cases(f"one bit of the {name}", flips)
    yield from cases(
        "serialization",
        {
            "flattened JSON": _flattened,
            "general JSON": _general,
            "unencoded payload": _unencoded,
            "JWE by ECDH-ES": partial(_encrypted, alg="ECDH-ES"),
            "JWE by RSA-OAEP": partial(_encrypted, alg="RSA-OAEP"),
            "nested once": partial(_nested, depth=1),
            "nested five times": partial(_nested, depth=5),
            "nested as text": _nested_as_text,
            "spelt another way": _respelt,
        },
    )


CASES = tuple(_all())
