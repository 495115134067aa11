"""What the worker process of the web server loads."""

from __future__ import annotations

import os

from flask import Flask
from vserver_app import create_app
from vserver_settings import Settings

# Read later, by OpenSSL and the C library.
_KEPT = frozenset({"PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"})


def worker_app() -> Flask:
    """The application, from the environment, which is forgotten afterwards.

    Granian puts the environment into every request: a variable `HTTP_AUTHORIZATION` would be a
    token for everyone who sends none, and secrets would be one debug page away.
    """
    settings = Settings.from_environment(os.environ)
    for name in set(os.environ) - _KEPT:
        del os.environ[name]
    return create_app(settings)
