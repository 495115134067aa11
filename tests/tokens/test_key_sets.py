"""Key sets that a client may register (RFC 7517): public keys, strong ones, each of one name."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from app.tokens.assertions import InvalidKeySet, check_key_set
from tests.verifier.local_issuer import signing_key

EC = signing_key("ES256").as_dict(private=False)
RSA = signing_key("RS256").as_dict(private=False)
OKP = signing_key("Ed25519").as_dict(private=False)


def number(value: int) -> str:
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def without(jwk: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in jwk.items() if name not in names}


def problem_of(*members: Any) -> str:
    with pytest.raises(InvalidKeySet) as caught:
        check_key_set({"keys": list(members)})
    return str(caught.value)


def test_public_keys_of_each_kind_may_be_registered() -> None:
    assert [key.kid for key in check_key_set({"keys": [EC, RSA, OKP]})] == [
        "ES256",
        "RS256",
        "Ed25519",
    ]


@pytest.mark.parametrize("jwk", [EC, RSA, OKP])
def test_what_is_optional_may_be_left_out(jwk: dict[str, Any]) -> None:
    [key] = check_key_set({"keys": [without(jwk, "kid", "use", "alg")]})

    assert key.kid == key.thumbprint()


def test_keys_without_names_are_told_apart_by_their_thumbprints() -> None:
    keys = check_key_set({"keys": [without(jwk, "kid") for jwk in (EC, RSA, OKP)]})

    assert len({key.kid for key in keys}) == 3


def test_one_to_ten_keys_may_be_registered() -> None:
    for count in (1, 10):
        members = [{**EC, "kid": str(number)} for number in range(count)]
        assert len(check_key_set({"keys": members})) == count
    for count in (0, 11, 1000):
        members = [{**EC, "kid": str(number)} for number in range(count)]
        assert problem_of(*members) == 'expected {"keys": [...]} with 1 to 10 keys'


@pytest.mark.parametrize(
    "jwks", [None, [], "", {}, {"keys": None}, {"keys": EC}, {"keys": "x"}, EC]
)
def test_anything_else_is_no_key_set(jwks: Any) -> None:
    with pytest.raises(InvalidKeySet, match="expected"):
        check_key_set(jwks)


@pytest.mark.parametrize("member", [None, 5, "x", [], [EC]])
def test_every_key_is_an_object(member: Any) -> None:
    assert problem_of(EC, member) == "every key is a JSON object (RFC 7517)"


@pytest.mark.parametrize("name", ["ES256", "RS256", "Ed25519"])
def test_a_private_key_is_refused(name: str) -> None:
    private = signing_key(name).as_dict(private=True)

    assert "private or symmetric" in problem_of({**private, "kid": "x"})


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_private_member_is_refused_whatever_it_holds(member: str) -> None:
    for value in ("AAAA", None, ""):
        assert "private or symmetric" in problem_of({**RSA, member: value})


def test_a_symmetric_key_is_refused() -> None:
    assert "private or symmetric" in problem_of({"kty": "oct", "k": "AAAA", "alg": "HS256"})
    assert problem_of({"kty": "oct"}) == "a key cannot be read (RFC 7517)"


WEAK = "expected EC P-256, Ed25519, or RSA of 2048 to 8192 bits"


def test_an_rsa_key_is_neither_weak_nor_as_large_as_to_keep_the_server_busy() -> None:
    for bits in (1024, 2047, 8193, 40_000):
        assert problem_of({**RSA, "n": number(2**bits - 1)}) == WEAK
    for bits in (2048, 4096, 8192):
        assert check_key_set({"keys": [{**RSA, "n": number(2**bits - 1)}]})


@pytest.mark.parametrize("exponent", [0, 1, 2, 65536])
def test_an_rsa_exponent_is_odd_and_at_least_three(exponent: int) -> None:
    assert problem_of({**RSA, "e": number(exponent) or "AA"}) == "a key cannot be read (RFC 7517)"


@pytest.mark.parametrize(
    "jwk",
    [
        {**without(EC, "alg"), "crv": "P-384"},
        {**without(EC, "alg"), "crv": "secp256k1"},
        {**without(OKP, "alg"), "crv": "X25519"},
        {**without(OKP, "alg"), "crv": "Ed448"},
    ],
)
def test_no_other_curve_may_be_registered(jwk: dict[str, Any]) -> None:
    assert problem_of(jwk) in (WEAK, "a key cannot be read (RFC 7517)")


@pytest.mark.parametrize(
    "jwk",
    [
        without(EC, "kty"),
        without(EC, "x"),
        {**EC, "x": EC["y"]},
        {**EC, "x": 5},
        {**EC, "x": None},
        {**EC, "x": [1]},
        {**EC, "x": "!!"},
        {**EC, "x": "\u00e9"},
        {**EC, "kty": 5},
        {**EC, "kty": []},
        {**EC, "kty": "ec"},
        {**EC, "crv": []},
        {**EC, "kid": 5},
        {**EC, "kid": ["x"]},
        {**EC, "kid": None},
        {**EC, "alg": 5},
        {**without(EC, "use"), "key_ops": 5},
        {**OKP, "x": "AAAA"},
        {**RSA, "n": 5},
        {**RSA, "n": ""},
        {},
    ],
)
def test_what_cannot_be_read_is_refused_in_words(jwk: dict[str, Any]) -> None:
    assert problem_of(jwk) == "a key cannot be read (RFC 7517)"


@pytest.mark.parametrize("alg", ["HS256", "none", "PS256", "RSA-OAEP", "ES384"])
def test_a_key_for_another_algorithm_is_refused(alg: str) -> None:
    for jwk, right in ((EC, "ES256"), (RSA, "RS256"), (OKP, "Ed25519")):
        problem = problem_of({**jwk, "alg": alg})
        assert problem == f"the alg of this key has to be {right}, or left out"


@pytest.mark.parametrize(
    "purpose",
    [{"use": "enc"}, {"key_ops": ["sign"]}, {"key_ops": []}, {"key_ops": ["encrypt", "wrapKey"]}],
)
def test_a_key_that_is_not_for_signatures_is_refused(purpose: dict[str, Any]) -> None:
    """It could be registered and would never work."""
    problem = problem_of({**without(EC, "use"), **purpose})

    assert problem == "a key is not for checking signatures: expected use sig, or key_ops verify"


def test_a_key_says_that_it_checks_signatures_in_one_way_or_the_other() -> None:
    for purpose in ({"use": "sig"}, {"key_ops": ["verify"]}):
        assert check_key_set({"keys": [{**without(EC, "use"), **purpose}]})


def test_two_keys_have_two_names() -> None:
    assert problem_of(EC, {**OKP, "kid": "ES256"}) == "two keys have the same kid"
    assert problem_of(EC, EC) == "two keys have the same kid"
    assert problem_of(without(EC, "kid"), without(EC, "kid")) == "two keys have the same kid"
