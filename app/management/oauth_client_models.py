"""What the calls on OAuth clients take and show."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from app.domain import outbound, redirects
from app.management.models import Model, Name, Timestamp


def _registrable(uri: str) -> str:
    problem = redirects.problem_of(uri)
    if problem is not None:
        raise ValueError(problem)
    return uri


def _fetchable(uri: str) -> str:
    problem = outbound.problem_of(uri)
    if problem is not None:
        raise ValueError(problem)
    return uri


def _of_people(grant: object) -> object:
    if grant == "client_credentials":
        raise ValueError(
            "client_credentials is the grant of a service account, which has a client of its own: "
            "create a service account"
        )
    return grant


Uri = Annotated[
    str,
    Field(min_length=1, max_length=redirects.MAX_LENGTH, examples=["https://app.example/callback"]),
    AfterValidator(_registrable),
]
Uris = Annotated[list[Uri], Field(max_length=20)]
GrantType = Annotated[
    Literal[
        "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"
    ],
    BeforeValidator(_of_people),
]
GrantTypes = Annotated[
    list[GrantType], Field(min_length=1, max_length=3, examples=[["authorization_code"]])
]
AuthMethod = Annotated[
    Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
    Field(
        description="A client with a secret may send it either way, whichever of the two is named; "
        "`client_secret_basic` is shown. It stays what it is for the life of the client."
    ),
]
KeySet = Annotated[
    dict[str, Any],
    Field(description="Public keys (RFC 7517): goes with `private_key_jwt`, and only with it."),
]
KeySetUri = Annotated[
    str,
    Field(
        min_length=1,
        max_length=outbound.MAX_LENGTH,
        description="Where the client publishes its key set, instead of `jwks`: https, on the "
        "public internet. It is fetched when the client authenticates, and remembered.",
        examples=["https://app.example/jwks.json"],
    ),
    AfterValidator(_fetchable),
]
AllowedScopes = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=100)]],
    Field(
        max_length=100,
        description="Identity scopes and action patterns: what the client may ask for at most.",
        examples=[["openid", "vserver:List*"]],
    ),
]
AllowedAudiences = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=255)]],
    Field(
        max_length=20,
        description="Products by name or identifier URI: the APIs that the client may ask for "
        "tokens for. Signing people in takes none.",
        examples=[["vserver"]],
    ),
]


class NewOauthClient(Model):
    """An application of the account's own, through which its users sign in."""

    name: Name
    redirect_uris: Uris = Field(default_factory=list)
    grant_types: GrantTypes
    token_endpoint_auth_method: AuthMethod = "client_secret_basic"
    require_pkce: bool = Field(True, description="A public client (`none`) must use PKCE.")
    jwks: KeySet | None = None
    jwks_uri: KeySetUri | None = None
    allowed_scopes: AllowedScopes | None = None
    allowed_audiences: AllowedAudiences | None = None
    post_logout_redirect_uris: Uris = Field(default_factory=list)


class OauthClientChange(Model):
    """What is sent is changed; an allowed list of null takes the limit away.

    Disabling ends for good what was issued through the client.
    """

    name: Name | None = None
    redirect_uris: Uris | None = None
    grant_types: GrantTypes | None = None
    require_pkce: bool | None = None
    jwks: KeySet | None = None
    jwks_uri: KeySetUri | None = None
    allowed_scopes: AllowedScopes | None = None
    allowed_audiences: AllowedAudiences | None = None
    post_logout_redirect_uris: Uris | None = None
    enabled: bool | None = None


class OauthClientShown(Model):
    """An OAuth client. `clientSecret` is shown when it is created, and never again."""

    client_id: str
    client_secret: str | None = None
    vrn: str = Field(examples=["iam::53461:oauth-client/4f0c6a52-8a4e-4f0b-9d1c-0d6a6b1b7c11"])
    name: str
    redirect_uris: list[str]
    grant_types: list[str]
    token_endpoint_auth_method: AuthMethod
    require_pkce: bool
    jwks: KeySet | None = None
    jwks_uri: str | None = None
    allowed_scopes: list[str] | None = None
    allowed_audiences: list[str] | None = None
    post_logout_redirect_uris: list[str]
    enabled: bool
    created_at: Timestamp


class OauthClientSecret(Model):
    """A client's only secret from now on, shown this once."""

    client_id: str
    client_secret: str
