"""From a reason to an RFC error: one exhaustive table (RFC 6749 section 5.2, RFC 8693 2.2.2)."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from flask import Request, Response
from werkzeug.exceptions import HTTPException

from app.services.refusals import Refusal, Refused

#: An answer need not repeat all that was wrong with a long request.
_LONGEST_DESCRIPTION = 500
#: How to do better, for each code that comes with 401 (RFC 7617, RFC 6750 section 3).
CHALLENGES = {
    "invalid_client": 'Basic realm="crossroot", charset="UTF-8"',
    "invalid_token": 'Bearer realm="crossroot", error="invalid_token"',
}
logger = logging.getLogger(__name__)

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(frozen=True, slots=True)
class RfcError:
    """An error code and the HTTP status that goes with it."""

    code: str
    status: int = 400


TABLE: dict[Refusal, RfcError] = {
    Refusal.MALFORMED_REQUEST: RfcError("invalid_request"),
    Refusal.MALFORMED_SCOPE: RfcError("invalid_scope"),
    Refusal.CLIENT_AUTHENTICATION: RfcError("invalid_client", 401),
    Refusal.BEARER_TOKEN: RfcError("invalid_token", 401),
    Refusal.UNSUPPORTED_GRANT: RfcError("unsupported_grant_type"),
    Refusal.UNAUTHORIZED_CLIENT: RfcError("unauthorized_client"),
    Refusal.SUBJECT_TOKEN: RfcError("invalid_request"),
    Refusal.GRANT: RfcError("invalid_grant"),
    Refusal.TARGET: RfcError("invalid_target"),
    Refusal.UNKNOWN_API: RfcError("invalid_target"),
    Refusal.API_WIDENS: RfcError("invalid_target"),
    Refusal.SCOPE_WIDENS: RfcError("invalid_scope"),
    Refusal.ACCESS_DENIED: RfcError("access_denied", 403),
}


def error_body(refused: Refused) -> dict[str, Any]:
    """The body of RFC 6749 section 5.2, with the decision id where a decision was made."""
    body = {"error": TABLE[refused.refusal].code, "error_description": describable(refused.message)}
    if refused.decision_id is not None:
        body["decision_id"] = refused.decision_id
    return body


def describable(message: str) -> str:
    """A description in the characters that RFC 6749 section 5.2 allows, of bounded length."""
    plain = message.replace('"', "'").replace("\\", "/")
    text = "".join(c if " " <= c <= "~" else "?" for c in plain)
    return text if len(text) <= _LONGEST_DESCRIPTION else text[: _LONGEST_DESCRIPTION - 3] + "..."


def error_response(refused: Refused) -> Response:
    """The error answer; a 401 says how to authenticate."""
    error = TABLE[refused.refusal]
    response = json_response(error_body(refused), error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = CHALLENGES[error.code]
    return response


def unavailable_response() -> Response:
    """The store does not answer: nothing was written, nothing goes out, try again."""
    response = json_response(
        {
            "error": "temporarily_unavailable",
            "error_description": "the server cannot reach its store; nothing was changed",
        },
        503,
    )
    response.headers["Retry-After"] = "2"
    return response


def json_response(body: dict[str, Any], status: int = 200) -> Response:
    """JSON that no cache keeps."""
    text = json.dumps(body, separators=(",", ":"))
    return Response(text, status, NO_STORE, content_type="application/json")


def finished(response: Response) -> Response:
    """With the headers that every answer has."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def http_error_response(error: HTTPException) -> Response:
    """A clean answer for what no endpoint took: a wrong path, a wrong method, a huge body."""
    response = json_response(
        {"error": "invalid_request", "error_description": error.name}, error.code or 500
    )
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def unexpected_response(error: Exception, request: Request) -> Response:
    """Details go to the log, never to the caller."""
    logger.error("unexpected error at %s %r", request.method, request.path, exc_info=error)
    return json_response(
        {"error": "server_error", "error_description": "unexpected error; it has been logged"}, 500
    )
