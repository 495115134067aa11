"""Client assertions (RFC 7523 section 3, RFC 10070): what proves who a client is, and what not."""

from __future__ import annotations

import base64
import hmac
import json
from functools import cache
from typing import Any

import pytest

from app.tokens.assertions import Assertion, check_assertion, claimed_client
from app.tokens.compact import Rejection
from tests.support.assertions import (
    CLIENT,
    ISSUER,
    MINE,
    NOW,
    OTHER,
    assertion,
    check,
    claims,
    rejected,
)
from tests.verifier.local_issuer import assemble, signing_key


def test_a_good_assertion_says_whose_it_is_and_until_when() -> None:
    assert check(assertion()) == Assertion(CLIENT, "once", NOW + 60)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "Ed25519"])
def test_each_algorithm_of_ours_will_do(algorithm: str) -> None:
    key = signing_key(algorithm)

    assert check(assertion(key), key).client_id == CLIENT


# ------------------------------------------------------------------------------------- audience


def test_the_audience_is_the_issuer_or_a_list_of_it_alone() -> None:
    for audience in (ISSUER, [ISSUER]):
        assert check(assertion(aud=audience)).token_id == "once"


@pytest.mark.parametrize(
    "audience",
    [
        None,
        "",
        [],
        [[ISSUER]],
        f"{ISSUER}/",
        f"{ISSUER}/oauth2/token",
        ["https://id.example/oauth2/token"],
        [ISSUER, ISSUER],
        [ISSUER, "https://other.example"],
        ["https://other.example", ISSUER],
        "https://id.example.evil.example",
        "HTTPS://ID.EXAMPLE",
        {ISSUER: True},
        True,
        5,
    ],
)
def test_no_other_audience_will_do(audience: Any) -> None:
    """RFC 10070: with a choice of audience another server could replay it here."""
    token = assertion(aud=audience)

    assert rejected(token) is Rejection.AUDIENCE


# ------------------------------------------------------------------------------ issuer and subject


@pytest.mark.parametrize("name", ["iss", "sub"])
@pytest.mark.parametrize("value", [None, "", "client-2", ISSUER, [CLIENT], 1])
def test_issuer_and_subject_are_both_the_client(name: str, value: Any) -> None:
    assert rejected(assertion(**{name: value})) is Rejection.ISSUER


def test_the_client_that_it_claims_to_be_of_is_read_unverified() -> None:
    assert claimed_client(assertion(OTHER)) == CLIENT
    for sub in (None, 5, [CLIENT], {}):
        assert claimed_client(assertion(sub=sub)) is None


@pytest.mark.parametrize("token", ["", "..", "a.b", "a.b.c", "e30.e30.e30", "x" * 20_000, "ä.ö.ü"])
def test_what_is_no_jwt_claims_nothing(token: str) -> None:
    assert claimed_client(token) is None
    rejected(token)


# ----------------------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": None}, Rejection.CLAIMS),
        ({"exp": "1800000060"}, Rejection.CLAIMS),
        ({"exp": True}, Rejection.CLAIMS),
        ({"exp": NOW - 30}, Rejection.EXPIRED),
        ({"exp": -1}, Rejection.EXPIRED),
        ({"exp": NOW + 631}, Rejection.CLAIMS),
        ({"exp": 2**52}, Rejection.CLAIMS),
        ({"iat": NOW + 31}, Rejection.NOT_YET_VALID),
        ({"nbf": NOW + 31}, Rejection.NOT_YET_VALID),
        ({"iat": "x"}, Rejection.CLAIMS),
        ({"nbf": False}, Rejection.CLAIMS),
    ],
)
def test_it_is_of_now_and_for_ten_minutes_at_most(
    changes: dict[str, Any], reason: Rejection
) -> None:
    assert rejected(assertion(**changes)) is reason


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - 29},
        {"exp": NOW + 630},
        {"exp": NOW + 60.5},
        {"iat": None},
        {"iat": NOW + 30, "nbf": NOW + 30},
    ],
)
def test_half_a_minute_of_leeway_is_owed(changes: dict[str, Any]) -> None:
    assert check(assertion(**changes)).client_id == CLIENT


