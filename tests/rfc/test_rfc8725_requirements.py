"""RFC 8725: JWT best practices, at the server's checker, the verifier, and client assertions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jws import extract_compact

from app.tokens.assertions import InvalidKeySet, check_key_set
from app.tokens.checker import Rejection, TokenChecker, TokenRejected
from app.tokens.issuer import TokenIssuer
from app.tokens.key_files import KeyRingError
from app.tokens.keyring import ALGORITHMS, RSA_BITS, KeyRing, SigningKey, generate
from app.tokens.secrets import PEPPER_BYTES, SecretHasher, load_or_create_pepper
from app.verifier import TokenInvalid, Verifier
from tests.rfc import protocol
from tests.rfc.protocol import ISSUER, is_live, refused
from tests.support import changes
from tests.support.forgery import (
    ATTACKERS_KEY,
    b64,
    forge,
    hs256,
    public_jwk,
    public_pem,
    rs256,
    sign_es256,
)
from tests.support.requirements import rfc
from tests.support.world import RING, START, VSERVER, World, claims_of
from tests.verifier import local_issuer
from tests.verifier.local_issuer import AUDIENCE, URL, Clock, Issuer, sign, sign_raw
from tests.verifier.site import Page, Site

Check = Callable[[str], Any]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from protocol.shared_world(tmp_path_factory)


@pytest.fixture(scope="module")
def claims(shared: World) -> dict[str, Any]:
    """Those of a live token, so that nothing but the attack can be what is refused."""
    return claims_of(protocol.tokens(shared)["access_token"])


@pytest.fixture(scope="module")
def held(shared: World) -> dict[str, Any]:
    """All that a person gets."""
    return protocol.tokens(shared)


def own(token: str, ring: KeyRing = RING) -> dict[str, Any]:
    """The server's check."""
    return TokenChecker(lambda: ring, ISSUER).check_access_token(token, START)


def rejected(token: str) -> Rejection:
    with pytest.raises(TokenRejected) as caught:
        own(token)
    return caught.value.reason


def by_hand(header: dict[str, Any]) -> str:
    """A token of the other issuer's, signed by its key whatever the header says."""
    key = local_issuer.signing_key()
    full = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid, **header}
    return sign_raw(key, json.dumps(local_issuer.claims()).encode(), full)


def verify(token: str, issuer: Issuer | None = None) -> Any:
    """The verifier's check."""
    return Verifier(URL, AUDIENCE, fetch=(issuer or Issuer()).fetch, clock=Clock()).verify(token)


# ---------------------------------------------------------------------------------- 3.1 and 3.2


@rfc("8725", "3.1", "MUST", "list of algorithms")
@rfc("8725", "3.2", "MUST", "current algorithms")
@pytest.mark.parametrize("alg", ["HS256", "RS1", "ES384", "PS256", "ES256K", "EdDSA", "x", 5])
def test_no_algorithm_but_those_listed(claims: dict[str, Any], alg: Any) -> None:
    assert ALGORITHMS == ("ES256", "RS256", "Ed25519")

    assert rejected(forge(claims, {"alg": alg})) in (Rejection.ALGORITHM, Rejection.MALFORMED)
    with pytest.raises(TokenInvalid):
        verify(by_hand({"alg": alg}))


@rfc("8725", "3.1", "MUST", "alg is the one used")
@rfc("8725", "3.1", "MUST", "one key, one algorithm")
def test_a_public_key_is_no_secret_and_no_key_changes_its_algorithm(claims: dict[str, Any]) -> None:
    """CVE-2024-37568 and its kin."""
    ecdsa, rsa_kid = RING.signer("ES256").kid, RING.signer("RS256").kid
    assert own(rs256(claims))["sub"] == claims["sub"]

    for token in (
        hs256(claims, public_pem("ES256")),
        hs256(claims, public_pem("RS256"), kid=rsa_kid),
        rs256(claims, alg="ES256"),
        rs256(claims, kid=ecdsa),
        rs256(claims, alg="RS512"),
        forge(claims, {"alg": "RS256"}),
    ):
        assert rejected(token) == Rejection.ALGORITHM
    for alg in ("RS256", "Ed25519"):
        with pytest.raises(TokenInvalid, match="not that of its key"):
            verify(by_hand({"alg": alg}))


@rfc("8725", "3.2", "MUST", "current algorithms")
@rfc("8725", "3.5", "MUST", "entropy of keys")
def test_keys_are_long_enough(tmp_path: Path) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    for native in (weak, ec.generate_private_key(ec.SECP192R1())):
        with pytest.raises(KeyRingError):
            SigningKey.from_native(native, START, "active")
    assert RSA_BITS >= 3072
    made = [generate(tmp_path, "ES256", START) for _ in range(3)]
    assert len({key.kid for key in made}) == 3


