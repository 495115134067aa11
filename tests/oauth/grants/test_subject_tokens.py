"""What may be handed in as `subject_token`: a live access token of ours, and nothing else.

Every other form gets one answer, 400 `invalid_request` (RFC 8693 section 2.2.2), and makes no
outbound connection, whatever addresses it holds.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.forgery import (
    ATTACKERS_KEY,
    OWN_KID,
    b64,
    forge,
    hs256,
    public_jwk,
    public_pem,
    rs256,
)
from tests.support.observation import network
from tests.support.tokens import code_for
from tests.support.world import (
    CALLBACK,
    CLI,
    RING,
    START,
    VERIFIER,
    World,
    build_world,
    claims_of,
)

EVIL = "https://evil.example"


@dataclass
class Setting:
    """A good token with its claims, and tokens that are not good, or not any more."""

    world: World
    token: str
    claims: dict[str, Any]
    id_token: str
    machine: str

    @property
    def parts(self) -> list[str]:
        return self.token.split(".")

    @property
    def signed(self) -> str:
        return self.token.rpartition(".")[0]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    world = build_world(tmp_path_factory.mktemp("subject"))
    answer = world.token_call(
        grant_type="authorization_code",
        client_id=CLI,
        code=code_for(world),
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    ).json
    token = answer["access_token"]
    machine = world.machine_token().json["access_token"]
    yield Setting(world, token, claims_of(token), answer["id_token"], machine)
    world.close()


Form = Callable[[Setting], str]


def _claims(**changed: Any) -> Form:
    """A token of the right key whose claims are not those that we wrote."""
    return lambda it: forge({**it.claims, **changed})


def _header(**changed: Any) -> Form:
    """The true claims under another header, signed by our own key."""
    return lambda it: forge(it.claims, changed)


FORGERIES: dict[str, Form] = {
    # algorithms
    "none": lambda it: f"{b64({'alg': 'none', 'typ': 'at+jwt'})}.{it.parts[1]}.",
    "none with our kid": lambda it: (
        f"{b64({'alg': 'none', 'typ': 'at+jwt', 'kid': OWN_KID})}.{it.parts[1]}."
    ),
    "None": lambda it: f"{b64({'alg': 'None', 'typ': 'at+jwt', 'kid': OWN_KID})}.{it.parts[1]}.",
    "NONE with the old signature": lambda it: (
        f"{b64({'alg': 'NONE', 'typ': 'at+jwt', 'kid': OWN_KID})}.{it.parts[1]}.{it.parts[2]}"
    ),
    "HS256 with the public PEM": lambda it: hs256(it.claims, public_pem()),
    "HS256 with the public PEM, stripped": lambda it: hs256(it.claims, public_pem().strip()),
    "HS256 with the RSA PEM": lambda it: hs256(it.claims, public_pem("RS256")),
    "HS256 with the JWK": lambda it: hs256(
        it.claims, json.dumps(RING.signer("ES256").public_jwk()).encode()
    ),
    "HS256 with the key set": lambda it: hs256(it.claims, RING.jwks_bytes()),
    "HS256 with nothing": lambda it: hs256(it.claims, b""),
    "HS256 with the kid": lambda it: hs256(it.claims, OWN_KID.encode()),
    "HS384": lambda it: hs256(it.claims, public_pem(), alg="HS384"),
    "ES256 said to be RS256": lambda it: forge(it.claims, {"alg": "RS256"}),
    "ES256 said to be ES512": lambda it: forge(it.claims, {"alg": "ES512"}),
    "ES256 said to be EdDSA": lambda it: forge(it.claims, {"alg": "EdDSA"}),
    "RS256 under the kid of the other key": lambda it: rs256(it.claims, kid=OWN_KID),
    "RS256 said to be PS256": lambda it: rs256(it.claims, alg="PS256"),
    "no alg": _header(alg=None),
    "alg as a list": _header(alg=["ES256"]),
    # keys that the token brings along, or points to
    "jwk of the attacker": lambda it: forge(
        it.claims, {"jwk": public_jwk(), "kid": None}, ATTACKERS_KEY
    ),
    "jwk beside our kid": lambda it: forge(it.claims, {"jwk": public_jwk()}, ATTACKERS_KEY),
    "jwk beside our own signature": lambda it: forge(it.claims, {"jwk": public_jwk()}),
    "jku": lambda it: forge(it.claims, {"jku": f"{EVIL}/jwks"}, ATTACKERS_KEY),
    "jku beside our own signature": _header(jku=f"{EVIL}/jwks"),
    "x5u": lambda it: forge(it.claims, {"x5u": f"{EVIL}/cert"}, ATTACKERS_KEY),
    "x5c": lambda it: forge(it.claims, {"x5c": [b64(b"cert")]}, ATTACKERS_KEY),
    "x5t": _header(x5t="abc"),
    "crit that nobody knows": _header(crit=["exp"], exp=1),
    "crit, empty": _header(crit=[]),
    "crit with b64": _header(crit=["b64"], b64=False),
    "zip": _header(zip="DEF"),
    "cty": _header(cty="JWT"),
    "kid unknown": _header(kid="unknown"),
    "kid missing": _header(kid=None),
    "kid as a path": _header(kid="../../keys/pepper.key"),
    "kid as SQL": _header(kid="' OR 1=1 --"),
    "kid as a number": _header(kid=1),
    "another key under our kid": lambda it: forge(it.claims, {}, ATTACKERS_KEY),
    # kinds of tokens
    "an ID token": lambda it: it.id_token,
    "typ JWT": _header(typ="JWT"),
    "typ of a logout token": _header(typ="logout+jwt"),
    "typ missing": _header(typ=None),
    "an opaque string": lambda it: secrets.token_urlsafe(32),
    "a client secret": lambda it: it.world.client_secret,
    "a UUID, the token's own id": lambda it: it.claims["jti"],
    "a SAML assertion": lambda it: b64("<saml:Assertion/>"),
    "a JWE": lambda it: "a.b.c.d.e",
    # claims
    "another issuer": _claims(iss=EVIL),
    "our issuer with a slash": _claims(iss="http://127.0.0.1:8000/"),
    "no issuer": _claims(iss=None),
    "an unknown jti": _claims(jti="00000000-0000-4000-8000-000000000000"),
    "no jti": _claims(jti=None),
    "jti as a list": lambda it: forge({**it.claims, "jti": [it.claims["jti"]]}),
    "no sub": _claims(sub=None),
    "no exp": _claims(exp=None),
    "exp as text": lambda it: forge({**it.claims, "exp": str(it.claims["exp"])}),
    "expired": _claims(exp=START - 3600),
    "from tomorrow": _claims(iat=START + 86_400, exp=START + 90_000),
    "not before tomorrow": _claims(nbf=START + 86_400),
    "no client_id": _claims(client_id=None),
    "aud missing": _claims(aud=None),
    "aud empty": _claims(aud=[]),
    # bytes
    "cut by one letter": lambda it: it.token[:-1],
    "cut by half": lambda it: it.token[: len(it.token) // 2],
    "without the signature": lambda it: it.signed + ".",
    "without the last dot": lambda it: it.signed,
    "the signature of another": lambda it: f"{it.signed}.{it.machine.split('.')[2]}",
    "a signature of zeros": lambda it: f"{it.signed}.{b64(bytes(64))}",
    "a signature in DER": lambda it: f"{it.signed}.{b64(bytes.fromhex('3006020101020101'))}",
    "other claims under the old signature": lambda it: (
        f"{it.parts[0]}.{b64({**it.claims, 'sub': 'x'})}.{it.parts[2]}"
    ),
    "with padding": lambda it: it.token + "==",
    "with a dot more": lambda it: it.token + ".",
    "with a space": lambda it: it.token + " ",
    "with its scheme": lambda it: "Bearer " + it.token,
    "twice": lambda it: it.token + it.token,
    "dots": lambda it: "..",
    "one dot": lambda it: ".",
    "not ASCII": lambda it: "é.è.ê",
    "a header that is no object": lambda it: f"{b64('[]')}.{it.parts[1]}.{it.parts[2]}",
    "a header that is deep": lambda it: f"{b64('[' * 4000)}.{it.parts[1]}.{it.parts[2]}",
    "a duplicate member": lambda it: forge(
        it.claims, '{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"' + OWN_KID + '"}'
    ),
    "claims that are no object": lambda it: forge('"sub"'),
    "NaN": lambda it: forge(json.dumps({**it.claims, "exp": float("nan")})),
    "Infinity": lambda it: forge(json.dumps({**it.claims, "exp": float("inf")})),
    "longer than any of ours": lambda it: forge({**it.claims, "x": "a" * 8000}),
    "huge": lambda it: "a" * 30_000,
    "longer than any parameter": lambda it: "a" * 33_000,
    "a huge header": lambda it: f"{b64({'alg': 'ES256', 'x': 'a' * 20_000})}.{it.parts[1]}.x",
}


def exchange(setting: Setting, token: str, **fields: Any) -> Any:
    return setting.world.exchange(token, **fields)


def test_the_forger_can_make_a_good_token(setting: Setting) -> None:
    assert exchange(setting, forge(setting.claims)).status_code == 200


def test_there_are_enough_of_them() -> None:
    assert len(FORGERIES) >= 60


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token(setting: Setting, name: str) -> None:
    token = FORGERIES[name](setting)

    with network() as calls:
        narrowed = exchange(setting, token)
        become = exchange(setting, token, requested_subject=setting.world.service_account_id)

    for answer in (narrowed, become):
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
        assert "decision_id" not in answer.json
    assert narrowed.data == become.data
    assert calls == []


def test_the_network_is_watched() -> None:
    """The test above can fail: a look-up is seen."""
    with network() as calls, pytest.raises(OSError, match=r".*"):
        socket.create_connection(("127.0.0.1", 1), timeout=0.01)

    assert "socket.connect" in calls


def test_one_answer_for_all_of_them(setting: Setting) -> None:
    """But for those that the parser refuses already, the answer does not say what was wrong."""
    answers = {
        exchange(setting, make(setting)).data
        for name, make in FORGERIES.items()
        if name != "longer than any parameter"
    }

    assert len(answers) == 1
    assert b"subject token" in answers.pop()
