"""The claims of an access token (RFC 9068 section 2.2, contract section 4) and what they allow."""

from __future__ import annotations

from typing import Any

import pytest

from app.verifier import Actor, TokenInvalid, VerifiedToken
from app.verifier.token import matches, read_claims
from tests.verifier.local_issuer import AUDIENCE, NOW, URL, claims


def read(now: float = NOW, **changes: Any) -> VerifiedToken:
    return read_claims(claims(**changes), issuer=URL, audience=AUDIENCE, now=now)


def test_an_impersonation_token_names_subject_and_actor() -> None:
    token = read()
    assert token.subject == "sa-1f2e"
    assert token.user_type == "service-account"
    assert token.account_id == "60108"
    assert token.client_id == "crossroot-cli"
    assert token.scope == ("vserver:*",)
    assert token.evaluate is False
    assert token.actor == Actor("user-1", "53461", "iam-user", "System1", "on-call")
    assert token.decision_id == "decision-1"
    assert token.token_id == "token-1"
    assert token.expires_at == NOW + 3600


def test_a_service_account_of_its_own_has_neither_actor_nor_decision() -> None:
    token = read(act=None, decision_id=None, evaluate=True)
    assert token.actor is None
    assert token.decision_id is None
    assert token.evaluate is True


def test_an_actor_may_go_without_a_name() -> None:
    act = {"sub": "user-1", "account_id": "53461", "user_type": "iam-user"}
    assert read(act=act).actor == Actor("user-1", "53461", "iam-user")


def test_a_verified_token_cannot_be_changed() -> None:
    token = read()
    with pytest.raises(AttributeError):
        token.account_id = "53461"  # type: ignore[misc]
    mappings: list[Any] = [token.claims, token.claims["act"]]
    for mapping in mappings:
        with pytest.raises(TypeError):
            mapping["sub"] = "sa-other"
    assert token.claims["aud"] == (AUDIENCE,)
    assert hash(token) == hash(read())


def test_the_claims_are_not_printed() -> None:
    assert "on-call" not in repr(read(act=None, note="on-call"))


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["https://other.example", AUDIENCE]])
def test_the_audience_may_be_one_or_many(aud: Any) -> None:
    assert read(aud=aud).subject == "sa-1f2e"


@pytest.mark.parametrize(
    "aud",
    [
        "https://other.example",
        ["https://other.example"],
        AUDIENCE + "/",
        AUDIENCE.upper(),
        URL,
        "",
        [],
        [[AUDIENCE]],
        [AUDIENCE, 7],
        {AUDIENCE: 1},
        7,
        None,
    ],
)
def test_a_token_for_another_api_is_refused(aud: Any) -> None:
    with pytest.raises(TokenInvalid):
        read(aud=aud)


@pytest.mark.parametrize("iss", ["https://other.example", URL + "/", "", [URL], 7, None])
def test_a_token_of_another_issuer_is_refused(iss: Any) -> None:
    with pytest.raises(TokenInvalid):
        read(iss=iss)


@pytest.mark.parametrize(
    ("now", "changes", "reason"),
    [
        (NOW + 29, {"exp": NOW}, None),
        (NOW + 30, {"exp": NOW}, "The token has expired."),
        (NOW - 30, {}, None),
        (NOW - 31, {}, "The token is not valid yet."),
        (NOW, {"nbf": NOW + 30}, None),
        (NOW, {"nbf": NOW + 31}, "The token is not valid yet."),
        (NOW, {"nbf": NOW - 60, "iat": NOW + 31}, "The token is not valid yet."),
        (NOW, {"exp": NOW + 0.5}, None),
    ],
)
def test_times_have_thirty_seconds_of_leeway(
    now: float, changes: dict[str, Any], reason: str | None
) -> None:
    if reason is None:
        assert read(now, **changes).subject == "sa-1f2e"
    else:
        with pytest.raises(TokenInvalid) as caught:
            read(now, **changes)
        assert caught.value.reason == reason


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", ["1800003600", True, -1, 10**400, float("inf"), float("nan"), [NOW], {}]
)
def test_a_date_is_a_number_of_seconds(name: str, value: Any) -> None:
    with pytest.raises(TokenInvalid) as caught:
        read(**{name: value})
    assert name in caught.value.reason


@pytest.mark.parametrize(
    "name",
    ["iss", "sub", "aud", "client_id", "account_id", "user_type", "iat", "exp", "jti"],
)
def test_a_claim_that_every_token_has_is_missing(name: str) -> None:
    changes: dict[str, Any] = {name: None}
    with pytest.raises(TokenInvalid) as caught:
        read(**changes)
    assert caught.value.reason == f"The claim {name} is missing or malformed."


