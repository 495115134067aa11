"""Signed by a trusted key, header and all, but the claims are not those of a token in force."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from tests.hostile.forge import ABSENT, RESOURCE_SERVER, Case, Forge, cases
from tests.hostile.signing import as_json
from tests.support.world import START

ACCESS, ASSERTION = "access token", "client assertion"
_ISSUER = "http://127.0.0.1:8000"

_NO_NUMBERS: dict[str, Any] = {
    "null": None,
    "text": str(START + 300),
    "true": True,
    "a list": [START + 300],
    "an object": {"$numberLong": str(START + 300)},
    "a date": "2027-01-15T08:05:00Z",
    "empty": "",
}
#: As JSON text, since no number of Python's would come out so.
_ODD_NUMBERS = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "1e400": "1e400",
    "-1e400": "-1e400",
    "2^53": str(2**53),
    "2^63": str(2**63),
    "2^64": str(2**64),
    "10^40": "1" + "0" * 40,
    "4301 digits": "1" * 4301,
    "hexadecimal": "0x6b49d200",
    "octal": "0o17",
    "a leading zero": f"0{START + 300}",
    "a leading plus": f"+{START + 300}",
    "an underscore": "1_800_000_300",
    "a dot at its end": f"{START + 300}.",
    "a comma": "1,800,000,300",
    "in full-width digits": "\uff11\uff18" + "\uff10" * 5 + "\uff13\uff10\uff10",
    "in Arabic digits": "\u0661\u0668" + "\u0660" * 5 + "\u0663\u0660\u0660",
}
_NO_TEXT: dict[str, Any] = {
    "absent": ABSENT,
    "null": None,
    "empty": "",
    "a number": 1,
    "true": True,
    "a list": ["x"],
    "an object": {"x": "y"},
}
_ISSUERS: dict[str, Any] = {
    "with a slash": _ISSUER + "/",
    "in capitals": _ISSUER.upper(),
    "by another name": "http://localhost:8000",
    "at another port": "http://127.0.0.1:8001",
    "by https": _ISSUER.replace("http:", "https:"),
    "without a port": "http://127.0.0.1",
    "in a list": [_ISSUER],
    "with a user": "http://127.0.0.1:8000@attacker.example",
    "with NUL": _ISSUER + "\0",
    "another's": "https://attacker.example",
}
#: For an assertion the issuer alone will do (RFC 10070).
_AUDIENCES: dict[str, Any] = {
    **{name: iss for name, iss in _ISSUERS.items() if name != "in a list"},
    "the token endpoint": _ISSUER + "/oauth2/token",
    "the issuer among others": [_ISSUER, "https://attacker.example"],
    "the issuer twice": [_ISSUER, _ISSUER],
    "an empty list": [],
    "a list of lists": [[_ISSUER]],
    "an object": {_ISSUER: True},
    "a star": "*",
    "a part of it": "127.0.0.1",
    **_NO_TEXT,
}
_TEXTS = {
    "empty": "",
    "a list": "[{{good}}]",
    "a string": '"claims"',
    "null": "null",
    "cut short": "{{good}",
    "a comma too many": "{{good},}",
    "something after it": "{{good}}{}",
    "single quotes": "{'sub':'x'}",
    "a comment": "{{good}}//",
    "NUL before it": "\0{{good}}",
    "a byte order mark": "\ufeff{{good}}",
    "an unknown claim twice": '{{good},"x":1,"x":2}',
    "a member twice, deep": '{{good},"x":{"y":[{"z":1,"z":2}]}}',
    "NaN elsewhere": '{{good},"x":[NaN]}',
    "Infinity elsewhere": '{{good},"x":{"y":-Infinity}}',
    "a huge number elsewhere": '{{good},"x":1e999}',
    "a huge integer elsewhere": '{{good},"x":123456789012345678901234567890}',
    "a lone surrogate elsewhere": '{{good},"x":"\\udfff"}',
    "a lone surrogate as a name": '{{good},"\\ud800":1}',
    "a raw line break in a string": '{{good},"x":"a\nb"}',
    "an unknown escape": '{{good},"x":"\\x41"}',
}


def _claims(forge: Forge, **changes: Any) -> bytes:
    return forge.token(claims=changes)


def _text(forge: Forge, template: str) -> bytes:
    """The claims as JSON text; {good} are the sound members."""
    good = as_json(forge.claims())[1:-1].decode()
    return forge.token(claims=template.replace("{good}", good))


def _number(forge: Forge, name: str, text: str) -> bytes:
    good = as_json(forge.claims(**{name: ABSENT}))[1:-1].decode()
    return forge.token(claims=f'{{{good},"{name}":{text}}}')


def _twice(forge: Forge, name: str, *, first: bool) -> bytes:
    """A claim twice: as it is, and as the attacker would have it."""
    good = as_json(forge.claims())[1:-1].decode()
    other = f'"{name}":"another"'
    members = f"{other},{good}" if first else f"{good},{other}"
    return forge.token(claims=f"{{{members}}}")


def _deep(forge: Forge, depth: int, opening: str, closing: str) -> bytes:
    good = as_json(forge.claims())[1:-1].decode()
    return forge.token(claims=f'{{{good},"x":{opening * depth}{closing * depth}}}')


def _encoded(forge: Forge, encoding: str, before: bytes = b"") -> bytes:
    return forge.token(claims=before + as_json(forge.claims()).decode().encode(encoding))


def _all() -> Iterator[Case]:
    yield from cases("iss", {n: partial(_claims, iss=i) for n, i in (_ISSUERS | _NO_TEXT).items()})
    yield from cases("times", _times())
    for name in ("exp", "iat", "nbf"):
        yield from cases(
            name, {n: partial(_claims, **{name: value}) for n, value in _NO_NUMBERS.items()}
        )
        odd = list(_ODD_NUMBERS.items())[: None if name == "exp" else 8]
        yield from cases(name, {n: partial(_number, name=name, text=text) for n, text in odd})
    for name in ("iss", "sub", "aud", "exp", "iat", "jti"):
        yield from cases(
            "a claim twice",
            {
                f"{name}, the good one first": partial(_twice, name=name, first=False),
                f"{name}, the good one last": partial(_twice, name=name, first=True),
            },
        )
    for name in ("sub", "jti"):
        yield from cases(
            name, {n: partial(_claims, **{name: value}) for n, value in _NO_TEXT.items()}
        )
    yield from cases("claims", {n: partial(_text, template=text) for n, text in _TEXTS.items()})
    yield from cases(
        "claims",
        {
            f"{depth} {what} deep": partial(_deep, depth=depth, opening=opening, closing=closing)
            for depth in (1000, 2500)
            for what, opening, closing in (("lists", "[", "]"), ("open lists", "[", ""))
        },
    )
    yield from cases(
        "claims encoding",
        {n: partial(_encoded, encoding=n) for n in ("utf-16", "utf-16-le", "utf-32", "cp037")},
    )
    yield from cases(
        "claims encoding",
        {
            "a byte that is no UTF-8": partial(_encoded, encoding="utf-8", before=b"\xff"),
            "an overlong form": partial(_encoded, encoding="utf-8", before=b"\xc0\xaf"),
        },
    )
    yield from _of_access_tokens()
    yield from _of_assertions()


def _times() -> dict[str, Any]:
    """The leeway between machines is 30 seconds; here it is used up to the second."""
    return {
        "exp absent": partial(_claims, exp=ABSENT),
        "expired": partial(_claims, exp=START - 30),
        "expired long ago": partial(_claims, exp=1, iat=0),
        "exp zero": partial(_claims, exp=0),
        "exp negative": partial(_claims, exp=-1),
        "exp in the lowest integer": partial(_claims, exp=-(2**53) + 1),
        "exp a small fraction": partial(_claims, exp=5e-324),
        "issued in a minute": partial(_claims, iat=START + 60),
        "issued at the end of time": partial(_claims, iat=2**53 - 1),
        "issued in milliseconds": partial(_claims, iat=START * 1000),
        "not before a minute from now": partial(_claims, nbf=START + 60),
        "not before the end of time": partial(_claims, nbf=2**53 - 1),
        "not before 1e300": partial(_claims, nbf=1e300),
    }


def _of_access_tokens() -> Iterator[Case]:
    """Claims that an access token of ours always has."""
    for name in ("client_id", "account_id", "user_type"):
        table = {n: partial(_claims, **{name: value}) for n, value in _NO_TEXT.items()}
        yield from cases(name, table, only=ACCESS)
    odd: dict[str, dict[str, Any]] = {
        "iat absent": {"iat": ABSENT},
        "aud absent": {"aud": ABSENT},
        "aud null": {"aud": None},
        "aud empty": {"aud": ""},
        "aud an empty list": {"aud": []},
        "aud a list with a number": {"aud": [_ISSUER, 1]},
        "aud an object": {"aud": {_ISSUER: 1}},
        "scope a list": {"scope": ["openid", "iam:*"]},
        "scope null": {"scope": None},
        "amr text": {"amr": "pwd"},
        "amr a list of numbers": {"amr": [1]},
        "act text": {"act": "user"},
        "act a list": {"act": [{"sub": "user"}]},
        "act null": {"act": None},
        "evaluate false": {"evaluate": False},
        "evaluate text": {"evaluate": "true"},
        "decision_id a number": {"decision_id": 7},
        "auth_time text": {"auth_time": str(START)},
    }
    yield from cases("claims", {n: partial(_claims, **c) for n, c in odd.items()}, only=ACCESS)
    nowhere = {
        "unknown": "00000000-0000-4000-8000-000000000000",
        "SQL": "' OR 1=1 --",
        "a pattern": "%",
        "a star": "*",
        "a path": "../../tokens",
        "NUL": "\0",
        "4000 characters": "j" * 4000,
        "a lone surrogate": "\ud800",
    }
    # Whoever checks by signature alone cannot know that nobody ever recorded these.
    yield from cases(
        "jti, in no table",
        {n: partial(_claims, jti=jti) for n, jti in nowhere.items()},
        only=ACCESS,
        not_at=frozenset({RESOURCE_SERVER}),
    )


def _of_assertions() -> Iterator[Case]:
    table = {n: partial(_claims, aud=aud) for n, aud in _AUDIENCES.items()}
    yield from cases("aud", table, only=ASSERTION)
    odd: dict[str, dict[str, Any]] = {
        "sub in a list": {"sub": ["{client}"]},
        "lives 631 seconds": {"exp": START + 631},
        "lives in milliseconds": {"exp": (START + 300) * 1000},
        "lives to the end of time": {"exp": 2**53 - 1},
        "lives for 1e300": {"exp": 1e300},
        "jti of 257 characters": {"jti": "j" * 257},
        "jti a lone surrogate": {"jti": "\ud800"},
        "jti half a surrogate pair": {"jti": "\udc00\ud800"},
    }
    yield from cases(
        "assertion", {n: partial(_claims, **c) for n, c in odd.items()}, only=ASSERTION
    )
    clients: dict[str, str] = {
        "nobody": "00000000-0000-4000-8000-000000000000",
        "the service account itself": "service_account_id",
        "its VRN": "vrn",
        "its name": "service_account_name",
        "another client with keys": "other_client_id",
        "a client without keys": "product_client_id",
        "the public client": "cli",
        "a user": "user_id",
        "SQL": "' OR '1'='1",
        "NUL": "\0",
        "a lone surrogate": "\ud800",
        "a line break": "a\r\nb",
        "3000 characters": "c" * 3000,
        "in capitals": "client_id_in_capitals",
    }
    for name, client in clients.items():
        yield Case(f"assertion of: {name}", partial(_of_client, client=client), ASSERTION)
        yield Case(f"assertion for: {name}", partial(_for_client, client=client), ASSERTION)


def _of_client(forge: Forge, client: str) -> bytes:
    """Both `iss` and `sub` say another client."""
    name = forge.loot.get(client, client)
    return forge.token(claims={"iss": name, "sub": name})


def _for_client(forge: Forge, client: str) -> bytes:
    """Only `sub` does, as if one could vouch for the other."""
    return forge.token(claims={"sub": forge.loot.get(client, client)})


CASES = tuple(_all())
