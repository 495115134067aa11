"""Reading the issuer's documents, over real sockets (OpenID Connect Discovery 1.0 section 4)."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app.verifier import (
    AccessClient,
    AccessUnavailable,
    Document,
    DocumentUnusable,
    HttpFetch,
    KeysUnavailable,
    Verifier,
)
from app.verifier.discovery import find_jwks_uri
from tests.verifier.decision_point import CLIENT_ID, CLIENT_SECRET, DecisionPoint
from tests.verifier.local_issuer import AUDIENCE, URL, Clock, Issuer, claims, sign, token
from tests.verifier.site import Page, Site


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    try:
        yield site
    finally:
        site.close()


@pytest.fixture
def verifier(site: Site) -> Verifier:
    """One that reads over HTTP, and a site that has what it needs."""
    site.publish(Issuer(url=site.url))
    return Verifier(site.url, AUDIENCE, clock=Clock())


def test_keys_are_found_over_http(verifier: Verifier, site: Site) -> None:
    text = sign(claims(iss=site.url))
    assert verifier.verify(text).subject == "sa-1f2e"
    assert verifier.verify(text).subject == "sa-1f2e"
    assert site.asked == ["/.well-known/openid-configuration", "/jwks"]


def test_an_issuer_may_have_a_path(site: Site) -> None:
    issuer = Issuer(url=f"{site.url}/tenant")
    site.publish(issuer)
    verifier = Verifier(issuer.url, AUDIENCE, clock=Clock())
    assert verifier.verify(sign(claims(iss=issuer.url))).subject == "sa-1f2e"
    assert site.asked[0] == "/tenant/.well-known/openid-configuration"


def test_a_proxy_in_the_environment_is_not_used(
    verifier: Verifier, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert verifier.verify(sign(claims(iss=site.url))).subject == "sa-1f2e"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(verifier: Verifier, site: Site, status: int) -> None:
    keys = site.pages["/jwks"]
    site.pages["/elsewhere"] = keys
    site.pages["/jwks"] = Page(status=status, headers={"Location": f"{site.url}/elsewhere"})
    with pytest.raises(KeysUnavailable):
        verifier.verify(sign(claims(iss=site.url)))
    assert "/elsewhere" not in site.asked


@pytest.mark.parametrize("status", [204, 400, 404, 500, 503])
def test_only_200_has_a_document(site: Site, status: int) -> None:
    site.pages["/x"] = Page(status=status)
    with pytest.raises(DocumentUnusable, match=f"answered {status}"):
        HttpFetch(site.url)(f"{site.url}/x")


def test_a_document_has_a_largest_size(site: Site) -> None:
    site.pages["/fits"] = Page(b"x" * 256 * 1024)
    site.pages["/too-long"] = Page(b"x" * (256 * 1024 + 1))
    fetch = HttpFetch(site.url)
    assert len(fetch(f"{site.url}/fits").body) == 256 * 1024
    with pytest.raises(DocumentUnusable, match="longer than"):
        fetch(f"{site.url}/too-long")


def test_a_server_that_dribbles_is_left(site: Site) -> None:
    site.pages["/x"] = Page(dribble=True)
    with pytest.raises(DocumentUnusable, match=r"within 0\.1 s"):
        HttpFetch(site.url, timeout=0.1)(f"{site.url}/x")


def test_a_server_that_says_nothing_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(OSError, match="timed out"):
            HttpFetch(url, timeout=0.1)(f"{url}/x")


def test_a_server_that_speaks_something_else_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(DocumentUnusable, match="did not answer in HTTP"):
            HttpFetch(url)(f"{url}/x")
        thread.join()


def test_nobody_listening_means_no_keys() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(KeysUnavailable):
        Verifier(f"http://127.0.0.1:{port}", AUDIENCE).verify(token())


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "data:,x",
        "http://127.0.0.1:1/x",
        "http://localhost/x",
        "//evil.example/x",
        "/jwks",
    ],
)
def test_nothing_is_read_from_another_origin(site: Site, url: str) -> None:
    with pytest.raises(DocumentUnusable):
        HttpFetch(site.url)(url)


@pytest.mark.parametrize(
    ("header", "max_age"),
    [
        (None, None),
        ("max-age=60", 60),
        ("public, Max-Age=60 , must-revalidate", 60),
        ("max-age=60, max-age=30", 30),
        ("no-store", 0),
        ("no-cache, max-age=60", 0),
        ("max-age=soon", None),
        ("max-age=-1", None),
        ("s-maxage=60", None),
    ],
)
def test_the_issuer_says_how_long_to_keep_a_document(
    site: Site, header: str | None, max_age: float | None
) -> None:
    headers = {} if header is None else {"Cache-Control": header}
    site.pages["/x"] = Page(b"{}", headers=headers)
    assert HttpFetch(site.url)(f"{site.url}/x") == Document(b"{}", max_age)


def discover(metadata: Any) -> str:
    body = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    return find_jwks_uri(URL, lambda _: body)


@pytest.mark.parametrize(
    "jwks_uri",
    [f"{URL}/jwks", f"{URL}/a/b?v=1", "https://ID.example/jwks", "https://id.example:443/jwks"],
)
def test_the_key_set_is_on_the_issuers_origin(jwks_uri: str) -> None:
    assert discover({"issuer": URL, "jwks_uri": jwks_uri}) == jwks_uri


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "https://evil.example/jwks",
        "https://id.example.evil.example/jwks",
        "https://id.example@evil.example/jwks",
        "https://evil.example\\@id.example/jwks",
        "https://user:password@id.example/jwks",
        "https://id.example:8443/jwks",
        "http://id.example/jwks",
        "file:///etc/passwd",
        "//id.example/jwks",
        "/jwks",
        "https://id.example/jwks#x",
        "https://id.example/j wks",
        "https://id.example/jwks\r\nX: y",
        "https://id.example/é",
        "",
        7,
        None,
        [f"{URL}/jwks"],
    ],
)
def test_a_key_set_elsewhere_is_refused(jwks_uri: Any) -> None:
    with pytest.raises(DocumentUnusable):
        discover({"issuer": URL, "jwks_uri": jwks_uri})


@pytest.mark.parametrize(
    "issuer", [None, "", URL + "/", URL.upper(), "https://evil.example", [URL]]
)
def test_the_metadata_is_about_this_issuer(issuer: Any) -> None:
    with pytest.raises(DocumentUnusable, match="issuer"):
        discover({"issuer": issuer, "jwks_uri": f"{URL}/jwks"})


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_metadata_is_a_json_object(body: bytes) -> None:
    with pytest.raises(DocumentUnusable):
        discover(body)


# Access evaluation (AuthZEN section 10)


def test_access_is_asked_for_over_http(verifier: Verifier, site: Site) -> None:
    point = DecisionPoint()
    site.publish_point(point)
    access = AccessClient(site.url, CLIENT_ID, CLIENT_SECRET)
    token = verifier.verify(sign(claims(iss=site.url)))
    names = ["vserver::60108:server/srv-1", "vserver::60108:server/srv-2"]

    assert access.allows(token, "vserver:StopServer", names[0])
    assert access.allowed(token, "vserver:GetServer", names) == names
    assert site.asked[2:] == [
        "/.well-known/authzen-configuration",
        "/access/v1/evaluation",
        "/access/v1/evaluations",
    ]


def test_an_answer_that_is_no_success_is_none(verifier: Verifier, site: Site) -> None:
    site.publish_point(DecisionPoint())
    site.point = None  # it has moved, and answers 404
    access = AccessClient(site.url, CLIENT_ID, CLIENT_SECRET)

    with pytest.raises(AccessUnavailable):
        access.allows(verifier.verify(sign(claims(iss=site.url))), "vserver:StopServer", "x")
    with pytest.raises(DocumentUnusable, match="answered 404"):
        HttpFetch(site.url).post(f"{site.url}/access/v1/evaluation", b"{}", {})


def test_nothing_is_sent_to_another_host(site: Site) -> None:
    with pytest.raises(DocumentUnusable, match="not on the issuer's own host"):
        HttpFetch(URL).post(f"{site.url}/access/v1/evaluation", b"{}", {})
    assert site.asked == []
