"""Which tokens the verifier accepts: RFC 9068 section 4, RFC 8725, and how others were fooled."""

from __future__ import annotations

import hmac
import json
from functools import partial
from typing import Any

import pytest
from joserfc.jwk import ECKey

from app.verifier import KeysUnavailable, TokenInvalid, Verifier
from tests.verifier.local_issuer import (
    AUDIENCE,
    NOW,
    URL,
    Clock,
    Issuer,
    assemble,
    claims,
    sign,
    sign_raw,
    signing_key,
    token,
)

ALGORITHMS = ["ES256", "RS256", "Ed25519"]
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "ES256"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(*(signing_key(each) for each in ALGORITHMS))


@pytest.fixture
def verifier(issuer: Issuer, clock: Clock) -> Verifier:
    return Verifier(URL, AUDIENCE, fetch=issuer.fetch, clock=clock)


def refusal(verifier: Verifier, text: str) -> str:
    with pytest.raises(TokenInvalid) as caught:
        verifier.verify(text)
    return caught.value.reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_the_issuer_is_accepted(verifier: Verifier, algorithm: str) -> None:
    verified = verifier.verify(sign(claims(), signing_key(algorithm)))
    assert verified.subject == "sa-1f2e"
    assert verified.actor is not None
    assert verified.actor.username == "System1"


@pytest.mark.parametrize("media_type", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_both_spellings_of_the_type_are_accepted(verifier: Verifier, media_type: str) -> None:
    assert verifier.verify(sign(claims(), header={"typ": media_type})).token_id == "token-1"


@pytest.mark.parametrize(
    "media_type", [None, "", "JWT", "logout+jwt", "at+jwt;v=1", ["at+jwt"], 1, {}]
)
def test_a_token_of_another_type_is_no_access_token(verifier: Verifier, media_type: Any) -> None:
    header = {**HEADER, "typ": media_type}
    text = sign_raw(signing_key(), json.dumps(claims()).encode(), header)
    assert "at+jwt" in refusal(verifier, text)


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE"])
def test_alg_none_is_refused(verifier: Verifier, issuer: Issuer, name: str) -> None:
    text = assemble({**HEADER, "alg": name}, json.dumps(claims()).encode())
    assert "algorithm" in refusal(verifier, text)
    assert issuer.fetched == []


@pytest.mark.parametrize("kid", ALGORITHMS)
def test_a_public_key_is_no_hmac_secret(verifier: Verifier, kid: str) -> None:
    public = signing_key(kid)
    payload = json.dumps(claims()).encode()
    pem, jwk = public.as_pem(private=False), json.dumps(public.as_dict(private=False)).encode()
    for secret in (pem, jwk):
        header = {**HEADER, "alg": "HS256", "kid": kid}
        text = assemble(header, payload, partial(hmac.digest, secret, digest="sha256"))
        assert "algorithm" in refusal(verifier, text)


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES384", "PS256", "RS512", "", None, 1, ["ES256"]])
def test_an_algorithm_outside_the_list_is_refused(verifier: Verifier, algorithm: Any) -> None:
    header = {**HEADER, "alg": algorithm}
    text = sign_raw(signing_key(), json.dumps(claims()).encode(), header)
    assert "algorithm" in refusal(verifier, text)


def test_the_algorithm_is_that_of_the_key(verifier: Verifier) -> None:
    text = sign_raw(
        signing_key(), json.dumps(claims()).encode(), {**HEADER, "kid": "RS256", "alg": "ES256"}
    )
    assert refusal(verifier, text) == "The token's algorithm is not that of its key."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jwk", None),
        ("jku", "https://evil.example/jwks"),
        ("x5u", "https://evil.example/chain"),
        ("x5c", ["MIIB"]),
        ("x5t", "aaaa"),
        ("x5t#S256", "aaaa"),
        ("crit", ["exp"]),
        ("crit", []),
        ("b64", True),
    ],
)
def test_a_key_or_an_extension_in_the_header_is_refused(
    verifier: Verifier, name: str, value: Any
) -> None:
    own = ECKey.generate_key("P-256", {"alg": "ES256", "kid": "ES256"})
    carried = own.as_dict(private=False) if name == "jwk" else value
    payload = json.dumps(claims()).encode()
    for key in (own, signing_key()):
        text = sign_raw(key, payload, {**HEADER, name: carried})
        assert refusal(verifier, text) == "The token's header has a parameter that is not accepted."


def test_a_header_parameter_without_meaning_is_ignored(verifier: Verifier) -> None:
    text = sign_raw(signing_key(), json.dumps(claims()).encode(), {**HEADER, "note": "x"})
    assert verifier.verify(text).token_id == "token-1"


