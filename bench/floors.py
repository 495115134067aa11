"""Views that do next to nothing, on the very server stack of `crossroot serve`.

`python -m bench.floors` reads the same settings from the environment; only the application
behind the bridge is another one. What these cost, Crossroot cannot do without.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, Response, jsonify, request

from app.cli import serving
from app.cli.bridge import Bridge
from app.cli.lifeline import stop_with_parent
from app.settings import Settings, load_settings

#: As long as an answer with a token.
_BODY = {"access_token": "x" * 600, "token_type": "Bearer", "expires_in": 3600, "scope": "y" * 19}


def floors() -> Flask:
    """POST /bare answers; POST /parsed reads form and Basic header before."""
    app = Flask("floors", static_folder=None)

    @app.post("/bare")
    def bare() -> Response:
        return jsonify(_BODY)

    @app.post("/parsed")
    def parsed() -> Response | tuple[Response, int]:
        basic = request.authorization
        if basic is None or basic.type != "basic" or not (basic.username and basic.password):
            return jsonify(error="invalid_client"), 401
        if request.form.get("grant_type") != "client_credentials" or not request.form.get("scope"):
            return jsonify(error="invalid_request"), 400
        return jsonify(_BODY)

    return app


def load_floors(settings: Settings, log_access: bool) -> Any:
    """In place of `app.cli.serving.load_worker`."""
    stop_with_parent()
    return Bridge(
        floors(),
        threads=settings.threads,
        max_body_bytes=settings.max_body_bytes,
        log_access=log_access,
    )


def main() -> None:
    # The workers import this module by its name.
    from bench.floors import load_floors as loader

    settings = load_settings(os.environ)
    serving.load_worker = loader
    serving.serve(settings, settings.host, log_access=False, on_listening=lambda: None)


if __name__ == "__main__":
    main()
