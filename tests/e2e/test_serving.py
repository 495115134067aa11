"""What `crossroot serve` lets through to the application, and what it does not."""

from __future__ import annotations

import json
import os
import signal
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.conftest import Site
from tests.e2e.people import Person
from tests.e2e.wire import Wire, chunked, form, request, spoken
from tests.support.processes import Running, free_port, listens, served, until

FORM = "Content-Type: application/x-www-form-urlencoded"
SMUGGLED = request("GET /healthz")
CLOSING = request("GET /healthz", "Connection: close")
BODY = "grant_type=client_credentials"
CHUNKED = "Transfer-Encoding: chunked"


def post(*headers: str, body: str = "") -> str:
    return request("POST /oauth2/token", FORM, *headers, body=body)


def credentials(site: Site) -> str:
    return "Authorization: Basic " + b64encode(":".join(site.client).encode()).decode()


class TestWhereOneRequestEnds:
    """RFC 9112 sections 6.1 and 11.2: what two readers could take for two things is refused."""

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(post("Transfer-Encoding: xchunked"), id="coding-unknown"),
            pytest.param(post("Transfer-Encoding: chunked, identity"), id="chunked-not-last"),
            pytest.param(post("Transfer-Encoding: gzip, chunked"), id="coding-below"),
            pytest.param(post(CHUNKED, "Transfer-Encoding: identity"), id="coding-twice"),
            pytest.param(post(CHUNKED, CHUNKED), id="chunked-twice"),
            pytest.param(post("Transfer-Encoding : chunked"), id="space-before-colon"),
            pytest.param(post("Transfer-Encoding:\r\n chunked"), id="folded"),
            pytest.param(post("Transfer-Encoding: \x0bchunked"), id="vertical-tab"),
            pytest.param(post(CHUNKED).replace("1.1", "1.0", 1), id="chunked-in-1.0"),
            pytest.param(post("Content-Length: 0", "Content-Length: 5"), id="two-lengths"),
            pytest.param(post("Content-Length: 0, 0"), id="length-list"),
            pytest.param(post("Content-Length: +0"), id="length-plus"),
            pytest.param(post("Content-Length: -1"), id="length-negative"),
            pytest.param(post("Content-Length: 0x0"), id="length-hexadecimal"),
            pytest.param(post("Content-Length: 0", "X: a\rb"), id="bare-cr"),
            pytest.param(post("Content-Length: 0", "X: a\0b"), id="nul"),
            pytest.param(post("Content-Length: 0", "Host: other"), id="two-hosts"),
            pytest.param("GET /healthz HTTP/1.1\r\n\r\n", id="no-host"),
            pytest.param(post("Authorization: a", "Authorization: b"), id="two-credentials"),
            pytest.param(post(FORM), id="two-content-types"),
        ],
    )
    def test_refused(self, site: Site, text: str) -> None:
        heard = spoken(site.port, text + SMUGGLED)

        assert heard.statuses == [400]

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_length_and_chunks(self, site: Site, order: tuple[int, int]) -> None:
        """Whichever of the two a proxy goes by, what it then sends is never a request to us."""
        body = chunked(BODY)
        both = [CHUNKED, f"Content-Length: {len(body + SMUGGLED)}"]
        text = post(both[order[0]], both[order[1]], credentials(site), body=body)
        heard = spoken(site.port, text + SMUGGLED)

        assert heard.statuses == [400]
        assert b"connection: close" in heard.raw
        assert b"access_token" not in heard.raw
        assert b"alive" not in heard.raw

    @pytest.mark.parametrize(
        "body", [chunked(BODY), "0\r\n\r\n", "zz\r\nab\r\n", "3\nabc\n0\n\n", "1d\r\n", ""]
    )
    def test_chunks(self, site: Site, body: str) -> None:
        """Refused without being waited for, and told what would be right."""
        heard = spoken(site.port, post(CHUNKED, credentials(site), body=body))

        assert heard.statuses == [400]
        assert b"a body comes with its Content-Length" in heard.raw

    def test_a_body_that_breaks_off(self, site: Site) -> None:
        """A form cut short may lack the parameter that would have restricted the token."""
        whole = form(f"{BODY}&scope=vserver:ListServers", credentials(site))
        wire = Wire(site.port)
        wire.say(whole.removesuffix("&scope=vserver:ListServers"))

        assert 200 not in wire.hang_up().statuses

    def test_requests_one_after_the_other(self, site: Site) -> None:
        """The control: two plain requests on one connection are two answers."""
        heard = spoken(
            site.port,
            form(BODY, credentials(site)) + CLOSING,
        )

        assert heard.statuses == [200, 200]

    def test_a_header_with_an_underscore_is_none(self, site: Site) -> None:
        """`Content_Type` would be `Content-Type` to WSGI."""
        heard = spoken(
            site.port,
            request(
                "POST /oauth2/token",
                "Content_Type: application/x-www-form-urlencoded",
                "Connection: close",
                f"Content-Length: {len(BODY)}",
                body=BODY,
            ),
        )

        assert heard.statuses == [400]
        assert b"expected the content type" in heard.raw


