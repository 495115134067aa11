"""Running the server: granian, its limits, and what its workers load.

Limits, each of one request or connection: 32 KiB for request line and headers (431), 100
headers (431), the setting `max_body_bytes`, 10 seconds until the headers are there (which is
also how long an idle connection is kept) and 10 until the body is. HTTP/1.1 alone: TLS ends at a
proxy, and proxies speak 1.1 to what is behind them.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from app.cli.bridge import Bridge
from app.cli.errors import CannotDo
from app.cli.lifeline import stop_with_parent
from app.factory import create_app, runtime_of
from app.oauth import paths
from app.services.runtime import Runtime
from app.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: An authorization request of 8 KiB is percent-encoded again where it leads to the sign-in page.
LARGEST_HEAD = 32 * 1024
HEAD_WITHIN_MS = 10_000
#: More than a request may take in all (`bridge.BODY_WITHIN` and its answer).
STOP_WITHIN = 15
BACKLOG = 1024
#: Of one worker. Granian counts idle ones too.
MOST_CONNECTIONS = 512
_TOKEN_PATHS = frozenset({paths.TOKEN, paths.SDK_TOKEN_V1, *paths.SDK_TOKEN_V2})


def resolve(host: str, port: int, variable: str) -> str:
    """The IP address of a host name, IPv4 if it has one. Raises `CannotDo`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise CannotDo(f"{variable} is {host!r}, which has no address") from None
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0])


def require_free(address: str, port: int, variable: str) -> None:
    """Raises `CannotDo` where the port cannot be listened on.

    Granian would not notice: its workers share the port (SO_REUSEPORT), with whatever other
    process of the same user is there, and each would get some of the requests.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: connections of one that has just stopped are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise CannotDo(
                f"cannot listen on {address} port {port}: {error.strerror}; "
                f"stop what is there, or choose another port with {variable}"
            ) from None


def serve(
    settings: Settings, address: str, *, log_access: bool, on_listening: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests under way and return.

    Raises SystemExit with 1 where the workers fail again and again.
    """
    server = Granian(
        "crossroot",
        address=address,
        port=settings.port,
        interface=Interfaces.RSGI,
        workers=settings.workers,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_WITHIN,
        backlog=BACKLOG,
        backpressure=MOST_CONNECTIONS,
        loop=Loops.asyncio,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEAD_WITHIN_MS, max_buffer_size=LARGEST_HEAD
        ),
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig=logging_config(),
    )
    server.on_startup(on_listening)
    # A loader of our own: granian's looks for modules in the current folder first.
    loader = partial(load_worker, settings, log_access)
    server.serve(target_loader=loader, wrap_loader=False)


def load_worker(settings: Settings, log_access: bool) -> Any:
    """What each worker process runs: an RSGI application.

    Until granian listens to signals in it, it must not have the handlers that it inherits from
    its parent: they would swallow the request to stop.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the parent passes it on as SIGTERM
    stop_with_parent()
    app = create_app(settings)
    return bridge_to(app, runtime_of(app), log_access=log_access)


def bridge_to(application: WSGIApplication, runtime: Runtime, *, log_access: bool = False) -> Any:
    """The RSGI application that stands before Crossroot wherever it is served."""
    return Bridge(
        application,
        threads=runtime.settings.threads,
        max_body_bytes=runtime.settings.max_body_bytes,
        log_access=log_access,
        quick=is_quick,
        answer_together=runtime.database.answer_together,
        at_end=runtime.end,
    )


def is_quick(path: str, body: bytes) -> bool:
    """Whether a request waits for nothing but the store, so that it may share a thread.

    Token requests do, but for those by private_key_jwt: the keys of the client may have to be
    fetched from a server of its own, which takes its time. However the parameter's name is
    written, it is in the body once that is decoded.
    """
    return path in _TOKEN_PATHS and b"client_assertion" not in unquote_to_bytes(body)


def logging_config() -> dict[str, Any]:
    """Everything to stderr; stdout belongs to what a command has to say."""
    return {
        "formatters": {"line": {"format": "%(asctime)s %(process)d %(levelname)s %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {"_granian": {"handlers": ["stderr"], "propagate": False}},
    }
