"""Access evaluation over HTTP (Authorization API 1.0, sections 9 and 10).

A decision is always 200, whatever it is. Other statuses speak of the request: 400 where it cannot
be read, 401 without a client that we know, 403 for one that is no resource server's, 413 for a
body that is too long, 503 where the store does not answer.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Request, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.domain.clients import Client
from app.evaluation.credentials import read_basic
from app.evaluation.requests import Batch, Malformed, read_batch, read_json, read_question
from app.services.evaluation import (
    AccessEvaluation,
    Asking,
    NotAResourceServer,
    Question,
    Reason,
    UnknownCaller,
)
from app.services.runtime import Runtime, StoreUnavailable

CONFIGURATION = "/.well-known/authzen-configuration"
EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"

logger = logging.getLogger(__name__)

_CHALLENGE = 'Basic realm="crossroot", charset="UTF-8"'
_REQUEST_ID = "X-Request-ID"
_LONGEST_REQUEST_ID = 256

#: From a body that was read to what is answered.
Read = Callable[[dict[str, Any]], Question | Batch]


#: What is answered to a POST, by its path (see `app.evaluation.front`).
READERS: dict[str, Read] = {EVALUATION: read_question, EVALUATIONS: read_batch}


def blueprint(runtime: Runtime, evaluation: AccessEvaluation) -> Blueprint:
    """The endpoints, path by path."""
    door = Blueprint("evaluation", __name__)

    def evaluate() -> Response:
        return answer(evaluation, request)

    def configuration() -> Response:
        return metadata(runtime.settings.issuer)

    for path in READERS:
        door.add_url_rule(path, path.rpartition("/")[2], evaluate, methods=["POST"])
    door.add_url_rule(CONFIGURATION, "metadata", configuration, methods=["GET"])
    if inside := urlsplit(runtime.settings.issuer).path:
        # An issuer's path comes after the well-known one (section 9.2.1).
        door.add_url_rule(CONFIGURATION + inside, "metadata_of_path", configuration)
    return door


def metadata(issuer: str) -> Response:
    """What this policy decision point can do (section 9.1), and only that."""
    response = jsonify(
        policy_decision_point=issuer,
        access_evaluation_endpoint=issuer + EVALUATION,
        access_evaluations_endpoint=issuer + EVALUATIONS,
    )
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


def answer(evaluation: AccessEvaluation, asked: Request) -> Response:
    """The answer to one request, with its request id (section 10.1.4)."""
    try:
        client = evaluation.resource_server(read_basic(asked.headers.get("Authorization")))
        response = _json(_decided(evaluation, client, READERS[asked.path](_body(asked))))
    except UnknownCaller:
        response = _error(401, "invalid_client", "authenticate as a product's client, by Basic")
        response.headers["WWW-Authenticate"] = _CHALLENGE
    except NotAResourceServer:
        response = _error(403, "unauthorized_client", "only a product's client may ask here")
    except Malformed as error:
        response = _error(400, "invalid_request", str(error))
    except RequestEntityTooLarge:
        response = _error(413, "invalid_request", "the request body is too large")
    except StoreUnavailable:
        response = _error(503, "temporarily_unavailable", "the server cannot reach its store")
        response.headers["Retry-After"] = "2"
    request_id = asked.headers.get(_REQUEST_ID, "")
    if 0 < len(request_id) <= _LONGEST_REQUEST_ID and request_id.isprintable():
        response.headers[_REQUEST_ID] = request_id
    return response


def _body(asked: Request) -> dict[str, Any]:
    if asked.mimetype != "application/json":
        raise Malformed("expected the content type application/json")
    return read_json(asked.get_data(cache=False, parse_form_data=False))


def _decided(
    evaluation: AccessEvaluation, client: Client, wanted: Question | Batch
) -> dict[str, Any]:
    with evaluation.asking(client) as asking:
        if isinstance(wanted, Question):
            return _decision(asking, wanted)
        decisions = []
        for item in wanted.items:
            decisions.append(_decision(asking, item))
            if wanted.semantic.ends_with(decisions[-1]["decision"]):
                break
        return {"evaluations": decisions}


def _decision(asking: Asking, item: Question | Malformed) -> dict[str, Any]:
    """A decision (section 5.5). What is wrong with one of several is told with a no (7.2.1)."""
    if isinstance(item, Malformed):
        error = {"status": 400, "message": str(item)}
        return {"decision": False, "context": {"reason": "malformed-request", "error": error}}
    reason = asking.answer(item)
    return {"decision": reason is Reason.ALLOWED, "context": {"reason": reason.value}}


def _json(body: dict[str, Any], status: int = 200) -> Response:
    text = json.dumps(body, separators=(",", ":"))
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(text, status, headers, content_type="application/json")


def unexpected(error: Exception, asked: Request) -> Response:
    """Details go to the log, never to the caller."""
    logger.error("unexpected error at %s", asked.path, exc_info=error)
    return _error(500, "server_error", "unexpected error; it has been logged")


def _error(status: int, error: str, description: str) -> Response:
    return _json({"error": error, "error_description": description}, status)
