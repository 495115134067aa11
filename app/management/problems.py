"""Errors of the API: problem documents (RFC 9457), one exhaustive table of what becomes what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flask import Response
from pydantic import Field, ValidationError

from app.management.models import Model
from app.services.administration import (
    AdministrationError,
    Conflict,
    Invalid,
    InvalidDocumentGiven,
    NotFound,
    PreconditionFailed,
)
from app.services.authority import BeyondOwn, Forbidden
from app.services.idempotency import AnotherBody

CONTENT_TYPE = "application/problem+json"
_TYPE = "urn:crossroot:problem:"
_MOST_ERRORS = 50


class FieldError(Model):
    """One thing that is wrong with the request."""

    pointer: str = Field(description="Where, as a JSON pointer (RFC 6901) into the body.")
    detail: str


class Problem(Model):
    """A problem document (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldError] | None = None
    decision_id: str | None = Field(
        None, description="The audit row of a refusal: GET /audit-api/v1/decisions/{id}."
    )


class BadRequest(Exception):
    """The request cannot be read; `status` is 400, 413 or 415."""

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), status: int = 400) -> None:
        super().__init__(detail)
        self.errors = list(errors)
        self.status = status


_TITLES = {
    400: ("invalid", "The request is not valid"),
    401: ("unauthenticated", "No live token for this server"),
    403: ("forbidden", "Not allowed"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Not this method here"),
    409: ("conflict", "In conflict with what is there"),
    412: ("precondition-failed", "Changed in the meantime"),
    413: ("too-large", "The request is too large"),
    415: ("not-json", "Expected JSON"),
    422: ("idempotency-key-reused", "The Idempotency-Key was used with another body"),
    500: ("unexpected", "Unexpected error; it has been logged"),
    503: ("unavailable", "The store does not answer; nothing was changed"),
}


def problem(
    status: int,
    detail: str | None = None,
    errors: Sequence[FieldError] = (),
    decision_id: str | None = None,
) -> Response:
    """The answer for an error."""
    slug, title = _TITLES[status]
    body: dict[str, Any] = {"type": _TYPE + slug, "title": title, "status": status}
    if detail is not None:
        body["detail"] = detail
    if errors:
        body["errors"] = [error.model_dump() for error in errors[:_MOST_ERRORS]]
    if decision_id is not None:
        body["decisionId"] = decision_id
    return Response(json.dumps(body), status, content_type=CONTENT_TYPE)


def of_administration(error: AdministrationError) -> Response:
    """What a service refused."""
    if isinstance(error, BeyondOwn):
        return problem(403, str(error), decision_id=error.decision_id)
    if isinstance(error, Forbidden):
        detail = f"{error}; ask an administrator of your account for it"
        return problem(403, detail, decision_id=error.decision_id)
    if isinstance(error, NotFound):
        return problem(404, str(error))
    if isinstance(error, PreconditionFailed):
        return problem(412, str(error))
    if isinstance(error, AnotherBody):
        return problem(422, str(error))
    if isinstance(error, Conflict):
        return problem(409, str(error))
    return problem(400, "the body is not valid", _field_errors(error))


def _field_errors(error: AdministrationError) -> list[FieldError]:
    if isinstance(error, InvalidDocumentGiven):
        return [
            FieldError(pointer=error.at + as_pointer(each.path), detail=each.message)
            for each in error.problems
        ]
    return [FieldError(pointer=error.at if isinstance(error, Invalid) else "", detail=str(error))]


def as_pointer(path: str) -> str:
    """``statements[0].actions[1]`` as a JSON pointer: ``/statements/0/actions/1``."""
    parts = path.replace("[", ".").replace("]", "").split(".") if path else []
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def of_validation(error: ValidationError) -> list[FieldError]:
    """Every fault that the models found. What was sent is not repeated: it may be a secret."""
    return [
        FieldError(
            pointer="".join(
                "/" + str(part).replace("~", "~0").replace("/", "~1") for part in each["loc"]
            ),
            detail=each["msg"],
        )
        for each in error.errors(include_url=False, include_input=False, include_context=False)
    ]
