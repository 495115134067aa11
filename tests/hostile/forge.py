"""What a forger starts from: a sound token, taken apart, and the keys that would sign it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.hostile.signing import Sign, compact, sign_with

#: A value that takes the member away.
ABSENT: Any = object()

#: The door of a program that knows the issuer's keys and nothing else.
RESOURCE_SERVER = "resource server"


@dataclass(frozen=True)
class Forge:
    """A sound token of one kind.

    `keys` are those that its checker trusts, `kids` their names, both by algorithm.
    `new_claims` are those of a token that would be accepted; `loot` holds other secrets that a
    forger could put where this token belongs, and facts about the world by name.
    """

    kind: str
    typ: str
    keys: Mapping[str, Any]
    kids: Mapping[str, str]
    new_claims: Callable[[], dict[str, Any]]
    loot: Mapping[str, str] = field(default_factory=dict)

    @property
    def ec_key(self) -> ec.EllipticCurvePrivateKey:
        key = self.keys["ES256"]
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    @property
    def rsa_key(self) -> rsa.RSAPrivateKey:
        key = self.keys["RS256"]
        assert isinstance(key, rsa.RSAPrivateKey)
        return key

    @property
    def ed_key(self) -> ed25519.Ed25519PrivateKey:
        key = self.keys["Ed25519"]
        assert isinstance(key, ed25519.Ed25519PrivateKey)
        return key

    def header(self, alg: str = "ES256", /, **changes: Any) -> dict[str, Any]:
        """The sound header of that algorithm's key, changed as told."""
        return _changed({"alg": alg, "typ": self.typ, "kid": self.kids[alg]}, changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        return _changed(self.new_claims(), changes)

    def token(
        self,
        alg: str = "ES256",
        /,
        *,
        header: Any = None,
        claims: Any = None,
        sign: Sign | bytes | None = None,
    ) -> bytes:
        """A token of these parts; what is not given is sound. Mappings are changes, no more."""
        if header is None or isinstance(header, dict):
            header = self.header(alg, **header or {})
        if claims is None or isinstance(claims, dict):
            claims = self.claims(**claims or {})
        return compact(header, claims, sign_with(self.keys[alg]) if sign is None else sign)


def _changed(members: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}


Build = Callable[[Forge], bytes]


@dataclass(frozen=True)
class Case:
    """One hostile token. `only` names the kind of token that it makes sense for.

    `not_at` names doors at which what it does to the token is undone before anybody reads it.
    """

    name: str
    build: Build
    only: str | None = None
    not_at: frozenset[str] = frozenset()


def cases(group: str, table: Mapping[str, Build], **options: Any) -> Iterator[Case]:
    """The cases of a table: what is wrong, and how to make it so."""
    for name, build in table.items():
        yield Case(f"{group}: {name}", build, **options)


@cache
def strangers_key(kind: str) -> Any:
    """A key that nobody trusts."""
    curves: dict[str, ec.EllipticCurve] = {
        "P-256": ec.SECP256R1(),
        "P-384": ec.SECP384R1(),
        "P-521": ec.SECP521R1(),
        "secp256k1": ec.SECP256K1(),
    }
    if kind in curves:
        return ec.generate_private_key(curves[kind])
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("RSA-")))
