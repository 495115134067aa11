"""Authlib carries the protocol; here our values put on the shapes that it expects.

The only file that subclasses Authlib. What it gives us: the authorization code grant with its
checks at both endpoints (RFC 6749 section 4.1), PKCE (RFC 7636), when an error may be redirected,
and the registry of grants. What it does not decide: who may do what.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidRequestError,
    OAuth2Error,
    OAuth2Payload,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.grants import (
    AuthorizationCodeGrant,
    BaseGrant,
    TokenEndpointMixin,
)
from authlib.oauth2.rfc7636 import CodeChallenge

from app.domain import redirects
from app.domain.clients import Client
from app.oauth.parameters import Parameters
from app.services import authorization, client_secrets
from app.services.authorization import AuthorizationCode
from app.services.issuing import Grantable
from app.services.refusals import Refusal, Refused
from app.services.runtime import Runtime


class Payload(OAuth2Payload):
    """Our parsed parameters, as Authlib looks at them. Duplicates were refused before."""

    def __init__(self, parameters: Parameters) -> None:
        self._data = dict(parameters.single)

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return defaultdict(list, {name: [value] for name, value in self._data.items()})


class ProtocolRequest(OAuth2Request):
    """A request that is already read.

    Authlib's own constructor refuses plain http by looking at the URL of the hop before us;
    TLS ends at a proxy, and `Settings` refuses an insecure issuer in production.
    """

    def __init__(
        self, runtime: Runtime, method: str, parameters: Parameters, source_ip: str | None
    ) -> None:
        self.runtime = runtime
        self.parameters = parameters
        self.source_ip = source_ip
        self.method = method
        self.uri = runtime.settings.issuer
        self.headers: dict[str, str] = {}
        self.payload = Payload(parameters)
        self.client: RegisteredClient | None = None
        self.auth_method: str | None = None
        self.user: Any = None
        self.authorization_code: RedeemableCode | None = None
        self.refresh_token = None
        self.credential = None
        self._scope = None

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data


class RegisteredClient(ClientMixin):
    """A client, as Authlib asks about it. Its secret was checked by `client_auth`."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get_client_id(self) -> str:
        return self.client.id

    def get_default_redirect_uri(self) -> str | None:
        """Where only one is registered it need not be sent (RFC 6749 section 3.1.2.3)."""
        uris = self.client.redirect_uris
        return uris[0] if len(uris) == 1 else None

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirects.matches(self.client.redirect_uris, redirect_uri)

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and self.client.may_use("authorization_code")

    def check_grant_type(self, grant_type: str) -> bool:
        return self.client.may_use(grant_type)


class RedeemableCode:
    """An authorization code, as Authlib and its PKCE extension look at it."""

    code_challenge_method = "S256"

    def __init__(self, code: AuthorizationCode) -> None:
        self.code = code
        self.code_challenge = code.code_challenge

    def get_redirect_uri(self) -> str | None:
        """What has to be sent again: nothing, where nothing was sent (RFC 6749 4.1.3)."""
        return self.code.redirect_uri if self.code.redirect_uri_sent else None


