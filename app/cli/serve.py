"""`crossroot serve`: the authorization server, until it is told to stop."""

from __future__ import annotations

import click

from app.cli.keys import make_missing
from app.cli.output import json_option, note, say
from app.cli.serving import require_free, resolve, serve
from app.cli.state import opened, settings_of
from app.settings import Settings


@click.command("serve")
@click.option("--host", help="The address to listen on; without it CROSSROOT_HOST.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port; without it CROSSROOT_PORT.")
@click.option("--access-log", is_flag=True, help="Write a line to stderr for each request.")
@json_option
def command(host: str | None, port: int | None, access_log: bool, as_json: bool) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way are finished.

    Settings come from the environment (CROSSROOT_…).
    """
    settings = settings_of(host=host, port=port)
    address = resolve(settings.host, settings.port, "CROSSROOT_HOST")
    require_free(address, settings.port, "CROSSROOT_PORT")
    check(settings)

    def on_listening() -> None:
        say(
            as_json,
            {
                "issuer": settings.issuer,
                "address": address,
                "port": settings.port,
                "workers": settings.workers,
                "threads": settings.threads,
            },
            f"Serving {settings.issuer} on {address} port {settings.port} with "
            f"{settings.workers} workers of {settings.threads} threads ({settings.environment}).",
            "Stop with Ctrl-C or SIGTERM.",
        )

    serve(settings, address, log_access=access_log, on_listening=on_listening)


def check(settings: Settings) -> None:
    """Say now, in one sentence, what a worker would say later with a stack trace.

    Raises `CannotDo` or `KeyRingError`.
    """
    if settings.environment == "development":
        for key in make_missing(settings):
            note(f"Made {key.alg} key {key.kid}: there was none.")
    with opened(settings):
        pass
