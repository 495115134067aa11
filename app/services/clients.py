"""Registering OAuth clients of tenants (RFC 7591's rules, without its endpoint)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.domain import outbound, redirects
from app.domain.account_settings import Quota
from app.domain.catalogue import Catalogue, parse_action_pattern
from app.domain.clients import Client, ClientKind
from app.domain.events import Event
from app.domain.principals import is_name
from app.domain.scopes import IDENTITY_SCOPES
from app.services import quotas
from app.services.administration import Invalid, change, require, require_account
from app.services.authority import OPERATOR, Administrator
from app.services.client_secrets import add_secret
from app.services.runtime import Runtime
from app.storage import clients
from app.tokens.assertions import InvalidKeySet, check_key_set

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANT_TYPES = ("authorization_code", "refresh_token", EXCHANGE)
AUTH_METHODS = ("client_secret", "private_key_jwt", "none")


@dataclass(frozen=True, slots=True)
class ClientRegistration:
    """What is asked for. A confidential client may do without PKCE; a public one may not."""

    name: str
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...] = ("authorization_code",)
    auth_method: str = "client_secret"
    require_pkce: bool = True
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None
    id_token_alg: str | None = None
    post_logout_redirect_uris: tuple[str, ...] = ()
    allowed_scopes: tuple[str, ...] | None = None
    allowed_audiences: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """`client_secret` is there for a client that authenticates by one, this once."""

    client: Client
    client_secret: str | None
    created_at: int


def register(
    runtime: Runtime,
    account_id: str,
    registration: ClientRegistration,
    by: Administrator = OPERATOR,
) -> RegisteredClient:
    """Register a client of a root account. Raises `AdministrationError`."""
    client = Client(
        id=runtime.new_id(),
        kind=ClientKind.TENANT,
        name=registration.name,
        account_id=account_id,
        auth_method=registration.auth_method,
        grant_types=registration.grant_types,
        redirect_uris=registration.redirect_uris,
        require_pkce=registration.require_pkce,
        id_token_alg=registration.id_token_alg,
        jwks=registration.jwks,
        jwks_uri=registration.jwks_uri,
        post_logout_redirect_uris=registration.post_logout_redirect_uris,
        allowed_scopes=registration.allowed_scopes,
        allowed_audiences=registration.allowed_audiences,
    )
    with runtime.database.read() as connection:
        require_registrable(runtime, client, runtime.catalogue(connection))
    secret = runtime.new_secret() if registration.auth_method == "client_secret" else None
    now = runtime.now()

    def write(connection: Connection) -> RegisteredClient:
        require_account(connection, account_id)
        quotas.require_room(connection, account_id, Quota.OAUTH_CLIENTS)
        clients.add(connection, client, now)
        if secret is not None:
            add_secret(runtime, connection, client.id, secret)
        by.write(runtime, connection, Event.CLIENT_CREATE, account_id, f"oauth-client/{client.id}")
        return RegisteredClient(client, secret, now)

    return change(runtime, write, by)


def require_registrable(runtime: Runtime, client: Client, catalogue: Catalogue) -> None:
    """Raises `Invalid` for a registration of a tenant's that breaks a rule, new or changed."""
    require(is_name(client.name), "a name is 1 to 50 of A-Z a-z 0-9 . _ - and space", "/name")
    _require_uris(client.redirect_uris, "/redirectUris")
    _require_uris(client.post_logout_redirect_uris, "/postLogoutRedirectUris")
    _require_grants(client)
    require(
        client.auth_method in AUTH_METHODS,
        f"expected as authentication method one of {', '.join(AUTH_METHODS)}",
        "/tokenEndpointAuthMethod",
    )
    require(
        client.require_pkce or not client.is_public,
        "a public client must use PKCE (RFC 9700 section 2.1.1)",
        "/requirePkce",
    )
    signing = runtime.ring().algorithms
    require(
        client.id_token_alg in (None, *signing),
        f"expected as ID token algorithm one that signs here: {', '.join(signing)}",
    )
    _require_keys(client)
    _require_limits(client, catalogue)


def _require_uris(uris: Sequence[str], at: str) -> None:
    for place, uri in enumerate(uris):
        problem = redirects.problem_of(uri)
        require(problem is None, f"the redirect URI {uri!r}: {problem}", f"{at}/{place}")


def _require_grants(client: Client) -> None:
    at = "/grantTypes"
    unknown = set(client.grant_types) - set(GRANT_TYPES)
    require(
        not unknown,
        f"a client may use the grants {', '.join(GRANT_TYPES)}; "
        "client_credentials is that of a service account",
        at,
    )
    require(bool(client.grant_types), "a client needs a grant that it may use", at)
    if client.may_use("authorization_code"):
        require(bool(client.redirect_uris), "this grant needs a redirect URI", "/redirectUris")
    else:
        require(
            not client.may_use("refresh_token"), "refresh_token goes with authorization_code", at
        )


def _require_keys(client: Client) -> None:
    sources = (client.jwks is not None) + (client.jwks_uri is not None)
    require(
        sources == (client.auth_method == "private_key_jwt"),
        "a key set belongs to private_key_jwt, and private_key_jwt needs one, or else its URI",
        "/jwks" if client.jwks_uri is None else "/jwksUri",
    )
    problem = None if client.jwks_uri is None else outbound.problem_of(client.jwks_uri)
    require(problem is None, f"the URI of the key set: {problem}", "/jwksUri")
    if client.jwks is not None:
        try:
            check_key_set(client.jwks)
        except InvalidKeySet as error:
            raise Invalid(f"the key set is not valid: {error}", "/jwks") from None


def _require_limits(client: Client, catalogue: Catalogue) -> None:
    for place, scope in enumerate(client.allowed_scopes or ()):
        pattern = parse_action_pattern(scope)
        known = pattern is not None and catalogue.matches_some_action(pattern)
        require(
            known or scope in IDENTITY_SCOPES,
            f"expected {', '.join(IDENTITY_SCOPES)}, or an action pattern that matches some action",
            f"/allowedScopes/{place}",
        )
    for place, name in enumerate(client.allowed_audiences or ()):
        require(
            catalogue.find_api(name) is not None,
            "expected a product that is registered here, by its name or identifier URI",
            f"/allowedAudiences/{place}",
        )