@pytest.mark.parametrize(
    "name", ["sub", "client_id", "account_id", "user_type", "jti", "decision_id", "scope"]
)
@pytest.mark.parametrize("value", ["", 60108, True, ["x"], {"x": "y"}])
def test_a_name_is_text(name: str, value: Any) -> None:
    with pytest.raises(TokenInvalid) as caught:
        read(**{name: value})
    assert name in caught.value.reason


@pytest.mark.parametrize("value", ["true", 1, 0, [], {}])
def test_evaluate_is_true_or_false(value: Any) -> None:
    with pytest.raises(TokenInvalid):
        read(evaluate=value)


def test_null_is_not_the_same_as_absent() -> None:
    for name in ("scope", "act", "evaluate", "decision_id", "nbf"):
        content = {**claims(), name: None}
        with pytest.raises(TokenInvalid):
            read_claims(content, issuer=URL, audience=AUDIENCE, now=NOW)


GOOD_ACT = {"sub": "user-1", "account_id": "53461", "user_type": "iam-user"}


@pytest.mark.parametrize(
    "act",
    [
        "user-1",
        [],
        {},
        7,
        {**GOOD_ACT, "sub": 7},
        {**GOOD_ACT, "account_id": ""},
        {**GOOD_ACT, "user_type": None},
        {**GOOD_ACT, "username": 7},
        {**GOOD_ACT, "name": ["on-call"]},
    ],
)
def test_an_actor_that_cannot_be_read_is_refused(act: Any) -> None:
    with pytest.raises(TokenInvalid) as caught:
        read(act=act)
    assert "act" in caught.value.reason


def test_a_token_bound_to_a_key_is_no_bearer_token() -> None:
    with pytest.raises(TokenInvalid, match="bound to a key"):
        read(cnf={"jkt": "x"})


def test_a_scope_allows_its_actions_in_the_own_account_only() -> None:
    token = read(scope="vserver:List* vserver:GetServer")
    assert token.allows("vserver:ListServers", "60108")
    assert token.allows("vserver:GetServer", "60108")
    assert not token.allows("vserver:StopServer", "60108")
    assert not token.allows("vserver:ListServers", "53461")
    assert not token.allows("vserver:ListServers", "")


def test_no_scope_allows_nothing() -> None:
    token = read(scope=None, evaluate=True)
    assert token.scope == ()
    assert not token.allows("vserver:ListServers", "60108")


def test_identity_scopes_are_no_action_patterns() -> None:
    token = read(scope="openid profile vserver:GetServer")
    assert token.scope == ("vserver:GetServer",)
    assert not token.allows("openid", "60108")


@pytest.mark.parametrize("scope", ["vserver:*", "*", "vserver:S*p*er", "vserver:StopServer*"])
def test_patterns_that_allow_stop_server(scope: str) -> None:
    assert read(scope=scope).allows("vserver:StopServer", "60108")


@pytest.mark.parametrize(
    "scope",
    ["iam:*", "vserver:stopserver", "vserver:Stop", "vserver", "vserver*", "*:*", "v*:StopServer"],
)
def test_patterns_that_do_not_allow_stop_server(scope: str) -> None:
    assert not read(scope=scope).allows("vserver:StopServer", "60108")


@pytest.mark.parametrize(
    "scope", [" ", "vserver:* ", " vserver:*", "a  b", 'vserver:"', "vserver:é", "a\tb", "a\nb"]
)
def test_a_malformed_scope_is_refused(scope: str) -> None:
    with pytest.raises(TokenInvalid, match="scope"):
        read(scope=scope)


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("a:B", "a:B", True),
        ("a:B", "a:BC", False),
        ("a:*", "a:", True),
        ("*", "", True),
        ("a:*b*b", "a:b", False),
        ("a:*b*b", "a:bb", True),
        ("a:*aba*ba", "a:abaxba", True),
        ("a:*aba*ba", "a:ababa", True),
        ("a:*aba*ba", "a:abba", False),
        ("a:bb*bb", "a:bbb", False),
        ("a:Stop?", "a:Stops", False),
        ("a:[S]top", "a:Stop", False),
        ("a:.*", "a:Stop", False),
    ],
)
def test_a_star_is_any_run_of_characters_and_nothing_else_is_special(
    pattern: str, action: str, expected: bool
) -> None:
    assert matches(pattern, action) is expected
