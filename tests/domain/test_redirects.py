"""Redirect URIs: which may be registered, and which of them a request names."""

from __future__ import annotations

import pytest

from app.domain.redirects import matches, problem_of


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example",
        "https://app.example:8443/callback?tenant=1",
        "https://app.example/%E2%9C%93",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:8080/callback",
        "http://[::1]/callback",
        "http://localhost:3000/cb",
        "com.example.app:/callback",
    ],
)
def test_a_uri_may_be_registered(uri: str) -> None:
    assert problem_of(uri) is None


@pytest.mark.parametrize("character", "AZaz09-._~:/?[]@!$&'()+,;=%")
def test_a_uri_may_have_any_character_of_uris(character: str) -> None:
    """RFC 3986 section 2."""
    assert problem_of(f"https://a.example/{character}") is None


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("", "expected a URI of at most 2048 characters"),
        ("https://a.example/" + "x" * 2048, "expected a URI of at most 2048 characters"),
        ("https://*.example/", "a wildcard would let the request choose where the code goes"),
        ("https://a.example/#x", "a redirect URI has no fragment"),
        ("https://a.example/#", "a redirect URI has no fragment"),
        ("https://a.example/ x", "a character that no URI has"),
        ("https://a.example\\@b.example", "a character that no URI has"),
        ("https://ä.example/", "a character that no URI has"),
        ("https://a.example/\n", "a character that no URI has"),
        ("http://[::1/cb", "not a URI"),
        ("https://a.example:99999/", "not a URI"),
        ("https://a.example:x/", "not a URI"),
        ("/callback", "this scheme cannot take an answer safely"),
        ("//a.example/callback", "this scheme cannot take an answer safely"),
        ("javascript:alert(1)", "this scheme cannot take an answer safely"),
        ("JavaScript:alert(1)", "this scheme cannot take an answer safely"),
        ("data:text/html,x", "this scheme cannot take an answer safely"),
        ("https://a.example/?x=y&code=", "a parameter in the query that the answer brings"),
        ("com.example.app:/?state=1", "a parameter in the query that the answer brings"),
        ("https://user@a.example/", "a redirect URI has no user information"),
        ("http://127.0.0.1:1@evil.example/", "a redirect URI has no user information"),
        ("https:///callback", "the host is missing"),
        ("https:callback", "the host is missing"),
        ("http://a.example/", "plain http is only for loopback; use https"),
        ("http://127.0.0.1.evil.example/", "plain http is only for loopback; use https"),
        ("http://0.0.0.0/", "plain http is only for loopback; use https"),
        ("myapp:/callback", "a private scheme is a reversed domain name"),
    ],
)
def test_a_uri_may_not_be_registered(uri: str, problem: str) -> None:
    assert problem_of(uri) == problem


@pytest.mark.parametrize("scheme", ["javascript", "data", "vbscript", "file", "blob", "about"])
def test_a_scheme_that_a_browser_acts_upon_is_refused(scheme: str) -> None:
    assert problem_of(f"{scheme}:x") == "this scheme cannot take an answer safely"


@pytest.mark.parametrize(
    "name", ["code", "state", "iss", "error", "error_description", "error_uri"]
)
def test_a_query_that_could_be_taken_for_the_answer_is_refused(name: str) -> None:
    """RFC 6749 section 4.1.2 and RFC 9207 section 2 name what the answer brings."""
    assert problem_of(f"https://a.example/?{name}=1") == (
        "a parameter in the query that the answer brings"
    )


def test_the_longest_uri() -> None:
    uri = "https://a.example/".ljust(2048, "x")

    assert problem_of(uri) is None
    assert problem_of(f"{uri}x") == "expected a URI of at most 2048 characters"


REGISTERED = (
    "https://app.example/callback",
    "http://127.0.0.1/callback",
    "http://[::1]:7777/callback",
    "http://localhost/callback",
    "http://127.0.0.1",
)


@pytest.mark.parametrize(
    "requested",
    [
        *REGISTERED,
        # RFC 8252 section 7.3: any port, on a loopback address.
        "http://127.0.0.1:1/callback",
        "http://127.0.0.1:65535/callback",
        "http://[::1]:8080/callback",
        "http://[::1]/callback",
        "http://127.0.0.1:8080",
    ],
)
def test_a_request_names_a_registered_uri(requested: str) -> None:
    assert matches(REGISTERED, requested)


@pytest.mark.parametrize(
    "requested",
    [
        "",
        "https://app.example/callback/",
        "https://app.example/callback?x=1",
        "https://app.example/Callback",
        "https://APP.example/callback",
        "https://app.example:443/callback",
        "https://app.example/x/../callback",
        "http://app.example/callback",
        "https://evil.example/callback",
        "http://localhost:8080/callback",
        "http://127.0.0.1:8080/other",
        "http://127.0.0.1:8080/callback#x",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:65536/callback",
        "http://127.0.0.1:99999/callback",
        "http://127.0.0.1:000080/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:1@evil.example/callback",
        "http://127.0.0.1:1.evil.example/callback",
        "http://127.0.0.2:8080/callback",
        "https://127.0.0.1:8080/callback",
        "http://127.0.0.1:8080/",
    ],
)
def test_a_request_names_none_of_the_registered_uris(requested: str) -> None:
    assert not matches(REGISTERED, requested)


def test_one_loopback_address_is_not_the_other() -> None:
    assert not matches(["http://127.0.0.1/callback"], "http://[::1]:8080/callback")


def test_what_is_behind_a_registered_uri_is_not_passed_over() -> None:
    assert not matches(["http://127.0.0.1/callback#x"], "http://127.0.0.1:8080/callback")
