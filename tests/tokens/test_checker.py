"""Checking our own tokens: what an attacker may send, and what never gets through.

The forger of these tests signs whatever it likes, with the server's real key where that makes the
attack harder to see.
"""

from __future__ import annotations

import base64
import hmac
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tokens.checker import LEEWAY_SECONDS, Rejection, TokenChecker, TokenRejected
from app.tokens.claims import access_token_claims, id_token_claims
from app.tokens.issuer import TokenIssuer
from app.tokens.key_files import PrivateKey
from app.tokens.keyring import ALGORITHMS, KeyRing, SigningKey

ISSUER = "https://auth.example"
NOW = 1_795_000_000.5
IAT, EXP = 1_795_000_000, 1_795_003_600

CLAIMS = access_token_claims(
    issuer=ISSUER,
    subject="sa-1f",
    audience=["https://vserver.example", "https://disk.example"],
    client_id="crossroot-cli",
    account_id="60108",
    user_type="service-account",
    issued_at=IAT,
    expires_at=EXP,
    token_id="jti-1",
    scope="vserver:*",
    evaluate=True,
    actor={"sub": "u-1", "account_id": "53461", "user_type": "iam-user", "name": "on-call"},
    decision_id="d-1",
    auth_time=IAT - 60,
    amr=["pwd"],
)
ID_CLAIMS = id_token_claims(
    issuer=ISSUER,
    subject="u-1",
    client_id="crossroot-console",
    issued_at=IAT,
    expires_at=IAT + 300,
    alg="ES256",
    nonce="n-1",
)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def as_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@pytest.fixture(scope="module")
def checker(ring: KeyRing) -> TokenChecker:
    return TokenChecker(lambda: ring, ISSUER)


@pytest.fixture(scope="module")
def issuer(ring: KeyRing) -> TokenIssuer:
    return TokenIssuer(lambda: ring, ISSUER, "ES256")


@pytest.fixture(scope="module")
def token(issuer: TokenIssuer) -> str:
    return issuer.sign_access_token(CLAIMS)


@pytest.fixture(scope="module")
def id_token(issuer: TokenIssuer) -> str:
    return issuer.sign_id_token(ID_CLAIMS, "ES256")


Forge = Callable[..., str]


