"""Fetching a tenant's document: over TLS to the host that was named, and never anywhere else."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.tokens import outbound
from app.tokens.outbound import LARGEST_DOCUMENT, FetchFailed, fetch

PUBLIC = "93.184.215.14"
HOST = "app.example"
URI = f"https://{HOST}/jwks.json?tenant=1"
PATIENCE = 20
OK = b"HTTP/1.1 200 OK\r\n"


@dataclass
class Site:
    """A server on loopback that plays `app.example`: what it answers, and what it was asked."""

    port: int
    trusted: ssl.SSLContext
    answer: bytes = OK + b"Content-Length: 2\r\n\r\n{}"
    #: The connection is kept after the answer, as by a server that never ends.
    keeps_open: bool = False
    requests: list[bytes] = field(default_factory=list)
    reached: list[tuple[str, int]] = field(default_factory=list)

    def connect(self, address: tuple[str, int], timeout: float) -> socket.socket:
        self.reached.append(address)
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def fetch(self, uri: str = URI, *addresses: str) -> bytes:
        return fetch(
            uri,
            resolve=lambda _host: list(addresses or (PUBLIC,)),
            connect=self.connect,
            tls=self.trusted,
        )


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, private


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    chain, private = certificate(tmp_path, HOST)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(chain, private)
    listener = socket.create_server(("127.0.0.1", 0))
    trusted = ssl.create_default_context(cafile=str(chain))
    made = Site(listener.getsockname()[1], trusted)
    thread = threading.Thread(target=_serve, args=(made, listener, serving))
    thread.start()
    yield made
    # Shut down before it is closed: the thread that waits in `accept` is told.
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)
    listener.close()
    assert not thread.is_alive()


def _serve(site: Site, listener: socket.socket, serving: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        plain.settimeout(PATIENCE)
        try:
            with serving.wrap_socket(plain, server_side=True) as connection:
                site.requests.append(connection.recv(65536))
                connection.sendall(site.answer)
                while site.keeps_open and connection.recv(1024):
                    pass
        except OSError:
            plain.close()


def failure(call: Callable[[], bytes]) -> str:
    with pytest.raises(FetchFailed) as caught:
        call()
    return str(caught.value)


def test_a_document_is_read_from_the_address_that_was_looked_at(site: Site) -> None:
    assert site.fetch() == b"{}"
    assert site.reached == [(PUBLIC, 443)]
    (request,) = site.requests
    assert request.startswith(b"GET /jwks.json?tenant=1 HTTP/1.1\r\nHost: app.example\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Connection: close\r\n\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["to the end", "in chunks"],
)
def test_a_document_comes_in_any_framing(site: Site, answer: bytes) -> None:
    site.answer = answer

    assert site.fetch() == b"{}"


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("169.254.169.254",), (PUBLIC, "10.0.0.1"), ("::ffff:127.0.0.1",), ("",)],
)
def test_a_name_that_leads_inside_is_not_followed(site: Site, addresses: tuple[str, ...]) -> None:
    assert "public internet" in failure(lambda: site.fetch(URI, *addresses))
    assert site.reached == []


def test_a_name_that_leads_nowhere_is_not_followed() -> None:
    assert "public internet" in failure(lambda: fetch(URI, resolve=lambda _host: []))


def test_a_name_of_this_very_machine_is_refused_by_the_real_resolver() -> None:
    def resolve(_host: str) -> list[str]:
        return outbound._resolve("localhost")

    assert "public internet" in failure(lambda: fetch(URI, resolve=resolve))


@pytest.mark.parametrize("uri", ["http://app.example/", "https://127.0.0.1/", "file:///etc/passwd"])
def test_a_uri_that_may_not_be_registered_is_not_fetched_either(site: Site, uri: str) -> None:
    assert failure(lambda: site.fetch(uri)).startswith("expected")
    assert site.reached == []


@pytest.mark.parametrize("status", [301, 302, 307, 404, 500])
def test_only_the_document_itself_will_do(site: Site, status: int) -> None:
    site.answer = (
        f"HTTP/1.1 {status} X\r\nLocation: https://app.example/b\r\nContent-Length: 2\r\n\r\n"
    ).encode() + b"{}"

    assert failure(site.fetch) == f"app.example answers {status}, expected 200"
    assert len(site.requests) == 1


def test_the_certificate_has_to_be_the_hosts(site: Site) -> None:
    assert "SSLCertVerificationError" in failure(lambda: site.fetch("https://other.example/"))
    assert site.requests == []


def test_the_certificate_has_to_be_trusted(site: Site) -> None:
    site.trusted = ssl.create_default_context()

    assert "SSLCertVerificationError" in failure(site.fetch)


def test_the_largest_document_is_read_and_no_larger_one(site: Site) -> None:
    site.answer = OK + b"Connection: close\r\n\r\n" + b"x" * LARGEST_DOCUMENT
    assert len(site.fetch()) == LARGEST_DOCUMENT

    site.answer += b"x"
    assert "more than" in failure(site.fetch)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 O", OK + b"Content-Length: 9\r\n\r\n{}"],
    ids=["before the status", "in the headers", "in the body"],
)
def test_a_server_that_never_ends_is_left(
    site: Site, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "LONGEST_FETCH", 0.3)
    site.answer, site.keeps_open = answer, True

    assert failure(site.fetch).startswith(HOST)


def test_a_server_that_is_not_there_is_no_document() -> None:
    def connect(_address: tuple[str, int], _timeout: float) -> socket.socket:
        raise ConnectionRefusedError

    found = failure(lambda: fetch(URI, resolve=lambda _host: [PUBLIC], connect=connect))
    assert found == "app.example: ConnectionRefusedError"
