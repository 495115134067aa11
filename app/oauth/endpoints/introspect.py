"""Token introspection (RFC 7662): the state of a token, for those who may know it."""

from __future__ import annotations

from flask import Request, Response

from app.domain.clients import Client
from app.domain.principals import Principal
from app.oauth import client_auth
from app.oauth.errors import error_response, json_response, unavailable_response
from app.oauth.parameters import Parameters, read_form
from app.services import audit, introspection
from app.services.refusals import Refusal, Refused
from app.services.runtime import Runtime, StoreUnavailable


def introspect(runtime: Runtime, request: Request) -> Response:
    """Answer an introspection request (section 2.1); a `token_type_hint` changes nothing."""
    try:
        parameters = read_form(request, runtime.settings.max_form_fields)
        asker = _asker(runtime, request, parameters)
        state = introspection.introspect(runtime, parameters.require("token"), asker)
    except Refused as refused:
        return error_response(refused)
    except StoreUnavailable:
        return unavailable_response()
    # Unknown, ended, and none of your business are one answer (section 2.2).
    return json_response(state or {"active": False})


def _asker(runtime: Runtime, request: Request, parameters: Parameters) -> Client | Principal:
    """A client with its secret, or the bearer of a live token (section 2.1 wants one of both)."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        if scheme.lower() == "bearer":
            about = parameters.get("token") or ""
            principal = introspection.bearer_of(runtime, token.strip(" "), about)
            if principal is None:
                message = "the bearer token is not valid here"
                raise Refused(Refusal.BEARER_TOKEN, message)
            return principal
        return client_auth.authenticate(runtime, request, parameters, allow_public=False)
    except Refused as refused:
        audit.count_failure(runtime, f"introspect:{refused.refusal}")
        raise
