"""A resource server that asks what may be done: the requests, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.test import TestResponse

from tests.support.world import VSERVER, World, basic, claims_of

EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"
WEB = "vserver::60108:server/srv-web-1"
DB = "vserver::60108:server/srv-db-1"


def subject(world: World, token: str | None = None) -> dict[str, Any]:
    """B's service account; or the subject of a token, by that token."""
    if token is None:
        return {"type": "service-account", "id": world.service_account_id}
    claims = claims_of(token)
    return {
        "type": claims["user_type"],
        "id": claims["sub"],
        "properties": {"jti": claims["jti"]},
    }


def question(
    world: World,
    token: str | None = None,
    *,
    action: Any = "vserver:StopServer",
    resource: Any = WEB,
    **members: Any,
) -> dict[str, Any]:
    """May the service account stop B's first server?

    Action and resource by their names, or whole. A member that is None is left out.
    """
    asked = {
        "subject": subject(world, token),
        "action": {"name": action} if isinstance(action, str) else action,
        "resource": {"type": "server", "id": resource} if isinstance(resource, str) else resource,
        **members,
    }
    return {name: value for name, value in asked.items() if value is not None}


def ask(
    world: World,
    body: Any,
    *,
    at: str = EVALUATION,
    auth: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> TestResponse:
    """By the vServer's own client, unless another is given."""
    credentials = auth or (world.product_client_id, world.product_client_secret)
    sent = {"Authorization": basic(*credentials), **(headers or {})}
    return world.client.post(at, json=body, headers=sent)


def outcome(
    world: World,
    token: str | None = None,
    *,
    auth: tuple[str, str] | None = None,
    **members: Any,
) -> str:
    """The reason of the decision, which goes with a yes if it is `allowed`."""
    response = ask(world, question(world, token, **members), auth=auth)
    assert response.status_code == 200, response.json
    assert response.json is not None
    reason = str(response.json["context"]["reason"])
    assert response.json["decision"] is (reason == "allowed")
    return reason


def impersonation(world: World, **fields: Any) -> str:
    """System1's token as B's service account, for the vServer."""
    answer = world.impersonate(resource=VSERVER, **fields)
    assert answer.status_code == 200, answer.json
    return str(answer.json["access_token"])


def machine(world: World, **fields: str) -> str:
    """The service account's own token, for the vServer."""
    answer = world.machine_token(resource=VSERVER, **fields)
    assert answer.status_code == 200, answer.json
    return str(answer.json["access_token"])
