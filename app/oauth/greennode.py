"""The token call of SDKs that exist already: other paths and shapes, the same walk.

Version 2 speaks RFC 6749 by form or JSON and may put the credentials into the JSON body;
version 1 spells its parameters in camel case. See `docs/protocol.md`.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Request, Response

from app.oauth import client_auth
from app.oauth.authlib_adapters import ProtocolServer
from app.oauth.endpoints import token as token_endpoint
from app.oauth.errors import CHALLENGES, TABLE, describable, json_response, unavailable_response
from app.oauth.parameters import FORM, Parameters, malformed, parse_pairs, read_body, read_form
from app.services.refusals import Refused
from app.services.runtime import Runtime, StoreUnavailable

_GRANT = "client_credentials"
#: What the SDKs send out of habit; it asks for nothing.
_IGNORED_SCOPE = "email"


def token_v2(runtime: Runtime, server: ProtocolServer, request: Request) -> Response:
    """`grant_type`, HTTP Basic or `ClientId` and `ClientSecret` in the JSON body."""

    def call() -> dict[str, Any]:
        raw = _read(runtime, request)
        fields = {"grant_type": raw.get("grant_type") or _GRANT}
        if raw.get("scope") not in (None, _IGNORED_SCOPE):
            fields["scope"] = str(raw.get("scope"))
        _add_credentials(fields, raw, request)
        body = _answer(runtime, server, request, fields)
        return {
            "token_type": body["token_type"],
            "access_token": body["access_token"],
            "expires_in": body["expires_in"],
            "refresh_expires_in": 0,
        }

    return _respond(call)


def token_v1(runtime: Runtime, server: ProtocolServer, request: Request) -> Response:
    """`grantType`, HTTP Basic."""

    def call() -> dict[str, Any]:
        raw = _read(runtime, request)
        fields = {"grant_type": raw.get("grantType") or _GRANT}
        body = _answer(runtime, server, request, fields)
        return {"accessToken": body["access_token"], "expiresIn": body["expires_in"]}

    return _respond(call)


def _answer(
    runtime: Runtime, server: ProtocolServer, request: Request, fields: dict[str, str]
) -> dict[str, Any]:
    if fields["grant_type"] != _GRANT:
        raise malformed(f"only {_GRANT} is served here; other grants are at the token endpoint")
    return token_endpoint.answer(runtime, server, request, Parameters(fields, {}))


def _read(runtime: Runtime, request: Request) -> Parameters:
    """The parameters of a form or of a flat JSON object. Raises `Refused`."""
    if request.mimetype == FORM:
        return read_form(request, runtime.settings.max_form_fields)
    if request.mimetype != "application/json":
        raise malformed(f"expected the content type application/json or {FORM}")
    try:
        pairs = json.loads(read_body(request), object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise malformed("the body is not valid JSON") from None
    if not isinstance(pairs, list) or not all(_is_text_pair(pair) for pair in pairs):
        raise malformed("expected a JSON object whose values are text")
    if len(pairs) > runtime.settings.max_form_fields:
        raise malformed("too many parameters")
    return parse_pairs([(name, value or "") for name, value in pairs])


def _is_text_pair(pair: Any) -> bool:
    return (
        isinstance(pair, tuple)
        and isinstance(pair[0], str)
        and (pair[1] is None or isinstance(pair[1], str))
    )


def _add_credentials(fields: dict[str, str], raw: Parameters, request: Request) -> None:
    """Credentials of the body. One SDK sends them in the header as well: they must be equal."""
    client_id = raw.get("ClientId") or raw.get("client_id")
    secret = raw.get("ClientSecret") or raw.get("client_secret")
    if client_id is None and secret is None:
        return
    basic = client_auth.read_basic(request)
    if basic is None:
        fields.update({"client_id": client_id or "", "client_secret": secret or ""})
    elif (basic.client_id, basic.secret) != (client_id, secret):
        raise malformed("the credentials in the body are not those in the Authorization header")


def _respond(call: Any) -> Response:
    """These SDKs read one or another of three places for what went wrong."""
    try:
        return json_response(call())
    except Refused as refused:
        error = TABLE[refused.refusal]
        status = 401 if error.status == 401 else 400
        message = describable(refused.message)
        response = json_response(
            {
                "error": error.code,
                "message": message,
                "errors": [{"code": _sdk_code(status), "message": message}],
            },
            status,
        )
        if status == 401:
            response.headers["WWW-Authenticate"] = CHALLENGES[error.code]
        return response
    except StoreUnavailable:
        return unavailable_response()


def _sdk_code(status: int) -> str:
    return "AUTHENTICATION_FAILED" if status == 401 else "INVALID_REQUEST"
