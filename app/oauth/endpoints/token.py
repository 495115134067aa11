"""The token endpoint: seven steps that every grant shares, in this order, once.

1 read the body, 2 authenticate the client, 3 may it use this grant, 4 the grant says what it
would authorize, 5 sign, 6 commit with the audit row, 7 answer. A grant fills in step 4 and
cannot forget another. The order of errors is that of the steps (see `docs/protocol.md`).
"""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import UnsupportedGrantTypeError
from flask import Request, Response

from app.domain.clients import Client
from app.oauth import client_auth
from app.oauth.authlib_adapters import ProtocolRequest, ProtocolServer, RegisteredClient
from app.oauth.errors import error_response, json_response, unavailable_response
from app.oauth.grants.token_exchange import TokenExchangeGrant
from app.oauth.parameters import Parameters, malformed, read_form
from app.services import audit, issuing
from app.services.issuing import IssuedToken
from app.services.refusals import Refusal, Refused
from app.services.runtime import Runtime, StaleFacts, StoreUnavailable

#: A request is done again when an administrative write came in between; they are rare.
_ATTEMPTS = 8


def token(runtime: Runtime, server: ProtocolServer, request: Request) -> Response:
    """Answer a token request (RFC 6749 section 3.2)."""
    try:
        parameters = read_form(request, runtime.settings.max_form_fields)  # 1
        body = answer(runtime, server, request, parameters)
    except Refused as refused:
        return error_response(refused)
    except StoreUnavailable:
        return unavailable_response()
    return json_response(body)


def answer(
    runtime: Runtime, server: ProtocolServer, request: Request, parameters: Parameters
) -> dict[str, Any]:
    """Steps 2 to 7. Raises `Refused`, recorded or counted by then, or `StoreUnavailable`."""
    for attempt in range(_ATTEMPTS):
        try:
            return _attempt(runtime, server, request, parameters, again=attempt > 0)
        except StaleFacts:
            continue
    raise StoreUnavailable("administrative writes kept coming in between")


def _attempt(
    runtime: Runtime,
    server: ProtocolServer,
    request: Request,
    parameters: Parameters,
    *,
    again: bool,
) -> dict[str, Any]:
    try:
        client = client_auth.authenticate(  # 2
            runtime, request, parameters, allow_public=True, again=again
        )
    except Refused as refused:
        audit.count_failure(runtime, f"token:{refused.refusal}")
        raise
    try:
        return _granted(runtime, server, request, parameters, client)
    except Refused as refused:
        _write_down(runtime, client, refused, request.remote_addr)
        raise


def _granted(
    runtime: Runtime,
    server: ProtocolServer,
    request: Request,
    parameters: Parameters,
    client: Client,
) -> dict[str, Any]:
    protocol = ProtocolRequest(runtime, "POST", parameters, request.remote_addr)
    protocol.client = RegisteredClient(client)
    protocol.auth_method = "none" if client.is_public else "client_secret"
    if parameters.get("grant_type") is None:
        raise malformed("the parameter grant_type is missing")
    try:
        grant = server.get_token_grant(protocol)  # 3
    except UnsupportedGrantTypeError:
        raise Refused(Refusal.UNSUPPORTED_GRANT, "no such grant_type here") from None
    if not client.may_use(grant.GRANT_TYPE):
        raise Refused(Refusal.UNAUTHORIZED_CLIENT, "this client may not use this grant_type")
    grantable = grant.validate()  # 4
    if hasattr(grant, "issue"):
        issued = grant.issue(grantable)
    else:
        issued = issuing.issue(runtime, grantable)  # 5, 6
    body = _body(issued)  # 7
    if isinstance(grant, TokenExchangeGrant):
        body["issued_token_type"] = grant.issued_token_type()
    return body


def _body(issued: IssuedToken) -> dict[str, Any]:
    """RFC 6749 section 5.1."""
    body: dict[str, Any] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
    }
    if issued.scope is not None:
        body["scope"] = issued.scope
    if issued.refresh_token is not None:
        body["refresh_token"] = issued.refresh_token
    if issued.id_token is not None:
        body["id_token"] = issued.id_token
    return body


def _write_down(runtime: Runtime, client: Client, refused: Refused, source_ip: str | None) -> None:
    """A refusal to someone who proved who it is gets a row, any other is counted."""
    if refused.recorded:
        return
    if client.is_public and refused.subject is None:
        audit.count_failure(runtime, f"token:{refused.refusal}")
        return
    audit.record_refused_request(runtime, client, refused, source_ip)
    refused.recorded = True