class S256Challenge(CodeChallenge):
    """PKCE by S256 alone (RFC 7636, RFC 9700 section 2.1.1), wherever the client must use it."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: CodeGrant, redirect_uri: str) -> None:
        data = grant.request.payload.data
        challenge = data.get("code_challenge")
        client = grant.request.client
        if challenge is None and (client is None or client.client.require_pkce):
            raise InvalidRequestError("PKCE is required: send code_challenge with method S256")
        if challenge is not None and data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("the code_challenge_method has to be S256")
        super().validate_code_challenge(grant, redirect_uri)


class TokenGrant(BaseGrant, TokenEndpointMixin):
    """A grant at the token endpoint. `endpoints.token` does all that grants have in common."""

    request: ProtocolRequest

    def validate(self) -> Grantable:
        """What this grant would authorize. Raises `Refused`."""
        raise NotImplementedError

    @property
    def runtime(self) -> Runtime:
        return self.request.runtime

    @property
    def parameters(self) -> Parameters:
        return self.request.parameters

    @property
    def our_client(self) -> Client:
        """The client that step 2 of the walk has authenticated."""
        client = self.request.client
        if client is None:
            raise RuntimeError("a grant was asked before its client was authenticated")
        return client.client


class CodeGrant(AuthorizationCodeGrant):
    """The authorization code grant at both endpoints, on our store."""

    request: ProtocolRequest

    def authenticate_token_endpoint_client(self) -> RegisteredClient | None:
        """Step 2 of the token walk has done it."""
        return self.request.client

    def query_authorization_code(
        self, code: str, client: RegisteredClient
    ) -> RedeemableCode | None:
        found = authorization.find_code(self.request.runtime, client.client, code)
        return None if found is None else RedeemableCode(found)

    def redeemable(self) -> AuthorizationCode:
        """The code, with redirect URI and PKCE verifier checked. Raises `Refused`."""
        try:
            self.validate_token_request()
        except OAuth2Error as error:
            raise _refused(error) from None
        found = self.request.authorization_code
        if found is None:
            raise Refused(Refusal.GRANT, "the authorization code is not valid here")
        return found.code


class Unredirectable(Exception):
    """An authorization request whose redirect URI cannot be trusted: show a page instead."""


def check_authorization(
    server: ProtocolServer, request: ProtocolRequest, user: object
) -> tuple[Client, str]:
    """Client and redirect URI of an authorization request (RFC 6749 section 4.1.1).

    Raises `Unredirectable` until client and redirect URI are known to belong together, and
    `AuthorizationError` after that. What a client may have mistaken is checked here first:
    Authlib quotes it in its errors, and fails where it holds a character that may not be quoted.
    """
    redirect_uri = _redirect_uri(server, request.payload)
    response_type = request.payload.response_type
    if response_type is None:
        message = "the parameter response_type is missing"
        raise AuthorizationError(redirect_uri, "invalid_request", message)
    if response_type not in CodeGrant.RESPONSE_TYPES:
        message = "only the response_type code is supported"
        raise AuthorizationError(redirect_uri, "unsupported_response_type", message)
    try:
        grant = server.get_consent_grant(request, user)
    except OAuth2Error as error:
        description = str(error.description or error.error)
        if error.redirect_uri is None:
            raise Unredirectable(description) from None
        raise AuthorizationError(error.redirect_uri, error.error, description) from None
    client = request.client
    if client is None:
        raise Unredirectable("unknown client")
    return client.client, str(grant.redirect_uri)


def _redirect_uri(server: ProtocolServer, payload: Payload) -> str:
    """The redirect URI, known to be the client's own. Raises `Unredirectable`."""
    client = server.query_client(payload.client_id or "")
    if client is None:
        raise Unredirectable("The client_id is missing, or nobody registered it here.")
    uri = payload.redirect_uri or client.get_default_redirect_uri()
    if uri is None or not client.check_redirect_uri(uri):
        raise Unredirectable("The redirect_uri is missing, or this client did not register it.")
    return str(uri)


class AuthorizationError(Exception):
    """An error that goes back to the client by redirect (RFC 6749 section 4.1.2.1)."""

    def __init__(self, redirect_uri: str, code: str, description: str) -> None:
        super().__init__(description)
        self.redirect_uri = redirect_uri
        self.code = code
        self.description = description


def _refused(error: OAuth2Error) -> Refused:
    kinds = {
        "invalid_grant": Refusal.GRANT,
        "unauthorized_client": Refusal.UNAUTHORIZED_CLIENT,
        "invalid_scope": Refusal.MALFORMED_SCOPE,
    }
    return Refused(
        kinds.get(error.error, Refusal.MALFORMED_REQUEST), str(error.description or error.error)
    )


class ProtocolServer(AuthorizationServer):
    """Authlib's server on our requests, clients and responses."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._runtime = runtime

    def query_client(self, client_id: str) -> RegisteredClient | None:
        client = client_secrets.find_enabled(self._runtime, client_id)
        return None if client is None else RegisteredClient(client)

    def create_oauth2_request(self, request: ProtocolRequest) -> ProtocolRequest:
        return request

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens: what happened is in the audit log."""
