"""Client assertions: their header and form, before anything in them is believed (RFC 8725)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey

from app.tokens.assertions import check_assertion
from app.tokens.compact import Rejection, TokenRejected
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
from tests.verifier.local_issuer import sign_raw

# ---------------------------------------------------------------------------------------- header


@pytest.mark.parametrize(
    "member",
    [
        {"jwk": OTHER.as_dict(private=False)},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["AAAA"]},
        {"x5t": "AAAA"},
        {"crit": ["exp"], "exp": NOW},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"unknown": 1},
    ],
)
def test_a_header_that_brings_keys_addresses_or_extensions_is_refused(
    member: dict[str, Any],
) -> None:
    """CVE-2026-27962: the header's own jwk was trusted; CVE-2025-59420: an unknown crit."""
    assert rejected(assertion(header=member)) is Rejection.HEADER
    assert rejected(assertion(OTHER, {"kid": "mine", **member})) is Rejection.HEADER


@pytest.mark.parametrize("typ", ["JWT", "client-authentication+jwt", "application/jwt", None])
def test_its_type_is_that_of_an_assertion_or_not_said(typ: str | None) -> None:
    assert check(assertion(header={"typ": typ})).client_id == CLIENT


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "logout+jwt", "", 5, {}])
def test_a_token_of_another_type_is_no_assertion(typ: Any) -> None:
    """RFC 8725 section 3.11; GHSA-7fpj-9hr8-28vh: token types not enforced."""
    assert rejected(assertion(header={"typ": typ})) is Rejection.TYPE


# ------------------------------------------------------------------------------------------ form


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe{\0}\0",
        b'{"iss":"client-1","iss":"client-1","sub":"client-1"}',
        b'{"exp":1e999}',
        b'{"exp":NaN}',
        b'{"exp":99999999999999999999}',
        b"[" * 1500 + b"]" * 1500,
    ],
)
def test_a_payload_that_parsers_disagree_about_is_malformed(payload: bytes) -> None:
    token = sign_raw(MINE, payload, {"alg": "ES256", "kid": "mine"})

    assert rejected(token) is Rejection.MALFORMED


def test_two_spellings_of_one_header_member_are_malformed() -> None:
    token = sign_raw(MINE, json.dumps(claims()).encode(), b'{"alg":"ES256","alg":"none"}')

    assert rejected(token) is Rejection.MALFORMED


def test_an_assertion_that_is_too_long_is_not_read() -> None:
    """CVE-2025-61920: unbounded JOSE segments."""
    assert rejected(assertion(pad="x" * 10_000)) is Rejection.TOO_LONG


def test_a_weak_or_private_key_in_the_store_proves_nothing() -> None:
    """Whatever got past the registration."""
    weak = {"kty": "RSA", "n": "_" * 171, "e": "AQAB"}
    private = ECKey.generate_key("P-256", {"kid": "mine"})
    symmetric = {"kty": "oct", "k": "AAAA", "kid": "mine"}

    for member in (weak, private.as_dict(private=True), symmetric):
        with pytest.raises(TokenRejected) as caught:
            check_assertion(assertion(), {"keys": [member]}, CLIENT, ISSUER, NOW)
        assert caught.value.reason is Rejection.KEY
