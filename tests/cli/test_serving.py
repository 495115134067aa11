"""Which requests share a thread: those that cannot keep the others waiting."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest

from app.cli.serving import is_quick

GRANT = {"grant_type": "client_credentials"}
ASSERTION = {"client_assertion": "x"}


@pytest.mark.parametrize(
    "path",
    [
        "/oauth2/token",
        "/accounts-api/v1/auth/token",
        "/accounts-api/v2/auth/token",
        "/accounts-api/v2//auth/token",
    ],
)
def test_token_requests_do(path: str) -> None:
    assert is_quick(path, urlencode(GRANT).encode())
    assert is_quick(path, b"")
    assert is_quick(path, b'{"grant_type": "client_credentials"}')


@pytest.mark.parametrize(
    "path", ["/sign-in", "/oauth2/authorize", "/oauth2/introspect", "/oauth2/token/", "/", ""]
)
def test_others_do_not(path: str) -> None:
    """A sign-in takes a tenth of a second to check its password."""
    assert not is_quick(path, urlencode(GRANT).encode())


@pytest.mark.parametrize(
    "body",
    [
        urlencode({**GRANT, **ASSERTION}),
        urlencode({**ASSERTION, **GRANT}),
        urlencode({**GRANT, "client_assertion_type": "x"}),
        "client%5fassertion=x",
        "client%5Fassertion=x",
        "".join(f"%{ord(letter):02x}" for letter in "client_assertion") + "=x",
    ],
)
def test_an_assertion_does_not_however_it_is_written(body: str) -> None:
    """The client's keys may have to be fetched from a server that takes its time."""
    assert any(name.startswith("client_assertion") for name, _ in parse_qsl(body))
    assert not is_quick("/oauth2/token", body.encode())


@pytest.mark.parametrize("text", ["client%5fassertion", "client assertion", "client+assertion"])
def test_what_only_looks_like_one_does(text: str) -> None:
    body = f"{urlencode(GRANT)}&{quote_plus(text)}=x"

    assert "client_assertion" not in dict(parse_qsl(body))
    assert is_quick("/oauth2/token", body.encode())
