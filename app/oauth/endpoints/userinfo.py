"""Userinfo (OpenID Connect Core section 5.3), asked with a bearer token (RFC 6750)."""

from __future__ import annotations

from flask import Request, Response

from app.oauth.errors import json_response, unavailable_response
from app.oauth.parameters import FORM
from app.services import userinfo as service
from app.services.runtime import Runtime, StoreUnavailable
from app.services.userinfo import NoIdentityScope, NotALiveToken

_REALM = 'Bearer realm="crossroot"'


def userinfo(runtime: Runtime, request: Request) -> Response:
    """The claims that the token's scopes open. The token comes in the header alone."""
    schemes = request.headers.getlist("Authorization")
    scheme, _, token = schemes[0].partition(" ") if len(schemes) == 1 else ("", "", "")
    if len(schemes) > 1 or _token_elsewhere(request):
        return _challenge(
            400, "invalid_request", "send the token in the Authorization header alone"
        )
    if scheme.lower() != "bearer" or not token.strip(" "):
        # Nobody tried to authenticate: no error code (RFC 6750 section 3.1).
        response = json_response({}, 401)
        response.headers["WWW-Authenticate"] = _REALM
        return response
    try:
        return json_response(service.claims_for(runtime, token.strip(" ")))
    except NotALiveToken:
        return _challenge(401, "invalid_token", "the token is not a live token for this issuer")
    except NoIdentityScope:
        return _challenge(403, "insufficient_scope", "the token was issued without scope openid")
    except StoreUnavailable:
        return unavailable_response()


def _token_elsewhere(request: Request) -> bool:
    """Sections 2.2 and 2.3 of RFC 6750 are optional, and not taken up (RFC 9700 section 4.3.2)."""
    return "access_token" in request.args or (
        request.mimetype == FORM and b"access_token=" in request.get_data(cache=True)
    )


def _challenge(status: int, error: str, description: str) -> Response:
    response = json_response({"error": error, "error_description": description}, status)
    scope = ', scope="openid"' if error == "insufficient_scope" else ""
    response.headers["WWW-Authenticate"] = (
        f'{_REALM}, error="{error}", error_description="{description}"{scope}'
    )
    return response
