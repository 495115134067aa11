"""Wiring the management API: each operation at its path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from app.management import catalogue, dispatch, iam_users, openapi
from app.management.operations import Operation
from app.services.runtime import Runtime

#: Every call of the API. Tests and the description go through this list.
OPERATIONS: tuple[Operation, ...] = (
    *iam_users.OPERATIONS,
    *catalogue.OPERATIONS,
)


def blueprint(runtime: Runtime) -> Blueprint:
    """The endpoints, path by path."""
    door = Blueprint("management", __name__)
    for operation in OPERATIONS:
        rule = re.sub(r"\{(\w+)\}", r"<\1>", operation.path)
        door.add_url_rule(
            rule, operation.name, _view(runtime, operation), methods=(operation.method,)
        )
    description = openapi.describe(OPERATIONS, runtime.settings.issuer)
    door.add_url_rule("/openapi.json", "openapi", lambda: openapi.answer(description))
    return door


def _view(runtime: Runtime, operation: Operation) -> Callable[..., Response]:
    def view(**ids: Any) -> Response:
        return dispatch.answer(runtime, operation, request, ids)

    return view
