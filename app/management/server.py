"""Wiring the management API: each operation at its path."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Blueprint, Response, request

from app.management import (
    account,
    catalogue,
    decisions,
    dispatch,
    events,
    groups,
    iam_users,
    oauth_clients,
    openapi,
    policies,
    policy_attachments,
    reference,
    secrets,
    service_accounts,
    simulations,
    trusted_relationships,
)
from app.management.operations import Operation
from app.services.runtime import Runtime

#: Every call of the API. Tests and the description go through this list.
OPERATIONS: tuple[Operation, ...] = (
    *iam_users.OPERATIONS,
    *service_accounts.OPERATIONS,
    *secrets.OPERATIONS,
    *trusted_relationships.OPERATIONS,
    *oauth_clients.OPERATIONS,
    *account.OPERATIONS,
    *groups.OPERATIONS,
    *policies.OPERATIONS,
    *policy_attachments.OPERATIONS,
    *catalogue.OPERATIONS,
    *simulations.OPERATIONS,
    *decisions.OPERATIONS,
    *events.OPERATIONS,
)


def blueprint(runtime: Runtime) -> Blueprint:
    """The endpoints, path by path."""
    door = Blueprint(
        "management",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/api-reference/assets",
    )
    for operation in OPERATIONS:
        rule = re.sub(r"\{(\w+)\}", r"<\1>", operation.path)
        door.add_url_rule(
            rule, operation.name, _view(runtime, operation), methods=(operation.method,)
        )
    # Made when somebody asks: a worker starts without it.
    described = cache(lambda: openapi.describe(OPERATIONS, runtime.settings.issuer))
    door.add_url_rule("/openapi.json", "openapi", lambda: openapi.answer(described()))
    door.add_url_rule("/api-reference", "reference", lambda: reference.page(described()))
    return door


def _view(runtime: Runtime, operation: Operation) -> Callable[..., Response]:
    def view(**ids: Any) -> Response:
        return dispatch.answer(runtime, operation, request, ids)

    return view