@pytest.fixture(scope="module")
def forge(ring: KeyRing, native_keys: dict[str, PrivateKey]) -> Forge:
    """Sign any header and payload with a P-256 key: by default the server's own.

    ``header`` and ``claims`` change single members (None takes one away); ``raw_header`` and
    ``raw_payload`` are used as they are.
    """

    def sign(
        *,
        header: dict[str, Any] | None = None,
        claims: dict[str, Any] | None = None,
        raw_header: bytes | None = None,
        raw_payload: bytes | None = None,
        key: PrivateKey | None = None,
    ) -> str:
        head = {"alg": "ES256", "typ": "at+jwt", "kid": ring.signer("ES256").kid}
        head = {
            name: value for name, value in {**head, **(header or {})}.items() if value is not None
        }
        body = {
            name: value for name, value in {**CLAIMS, **(claims or {})}.items() if value is not None
        }
        signed = f"{b64(raw_header or as_json(head))}.{b64(raw_payload or as_json(body))}"
        signer = key or native_keys["ES256"]
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(signer.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    return sign


def reason(checker: TokenChecker, token: str, now: float = NOW, **options: Any) -> Rejection:
    """Why this is no access token."""
    with pytest.raises(TokenRejected) as caught:
        checker.check_access_token(token, now, **options)
    return caught.value.reason


# ------------------------------------------------------------------------------- what gets through


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_our_own_token_gets_through(alg: str, checker: TokenChecker, ring: KeyRing) -> None:
    token = TokenIssuer(lambda: ring, ISSUER, alg).sign_access_token(CLAIMS)
    assert checker.check_access_token(token, NOW) == CLAIMS


def test_the_forger_can_make_a_good_token(checker: TokenChecker, forge: Forge) -> None:
    """Or none of the refusals below would mean anything."""
    assert checker.check_access_token(forge(), NOW) == CLAIMS


@pytest.mark.parametrize("state", ["next", "active", "retired"])
def test_a_key_verifies_in_every_state(state: Any, native_keys: dict[str, PrivateKey]) -> None:
    native = native_keys["ES256"]
    signing = KeyRing.from_keys([SigningKey.from_native(native, 1, "active")])
    token = TokenIssuer(lambda: signing, ISSUER, "ES256").sign_access_token(CLAIMS)
    checking = KeyRing.from_keys([SigningKey.from_native(native, 1, state)])
    assert TokenChecker(lambda: checking, ISSUER).check_access_token(token, NOW) == CLAIMS


def test_a_key_that_left_the_ring_verifies_no_more(token: str, ring: KeyRing) -> None:
    rings = [ring]
    checker = TokenChecker(lambda: rings[-1], ISSUER)
    checker.check_access_token(token, NOW)
    rings.append(KeyRing.from_keys([]))
    assert reason(checker, token) is Rejection.KEY


@pytest.mark.parametrize("typ", ["AT+JWT", "application/at+jwt", "Application/AT+JWT"])
def test_the_type_may_be_spelt_as_a_media_type(
    typ: str, checker: TokenChecker, forge: Forge
) -> None:
    assert checker.check_access_token(forge(header={"typ": typ}), NOW) == CLAIMS


def test_a_single_audience_becomes_a_list(checker: TokenChecker, forge: Forge) -> None:
    claims = checker.check_access_token(forge(claims={"aud": "https://disk.example"}), NOW)
    assert claims["aud"] == ["https://disk.example"]


def test_a_token_without_the_claims_that_may_be_absent(checker: TokenChecker, forge: Forge) -> None:
    absent = ("scope", "evaluate", "act", "decision_id", "auth_time", "amr")
    claims = checker.check_access_token(forge(claims=dict.fromkeys(absent)), NOW)
    assert claims.keys() == CLAIMS.keys() - set(absent)


# ------------------------------------------------------------------------------- size and form


def test_a_token_of_8_kib_is_read_and_a_longer_one_is_not(
    checker: TokenChecker, forge: Forge
) -> None:
    room = 8192 - len(forge(claims={"x": ""}))
    longest = forge(claims={"x": "x" * (room * 3 // 4)})
    assert 8188 <= len(longest) <= 8192
    assert checker.check_access_token(longest, NOW)["sub"] == "sa-1f"
    assert reason(checker, forge(claims={"x": "x" * (room * 3 // 4 + 8)})) is Rejection.TOO_LONG


@pytest.mark.parametrize("junk", ["." * 8193, "x" * 5_000_000, "{" * 10_000, "é" * 9000])
def test_the_length_is_looked_at_before_anything_else(junk: str, checker: TokenChecker) -> None:
    assert reason(checker, junk) is Rejection.TOO_LONG


@pytest.mark.parametrize(
    "junk",
    [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c.d",
        "é.é.é",
        " . . ",
        "\0.\0.\0",
        "bearer",
        "." * 8192,
        "\ud800.\ud800.\ud800",
    ],
)
def test_what_is_not_three_parts_of_base64url_is_malformed(
    junk: str, checker: TokenChecker
) -> None:
    assert reason(checker, junk) is Rejection.MALFORMED


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda part: "",
        lambda part: part + "=",
        lambda part: part + "\n",
        lambda part: " " + part,
        lambda part: part + "A" * (5 - len(part) % 4),
        lambda part: part.replace(part[3], "+", 1),
        lambda part: part.replace(part[3], "/", 1),
        lambda part: part.replace(part[3], "é", 1),
    ],
)
def test_each_part_is_strict_base64url(
    position: int, spoil: Callable[[str], str], checker: TokenChecker, token: str
) -> None:
    parts = token.split(".")
    parts[position] = spoil(parts[position])
    assert reason(checker, ".".join(parts)) is Rejection.MALFORMED


def test_a_second_spelling_of_the_same_bytes_is_malformed(
    checker: TokenChecker, token: str
) -> None:
    """The last character of an ES256 signature has four bits to spare; they must be zero."""
    assert token[-1] in "AQgw"
    assert reason(checker, token[:-1] + chr(ord(token[-1]) + 1)) is Rejection.MALFORMED


BAD_JSON = [
    b"not json",
    b"[]",
    b'"text"',
    b"null",
    b"{",
    b"\xff{}",
    b"\xef\xbb\xbf{}",
    '{"alg":"ES256"}'.encode("utf-16"),
    '{"alg":"ES256"}'.encode("utf-16-le"),
    b'{"alg":"ES256"} {}',
    b"[" * 5000,
    b'{"a":' * 900,
    b'{"x":NaN}',
    b'{"x":Infinity}',
    b'{"x":-Infinity}',
    b'{"x":1e999}',
    b'{"x":9007199254740992}',
    b'{"x":-9007199254740992}',
    b'{"x":' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("raw", BAD_JSON)
def test_the_header_is_a_strict_json_object(
    raw: bytes, checker: TokenChecker, forge: Forge
) -> None:
    assert reason(checker, forge(raw_header=raw)) is Rejection.MALFORMED


@pytest.mark.parametrize("raw", BAD_JSON)
def test_the_payload_is_a_strict_json_object(
    raw: bytes, checker: TokenChecker, forge: Forge
) -> None:
    assert reason(checker, forge(raw_payload=raw)) is Rejection.MALFORMED


@pytest.mark.parametrize("number", ["9007199254740991", "-9007199254740991", "1.5", "-1e3"])
def test_ordinary_numbers_pass(number: str, checker: TokenChecker, forge: Forge) -> None:
    raw = as_json(CLAIMS)[:-1] + f',"x":{number}}}'.encode()
    assert checker.check_access_token(forge(raw_payload=raw), NOW)["x"] == float(number)


@pytest.mark.parametrize("again", ['"alg":"none"', '"\\u0061lg":"ES256"', '"kid":"x"'])
def test_a_header_member_may_not_come_twice(
    again: str, checker: TokenChecker, forge: Forge, ring: KeyRing
) -> None:
    kid = ring.signer("ES256").kid
    raw = f'{{"alg":"ES256","typ":"at+jwt","kid":"{kid}",{again}}}'.encode()
    assert reason(checker, forge(raw_header=raw)) is Rejection.MALFORMED


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_a_claim_may_not_come_twice(name: str, checker: TokenChecker, forge: Forge) -> None:
    raw = as_json(CLAIMS)[:-1] + b"," + as_json({name: CLAIMS[name]})[1:]
    assert reason(checker, forge(raw_payload=raw)) is Rejection.MALFORMED


def test_nor_may_a_member_deeper_down(checker: TokenChecker, forge: Forge) -> None:
    raw = as_json(CLAIMS).replace(b'"act":{', b'"act":{"sub":"someone else",')
    assert reason(checker, forge(raw_payload=raw)) is Rejection.MALFORMED


# ------------------------------------------------------------------------------- algorithm and key


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("signature", ["", "AA"])
def test_an_unsigned_token_is_refused(
    alg: str, signature: str, checker: TokenChecker, forge: Forge
) -> None:
    signed = forge(header={"alg": alg}).rpartition(".")[0]
    expected = Rejection.ALGORITHM if signature else Rejection.MALFORMED
    assert reason(checker, f"{signed}.{signature}") is expected


def test_a_token_whose_signature_was_taken_away_is_refused(
    checker: TokenChecker, token: str
) -> None:
    assert reason(checker, token.rpartition(".")[0] + ".") is Rejection.MALFORMED
    assert reason(checker, token.rpartition(".")[0]) is Rejection.MALFORMED


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("key_alg", ALGORITHMS)
def test_the_public_key_is_no_shared_secret(
    alg: str, key_alg: str, checker: TokenChecker, ring: KeyRing
) -> None:
    """CVE-2024-37568: everything public is tried as an HMAC key, in every form it has."""
    key = ring.signer(key_alg)
    header = as_json({"alg": alg, "typ": "at+jwt", "kid": key.kid})
    signed = f"{b64(header)}.{b64(as_json(CLAIMS))}"
    jwk = key.public_jwk()
    bare = {name: jwk[name] for name in sorted(jwk) if name in ("crv", "e", "kty", "n", "x", "y")}
    guesses = [
        key.public_key.as_pem(),
        key.public_key.as_pem().strip(),
        key.public_key.as_der(),
        as_json(jwk),
        as_json(bare),
        ring.jwks_bytes(),
        key.kid.encode(),
        b"",
    ]
    for secret in guesses:
        mac = hmac.digest(secret, signed.encode(), alg.replace("HS", "sha"))
        assert reason(checker, f"{signed}.{b64(mac)}") is Rejection.ALGORITHM


@pytest.mark.parametrize(
    "alg", ["EdDSA", "ES384", "ES256K", "PS256", "RS384", "es256", "", 5, None, True, ["ES256"], {}]
)
def test_any_other_algorithm_is_refused(alg: Any, checker: TokenChecker, forge: Forge) -> None:
    assert reason(checker, forge(header={"alg": alg})) is Rejection.ALGORITHM
    # Before any key is looked for.
    assert reason(checker, forge(header={"alg": alg, "kid": "unknown"})) is Rejection.ALGORITHM


@pytest.mark.parametrize("alg", ["RS256", "Ed25519"])
def test_the_algorithm_is_that_of_the_key(
    alg: str, checker: TokenChecker, forge: Forge, ring: KeyRing
) -> None:
    assert reason(checker, forge(header={"alg": alg})) is Rejection.ALGORITHM
    other = ring.signer(alg).kid
    assert reason(checker, forge(header={"kid": other})) is Rejection.ALGORITHM


@pytest.mark.parametrize(
    "kid",
    [
        None,
        "",
        "unknown",
        "../../../etc/passwd",
        "../active/key",
        "/dev/null",
        "' OR 1=1 --",
        "https://attacker.example/key",
        0,
        True,
        ["x"],
        {"kid": "x"},
    ],
)
def test_a_kid_that_names_no_key_of_ours_is_refused(
    kid: Any, checker: TokenChecker, forge: Forge
) -> None:
    assert reason(checker, forge(header={"kid": kid})) is Rejection.KEY


def test_another_key_under_our_kid_does_not_hold(checker: TokenChecker, forge: Forge) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    assert reason(checker, forge(key=stranger)) is Rejection.SIGNATURE


@pytest.mark.parametrize("length", [1, 32, 63, 64, 65, 96, 1200])
@pytest.mark.parametrize("byte", [b"\0", b"\xff"])
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_made_up_signature_does_not_hold(
    alg: str, byte: bytes, length: int, checker: TokenChecker, ring: KeyRing
) -> None:
    """CVE-2022-21449 among them: r and s of zero."""
    header = as_json({"alg": alg, "typ": "at+jwt", "kid": ring.signer(alg).kid})
    forged = f"{b64(header)}.{b64(as_json(CLAIMS))}.{b64(byte * length)}"
    assert reason(checker, forged) is Rejection.SIGNATURE


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_signature_holds_for_its_own_content_only(
    alg: str, checker: TokenChecker, ring: KeyRing
) -> None:
    issuer = TokenIssuer(lambda: ring, ISSUER, alg)
    good = issuer.sign_access_token(CLAIMS).split(".")
    other = issuer.sign_access_token({**CLAIMS, "account_id": "1"}).split(".")
    assert reason(checker, f"{good[0]}.{other[1]}.{good[2]}") is Rejection.SIGNATURE
    assert reason(checker, f"{good[0]}.{good[1]}.{other[2]}") is Rejection.SIGNATURE
    respelt = json.loads(base64.urlsafe_b64decode(good[0] + "=="))
    header = b64(json.dumps(respelt).encode())
    assert reason(checker, f"{header}.{good[1]}.{good[2]}") is Rejection.SIGNATURE


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_change_of_any_character_gets_through(
    data: st.DataObject, checker: TokenChecker, token: str
) -> None:
    position = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters().filter(lambda other: other != token[position]))
    reason(checker, token[:position] + character + token[position + 1 :])


@settings(max_examples=200, deadline=None)
@given(junk=st.text("abcAE01-_.={}\xe9\ud800 ", max_size=60))
def test_no_text_makes_it_fail_in_another_way(junk: str, checker: TokenChecker) -> None:
    reason(checker, junk)


# ------------------------------------------------------------------------------- header members


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody to be called, on the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def assert_not_called(listener: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_the_listener_would_notice_a_call(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        connection.close()


@pytest.mark.parametrize("name", ["jku", "x5u"])
@pytest.mark.parametrize("kid", ["ours", "unknown", None])
def test_no_address_in_the_header_is_ever_called(
    name: str,
    kid: str | None,
    checker: TokenChecker,
    forge: Forge,
    ring: KeyRing,
    listener: socket.socket,
) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/jwks.json"
    header = {name: url, "kid": ring.signer("ES256").kid if kid == "ours" else kid}
    assert reason(checker, forge(header=header)) is Rejection.HEADER
    stranger = ec.generate_private_key(ec.SECP256R1())
    assert reason(checker, forge(header=header, key=stranger)) is Rejection.HEADER
    assert_not_called(listener)


def test_a_key_in_the_header_is_never_used(checker: TokenChecker, forge: Forge) -> None:
    """CVE-2026-27962: signed with the very key that the header brings along."""
    stranger = ec.generate_private_key(ec.SECP256R1())
    key = SigningKey.from_native(stranger, 1, "active")
    for kid in (key.kid, None):
        for header in ({"jwk": key.public_jwk(), "kid": kid}, {"x5c": ["MIIB"], "kid": kid}):
            assert reason(checker, forge(header=header, key=stranger)) is Rejection.HEADER
    assert reason(checker, forge(header={"kid": key.kid}, key=stranger)) is Rejection.KEY


@pytest.mark.parametrize(
    "member",
    [
        {"jwk": {"kty": "EC"}},
        {"jku": ""},
        {"x5u": "file:///etc/passwd"},
        {"x5c": []},
        {"x5t": "x"},
        {"x5t#S256": "x"},
        {"crit": ["exp"], "exp": EXP},
        {"crit": []},
        {"crit": "kid"},
        {"b64": True},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"enc": "A128GCM"},
        {"cty": "JWT"},
        {"iss": ISSUER},
        {"nonce": "x"},
    ],
)
def test_a_header_member_that_we_never_set_is_refused(
    member: dict[str, Any], checker: TokenChecker, forge: Forge
) -> None:
    assert reason(checker, forge(header=member)) is Rejection.HEADER


@pytest.mark.parametrize(
    "typ",
    [
        None,
        "",
        "JWT",
        "jwt",
        "logout+jwt",
        "at+jwt ",
        "text/at+jwt",
        "application/jwt",
        5,
        ["at+jwt"],
    ],
)
def test_another_type_is_refused(typ: Any, checker: TokenChecker, forge: Forge) -> None:
    assert reason(checker, forge(header={"typ": typ})) is Rejection.TYPE


# ------------------------------------------------------------------------------- claims


@pytest.mark.parametrize(
    "iss",
    [
        None,
        "",
        "https://auth.example/",
        "https://AUTH.example",
        "https://other.example",
        5,
        [ISSUER],
    ],
)
def test_another_issuer_is_refused(iss: Any, checker: TokenChecker, forge: Forge) -> None:
    assert reason(checker, forge(claims={"iss": iss})) is Rejection.ISSUER


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", [True, False, str(IAT), "", [], {}, [IAT]])
def test_a_time_is_a_number(name: str, value: Any, checker: TokenChecker, forge: Forge) -> None:
    assert reason(checker, forge(claims={name: value})) is Rejection.CLAIMS


@pytest.mark.parametrize("name", ["exp", "iat", "nbf", "auth_time"])
def test_null_is_no_time(name: str, checker: TokenChecker, forge: Forge) -> None:
    raw = as_json({**CLAIMS, name: None})
    assert reason(checker, forge(raw_payload=raw)) is Rejection.CLAIMS


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_a_token_without_its_times_is_refused(
    name: str, checker: TokenChecker, forge: Forge
) -> None:
    assert reason(checker, forge(claims={name: None})) is Rejection.CLAIMS


def test_a_token_ends_with_its_expiry_and_the_leeway(checker: TokenChecker, token: str) -> None:
    end = EXP + LEEWAY_SECONDS
    assert checker.check_access_token(token, end - 0.001)
    assert reason(checker, token, end) is Rejection.EXPIRED
    assert reason(checker, token, end + 1e9) is Rejection.EXPIRED


def test_a_token_begins_with_its_issue_less_the_leeway(checker: TokenChecker, token: str) -> None:
    begin = IAT - LEEWAY_SECONDS
    assert checker.check_access_token(token, begin)
    assert reason(checker, token, begin - 0.001) is Rejection.NOT_YET_VALID


def test_not_before_is_honoured_where_it_stands(checker: TokenChecker, forge: Forge) -> None:
    token = forge(claims={"nbf": IAT + 600})
    assert reason(checker, token) is Rejection.NOT_YET_VALID
    assert checker.check_access_token(token, IAT + 600 - LEEWAY_SECONDS)
    assert checker.check_access_token(forge(claims={"nbf": IAT + 0.5}), NOW)


@pytest.mark.parametrize("exp", [0, -1, -(2**53) + 1, 1e-300, -1e300])
def test_odd_but_finite_times_are_just_compared(
    exp: float, checker: TokenChecker, forge: Forge
) -> None:
    assert reason(checker, forge(claims={"exp": exp})) is Rejection.EXPIRED


@pytest.mark.parametrize("name", ["sub", "client_id", "jti", "account_id", "user_type"])
@pytest.mark.parametrize("value", [None, "", 5, True, ["x"], {"x": "y"}])
def test_identifiers_are_strings(
    name: str, value: Any, checker: TokenChecker, forge: Forge
) -> None:
    assert reason(checker, forge(claims={name: value})) is Rejection.CLAIMS


@pytest.mark.parametrize("aud", [None, "", [], [""], ["a", ""], ["a", 5], [["a"]], 5, {"a": 1}])
def test_the_audience_names_somebody(aud: Any, checker: TokenChecker, forge: Forge) -> None:
    assert reason(checker, forge(claims={"aud": aud})) is Rejection.CLAIMS


@pytest.mark.parametrize(
    "claim",
    [
        {"scope": ["vserver:*"]},
        {"scope": ""},
        {"decision_id": 5},
        {"act": "u-1"},
        {"act": []},
        {"evaluate": False},
        {"evaluate": "true"},
        {"evaluate": 1},
        {"auth_time": "x"},
        {"amr": "pwd"},
        {"amr": []},
        {"amr": [1]},
    ],
)
def test_the_other_claims_have_their_types_too(
    claim: dict[str, Any], checker: TokenChecker, forge: Forge
) -> None:
    assert reason(checker, forge(claims=claim)) is Rejection.CLAIMS


def test_the_audience_that_is_asked_for_must_be_named_exactly(
    checker: TokenChecker, token: str, forge: Forge
) -> None:
    assert checker.check_access_token(token, NOW, audience="https://disk.example")
    for other in ("https://disk", "https://disk.example/", "", ISSUER):
        assert reason(checker, token, audience=other) is Rejection.AUDIENCE
    # Part of a string is no member of it.
    single = forge(claims={"aud": "https://disk.example"})
    assert reason(checker, single, audience="https://disk") is Rejection.AUDIENCE


# ------------------------------------------------------------------------------- ID tokens


def test_an_id_token_is_no_access_token(checker: TokenChecker, id_token: str) -> None:
    assert reason(checker, id_token) is Rejection.TYPE


def test_nor_is_one_with_all_the_claims_of_an_access_token(
    checker: TokenChecker, issuer: TokenIssuer
) -> None:
    assert reason(checker, issuer.sign_id_token(CLAIMS, "ES256")) is Rejection.TYPE


def hint_reason(checker: TokenChecker, token: str, **options: Any) -> Rejection:
    with pytest.raises(TokenRejected) as caught:
        checker.check_id_token_hint(token, NOW, **options)
    return caught.value.reason


def test_an_access_token_is_no_hint(checker: TokenChecker, token: str) -> None:
    assert hint_reason(checker, token) is Rejection.TYPE


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_an_id_token_is_a_hint(alg: str, checker: TokenChecker, issuer: TokenIssuer) -> None:
    claims = checker.check_id_token_hint(issuer.sign_id_token(ID_CLAIMS, alg), NOW)
    assert claims == {**ID_CLAIMS, "aud": ["crossroot-console"]}


def test_a_hint_may_have_expired_long_ago(checker: TokenChecker, id_token: str) -> None:
    assert checker.check_id_token_hint(id_token, NOW + 1e8)["sub"] == "u-1"


def test_a_hint_is_for_the_client_that_shows_it(checker: TokenChecker, id_token: str) -> None:
    assert checker.check_id_token_hint(id_token, NOW, client_id="crossroot-console")
    assert hint_reason(checker, id_token, client_id="crossroot") is Rejection.AUDIENCE
    assert hint_reason(checker, id_token, client_id="") is Rejection.AUDIENCE


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"iss": "https://other.example"}, Rejection.ISSUER),
        ({"sub": None}, Rejection.CLAIMS),
        ({"aud": []}, Rejection.CLAIMS),
        ({"exp": None}, Rejection.CLAIMS),
        ({"iat": True}, Rejection.CLAIMS),
        ({"iat": IAT + 3600}, Rejection.NOT_YET_VALID),
    ],
)
def test_a_hint_must_be_a_sound_token_of_ours(
    claims: dict[str, Any], expected: Rejection, checker: TokenChecker, forge: Forge
) -> None:
    assert hint_reason(checker, forge(header={"typ": "JWT"}, claims=claims)) is expected


def test_a_hint_is_signed(checker: TokenChecker, id_token: str, forge: Forge) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    forged = forge(header={"typ": "JWT"}, claims=ID_CLAIMS, key=stranger)
    assert hint_reason(checker, forged) is Rejection.SIGNATURE
    assert hint_reason(checker, forge(header={"typ": "JWT", "alg": "none"})) is Rejection.ALGORITHM


# ------------------------------------------------------------------------------- what is told


def test_a_refusal_quotes_nothing_of_the_token(checker: TokenChecker, forge: Forge) -> None:
    forged = forge(header={"kid": "very-secret-kid"}, claims={"sub": "very-secret-sub"})
    with pytest.raises(TokenRejected) as caught:
        checker.check_access_token(forged, NOW)
    assert str(caught.value) == "the token names no key of this issuer"
    assert caught.value.reason == "key"


@pytest.mark.parametrize("rejection", Rejection)
def test_every_reason_has_words(rejection: Rejection) -> None:
    assert str(TokenRejected(rejection)).startswith(("the token", "a claim", "this is"))