@rfc("8725", "3.2", "MUST", "algorithms can change")
def test_another_algorithm_takes_over() -> None:
    native = ec.generate_private_key(ec.SECP256R1())
    before = KeyRing.from_keys([SigningKey.from_native(native, START, "active")])
    after = KeyRing.from_keys(
        [
            SigningKey.from_native(native.public_key(), START, "retired"),
            SigningKey.create("Ed25519", START),
        ]
    )
    claims = {**local_issuer.claims(), "iss": ISSUER, "iat": START, "exp": START + 60}

    old = TokenIssuer(lambda: before, ISSUER, "ES256").sign_access_token(claims)
    new = TokenIssuer(lambda: after, ISSUER, "Ed25519").sign_access_token(claims)

    assert own(old, after)["sub"] == own(new, after)["sub"] == claims["sub"]
    with pytest.raises(KeyRingError):
        TokenIssuer(lambda: after, ISSUER, "ES256").sign_access_token(claims)


@rfc("8725", "3.2", "SHOULD NOT", "not none")
def test_none_is_neither_made_nor_taken(claims: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no signing algorithm"):
        TokenIssuer(lambda: RING, ISSUER, "none")
    header = {"alg": "none", "typ": "at+jwt", "kid": RING.signer("ES256").kid}
    for signature in ("", "AAAA"):
        token = f"{b64(header)}.{b64(claims)}.{signature}"
        assert rejected(token) in (Rejection.ALGORITHM, Rejection.MALFORMED)


@rfc("8725", "3.2", "SHOULD", "deterministic ECDSA")
def test_ecdsa_takes_part_of_its_nonce_from_chance() -> None:
    """The same claims are signed differently, and no nonce comes twice."""
    issuer = TokenIssuer(lambda: RING, ISSUER, "ES256")
    claims = {**local_issuer.claims(), "iss": ISSUER}

    signatures = {issuer.sign_access_token(claims).rpartition(".")[2] for _ in range(16)}

    assert len(signatures) == 16
    assert len({signature[:43] for signature in signatures}) == 16


# ---------------------------------------------------------------------------------- 3.3 to 3.7


@rfc("8725", "3.3", "MUST", "every signature holds")
def test_a_signature_that_fails(claims: dict[str, Any]) -> None:
    good = forge(claims)
    assert own(good) == claims

    for wrong in (good[:-6] + "AAAAAA", good + "AA", forge(claims, key=ATTACKERS_KEY)):
        assert rejected(wrong) in (Rejection.SIGNATURE, Rejection.MALFORMED)
    with pytest.raises(TokenInvalid, match="signature"):
        verify(sign(local_issuer.claims())[:-6] + "AAAAAA")


@rfc("8725", "3.4", "plain", "key material is checked")
@rfc("8725", "3.5", "MUST NOT", "no passwords as keys")
@pytest.mark.filterwarnings("ignore:Key size should be")
@pytest.mark.parametrize(
    "changed",
    [
        {"x": b64(b"\x01" * 32)},
        {"crv": "P-384"},
        {"d": b64(b"\x01" * 32)},
        {"kty": "oct", "k": b64(b"password")},
        {"kty": "RSA", "n": b64(b"\xff" * 128), "e": "AQAB"},
        {"alg": "HS256"},
    ],
)
def test_a_key_that_a_client_may_not_register(changed: dict[str, str]) -> None:
    assert check_key_set({"keys": [public_jwk()]})

    with pytest.raises(InvalidKeySet):
        check_key_set({"keys": [{**public_jwk(), **changed}]})


@rfc("8725", "3.5", "MUST NOT", "no passwords as keys")
def test_the_key_of_our_own_macs_is_random(tmp_path: Path) -> None:
    """The pepper under which secrets are hashed is made by the server, 256 bits."""
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return bytes(range(count))

    pepper = load_or_create_pepper(tmp_path / "pepper.key", random_bytes)

    assert asked == [PEPPER_BYTES] == [32]
    assert len(pepper) == 32
    with pytest.raises(ValueError, match="at least 32 bytes"):
        SecretHasher(b"correct horse battery staple")


@rfc("8725", "3.7", "MUST", "UTF-8")
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_json_in_another_encoding(claims: dict[str, Any], encoding: str) -> None:
    payload = json.dumps({**claims, "jti": "é"}, ensure_ascii=False)
    header = b64({"alg": "ES256", "typ": "at+jwt", "kid": RING.signer("ES256").kid})

    def signed(payload: bytes) -> str:
        return f"{header}.{b64(payload)}.{sign_es256(f'{header}.{b64(payload)}')}"

    assert own(signed(payload.encode()))["jti"] == "é"
    assert rejected(signed(payload.encode(encoding))) == Rejection.MALFORMED


# --------------------------------------------------------------------------------- 3.8 to 3.10


@rfc("8725", "3.8", "MUST", "keys of the issuer")
@pytest.mark.parametrize("header", [{"jwk": public_jwk()}, {"kid": None}, {"kid": "mine"}, {}])
def test_a_key_that_is_not_the_issuers(claims: dict[str, Any], header: dict[str, Any]) -> None:
    """A key that the token brings along proves nothing (CVE-2026-27962)."""
    wrong = forge(claims, header, ATTACKERS_KEY)

    assert rejected(wrong) in (Rejection.HEADER, Rejection.KEY, Rejection.SIGNATURE)
    stranger = local_issuer.signing_key("ES256", "stranger")
    with pytest.raises(TokenInvalid):
        verify(sign(local_issuer.claims(), stranger, header))


@rfc("8725", "3.8", "MUST", "valid subject")
def test_a_subject_that_is_not_there_any_more(world: World) -> None:
    token = protocol.tokens(world)["access_token"]
    assert is_live(world, token)

    changes.disable_user(world)

    assert not is_live(world, token)
    assert protocol.userinfo(world, token).status_code == 401
    refused(world.exchange(token), "invalid_request")


@rfc("8725", "3.9", "MUST", "audience")
def test_who_is_not_in_the_audience_refuses(shared: World, held: dict[str, Any]) -> None:
    machine = shared.machine_token().json["access_token"]
    for token in (held["access_token"], machine, held["id_token"]):
        assert claims_of(token)["aud"]

    assert protocol.userinfo(shared, machine).status_code == 401
    verifier = Verifier(
        ISSUER,
        VSERVER,
        fetch=lambda url: shared.client.get(url.removeprefix(ISSUER)).data,
        clock=shared.clock,
    )
    assert verifier.verify(machine).account_id == "60108"
    with pytest.raises(TokenInvalid, match="not for this API"):
        verifier.verify(held["access_token"])


@rfc("8725", "3.10", "SHOULD", "kid is no query")
@pytest.mark.parametrize("kid", ["' OR 1=1 --", "../../etc/passwd", "x" * 4000, "", ["a"], {}, 5])
def test_a_kid_is_looked_up_in_memory(claims: dict[str, Any], kid: Any) -> None:
    """The checker has a ring and nothing else; no store, no folder."""
    assert rejected(forge(claims, {"kid": kid})) == Rejection.KEY


@rfc("8725", "3.10", "SHOULD", "no fetching for a token")
@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_nothing_is_fetched_for_a_token(shared: World, claims: dict[str, Any], name: str) -> None:
    site, issuer = Site(), Issuer()
    site.pages["/keys"] = Page(json.dumps({"keys": [public_jwk()]}).encode())
    header = {name: f"{site.url}/keys"}
    try:
        assert not is_live(shared, forge(claims, header, ATTACKERS_KEY))
        with pytest.raises(TokenInvalid):
            verify(by_hand(header), issuer)
    finally:
        site.close()

    assert site.asked == []
    assert set(issuer.fetched) <= issuer.documents().keys()


# -------------------------------------------------------------------------------- 3.11 and 3.12


@rfc("8725", "3.11", "RECOMMENDED", "explicit types")
def test_access_tokens_say_what_they_are(claims: dict[str, Any], held: dict[str, Any]) -> None:
    header = extract_compact(held["access_token"].encode()).headers()

    assert header["typ"] == "at+jwt"
    for other in (None, "JWT", "at+jwt ", "x", 5):
        assert rejected(forge(claims, {"typ": other})) == Rejection.TYPE


@rfc("8725", "3.12", "MUST", "kinds exclude each other")
def test_no_kind_passes_for_another(shared: World, held: dict[str, Any]) -> None:
    key = protocol.new_key("mine")
    client_id, _ = protocol.register(shared, "jwt", auth_method="private_key_jwt", jwks=key.set)
    access, identity = held["access_token"], held["id_token"]
    assertion = key.assertion(shared, client_id)

    for other in (identity, assertion):
        assert not is_live(shared, other)
        assert protocol.userinfo(shared, other).status_code == 401
        refused(shared.exchange(other), "invalid_request")
    for other in (access, identity):
        form = {"grant_type": "x", **protocol.by_assertion(other)}
        refused(shared.token_call(form), "invalid_client", 401)
    checker, now = TokenChecker(lambda: RING, ISSUER), START
    assert checker.check_id_token_hint(identity, now)["sub"] == shared.user_id
    for other in (access, assertion):
        with pytest.raises(TokenRejected):
            checker.check_id_token_hint(other, now)
