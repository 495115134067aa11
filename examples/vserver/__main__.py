"""Runs the sample vServer: `python examples/vserver`, stopped with SIGTERM or Ctrl-C.

One worker, because the servers are kept in its memory.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from vserver_settings import Settings

from app.verifier import AccessClient, Verifier

_HERE = Path(__file__).resolve().parent
# A token has 8 KiB at most; more than this in one header block is refused with 431.
_LARGEST_HEAD = 16 * 1024
# Connections that clients keep open would hold up the stop: after these seconds they are cut.
_STOP_WITHIN = 5


def main() -> int:
    """Serve until told to stop. Returns the exit status: 2 for settings that can't be."""
    try:
        settings = Settings.from_environment(os.environ)
        address = settings.address()
        # They say now what the worker would say later.
        Verifier(settings.issuer, settings.audience)
        AccessClient(settings.issuer, settings.client_id, settings.client_secret)
    except ValueError as error:
        print(f"vServer cannot start: {error}", file=sys.stderr)
        return 2
    Granian(
        # With the path: a bare module name would be looked for in the current folder first.
        f"{_HERE / 'vserver_worker.py'}:worker_app",
        factory=True,
        working_dir=_HERE,
        address=address,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=4,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(max_buffer_size=_LARGEST_HEAD, header_read_timeout=10_000),
        websockets=False,
        workers_kill_timeout=_STOP_WITHIN,
    ).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
