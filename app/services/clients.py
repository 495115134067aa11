"""Registering OAuth clients of tenants (RFC 7591's rules, without its endpoint)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.domain import redirects
from app.domain.clients import Client, ClientKind
from app.domain.events import Event
from app.domain.principals import is_name
from app.services import audit as audit_service
from app.services.administration import Invalid, change, require, require_account
from app.services.runtime import Runtime
from app.services.service_accounts import add_secret
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
    id_token_alg: str | None = None
    post_logout_redirect_uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """`client_secret` is there for a client that authenticates by one, this once."""

    client: Client
    client_secret: str | None


def register(
    runtime: Runtime, account_id: str, registration: ClientRegistration
) -> RegisteredClient:
    """Register a client of a root account. Raises `AdministrationError`."""
    _check(runtime, registration)
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
        post_logout_redirect_uris=registration.post_logout_redirect_uris,
    )
    secret = runtime.new_secret() if registration.auth_method == "client_secret" else None

    def write(connection: Connection) -> RegisteredClient:
        require_account(connection, account_id)
        clients.add(connection, client, runtime.now())
        if secret is not None:
            add_secret(runtime, connection, client.id, secret)
        audit_service.write_by_operator(
            runtime, connection, Event.CLIENT_CREATE, account_id, f"oauth-client/{client.id}"
        )
        return RegisteredClient(client, secret)

    return change(runtime, write)


def _check(runtime: Runtime, registration: ClientRegistration) -> None:
    """Raises `Invalid`."""
    require(is_name(registration.name), "a name is 1 to 50 of A-Z a-z 0-9 . _ - and space")
    for uri in (*registration.redirect_uris, *registration.post_logout_redirect_uris):
        problem = redirects.problem_of(uri)
        require(problem is None, f"the redirect URI {uri!r}: {problem}")
    unknown = set(registration.grant_types) - set(GRANT_TYPES)
    require(not unknown, f"a client may use the grants {', '.join(GRANT_TYPES)}")
    require(bool(registration.grant_types), "a client needs a grant that it may use")
    if "authorization_code" in registration.grant_types:
        require(bool(registration.redirect_uris), "this grant needs a redirect URI")
    else:
        require(
            "refresh_token" not in registration.grant_types,
            "refresh_token goes with authorization_code",
        )
    require(
        registration.auth_method in AUTH_METHODS,
        f"expected as authentication method one of {', '.join(AUTH_METHODS)}",
    )
    require(
        registration.require_pkce or registration.auth_method != "none",
        "a public client must use PKCE (RFC 9700 section 2.1.1)",
    )
    signing = runtime.ring().algorithms
    require(
        registration.id_token_alg in (None, *signing),
        f"expected as ID token algorithm one that signs here: {', '.join(signing)}",
    )
    require(
        (registration.jwks is not None) is (registration.auth_method == "private_key_jwt"),
        "a key set belongs to private_key_jwt, and private_key_jwt needs one",
    )
    if registration.jwks is not None:
        try:
            check_key_set(registration.jwks)
        except InvalidKeySet as error:
            raise Invalid(f"the key set is not valid: {error}") from None