class TestSizes:
    def test_the_largest_head(self, site: Site) -> None:
        small, large = ("X: " + "x" * size for size in (30_000, 100_000))

        assert spoken(site.port, request("GET /healthz", small, "Connection: close")).statuses == [
            200
        ]
        assert spoken(site.port, request("GET /healthz", large)).statuses == [431]
        assert spoken(site.port, request(f"GET /{'x' * 70_000}")).statuses[0] in (414, 431)

    def test_many_headers(self, site: Site) -> None:
        many = [f"X-{number}: 1" for number in range(101)]

        assert spoken(site.port, request("GET /healthz", *many)).statuses == [431]

    def test_a_body_that_announces_too_much_is_not_waited_for(self, site: Site) -> None:
        heard = spoken(site.port, post("Content-Length: 65537"))

        assert heard.statuses == [400]
        assert json.loads(heard.raw.rpartition(b"\r\n")[2])["error"] == "invalid_request"
        assert b"too large" in heard.raw

    def test_expectations(self, site: Site) -> None:
        """Who asks first whether the body is welcome gets the answer before sending it."""
        heard = spoken(site.port, post("Expect: 100-continue", "Content-Length: 65537"))

        assert b"100 Continue" not in heard.raw
        assert heard.statuses == [400]


def test_the_slow_hold_nobody_up(site: Site) -> None:
    """Many more of them than there are threads; and none of them for longer than ten seconds."""
    started = time.monotonic()
    silent = [Wire(site.port) for _ in range(5)]
    heads = [Wire(site.port) for _ in range(15)]
    bodies = [Wire(site.port) for _ in range(25)]
    idle = Wire(site.port)
    for wire in heads:
        wire.say("GET /healthz HTTP/1.1\r\nHost: local")
    for wire in bodies:
        wire.say(form(BODY)[:-1])
    idle.say(SMUGGLED)

    assert requests.get(f"{site.issuer}/healthz").json() == {"status": "alive"}
    token = requests.post(
        f"{site.issuer}/oauth2/token", data={"grant_type": "client_credentials"}, auth=site.client
    )
    assert token.status_code == 200
    assert time.monotonic() - started < 10, "before any of the slow ones is given up"

    assert {tuple(wire.hear().statuses) for wire in bodies} == {(408,)}
    assert {tuple(wire.hear().statuses) for wire in heads} <= {(), (408,)}
    assert {wire.hear().raw for wire in silent} == {b""}
    assert idle.hear().statuses == [200]
    assert time.monotonic() - started < 40


