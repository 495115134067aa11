"""OAuth clients of the account: `/accounts-api/v1/oauth-clients`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.management.models import Page, PageQuery, page_of, timestamp
from app.management.oauth_client_models import (
    AuthMethod,
    NewOauthClient,
    OauthClientChange,
    OauthClientSecret,
    OauthClientShown,
)
from app.management.operations import Call, Operation
from app.services import oauth_clients
from app.services.authority import Caller
from app.services.clients import ClientRegistration, RegisteredClient
from app.services.oauth_clients import ClientDetails

_PATH = "/accounts-api/v1/oauth-clients"
_ONE = _PATH + "/{clientId}"


def shown(details: ClientDetails | RegisteredClient) -> OauthClientShown:
    client = details.client
    secret = details.client_secret if isinstance(details, RegisteredClient) else None
    return OauthClientShown(
        client_id=client.id,
        client_secret=secret,
        vrn=f"iam::{client.account_id}:oauth-client/{client.id}",
        name=client.name,
        redirect_uris=list(client.redirect_uris),
        grant_types=list(client.grant_types),
        token_endpoint_auth_method=_METHODS[client.auth_method],
        require_pkce=client.require_pkce,
        jwks=client.jwks,
        jwks_uri=client.jwks_uri,
        allowed_scopes=_listed(client.allowed_scopes),
        allowed_audiences=_listed(client.allowed_audiences),
        post_logout_redirect_uris=list(client.post_logout_redirect_uris),
        enabled=client.enabled,
        created_at=timestamp(details.created_at),
    )


_METHODS: dict[str, AuthMethod] = {
    "client_secret": "client_secret_basic",
    "private_key_jwt": "private_key_jwt",
    "none": "none",
}


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def _unique(values: list[str] | None) -> tuple[str, ...] | None:
    """Each once, in the order sent."""
    return None if values is None else tuple(dict.fromkeys(values))


def _list(call: Call) -> Page[OauthClientShown]:
    query: PageQuery = call.query
    found, total = oauth_clients.list_page(
        call.runtime, call.caller, query.page_number, query.page_size, query.name
    )
    return page_of(OauthClientShown, [shown(each) for each in found], query, total)


def _create(call: Call) -> RegisteredClient:
    body: NewOauthClient = call.body
    method = body.token_endpoint_auth_method
    registration = ClientRegistration(
        name=body.name,
        redirect_uris=tuple(dict.fromkeys(body.redirect_uris)),
        grant_types=tuple(dict.fromkeys(body.grant_types)),
        auth_method="client_secret" if method.startswith("client_secret") else method,
        require_pkce=body.require_pkce,
        jwks=body.jwks,
        jwks_uri=body.jwks_uri,
        post_logout_redirect_uris=tuple(dict.fromkeys(body.post_logout_redirect_uris)),
        allowed_scopes=_unique(body.allowed_scopes),
        allowed_audiences=_unique(body.allowed_audiences),
    )
    return oauth_clients.create(call.runtime, call.caller, registration)


def _get(call: Call) -> ClientDetails:
    return oauth_clients.get(call.runtime, call.caller, call.ids["clientId"])


def _update(call: Call) -> ClientDetails:
    body: OauthClientChange = call.body
    changes: dict[str, Any] = {}
    for name in body.model_fields_set:
        value = getattr(body, name)
        if value is not None or name in ("allowed_scopes", "allowed_audiences"):
            changes[name] = _unique(value) if isinstance(value, list) else value
    return oauth_clients.update(call.runtime, call.caller, call.ids["clientId"], changes)


def _delete(call: Call) -> None:
    oauth_clients.delete(call.runtime, call.caller, call.ids["clientId"])


def _reset_secret(call: Call) -> OauthClientSecret:
    client_id = call.ids["clientId"]
    secret = oauth_clients.reset_secret(call.runtime, call.caller, client_id)
    return OauthClientSecret(client_id=client_id, client_secret=secret)


def _current(connection: Any, caller: Caller, ids: Mapping[str, str]) -> OauthClientShown:
    return shown(oauth_clients.load(connection, caller, ids["clientId"]))


OPERATIONS = (
    Operation(
        "GET",
        _PATH,
        "listOauthClients",
        "The account's own OAuth clients, a page at a time",
        "iam:ListOAuthClient",
        _list,
        lambda result: result,
        answer=Page[OauthClientShown],
        query=PageQuery,
    ),
    Operation(
        "POST",
        _PATH,
        "createOauthClient",
        "Register an OAuth client",
        "iam:CreateOAuthClient",
        _create,
        shown,
        answer=OauthClientShown,
        body=NewOauthClient,
        status=201,
        once=("clientSecret",),
    ),
    Operation(
        "GET",
        _ONE,
        "getOauthClient",
        "One OAuth client",
        "iam:GetOAuthClient",
        _get,
        shown,
        answer=OauthClientShown,
        current=_current,
    ),
    Operation(
        "PATCH",
        _ONE,
        "updateOauthClient",
        "Change, disable or enable an OAuth client",
        "iam:UpdateOAuthClient",
        _update,
        shown,
        answer=OauthClientShown,
        body=OauthClientChange,
        current=_current,
    ),
    Operation(
        "DELETE",
        _ONE,
        "deleteOauthClient",
        "Delete an OAuth client; what was issued through it ends",
        "iam:DeleteOAuthClient",
        _delete,
        status=204,
        current=_current,
    ),
    Operation(
        "POST",
        _ONE + "/reset-secret",
        "resetOauthClientSecret",
        "Replace an OAuth client's secret",
        "iam:UpdateOAuthClient",
        _reset_secret,
        lambda result: result,
        answer=OauthClientSecret,
        errors=(409,),
    ),
)
