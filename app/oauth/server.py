"""Wiring the OAuth door: which grants there are, and which endpoint answers at which path."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.oauth import greennode, paths
from app.oauth.authlib_adapters import ProtocolServer, S256Challenge
from app.oauth.endpoints import authorize, introspect, metadata, sign_in, token
from app.oauth.grants.authorization_code import AuthorizationCodeGrant
from app.oauth.grants.client_credentials import ClientCredentialsGrant
from app.oauth.grants.token_exchange import TokenExchangeGrant
from app.services.runtime import Runtime


def protocol_server(runtime: Runtime) -> ProtocolServer:
    """The grants that this server knows."""
    server = ProtocolServer(runtime)
    server.register_grant(AuthorizationCodeGrant, [S256Challenge(required=True)])
    server.register_grant(ClientCredentialsGrant)
    server.register_grant(TokenExchangeGrant)
    return server


def blueprint(runtime: Runtime) -> Blueprint:
    """The endpoints."""
    server = protocol_server(runtime)
    door = Blueprint(
        "oauth",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/assets",
    )

    @door.post(paths.TOKEN)
    def token_endpoint() -> Response:
        return token.token(runtime, server, request)

    @door.post(paths.INTROSPECT)
    def introspection_endpoint() -> Response:
        return introspect.introspect(runtime, request)

    @door.route(paths.AUTHORIZE, methods=["GET", "POST"])
    def authorization_endpoint() -> Response:
        return authorize.authorize(runtime, server, request)

    @door.post(f"{paths.AUTHORIZE}/decision")
    def authorization_decision() -> Response:
        return authorize.decide(runtime, server, request)

    @door.get(paths.SIGN_IN)
    def sign_in_page() -> Response:
        return sign_in.show(runtime, request)

    @door.post(paths.SIGN_IN)
    def sign_in_form() -> Response:
        return sign_in.submit(runtime, request)

    @door.get("/signed-in")
    def signed_in_page() -> Response:
        return sign_in.done(runtime, request)

    @door.get(paths.OPENID_CONFIGURATION)
    @door.get(paths.SERVER_METADATA)
    def discovery() -> Response:
        return metadata.metadata(runtime)

    @door.get(paths.JWKS)
    def key_set() -> Response:
        return metadata.jwks(runtime)

    @door.post("/accounts-api/v2/auth/token")
    @door.post("/accounts-api/v2//auth/token")
    def sdk_token_v2() -> Response:
        return greennode.token_v2(runtime, server, request)

    @door.post("/accounts-api/v1/auth/token")
    def sdk_token_v1() -> Response:
        return greennode.token_v1(runtime, server, request)

    return door
