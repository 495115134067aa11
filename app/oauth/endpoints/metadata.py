"""Discovery: what this server can do, and only what works (RFC 8414, OpenID Discovery)."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from app.domain.scopes import IDENTITY_SCOPES
from app.oauth import client_auth, paths
from app.oauth.grants.token_exchange import GRANT_TYPE as TOKEN_EXCHANGE
from app.services.runtime import Runtime

_CACHE = "public, max-age=300"
_NOT_YET = {"offline_access"}


def document(runtime: Runtime) -> dict[str, Any]:
    """The metadata, the same at both well-known addresses."""
    issuer = runtime.settings.issuer
    methods = [*client_auth.METHODS, client_auth.PUBLIC]
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + paths.AUTHORIZE,
        "token_endpoint": issuer + paths.TOKEN,
        "jwks_uri": issuer + paths.JWKS,
        "introspection_endpoint": issuer + paths.INTROSPECT,
        "scopes_supported": [name for name in IDENTITY_SCOPES if name not in _NOT_YET],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials", TOKEN_EXCHANGE],
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": list(client_auth.METHODS),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(runtime.ring().algorithms),
        "claims_supported": [
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "nonce",
            "amr",
            "at_hash",
            "preferred_username",
            "email",
            "account_id",
            "user_type",
        ],
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "claims_parameter_supported": False,
    }


def metadata(runtime: Runtime) -> Response:
    response = jsonify(document(runtime))
    response.headers["Cache-Control"] = _CACHE
    return response


def jwks(runtime: Runtime) -> Response:
    """The public keys; the next one is among them before it signs (RFC 7517)."""
    response = Response(runtime.ring().jwks_bytes(), content_type="application/jwk-set+json")
    response.headers["Cache-Control"] = _CACHE
    return response