def test_a_signature_by_another_key_of_the_same_name_is_refused(verifier: Verifier) -> None:
    forged = sign(claims(), ECKey.generate_key("P-256", {"alg": "ES256", "kid": "ES256"}))
    assert refusal(verifier, forged) == "The token's signature is not right."


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_changed_token_is_refused(verifier: Verifier, algorithm: str) -> None:
    good = sign(claims(), signing_key(algorithm))
    head, _, signature = good.split(".")
    wider = assemble({}, json.dumps(claims(account_id="53461")).encode()).split(".")[1]
    assert refusal(verifier, f"{head}.{wider}.{signature}") == "The token's signature is not right."
    for cut in (good[:-1], good[:-20], f"{head}.{good.split('.')[1]}."):
        assert "signature" in refusal(verifier, cut)


@pytest.mark.parametrize("kid", [None, "", 7, ["ES256"], {"a": 1}])
def test_a_token_names_its_key(verifier: Verifier, kid: Any) -> None:
    text = sign_raw(signing_key(), json.dumps(claims()).encode(), {**HEADER, "kid": kid})
    assert "kid" in refusal(verifier, text)


def test_a_key_that_the_issuer_does_not_publish_is_refused(verifier: Verifier) -> None:
    assert "key" in refusal(verifier, sign(claims(), signing_key("ES256", "other")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        "opaque-token",
        "é.é.é",
        "\x00.\x00.\x00",
        "eyJhbGciOiJFUzI1NiJ9..",
        "e30.e30.e30",
        " " + token(),
        token() + "\n",
        token() + "=",
    ],
)
def test_what_is_no_jwt_is_refused(verifier: Verifier, text: str) -> None:
    refusal(verifier, text)


def test_a_token_is_ascii(verifier: Verifier) -> None:
    assert refusal(verifier, token() + "é") == "The token is not a signed JWT."


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b'["alg"]',
        b'"alg b64"',
        b"null",
        b"7",
        b"{",
        b"\xff",
        b'{"alg": NaN}',
        b'{"alg":"ES256","typ":"at+jwt","kid":"ES256","kid":"RS256"}',
        b"[" * 3000,
        b'{"a":' * 1000,
    ],
)
def test_a_malformed_header_is_refused(verifier: Verifier, header: bytes) -> None:
    text = sign_raw(signing_key(), json.dumps(claims()).encode(), header)
    assert refusal(verifier, text) == "The token's header is malformed."


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        json.dumps(claims()).encode()[:-1] + b', "x": Infinity}',
        json.dumps(claims()).encode()[:-1] + b', "sub": "sa-other"}',
        b"[" * 4000,
    ],
)
def test_claims_that_are_no_json_object_are_refused(verifier: Verifier, payload: bytes) -> None:
    assert refusal(verifier, sign_raw(signing_key(), payload, HEADER)) == (
        "The token's payload is malformed."
    )


def test_a_long_token_is_refused_before_it_is_read(verifier: Verifier, issuer: Issuer) -> None:
    long = token(note="x" * 8192)
    assert refusal(verifier, long) == "The token is too long."
    assert refusal(verifier, "a" * 50_000_000) == "The token is too long."
    assert issuer.fetched == []


def test_a_token_just_short_enough_is_accepted(verifier: Verifier) -> None:
    filling = (8192 - len(token(note=""))) // 4 * 3 - 4
    text = token(note="x" * filling)
    assert 8180 < len(text) <= 8192
    assert verifier.verify(text).subject == "sa-1f2e"


def test_the_claims_are_judged_by_the_time_of_the_call(verifier: Verifier, clock: Clock) -> None:
    text = token()
    assert verifier.verify(text).expires_at == NOW + 3600
    clock.now = NOW + 3600 + 30
    assert refusal(verifier, text) == "The token has expired."


def test_a_token_of_another_issuer_or_for_another_api_is_refused(verifier: Verifier) -> None:
    assert refusal(verifier, token(iss="https://id.example/")) == (
        "The token comes from another issuer."
    )
    assert refusal(verifier, token(aud=[URL])) == "The token is not for this API."


def test_without_keys_no_token_is_judged(verifier: Verifier, issuer: Issuer) -> None:
    issuer.down = True
    with pytest.raises(KeysUnavailable):
        verifier.verify(token())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "id.example",
        "ftp://id.example",
        "file:///etc/passwd",
        "https://",
        "https://user@id.example",
        "https://id.example?x=1",
        "https://id.example#x",
        "https://id.example/a b",
        "https://id.example\\@evil.example",
        "https://id.example:port",
    ],
)
def test_an_issuer_is_a_plain_url(url: str) -> None:
    with pytest.raises(ValueError, match="is no issuer URL"):
        Verifier(url, AUDIENCE)


def test_an_audience_is_needed() -> None:
    with pytest.raises(ValueError, match="audience is empty"):
        Verifier(URL, "")
