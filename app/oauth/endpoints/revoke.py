"""Token revocation (RFC 7009)."""

from __future__ import annotations

from flask import Request, Response

from app.oauth import client_auth
from app.oauth.errors import error_response, json_response, unavailable_response
from app.oauth.parameters import read_form
from app.services import audit, revocation
from app.services.refusals import Refused
from app.services.runtime import Runtime, StoreUnavailable


def revoke(runtime: Runtime, request: Request) -> Response:
    """Answer a revocation request; a `token_type_hint`, known or not, changes nothing (2.1)."""
    try:
        parameters = read_form(request, runtime.settings.max_form_fields)
        try:
            client = client_auth.authenticate(runtime, request, parameters, allow_public=True)
        except Refused as refused:
            audit.count_failure(runtime, f"revoke:{refused.refusal}")
            raise
        revocation.revoke(runtime, client, parameters.require("token"), request.remote_addr)
    except Refused as refused:
        return error_response(refused)
    except StoreUnavailable:
        return unavailable_response()
    return json_response({})
