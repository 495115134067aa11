"""Wiring the OAuth door: which grants there are, and which endpoint answers at which path."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from app.oauth import greennode, paths
from app.oauth.authlib_adapters import ProtocolServer, S256Challenge
from app.oauth.endpoints import (
    authorize,
    introspect,
    logout,
    metadata,
    revoke,
    sign_in,
    token,
    userinfo,
)
from app.oauth.grants.authorization_code import AuthorizationCodeGrant
from app.oauth.grants.client_credentials import ClientCredentialsGrant
from app.oauth.grants.refresh_token import RefreshTokenGrant
from app.oauth.grants.token_exchange import TokenExchangeGrant
from app.services.runtime import Runtime

_GET, _POST, _BOTH = ("GET",), ("POST",), ("GET", "POST")


def protocol_server(runtime: Runtime) -> ProtocolServer:
    """The grants that this server knows."""
    server = ProtocolServer(runtime)
    server.register_grant(AuthorizationCodeGrant, [S256Challenge(required=True)])
    server.register_grant(RefreshTokenGrant)
    server.register_grant(ClientCredentialsGrant)
    server.register_grant(TokenExchangeGrant)
    return server


def blueprint(runtime: Runtime, server: ProtocolServer) -> Blueprint:
    """The endpoints, path by path."""
    door = Blueprint(
        "oauth",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/assets",
    )

    def at(path: str, name: str, methods: tuple[str, ...], view: Callable[[], Response]) -> None:
        door.add_url_rule(path, name, view, methods=methods)

    at(paths.TOKEN, "token", _POST, lambda: token.token(runtime, server, request))
    at(paths.INTROSPECT, "introspect", _POST, lambda: introspect.introspect(runtime, request))
    at(paths.REVOKE, "revoke", _POST, lambda: revoke.revoke(runtime, request))
    at(paths.USERINFO, "userinfo", _BOTH, lambda: userinfo.userinfo(runtime, request))

    at(paths.AUTHORIZE, "authorize", _BOTH, lambda: authorize.authorize(runtime, server, request))
    at(paths.DECISION, "decide", _POST, lambda: authorize.decide(runtime, server, request))
    at(paths.SIGN_IN, "sign_in", _GET, lambda: sign_in.show(runtime, request))
    at(paths.SIGN_IN, "sign_in_form", _POST, lambda: sign_in.submit(runtime, request))
    at(paths.SIGNED_IN, "signed_in", _GET, lambda: sign_in.done(runtime, request))
    at(paths.LOGOUT, "logout", _BOTH, lambda: logout.logout(runtime, request))

    at(paths.OPENID_CONFIGURATION, "discovery", _GET, lambda: metadata.metadata(runtime))
    at(paths.SERVER_METADATA, "metadata", _GET, lambda: metadata.metadata(runtime))
    if inside := urlsplit(runtime.settings.issuer).path:
        # An issuer's path comes after the well-known one (RFC 8414 section 3.1).
        asked = paths.SERVER_METADATA + inside
        at(asked, "metadata_of_path", _GET, lambda: metadata.metadata(runtime))
    at(paths.JWKS, "jwks", _GET, lambda: metadata.jwks(runtime))

    for number, path in enumerate(paths.SDK_TOKEN_V2):
        at(path, f"sdk_v2_{number}", _POST, lambda: greennode.token_v2(runtime, server, request))
    at(paths.SDK_TOKEN_V1, "sdk_v1", _POST, lambda: greennode.token_v1(runtime, server, request))
    return door
