"""Discovery: what this server can do, and only what works (RFC 8414, OpenID Discovery)."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from app.domain.scopes import IDENTITY_SCOPES
from app.oauth import client_auth, paths
from app.oauth.grants.token_exchange import GRANT_TYPE as TOKEN_EXCHANGE
from app.services.runtime import Runtime
from app.tokens.keyring import ALGORITHMS

_CACHE = "public, max-age=300"


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
        "revocation_endpoint": issuer + paths.REVOKE,
        "userinfo_endpoint": issuer + paths.USERINFO,
        "end_session_endpoint": issuer + paths.LOGOUT,
        "scopes_supported": list(IDENTITY_SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            TOKEN_EXCHANGE,
        ],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": list(client_auth.METHODS),
        "introspection_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
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
