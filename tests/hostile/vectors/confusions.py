"""Sound things of another kind, put where this kind of token belongs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tests.hostile.forge import ABSENT, RESOURCE_SERVER, Case, Forge, cases, strangers_key
from tests.hostile.signing import ecdsa, eddsa, rsa_pkcs1

ACCESS, ASSERTION = "access token", "client assertion"

#: Names of what `Forge.loot` holds: things that are no access token, nor an assertion ...
_OTHER_THINGS = (
    "id_token",
    "authorization_code",
    "client_secret",
    "product_client_secret",
    "session_cookie",
    "csrf_token",
    "jti",
    "client_id",
    "user_id",
    "service_account_id",
    "vrn",
    "decision_id",
    "issuer",
    "jwks",
    "basic_credentials",
)
#: ... and access tokens that were sound once. Who checks by signature alone cannot know.
_ENDED = ("revoked_token", "token_of_an_ended_session", "token_exchanged_from_a_revoked_one")
_ISSUERS_KIDS = {"of our kid": None, "of a kid of its own": "another-servers-key", "no kid": ABSENT}


def _loot(forge: Forge, name: str) -> bytes:
    return forge.loot[name].encode()


def _by_another_server(forge: Forge, kid: object, alg: str) -> bytes:
    """All as in ours, but another server's key: same issuer by name, same kid or its own."""
    header = {} if kid is None else {"kid": kid}
    kinds = {"ES256": "P-256", "RS256": "RSA-2048", "Ed25519": "Ed25519"}
    key = strangers_key(kinds[alg])
    sign = {"ES256": ecdsa, "RS256": rsa_pkcs1, "Ed25519": eddsa}[alg](key)
    return forge.token(alg, header=header, sign=sign)


def _as_its_own(forge: Forge, issuer: str) -> bytes:
    """Another server's token that says so."""
    claims = {"iss": issuer} if forge.kind == ACCESS else {"aud": issuer}
    return forge.token(header={"kid": "theirs"}, claims=claims, sign=ecdsa(strangers_key("P-256")))


def _typed(forge: Forge, typ: str) -> bytes:
    """The claims of this kind under the type of the other."""
    return forge.token(header={"typ": typ})


def _null_kid_of_one_key(forge: Forge) -> bytes:
    """There is but one key to choose, and yet a kid is text or is not there (RFC 7515 4.1.4)."""
    client = forge.loot["one_key_client_id"]
    return forge.token(header={"kid": None}, claims={"iss": client, "sub": client})


def _signed_by_the_server(forge: Forge) -> bytes:
    """What the server signs for others is no proof of a client that registered its keys."""
    client = forge.loot["client_with_the_servers_keys"]
    return forge.token(header={"typ": "JWT"}, claims={"sub": client, "aud": forge.loot["issuer"]})


def _all() -> Iterator[Case]:
    yield from cases(
        "in its place", {name: partial(_loot, name=name) for name in _OTHER_THINGS}, only=ACCESS
    )
    yield from cases(
        "in its place",
        {name: partial(_loot, name=name) for name in _ENDED},
        only=ACCESS,
        not_at=frozenset({RESOURCE_SERVER}),
    )
    yield Case("in its place: expired_token", partial(_loot, name="expired_token"), ACCESS)
    # Revoking these is in order, and does what it says.
    yield Case(
        "in its place: token_of_a_disabled_user",
        partial(_loot, name="token_of_a_disabled_user"),
        ACCESS,
        frozenset({RESOURCE_SERVER, "token at revocation"}),
    )
    yield Case(
        "in its place: refresh_token",
        partial(_loot, name="refresh_token"),
        ACCESS,
        frozenset({"token at revocation"}),
    )
    for alg in ("ES256", "RS256", "Ed25519"):
        yield from cases(
            f"another server's {alg}",
            {n: partial(_by_another_server, kid=k, alg=alg) for n, k in _ISSUERS_KIDS.items()},
        )
    yield from cases(
        "another server's",
        {
            "by name": partial(_as_its_own, issuer="https://id.attacker.example"),
            "by our name": partial(_as_its_own, issuer="http://127.0.0.1:8000"),
        },
    )
    yield Case("access token: ID token's claims", _claims_of_id_token, ACCESS)
    yield Case("access token: as an ID token", partial(_typed, typ="JWT"), ACCESS)
    yield Case("access token: for a client with our keys", _signed_by_the_server, ACCESS)
    yield Case("client assertion: kid null, one key", _null_kid_of_one_key, ASSERTION)
    yield Case("client assertion: used", partial(_loot, name="used_assertion"), ASSERTION)


def _claims_of_id_token(forge: Forge) -> bytes:
    """Under an access token's header, as if the types were not there."""
    return forge.token(
        claims=dict.fromkeys(("client_id", "account_id", "user_type", "jti"), ABSENT)
    )


CASES = tuple(_all())
