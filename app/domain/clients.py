"""OAuth clients as the protocol sees them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.domain.principals import ServiceAccount


class ClientKind(StrEnum):
    """Who registered a client, and so what it may ask for."""

    SHIPPED = "shipped"
    PRODUCT = "product"
    TENANT = "tenant"
    SERVICE_ACCOUNT = "service-account"


@dataclass(frozen=True, slots=True)
class Client:
    """A client as the protocol sees it. `epoch` is the state of the store that it was read in.

    `allowed_scopes` (identity scopes and action patterns) and `allowed_audiences` (products, by
    name or identifier) are the most that it may ask for; None where nothing is said.
    """

    id: str
    kind: ClientKind
    name: str
    account_id: str | None = None
    product: str | None = None
    auth_method: str = "client_secret"
    grant_types: tuple[str, ...] = ()
    redirect_uris: tuple[str, ...] = ()
    require_pkce: bool = True
    id_token_alg: str | None = None
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None
    post_logout_redirect_uris: tuple[str, ...] = ()
    allowed_scopes: tuple[str, ...] | None = None
    allowed_audiences: tuple[str, ...] | None = None
    enabled: bool = True
    secret_digests: tuple[str, ...] = ()
    service_account: ServiceAccount | None = None
    epoch: int = 0

    @property
    def is_public(self) -> bool:
        return self.auth_method == "none"

    def may_use(self, grant_type: str) -> bool:
        return grant_type in self.grant_types
