"""The steps that every call shares, in this order, once.

1 who calls, 2 ids and query, 3 the body, 4 was it answered before, 5 is the object still what the
caller has seen, 6 the services do it, 7 the answer, and a row for what was read or refused. An
operation fills in step 6 and cannot forget another.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from flask import Request, Response
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from app.domain.documents import parse_json_object
from app.domain.problems import InvalidDocument
from app.management import problems
from app.management.models import dump
from app.management.operations import ENTITY_TAGS, KEY, Call, Operation
from app.management.problems import BadRequest, FieldError, problem
from app.services import audit, authority
from app.services.administration import AdministrationError, NotFound, PreconditionFailed
from app.services.authority import Caller, Forbidden, NotAuthenticated
from app.services.idempotency import Once
from app.services.runtime import Runtime, StaleFacts, StoreUnavailable

#: A call is done again when another administrative write came in between.
_ATTEMPTS = 8
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_REALM = 'Bearer realm="crossroot"'


def answer(
    runtime: Runtime, operation: Operation, request: Request, ids: Mapping[str, str]
) -> Response:
    """The answer to one call; errors are problem documents (RFC 9457)."""
    try:
        for _ in range(_ATTEMPTS):
            try:
                return _attempt(runtime, operation, request, ids)
            except StaleFacts:
                continue
    except NotAuthenticated:
        return _unauthenticated(runtime, request)
    except BadRequest as error:
        return problem(error.status, str(error), error.errors)
    except StoreUnavailable:
        pass
    response = problem(503)
    response.headers["Retry-After"] = "2"
    return response


def _attempt(
    runtime: Runtime, operation: Operation, request: Request, ids: Mapping[str, str]
) -> Response:
    caller = authority.caller_by_token(runtime, _bearer(request), request.remote_addr)  # 1
    try:
        return _answered(runtime, operation, request, ids, caller)
    except Forbidden as refused:
        authority.record_forbidden(runtime, caller, refused)
        return problems.of_administration(refused)
    except AdministrationError as error:
        return problems.of_administration(error)


def _answered(
    runtime: Runtime,
    operation: Operation,
    request: Request,
    ids: Mapping[str, str],
    caller: Caller,
) -> Response:
    if not all(_ID.fullmatch(each) for each in ids.values()):  # 2
        raise NotFound("there is nothing of that id")
    query = None if operation.query is None else _query(operation.query, request)
    raw = _raw_body(operation, request)
    body = None if operation.body is None else _read(operation.body, raw)  # 3
    once = _once(runtime, caller, operation, request, raw)  # 4
    if once is not None:
        kept = once.answered(caller)
        if kept is not None:
            authority.record_read(runtime, caller)
            return _json(kept.answer, kept.status, {"Idempotency-Replayed": "true"})
        once.keep(caller, operation.status, lambda result: _kept(operation, result))
    _expect(operation, request, ids, caller)  # 5
    result = operation.run(Call(runtime, caller, ids, body, query))  # 6
    if request.method == "GET" and caller.asked:  # 7
        authority.record_read(runtime, caller)
    if isinstance(result, Response):
        return result
    if operation.present is None:
        return Response(status=operation.status, headers={"Cache-Control": "no-store"})
    shown = operation.present(result)
    headers = {} if operation.current is None else {"ETag": etag(shown)}
    return _json(dump(shown), operation.status, headers)


def etag(shown: BaseModel) -> str:
    """A strong validator (RFC 9110 section 8.8.3): the same object gives the same text."""
    text = json.dumps(dump(shown), sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def _bearer(request: Request) -> str:
    """The token of the one Authorization header. Raises `NotAuthenticated`."""
    headers = request.headers.getlist("Authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip(" "):
        raise NotAuthenticated
    return token.strip(" ")


def _unauthenticated(runtime: Runtime, request: Request) -> Response:
    tried = "Authorization" in request.headers
    if tried:
        with suppress(StoreUnavailable):
            audit.count_failure(runtime, "api:unauthenticated")
    response = problem(401, "send a live access token for this server as a bearer token")
    # Nobody tried to authenticate: no error code (RFC 6750 section 3.1).
    response.headers["WWW-Authenticate"] = f'{_REALM}, error="invalid_token"' if tried else _REALM
    return response


def _query(model: type[BaseModel], request: Request) -> BaseModel:
    given = request.args
    twice = [name for name in given if len(given.getlist(name)) > 1]
    if twice:
        raise BadRequest(f"the query parameter {twice[0][:64]} comes more than once")
    try:
        return model.model_validate(given.to_dict(), by_alias=True, by_name=False)
    except ValidationError as error:
        raise BadRequest("the query is not valid", problems.of_validation(error)) from None


def _raw_body(operation: Operation, request: Request) -> bytes:
    try:
        raw = request.get_data(cache=True, parse_form_data=False)
    except RequestEntityTooLarge:
        raise BadRequest("the request body is too large", status=413) from None
    if operation.takes_body and request.mimetype != "application/json":
        raise BadRequest("expected the content type application/json", status=415)
    return raw


def _read(model: type[BaseModel], raw: bytes) -> BaseModel:
    if not raw.strip() and not model.model_fields:
        return model()
    try:
        value = parse_json_object(raw.decode("utf-8"))
        # Half of a surrogate pair is no text, NaN is no number of JSON: no store takes either.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
        return model.model_validate_json(json.dumps(value), by_alias=True, by_name=False)
    except (UnicodeDecodeError, UnicodeEncodeError):
        raise BadRequest("the body is not UTF-8") from None
    except InvalidDocument as error:
        raise BadRequest(
            "the body is not valid", [FieldError(pointer="", detail=str(error))]
        ) from None
    except ValidationError as error:
        raise BadRequest("the body is not valid", problems.of_validation(error)) from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    except ValueError:
        raise BadRequest("the body has a number in it that JSON has not") from None


def _once(
    runtime: Runtime, caller: Caller, operation: Operation, request: Request, raw: bytes
) -> Once | None:
    key = request.headers.get("Idempotency-Key")
    if key is None or not operation.is_create:
        return None
    if not re.fullmatch(KEY, key):
        raise BadRequest("an Idempotency-Key has 1 to 128 printable ASCII characters, no space")
    return Once.of(runtime, caller, request.path, key, raw)


def _kept(operation: Operation, result: Any) -> dict[str, Any]:
    """The answer as it is kept: without what is shown once."""
    if operation.present is None:
        return {}
    shown = dump(operation.present(result))
    return {name: value for name, value in shown.items() if name not in operation.once}


def _expect(operation: Operation, request: Request, ids: Mapping[str, str], caller: Caller) -> None:
    """A lost update is refused: what the caller has seen has to be what is there (412)."""
    wanted = request.headers.get("If-Match")
    current = operation.current
    if wanted is None or wanted == "*" or current is None or request.method == "GET":
        return
    if not re.fullmatch(ENTITY_TAGS, wanted):
        raise BadRequest('If-Match is one or more entity tags such as "3b1f", or *')
    tags = {each.strip() for each in wanted.split(",")}

    def compare(connection: Any) -> None:
        if etag(current(connection, caller, ids)) not in tags:
            raise PreconditionFailed("the object is not any more what If-Match says; read it anew")

    caller.opening.append(compare)


def _json(body: dict[str, Any], status: int, headers: Mapping[str, str]) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = Response(text, status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    for name, value in headers.items():
        response.headers[name] = value
    return response
