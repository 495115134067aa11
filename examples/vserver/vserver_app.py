"""The API of the sample vServer: it knows discovery, JWKS and access evaluation, no more.

Every route asks in one order: is the token good (401), may it do this to that server (403), does
its account own the server (404). A server of another account answers as one that never was.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Flask, Response, jsonify
from flask.typing import ResponseReturnValue
from servers import Action, NoSuchServer, ServerRoom, demo_servers, vrn_of
from vserver_settings import Settings
from werkzeug.exceptions import HTTPException

from app.verifier import AccessClient, VerifiedToken, Verifier
from app.verifier.flask_guard import FlaskGuard


def create_app(
    settings: Settings,
    *,
    verifier: Verifier | None = None,
    access: AccessClient | None = None,
    room: ServerRoom | None = None,
    clock: Callable[[], float] = time.time,
) -> Flask:
    """The application. `verifier`, `access` and `room` are made from the settings if not given.

    `clock` gives epoch seconds; it dates the actions.
    """
    app = Flask("vserver", static_folder=None)
    # `/v1//servers` is no path of this API; merged, it would answer with a redirect.
    app.url_map.merge_slashes = False
    servers = ServerRoom(demo_servers(settings.account)) if room is None else room
    guard = FlaskGuard(
        verifier or Verifier(settings.issuer, settings.audience),
        access or AccessClient(settings.issuer, settings.client_id, settings.client_secret),
    )

    @app.get("/healthz")
    def health() -> ResponseReturnValue:
        return {"status": "ok"}

    @app.get("/v1/servers")
    @guard.requires("vserver:ListServers", resource=any_server)
    def list_servers(token: VerifiedToken) -> ResponseReturnValue:
        return {"servers": [server.to_json() for server in servers.list(token.account_id)]}

    @app.get("/v1/servers/<server_id>")
    @guard.requires("vserver:GetServer", resource=that_server)
    def get_server(token: VerifiedToken, server_id: str) -> ResponseReturnValue:
        return servers.get(token.account_id, server_id).to_json()

    @app.post("/v1/servers/<server_id>/stop")
    @guard.requires("vserver:StopServer", resource=that_server)
    def stop_server(token: VerifiedToken, server_id: str) -> ResponseReturnValue:
        action = Action("vserver:StopServer", token, clock())
        return servers.set_status(token.account_id, server_id, "stopped", action).to_json()

    @app.post("/v1/servers/<server_id>/start")
    @guard.requires("vserver:StartServer", resource=that_server)
    def start_server(token: VerifiedToken, server_id: str) -> ResponseReturnValue:
        action = Action("vserver:StartServer", token, clock())
        return servers.set_status(token.account_id, server_id, "running", action).to_json()

    @app.delete("/v1/servers/<server_id>")
    @guard.requires("vserver:DeleteServer", resource=that_server)
    def delete_server(token: VerifiedToken, server_id: str) -> ResponseReturnValue:
        action = Action("vserver:DeleteServer", token, clock())
        return servers.delete(token.account_id, server_id, action).to_json()

    @app.errorhandler(NoSuchServer)
    def no_such_server(_: NoSuchServer) -> ResponseReturnValue:
        return _error(404, "not_found", "This account has no server with this id.")

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        code = error.code or 500
        response = _error(code, error.name.lower().replace(" ", "_"), error.description or "")
        for name, value in error.get_headers():
            if name.lower() == "allow":
                response.headers[name] = value
        return response

    @app.after_request
    def keep_private(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return app


def any_server(token: VerifiedToken) -> str:
    """What a list is about: each server of the account."""
    return vrn_of(token.account_id, "*")


def that_server(token: VerifiedToken, server_id: str) -> str:
    """The server of the path, if it is the account's."""
    return vrn_of(token.account_id, server_id)


def _error(status: int, error: str, description: str) -> Response:
    response = jsonify(error=error, error_description=description)
    response.status_code = status
    return response
