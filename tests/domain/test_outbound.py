"""Where the server may go on a tenant's word."""

from __future__ import annotations

import pytest

from app.domain.outbound import is_public, problem_of


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/jwks.json",
        "https://app.example",
        "https://app.example:443/jwks?tenant=1",
        "https://a-b.keys.example/%7Ejwks",
        "https://APP.Example/JWKS-aA9._~:/?[]@!$&'()*+,;=%2F",
        "https://a.example/" + "x" * 2030,
        "https://a.b1.2c.3.de/",
        "https://a0z.a-z.az/",
        f"https://{'a' * 63}.{'z' * 63}/",
        f"https://{'a.' * 125}abc/",
    ],
)
def test_a_uri_may_be_fetched(uri: str) -> None:
    assert problem_of(uri) is None


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("", "expected a URI of at most 2048 characters"),
        ("https://a.example/" + "x" * 2031, "expected a URI of at most 2048 characters"),
        ("https://a.example/#keys", "a character that no URI to be fetched has"),
        ("https://a.example/ jwks", "a character that no URI to be fetched has"),
        ("https://a.example/\r\nHost:b", "a character that no URI to be fetched has"),
        ("https://[::1", "not a URI"),
        ("https://a.example:99999/", "not a URI"),
        ("http://a.example/jwks", "expected https"),
        ("file:///etc/passwd", "expected https"),
        ("jwks", "expected https"),
        ("https://me@a.example/", "a URI to be fetched has no user information"),
        ("https://a.example:8443/", "expected the port of https, 443"),
        ("https://a.example:0/", "expected the port of https, 443"),
        ("https:///jwks", "expected the full name of a host, no address"),
        ("https://127.0.0.1/", "expected the full name of a host, no address"),
        ("https://2130706433/", "expected the full name of a host, no address"),
        ("https://0x7f.0.0.1/", "expected the full name of a host, no address"),
        ("https://[::1]/", "expected the full name of a host, no address"),
        ("https://localhost/", "expected the full name of a host, no address"),
        ("https://metadata/", "expected the full name of a host, no address"),
        ("https://-a.example/", "expected the full name of a host, no address"),
        ("https://a-.example/", "expected the full name of a host, no address"),
        ("https://a.example./", "expected the full name of a host, no address"),
        ("https://a.e/", "expected the full name of a host, no address"),
        ("https://a.e2/", "expected the full name of a host, no address"),
        (f"https://{'a' * 64}.example/", "expected the full name of a host, no address"),
        (f"https://a.{'z' * 64}/", "expected the full name of a host, no address"),
        (f"https://{'a.' * 126}ab/", "expected the full name of a host, no address"),
    ],
)
def test_a_uri_may_not_be_fetched(uri: str, problem: str) -> None:
    assert problem_of(uri) == problem


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "2606:4700::6810:85e5", "::ffff:8.8.8.8"]
)
def test_an_address_of_the_public_internet(address: str) -> None:
    assert is_public(address) is True


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.7",
        "224.0.0.1",
        "224.0.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "4000::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "2001:0:4136:e378::1",
        "2001:0:808:808::1",
        "localhost",
        "",
    ],
)
def test_an_address_that_leads_elsewhere(address: str) -> None:
    assert is_public(address) is False