class TestWhatComesThrough:
    def test_paths_as_they_are(self, site: Site) -> None:
        """An SDK has two slashes in its path; `..` and `%2e` go nowhere."""
        ours = spoken(
            site.port,
            form(BODY, credentials(site), "Connection: close", path="/accounts-api/v2//auth/token"),
        )
        assert ours.statuses == [200]
        for path in ("/assets/../healthz", "/assets/%2e%2e/%2e%2e/server.py", "/%00", "/%e9"):
            heard = spoken(site.port, request(f"GET {path}", "Connection: close"))
            assert heard.statuses == [404]

    def test_an_answer_without_body(self, site: Site) -> None:
        answer = requests.head(f"{site.issuer}/.well-known/openid-configuration")

        assert answer.status_code == 200
        assert int(answer.headers["Content-Length"]) > 0
        assert answer.content == b""

    def test_two_cookies_in_one_answer(self, site: Site) -> None:
        person = Person(site.issuer, site.story["B"], as_root=True)
        person.code()

        assert {cookie.name for cookie in person.session.cookies} == {
            "crossroot_session",
            "crossroot_form",
        }

    def test_no_query_string_is_logged(self, site: Site) -> None:
        requests.get(f"{site.issuer}/sign-in", params={"continue": "/the-secret"})
        requests.get(f"{site.issuer}/forged%0a2026-01-01 line")

        log = site.running.said("/forged%0A2026-01-01%20line")
        assert '"GET /sign-in" 200' in log
        assert "the-secret" not in log
        assert "code=" not in log


class TestAServerOfItsOwn:
    """In this order: an environment full of headers, a worker that dies, and the end."""

    @pytest.fixture(scope="class")
    @classmethod
    def own(
        cls, site: Site, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[tuple[Running, int]]:
        """A second server over the same store, started in a hostile environment."""
        port = free_port()
        hostile = {
            # Granian's own WSGI environ would show these as headers of every request.
            "HTTP_AUTHORIZATION": credentials(site).partition(": ")[2],
            "HTTP_HOST": "evil.example",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "REMOTE_ADDR": "192.0.2.1",
            "CROSSROOT_PORT": str(port),
        }
        folder = tmp_path_factory.mktemp("own")
        # Modules of the folder that somebody happens to be in are not ours.
        (folder / "app").mkdir()
        (folder / "app" / "__init__.py").write_text("raise RuntimeError('from this folder')")
        with served(folder, {**site.env, **hostile}, "--json") as running:
            yield running, port

    def test_it_says_where_it_listens(self, site: Site, own: tuple[Running, int]) -> None:
        running, port = own

        assert json.loads(running.out.read_text()) == {
            "issuer": site.issuer,
            "address": "127.0.0.1",
            "port": port,
            "workers": 2,
            "threads": 4,
        }

    def test_variables_of_the_environment_are_no_headers(
        self, site: Site, own: tuple[Running, int]
    ) -> None:
        _, port = own
        for headers, status, word in (
            ([FORM], 401, b"invalid_client"),
            ([FORM, credentials(site)], 200, b"access_token"),
            ([credentials(site)], 400, b"expected the content type"),
        ):
            heard = spoken(
                port,
                request(
                    "POST /oauth2/token",
                    *headers,
                    f"Content-Length: {len(BODY)}",
                    "Connection: close",
                    body=BODY,
                ),
            )
            assert heard.statuses == [status]
            assert word in heard.raw

    def test_a_worker_that_dies_is_replaced(self, own: tuple[Running, int]) -> None:
        running, port = own
        before = workers(running)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)

        def replaced() -> bool:
            now = workers(running)
            return len(now) == 2 and before[0] not in now

        until(replaced, "a new worker")
        until(lambda: listens(port) and spoken(port, CLOSING).statuses == [200], "an answer")

    def test_requests_under_way_are_finished(self, site: Site, own: tuple[Running, int]) -> None:
        running, port = own
        whole = form(BODY, credentials(site))
        under_way = [Wire(port) for _ in range(6)]
        for wire in under_way:
            wire.say(whole[:-1])
        idle = Wire(port)
        idle.say(SMUGGLED)
        assert idle.socket.recv(12) == b"HTTP/1.1 200"

        running.process.send_signal(signal.SIGTERM)
        until(lambda: not listens(port), "no new connections")
        for wire in under_way:
            wire.say(whole[-1])

        heard = [wire.hear() for wire in under_way]
        assert {tuple(each.statuses) for each in heard} == {(200,)}
        assert all(b"access_token" in each.raw for each in heard)
        assert running.process.wait(30) == 0
        assert "Traceback" not in running.printed()
        idle.socket.close()


def workers(running: Running) -> list[int]:
    """The processes that the server has started (Linux)."""
    pid = running.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text().split()]
