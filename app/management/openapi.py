"""The description of the API (OpenAPI 3.1), made of the operations and the models that validate."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import app
from app.management.models import Query
from app.management.operations import ENTITY_TAGS, KEY, Operation
from app.management.problems import CONTENT_TYPE, Problem

#: One JSON object a line.
LINES = "application/x-ndjson"
NEXT_CURSOR = "Next-Cursor"
_MORE = "With lines of JSON: there is more, from this `cursor` on."
_TEXT = {"type": "string"}
_REF = "#/components/schemas/{model}"
_ALWAYS = (401, 403, 503)
_MEANS = {
    200: "Done",
    201: "Created",
    202: "Taken",
    204: "Done; there is nothing to show",
    400: "The request is not valid: `errors` says where",
    401: "No live access token for this server",
    403: "The caller's policies do not allow it",
    404: "There is no such object in the caller's account",
    409: "In conflict with what is there",
    412: "The object is not any more what `If-Match` says",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "The `Idempotency-Key` was used with another body",
    503: "The store does not answer; nothing was changed",
}


def describe(operations: Sequence[Operation], issuer: str) -> dict[str, Any]:
    """The whole document, as JSON values."""
    models = _models(operations)
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REF, by_alias=True
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        at = paths.setdefault(operation.path, {})
        at[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Crossroot management API",
            "version": app.__version__,
            "description": "Users, groups, service accounts, policies and the audit log of the "
            "caller's root account. Each call is authorized by the caller's policies and audited.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token of this server, for this server.",
                }
            },
        },
    }


def answer(description: dict[str, Any]) -> Response:
    return Response(
        json.dumps(description),
        content_type="application/json",
        headers={"Cache-Control": "public, max-age=300"},
    )


def _models(operations: Iterable[Operation]) -> list[type[BaseModel]]:
    found: dict[type[BaseModel], None] = {Problem: None}
    for operation in operations:
        for model in (operation.body if operation.takes_body else None, operation.answer):
            if model is not None:
                found[model] = None
    return list(found)


def statuses(operation: Operation) -> tuple[int, ...]:
    """Every status that the call can answer with."""
    found = {operation.status, *_ALWAYS, *operation.errors}
    if operation.public:
        found -= {401, 403}
    if operation.query is not None or operation.takes_body or operation.is_create:
        found.add(400)
    if operation.method in ("POST", "PATCH", "PUT"):
        found.add(413)
    if operation.takes_body:
        found.add(415)
    if "{" in operation.path:
        found.add(404)
    if operation.is_create:
        found |= {409, 422}
    if operation.current is not None and operation.method != "GET":
        found |= {400, 409, 412}
    return tuple(sorted(found))


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs `{operation.action}`." if operation.action else "",
        "tags": [operation.path.split("/")[3]],
        "parameters": _parameters(operation),
        "responses": {str(status): _response(operation, status) for status in statuses(operation)},
    }
    if operation.public:
        described["security"] = []
    if operation.takes_body and operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(operation.body)}},
        }
    return described


def _response(operation: Operation, status: int) -> dict[str, Any]:
    described: dict[str, Any] = {"description": _MEANS[status]}
    if status == operation.status:
        if operation.answer is not None:
            described["content"] = {"application/json": {"schema": _ref(operation.answer)}}
        if operation.lines:
            described["content"][LINES] = {"schema": {"type": "string"}}
            described["headers"] = {NEXT_CURSOR: {"description": _MORE, "schema": _TEXT}}
        if operation.current is not None and operation.answer is not None:
            described["headers"] = {"ETag": {"schema": {"type": "string"}}}
    else:
        described["content"] = {CONTENT_TYPE: {"schema": _ref(Problem)}}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
        }
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    if operation.query is not None:
        found.extend(_query_parameters(operation.query))
    if operation.is_create:
        found.append(
            _header("Idempotency-Key", "Sent again within a day, the first answer comes back.", KEY)
        )
    if operation.current is not None and operation.method != "GET":
        text = "The `ETag` of the object as the caller has seen it."
        found.append(_header("If-Match", text, ENTITY_TAGS))
    return found


def _header(name: str, text: str, pattern: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "required": False, "description": text, "schema": schema}


def _query_parameters(model: type[Query]) -> list[dict[str, Any]]:
    schema = model.model_json_schema(by_alias=True)
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": _without_null(each),
        }
        for name, each in schema.get("properties", {}).items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query parameter that is not sent is not there; it is never null."""
    kept = {name: value for name, value in schema.items() if name not in ("default", "title")}
    options = kept.pop("anyOf", None)
    if options is not None:
        (only,) = (each for each in options if each != {"type": "null"})
        kept.update(only)
    if schema.get("default") is not None:
        kept["default"] = schema["default"]
    return kept


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=_schema_name(model))}


def _schema_name(model: type[BaseModel]) -> str:
    """As pydantic names it among the definitions."""
    return re.sub(r"[^A-Za-z0-9.\-_]", "_", model.__name__)
