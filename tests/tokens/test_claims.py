"""Claim sets: the shapes of the public contract, and names that nobody else may set."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tokens.claims import (
    OWN_CLAIMS,
    PROTOCOL_CLAIMS,
    access_token_claims,
    id_token_claims,
    left_half_hash,
)

ISSUER = "https://auth.example"
ACTOR = {
    "sub": "u-1",
    "account_id": "53461",
    "user_type": "iam-user",
    "username": "System1",
    "name": "on-call",
}


def access_claims(**changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "issuer": ISSUER,
        "subject": "sa-1f",
        "audience": ["https://vserver.example"],
        "client_id": "crossroot-cli",
        "account_id": "60108",
        "user_type": "service-account",
        "issued_at": 1000,
        "expires_at": 4600,
        "token_id": "jti-1",
        "scope": "vserver:*",
        "evaluate": False,
        "actor": None,
        "decision_id": None,
        "auth_time": None,
        "amr": None,
    }
    return access_token_claims(**{**arguments, **changes})


def id_claims(**changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "issuer": ISSUER,
        "subject": "u-1",
        "client_id": "crossroot-console",
        "issued_at": 1000,
        "expires_at": 1300,
        "alg": "ES256",
    }
    return id_token_claims(**{**arguments, **changes})


# ------------------------------------------------------------------------------- access tokens


def test_an_impersonation_token_names_the_actor_and_the_decision() -> None:
    assert access_claims(actor=ACTOR, decision_id="d-1") == {
        "iss": ISSUER,
        "sub": "sa-1f",
        "aud": ["https://vserver.example"],
        "client_id": "crossroot-cli",
        "account_id": "60108",
        "user_type": "service-account",
        "scope": "vserver:*",
        "act": ACTOR,
        "decision_id": "d-1",
        "iat": 1000,
        "exp": 4600,
        "jti": "jti-1",
    }


def test_a_service_accounts_own_token_has_neither() -> None:
    assert access_claims().keys() == {
        *("iss", "sub", "aud", "client_id", "account_id", "user_type", "scope"),
        *("iat", "exp", "jti"),
    }


def test_a_users_token_says_when_and_how_they_signed_in() -> None:
    claims = access_claims(user_type="iam-user", auth_time=900, amr=("pwd", "otp"))
    assert (claims["auth_time"], claims["amr"]) == (900, ["pwd", "otp"])


@pytest.mark.parametrize("scope", [None, ""])
def test_no_scope_means_no_claim(scope: str | None) -> None:
    assert "scope" not in access_claims(scope=scope)


def test_evaluate_is_true_or_absent() -> None:
    assert access_claims(evaluate=True)["evaluate"] is True
    assert "evaluate" not in access_claims(evaluate=False)


def test_the_audience_is_a_list_whatever_sequence_it_came_in() -> None:
    assert access_claims(audience=("a", "b"))["aud"] == ["a", "b"]


@pytest.mark.parametrize("audience", ["https://vserver.example", [], [""], ["a", ""]])
def test_an_audience_that_names_nobody_is_refused(audience: Any) -> None:
    with pytest.raises(ValueError, match="audience must be a list"):
        access_claims(audience=audience)


@pytest.mark.parametrize("build", [access_claims, id_claims])
@pytest.mark.parametrize("expires_at", [1000, 999])
def test_a_token_expires_after_it_was_issued(build: Any, expires_at: int) -> None:
    with pytest.raises(ValueError, match="can't expire at"):
        build(expires_at=expires_at)


def test_later_changes_to_the_arguments_do_not_reach_the_claims() -> None:
    actor, audience = dict(ACTOR), ["a"]
    claims = access_claims(actor=actor, audience=audience)
    actor["sub"] = "someone else"
    audience.append("b")
    assert claims["act"] == ACTOR
    assert claims["aud"] == ["a"]


# ------------------------------------------------------------------------------- extra claims


def test_extra_claims_are_added() -> None:
    assert access_claims(extra={"project": "x"})["project"] == "x"
    assert id_claims(extra={"email": "a@example.com"})["email"] == "a@example.com"


@pytest.mark.parametrize("name", sorted(PROTOCOL_CLAIMS | OWN_CLAIMS))
def test_no_extra_takes_a_name_of_an_access_token(name: str) -> None:
    with pytest.raises(ValueError, match=f"can't set {name}:"):
        access_claims(extra={name: "x", "harmless": 1})


@pytest.mark.parametrize("name", sorted(PROTOCOL_CLAIMS))
def test_no_extra_takes_a_name_of_an_id_token(name: str) -> None:
    with pytest.raises(ValueError, match=f"can't set {name}:"):
        id_claims(extra={name: "x"})


@pytest.mark.parametrize(
    "name",
    [
        *("iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "act", "may_act"),
        *("account_id", "user_type", "decision_id", "evaluate", "auth_time", "amr", "azp", "cnf"),
    ],
)
def test_the_names_that_decide_are_out_of_reach(name: str) -> None:
    assert name in PROTOCOL_CLAIMS | OWN_CLAIMS


def test_every_name_that_an_access_token_uses_is_out_of_reach() -> None:
    used = access_claims(
        evaluate=True, actor=ACTOR, decision_id="d", auth_time=1, amr=["pwd"]
    ).keys()
    assert used <= PROTOCOL_CLAIMS | OWN_CLAIMS


@given(extra=st.dictionaries(st.text(), st.integers()))
def test_extra_never_changes_what_the_server_says(extra: dict[str, int]) -> None:
    plain = access_claims()
    try:
        claims = access_claims(extra=extra)
    except ValueError:
        assert extra.keys() & (PROTOCOL_CLAIMS | OWN_CLAIMS)
    else:
        assert {name: claims[name] for name in plain} == plain
        assert claims.keys() == plain.keys() | extra.keys()


# ------------------------------------------------------------------------------- ID tokens


def test_a_plain_id_token() -> None:
    assert id_claims() == {
        "iss": ISSUER,
        "sub": "u-1",
        "aud": "crossroot-console",
        "exp": 1300,
        "iat": 1000,
    }


def test_an_id_token_repeats_the_nonce_and_the_sign_in() -> None:
    claims = id_claims(nonce="n-1", auth_time=0, amr=["pwd"])
    assert (claims["nonce"], claims["auth_time"], claims["amr"]) == ("n-1", 0, ["pwd"])


def test_an_empty_nonce_is_repeated_as_sent() -> None:
    assert id_claims(nonce="")["nonce"] == ""


def test_an_id_token_is_tied_to_its_access_token() -> None:
    assert id_claims(access_token="token")["at_hash"] == left_half_hash("token", "ES256")
    with pytest.raises(ValueError, match="no hash is defined"):
        id_claims(access_token="token", alg="none")


def test_the_example_of_openid_connect_core() -> None:
    """Appendix A.4: the at_hash of an access token with RS256."""
    token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    assert left_half_hash(token, "RS256") == "77QmUPtjPfzWtF2AnpK9RQ"


@pytest.mark.parametrize(
    ("alg", "name", "length"),
    [("ES256", "sha256", 22), ("RS256", "sha256", 22), ("Ed25519", "sha512", 43)],
)
def test_the_hash_goes_with_the_algorithm(alg: str, name: str, length: int) -> None:
    half = left_half_hash("token", alg)
    whole = hashlib.new(name, b"token").digest()
    assert len(half) == length
    assert base64.urlsafe_b64decode(half + "=" * (-length % 4)) == whole[: len(whole) // 2]


@pytest.mark.parametrize("alg", ["EdDSA", "HS256", "none", ""])
def test_another_algorithm_has_no_hash(alg: str) -> None:
    with pytest.raises(ValueError, match="no hash is defined"):
        left_half_hash("token", alg)
