"""`crossroot serve` before it serves. How it serves is in tests/e2e/test_serving.py."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator

import pytest

from app.cli.errors import CannotDo
from app.cli.serving import require_free, resolve
from tests.cli.conftest import Terminal
from tests.support.processes import free_port


@pytest.fixture
def ready(terminal: Terminal) -> Terminal:
    terminal.env["CROSSROOT_PORT"] = str(free_port())
    return terminal


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on who shares it, as granian's workers do."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_without_a_store(empty: Terminal) -> None:
    empty.env["CROSSROOT_PORT"] = str(free_port())
    empty.env["CROSSROOT_ENVIRONMENT"] = "production"
    empty.env["CROSSROOT_ISSUER"] = "https://id.example.com"

    assert empty.fails("serve").endswith("yet; run: crossroot init")


def test_with_an_old_store(ready: Terminal) -> None:
    (ready.folder / "var" / "crossroot.db").write_bytes(b"")

    assert ready.fails("serve") == "the store is empty; run: crossroot init"


def test_production_needs_https(ready: Terminal) -> None:
    ready.env["CROSSROOT_ENVIRONMENT"] = "production"

    assert "is not https, which production needs" in ready.fails("serve")


def test_production_needs_an_active_key(ready: Terminal) -> None:
    ready.env["CROSSROOT_ENVIRONMENT"] = "production"
    ready.env["CROSSROOT_ISSUER"] = "https://id.example.com"
    shutil.rmtree(ready.folder / "keys" / "active")

    assert ready.fails("serve") == "there is no active ES256 key; run: crossroot keys generate"
    assert not (ready.folder / "keys" / "active").exists()


def test_in_development_keys_are_made_when_they_are_needed(ready: Terminal) -> None:
    shutil.rmtree(ready.folder / "keys" / "active")
    (ready.folder / "var" / "crossroot.db").write_bytes(b"")

    done = ready.type("serve")
    notes = done.stderr.splitlines()
    assert [line.split()[1] for line in notes[:2]] == ["ES256", "RS256"]
    assert notes[2] == "Error: the store is empty; run: crossroot init"


def test_a_port_that_is_taken(ready: Terminal, taken: int) -> None:
    """Even by somebody who would share it: each would get some of the requests."""
    said = ready.fails("serve", "--port", str(taken))

    assert said == (
        f"cannot listen on 127.0.0.1 port {taken}: Address already in use; "
        "stop what is there, or choose another port with CROSSROOT_PORT"
    )


def test_a_host_that_is_none(ready: Terminal) -> None:
    assert ready.fails("serve", "--host", "no.such.host.invalid") == (
        "CROSSROOT_HOST is 'no.such.host.invalid', which has no address"
    )


def test_an_address_of_somebody_else(ready: Terminal) -> None:
    assert "cannot listen on 192.0.2.1 port " in ready.fails("serve", "--host", "192.0.2.1")


def test_hosts_are_resolved() -> None:
    assert resolve("localhost", 80, "X") == "127.0.0.1"
    assert resolve("::1", 80, "X") == "::1"
    with pytest.raises(CannotDo, match=r"^X is 'a\.\.b', which has no address$"):
        resolve("a..b", 80, "X")


def test_a_free_port_stays_free(taken: int) -> None:
    port = free_port()
    require_free("127.0.0.1", port, "X")
    require_free("127.0.0.1", port, "X")
    with pytest.raises(CannotDo):
        require_free("127.0.0.1", taken, "X")
