"""What is wrong with a client or redirect URI is shown on a page, whatever else is wrong.

RFC 6749 section 4.1.2.1: until client and redirect URI are known to belong together, whatever is
wrong is shown on a page.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support import changes
from tests.support.browser import ask, is_page
from tests.support.world import (
    CALLBACK,
    World,
    authorization_query,
)

BAD_CLIENTS: dict[str, dict[str, Any]] = {
    "none": {"client_id": ""},
    "unknown": {"client_id": "nobody"},
    "with a quote": {"client_id": '"<script>'},
    "in another case": {"client_id": "Crossroot-CLI"},
}
BAD_REDIRECT_URIS: dict[str, str] = {
    "another host": "https://evil.example/callback",
    "another path": "http://127.0.0.1:49152/other",
    "a longer path": "http://127.0.0.1:49152/callback/",
    "path traversal": "http://127.0.0.1:49152/x/../callback",
    "semicolon traversal": "http://127.0.0.1:49152/x/..;/callback",
    "encoded letters": "http://127.0.0.1:49152/%63allback",
    "a query": "http://127.0.0.1:49152/callback?x=1",
    "a fragment": "http://127.0.0.1:49152/callback#x",
    "https": "https://127.0.0.1:49152/callback",
    "localhost": "http://localhost:49152/callback",
    "all interfaces": "http://0.0.0.0:49152/callback",
    "another loopback": "http://127.0.0.2:49152/callback",
    "a number for a host": "http://2130706433:49152/callback",
    "a port that is none": "http://127.0.0.1:99999/callback",
    "port 0": "http://127.0.0.1:0/callback",
    "no port after the colon": "http://127.0.0.1:/callback",
    "user information": "http://127.0.0.1:1@evil.example/callback",
    "user information before": "http://evil.example@127.0.0.1/callback",
    "a host behind": "http://127.0.0.1.evil.example/callback",
    "a backslash": "http://127.0.0.1\\@evil.example/callback",
    "no scheme": "//127.0.0.1/callback",
    "javascript": "javascript:alert(1)//http://127.0.0.1/callback",
    "data": "data:text/html,x",
    "a quote": 'http://127.0.0.1:49152/callback"',
    "markup": "http://127.0.0.1:49152/<script>",
    "another alphabet": "http://127.0.0.1:49152/cällback",
    "upper case": "HTTP://127.0.0.1:49152/CALLBACK",
    "a star": "*",
    "a space": "http://127.0.0.1:49152/callback ",
    "two of them": f"{CALLBACK} {CALLBACK}",
}
#: Whatever else is wrong: the page is the answer all the same.
ALSO_WRONG: list[dict[str, Any]] = [
    {},
    {"response_type": "token"},
    {"response_type": ""},
    {"response_type": '"'},
    {"code_challenge": ""},
    {"code_challenge_method": "plain"},
    {"scope": "nonsense"},
    {"resource": "nowhere"},
    {"prompt": "none"},
    {"request": "x"},
    {"response_mode": "form_post"},
]


class TestAPageAndNoRedirect:
    """CVE-2026-41479, CVE-2026-44681: a redirect to a URI that nobody had validated."""

    @pytest.mark.parametrize("name", BAD_CLIENTS)
    def test_a_bad_client(self, world: World, name: str) -> None:
        for also in ALSO_WRONG:
            assert is_page(ask(world, **{**also, **BAD_CLIENTS[name]})), also

    @pytest.mark.parametrize("name", BAD_REDIRECT_URIS)
    def test_a_bad_redirect_uri(self, world: World, name: str) -> None:
        """CVE-2023-6291, CVE-2024-1132, CVE-2024-8883, CVE-2026-3872, CVE-2024-52289."""
        for also in ALSO_WRONG:
            answer = ask(world, **{**also, "redirect_uri": BAD_REDIRECT_URIS[name]})
            assert is_page(answer), also
            assert "<script>" not in answer.text

    def test_a_disabled_client(self, world: World) -> None:
        changes.new_client(world, "off", enabled=False)

        assert is_page(ask(world, client_id="off", redirect_uri="https://off.example/callback"))

    def test_a_client_of_a_disabled_account(self, world: World) -> None:
        changes.new_client(world, "app")
        changes.disable_account(world, "53461")

        assert is_page(ask(world, client_id="app", redirect_uri="https://app.example/callback"))

    def test_a_service_account_has_no_pages(self, world: World) -> None:
        assert is_page(ask(world, client_id=world.client_id))
        assert is_page(ask(world, client_id=world.client_id, redirect_uri=""))

    def test_a_redirect_uri_that_has_to_be_sent(self, world: World) -> None:
        """The command line has two registered."""
        assert is_page(ask(world, redirect_uri=""))

    @pytest.mark.parametrize(
        "uri",
        [
            "https://app.example/callback/",
            "https://app.example/callback2",
            "https://app.example/callback?x=1",
            "https://app.example/callback/../x",
            "https://app.example/callback.evil.example",
            "https://app.example:443/callback",
            "https://app.example:8443/callback",
            "https://app.example/CALLBACK",
            "https://APP.example/callback",
            "https://app.example@evil.example/callback",
            "https://app.example",
            "https://app.exampleXcallback",
        ],
    )
    def test_a_website_is_compared_by_the_letter(self, world: World, uri: str) -> None:
        """RFC 9700 section 2.1; CVE-2024-21637, CVE-2023-6544: no patterns."""
        changes.new_client(world, "app")

        assert is_page(ask(world, client_id="app", redirect_uri=uri))

    def test_the_redirect_uri_of_another_client(self, world: World) -> None:
        changes.new_client(world, "app")

        assert is_page(ask(world, redirect_uri="https://app.example/callback"))

    @pytest.mark.parametrize(
        "query",
        [
            "client_id=a&client_id=crossroot-cli",
            "state=a&state=b",
            "redirect_uri=http://127.0.0.1/callback&redirect_uri=https://evil.example/",
            "response_type=code&response_type=token",
            "note=%zz",
            "note=%00",
            "note=%ff",
            "&".join(f"f{number}=1" for number in range(101)),
            "note=" + "a" * 9000,
        ],
    )
    def test_what_cannot_be_read(self, world: World, query: str) -> None:
        rest = {
            name: value for name, value in authorization_query().items() if f"{name}=" not in query
        }

        answer = world.client.get("/oauth2/authorize?" + query + "&" + urlencode(rest))

        assert is_page(answer)

    def test_bytes_that_are_no_query(self, world: World) -> None:
        assert is_page(
            world.client.get(
                "/oauth2/authorize", environ_overrides={"QUERY_STRING": "client_id=\xff"}
            )
        )
