"""Builders for catalogues, policy documents and attached policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.domain.catalogue import Action, Catalogue, Label, Product
from app.domain.documents import compile_document
from app.domain.policy import AttachedPolicy, PolicyDocument

IAM_PRODUCT = Product(
    "iam",
    "https://crossroot.example",
    (
        Action("ImpersonateServiceAccount", Label.WRITE, ("service-account",)),
        Action("GetServiceAccount", Label.READ, ("service-account",)),
        Action("CreatePolicy", Label.WRITE, ("policy",)),
        Action("GetPolicy", Label.READ, ("policy",)),
        Action("ListPolicy", Label.LIST, ("policy",)),
    ),
)
VSERVER_PRODUCT = Product(
    "vserver",
    "https://vserver.example",
    (
        Action("ListServers", Label.LIST, ("server",)),
        Action("GetServer", Label.READ, ("server",)),
        Action("StartServer", Label.WRITE, ("server",)),
        Action("StopServer", Label.WRITE, ("server",)),
        Action("DeleteServer", Label.WRITE, ("server",)),
        Action("TagServer", Label.TAGGING, ("server",)),
        Action("ListVolumes", Label.LIST, ("volume",)),
    ),
)
CATALOGUE = Catalogue.of((IAM_PRODUCT, VSERVER_PRODUCT))


def allow(
    actions: str | Sequence[str], resources: str | Sequence[str] = "*", **condition: Any
) -> dict[str, Any]:
    """An allowing statement as it stands in a document: ``allow("vserver:*", bool={...})``."""
    return _statement("allow", actions, resources, condition)


def deny(
    actions: str | Sequence[str], resources: str | Sequence[str] = "*", **condition: Any
) -> dict[str, Any]:
    """A denying statement as it stands in a document."""
    return _statement("deny", actions, resources, condition)


def _statement(
    effect: str,
    actions: str | Sequence[str],
    resources: str | Sequence[str],
    condition: dict[str, Any],
) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "effect": effect,
        "actions": [actions] if isinstance(actions, str) else list(actions),
        "resources": [resources] if isinstance(resources, str) else list(resources),
    }
    if condition:
        statement["condition"] = condition
    return statement


def document(*statements: dict[str, Any], catalogue: Catalogue = CATALOGUE) -> PolicyDocument:
    """The statements, compiled."""
    return compile_document({"statements": list(statements)}, catalogue)


def policy(
    *statements: dict[str, Any], name: str = "policy", via: str | None = None
) -> AttachedPolicy:
    """A policy with these statements, attached; its id is its name."""
    return AttachedPolicy(name, name, 1, document(*statements), via)
