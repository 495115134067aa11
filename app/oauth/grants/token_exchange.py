"""Token exchange (RFC 8693): section 2.1 the request, 2.2 the answer, 2.2.2 the errors.

Reading only: what may be exchanged for what is decided by `app.services.exchange`.
"""

from __future__ import annotations

import re

from app.domain.documents import MAX_DOCUMENT_BYTES, compile_document, parse_json_object
from app.domain.impersonation import Target
from app.domain.names import MalformedName, Vrn
from app.domain.policy import PolicyDocument
from app.domain.problems import InvalidDocument
from app.oauth.authlib_adapters import TokenGrant
from app.oauth.grants.parameters import action_patterns, api_names
from app.oauth.parameters import Parameters, malformed
from app.services import catalogues, exchange
from app.services.exchange import ExchangeRequest
from app.services.issuing import Grantable
from app.services.runtime import Runtime

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
TOKEN_TYPES = (ACCESS_TOKEN, JWT)

#: They would restrict or re-attribute the token: ignoring them would give more than was asked.
_NOT_SUPPORTED = (
    "actor_token",
    "actor_token_type",
    "authorization_details",
    "requested_actor",
)
#: Nothing else gets into the audit log as a name that was asked for: it could be a secret.
_SERVICE_ACCOUNT_ID = re.compile(r"sa-[A-Za-z0-9._-]{1,125}")
_VRN_START = "iam::"
_MAX_DISPLAY_NAME = 64
_MAX_REASON = 256
_MAX_EXTERNAL_ID = 256
_MIN_LIFETIME = 60


class TokenExchangeGrant(TokenGrant):
    GRANT_TYPE = GRANT_TYPE

    def validate(self) -> Grantable:
        """What the exchange would authorize. Raises `Refused`."""
        request = read_request(self.runtime, self.parameters, self.request.source_ip)
        return exchange.validate(self.runtime, self.our_client, request)

    def issued_token_type(self) -> str:
        """The type that was asked for (section 2.2.1); both name the same JWT."""
        return self.parameters.get("requested_token_type") or ACCESS_TOKEN


def read_request(
    runtime: Runtime, parameters: Parameters, source_ip: str | None
) -> ExchangeRequest:
    """The parameters, each well-formed. Raises `Refused` for the first that is not."""
    for name in _NOT_SUPPORTED:
        if parameters.get(name) is not None:
            raise malformed(f"the parameter {name} is not supported")
    subject_token = parameters.require("subject_token")
    if parameters.require("subject_token_type") not in TOKEN_TYPES:
        raise malformed("expected as subject_token_type an access token or a JWT of this issuer")
    if parameters.get("requested_token_type") not in (None, *TOKEN_TYPES):
        raise malformed("expected as requested_token_type an access token or a JWT")
    target, apis = _target_and_apis(parameters)
    source, policy = _inline_policy(runtime, parameters.get("policy"))
    return ExchangeRequest(
        subject_token=subject_token,
        target=target,
        apis=apis,
        patterns=action_patterns(parameters),
        expires_in=_lifetime(parameters.get("requested_expires_in")),
        display_name=_text(parameters, "display_name", _MAX_DISPLAY_NAME),
        reason=_text(parameters, "reason", _MAX_REASON),
        external_id=_text(parameters, "external_id", _MAX_EXTERNAL_ID),
        policy_source=source,
        policy=policy,
        source_ip=source_ip,
    )


def _target_and_apis(parameters: Parameters) -> tuple[Target | None, tuple[str, ...]]:
    """The service account to become, and the APIs that the token is for.

    An SDK that cannot send `requested_subject` names the service account as one `audience`.
    """
    requested = parameters.get("requested_subject")
    names = api_names(parameters)
    service_accounts = tuple(dict.fromkeys(n for n in names if n.startswith(_VRN_START)))
    apis = tuple(name for name in names if name not in service_accounts)
    if len(service_accounts) > 1:
        raise malformed("audience names more than one service account")
    if requested is None and not service_accounts:
        return None, apis
    targets = {_read_target(name) for name in (requested, *service_accounts) if name is not None}
    ids = {target.service_account_id for target in targets}
    accounts = {target.account_id for target in targets} - {None}
    if len(ids) > 1 or len(accounts) > 1:
        raise malformed("requested_subject and audience name different service accounts")
    return Target(ids.pop(), accounts.pop() if accounts else None), apis


def _read_target(name: str) -> Target:
    """A service account by its id or its VRN. Raises `Refused` where it is neither."""
    if "::" not in name:
        if not _SERVICE_ACCOUNT_ID.fullmatch(name):
            raise malformed("expected as requested_subject a service account's id or VRN")
        return Target(name)
    try:
        vrn = Vrn.parse(name)
    except MalformedName:
        vrn = None
    if vrn is None or (vrn.product, vrn.type) != ("iam", "service-account") or vrn.id == "*":
        raise malformed(
            "expected as the VRN of a service account iam::<rootAccountId>:service-account/<id>"
        )
    return Target(vrn.id, vrn.account_id)


def _inline_policy(
    runtime: Runtime, text: str | None
) -> tuple[dict[str, object] | None, PolicyDocument | None]:
    if text is None:
        return None, None
    if len(text.encode()) > MAX_DOCUMENT_BYTES:
        raise malformed(f"the policy is larger than {MAX_DOCUMENT_BYTES} bytes")
    try:
        source = parse_json_object(text)
        return source, compile_document(source, catalogues.in_force(runtime))
    except InvalidDocument as error:
        raise malformed(f"the policy is not valid: {error}") from None


def _lifetime(text: str | None) -> int | None:
    """Seconds, at least 60; a value beyond every cap is as good as the cap."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) >= _MIN_LIFETIME):
        raise malformed(f"expected as requested_expires_in seconds, at least {_MIN_LIFETIME}")
    return int(text)


def _text(parameters: Parameters, name: str, longest: int) -> str | None:
    value = parameters.get(name)
    if value is not None and len(value) > longest:
        raise malformed(f"the parameter {name} has more than {longest} characters")
    return value
