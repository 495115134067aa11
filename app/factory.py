"""`create_app`: the ordered wiring, and so the table of contents of a running Crossroot."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from app.evaluation import server as evaluation
from app.evaluation.front import EvaluationFront
from app.management import server as management
from app.oauth import server as oauth
from app.oauth.endpoints import token
from app.oauth.errors import finished, http_error_response, unexpected_response
from app.oauth.front import TokenFront
from app.services.evaluation import AccessEvaluation
from app.services.runtime import Runtime
from app.settings import Settings
from app.storage.database import configure
from app.tokens import outbound
from app.tokens.checker import TokenChecker
from app.tokens.issuer import TokenIssuer
from app.tokens.keyring import KeyRing
from app.tokens.live_keyring import LiveKeyRing
from app.tokens.outbound import Fetch
from app.tokens.remote_keys import RemoteKeySets
from app.tokens.secrets import PasswordHasher, SecretHasher, load_or_create_pepper

RUNTIME = "crossroot"
PEPPER_FILE = "pepper.key"


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    random_bytes: Callable[[int], bytes] = os.urandom,
    ring: Callable[[], KeyRing] | None = None,
    pepper: bytes | None = None,
    passwords: PasswordHasher | None = None,
    fetch: Fetch = outbound.fetch,
    reached: Callable[[str], None] | None = None,
) -> Flask:
    """Build the application. Tests hand in a clock, keys, a network and a cheap password hasher.

    Raises `KeyRingError` where the keys cannot be read, and `ValueError` where they cannot sign.
    """
    app = Flask("app", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.merge_slashes = False  # one SDK has two slashes in its path
    app.json.sort_keys = False  # type: ignore[attr-defined]

    database = configure(app, settings.database_url)
    if ring is None:
        ring = LiveKeyRing(settings.keys_dir, clock).current
    if pepper is None:
        pepper = load_or_create_pepper(settings.keys_dir / PEPPER_FILE, random_bytes)
    ring().signer(settings.signing_algorithm)

    runtime = Runtime(
        settings=settings,
        clock=clock,
        random_bytes=random_bytes,
        database=database,
        ring=ring,
        issuer=TokenIssuer(ring, settings.issuer, settings.signing_algorithm),
        checker=TokenChecker(ring, settings.issuer),
        secrets=SecretHasher(pepper),
        passwords=passwords or PasswordHasher(random_bytes),
        key_sets=RemoteKeySets(fetch, clock),
    )
    if reached is not None:
        runtime = replace(runtime, reached=reached)
    app.extensions[RUNTIME] = runtime

    server = oauth.protocol_server(runtime)
    app.register_blueprint(oauth.blueprint(runtime, server))
    app.register_blueprint(management.blueprint(runtime))
    access = AccessEvaluation(runtime)
    runtime.at_end.append(access.write_counts)
    app.register_blueprint(evaluation.blueprint(runtime, access))
    _add_health(app)
    app.after_request(finished)
    app.register_error_handler(HTTPException, http_error_response)
    app.register_error_handler(Exception, lambda error: unexpected_response(error, request))
    front = TokenFront(
        app.wsgi_app, lambda asked: token.token(runtime, server, asked), settings.max_body_bytes
    )
    app.wsgi_app = EvaluationFront(front, access, settings.max_body_bytes)  # type: ignore[method-assign]
    return app


def runtime_of(app: Flask) -> Runtime:
    """The runtime of an application, for the command line and tests."""
    runtime = app.extensions[RUNTIME]
    if not isinstance(runtime, Runtime):
        raise TypeError("this Flask application is no Crossroot")
    return runtime


def _add_health(app: Flask) -> None:
    @app.get("/healthz")
    def alive() -> Response:
        """The process answers; the store is not asked."""
        return jsonify({"status": "alive"})