@pytest.mark.parametrize("jti", [None, "", "x" * 257, 5, ["a"], {}])
def test_a_token_id_has_to_be_there(jti: Any) -> None:
    assert rejected(assertion(jti=jti)) is Rejection.CLAIMS


# ------------------------------------------------------------------------------------------ keys


def test_only_a_registered_key_proves_anything() -> None:
    assert rejected(assertion(OTHER)) is Rejection.KEY
    assert rejected(assertion(OTHER, {"kid": "mine"})) is Rejection.SIGNATURE
    assert rejected(assertion(OTHER, {"kid": None})) is Rejection.SIGNATURE


def test_the_header_names_one_of_several_keys() -> None:
    for key in (MINE, OTHER):
        assert check(assertion(key), MINE, OTHER).client_id == CLIENT
    swapped = assertion(MINE, {"kid": "other"})
    assert rejected(swapped, MINE, OTHER) is Rejection.SIGNATURE


def test_without_a_name_there_must_be_one_key_alone() -> None:
    unnamed = assertion(header={"kid": None})

    assert check(unnamed).client_id == CLIENT
    assert rejected(unnamed, MINE, OTHER) is Rejection.KEY


def test_a_key_registered_without_a_kid_is_found_by_its_thumbprint() -> None:
    """RFC 7638, as RFC 7517 leaves open what a kid is."""
    public = {name: value for name, value in MINE.as_dict(private=False).items() if name != "kid"}
    named = assertion(header={"kid": MINE.thumbprint()})

    assert check_assertion(named, {"keys": [public]}, CLIENT, ISSUER, NOW).client_id == CLIENT


@pytest.mark.parametrize("kid", ["", "Mine", "mine ", 5, ["mine"], {"mine": 1}, True])
def test_a_name_is_taken_to_the_letter(kid: Any) -> None:
    assert rejected(assertion(header={"kid": kid})) is Rejection.KEY


# ----------------------------------------------------------------------------------- algorithms


@cache
def public_pem() -> bytes:
    return MINE.as_pem(private=False)


@pytest.mark.parametrize(
    "secret",
    [
        public_pem(),
        json.dumps(MINE.as_dict(private=False)).encode(),
        base64.urlsafe_b64decode(str(MINE.as_dict(private=False)["x"]) + "=="),
        b"",
    ],
    ids=["pem", "jwk", "coordinate", "empty"],
)
def test_a_public_key_is_no_shared_secret(secret: bytes) -> None:
    """CVE-2024-37568: HS256 under an asymmetric public key."""
    token = assemble(
        {"alg": "HS256", "kid": "mine"},
        json.dumps(claims()).encode(),
        lambda signed: hmac.digest(secret, signed, "sha256"),
    )

    assert rejected(token) is Rejection.ALGORITHM


@pytest.mark.parametrize("alg", ["none", "None", "", None, 5, ["ES256"], "ES384", "EdDSA", "RS256"])
@pytest.mark.parametrize("signature", [b"", b"\0" * 64])
def test_the_algorithm_is_that_of_the_key_and_none_is_none(alg: Any, signature: bytes) -> None:
    """CVE-2026-28802 and every JWT library once: alg none."""
    payload = json.dumps(claims()).encode()

    reason = rejected(assemble({"alg": alg, "kid": "mine"}, payload, lambda _: signature))

    assert reason in (Rejection.ALGORITHM, Rejection.MALFORMED)


@pytest.mark.parametrize(("signer", "claimed"), [("ES256", "RS256"), ("RS256", "ES256")])
def test_an_algorithm_of_another_key_is_refused(signer: str, claimed: str) -> None:
    key = signing_key(signer)

    assert rejected(assertion(key, {"alg": claimed}), key) is Rejection.ALGORITHM


def test_a_right_signature_of_other_content_is_wrong() -> None:
    head, payload, _ = assertion().split(".")
    other = assertion(jti="twice").split(".")

    for token in (f"{head}.{payload}.{other[2]}", f"{head}.{other[1]}.{assertion().split('.')[2]}"):
        assert rejected(token) is Rejection.SIGNATURE
