"""The catalogue of actions: `/policies-api/v1/actions`."""

from __future__ import annotations

from pydantic import Field

from app.domain.catalogue import Label
from app.management.models import Model, Page, PageQuery, page_of
from app.management.operations import Call, Operation
from app.services import catalogues


class ActionQuery(PageQuery):
    """Of one product, if one is named."""

    product: str | None = Field(None, min_length=1, max_length=32)


class ActionShown(Model):
    """An action that a policy can speak of, and the types of resource that it concerns."""

    action: str = Field(examples=["vserver:StopServer"])
    label: Label
    resources: list[str] = Field(examples=[["server"]])


def _list(call: Call) -> Page[ActionShown]:
    query: ActionQuery = call.query
    found = [
        ActionShown(action=name, label=action.label, resources=list(action.resources))
        for name, action in catalogues.actions(call.runtime, call.caller, query.product)
        if query.name is None or query.name.lower() in name.lower()
    ]
    first = query.page_number * query.page_size
    return page_of(ActionShown, found[first : first + query.page_size], query, len(found))


OPERATIONS = (
    Operation(
        "GET",
        "/policies-api/v1/actions",
        "listActions",
        "The actions that policies can speak of",
        "iam:ListActions",
        _list,
        lambda result: result,
        answer=Page[ActionShown],
        query=ActionQuery,
    ),
)
