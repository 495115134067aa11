"""Which client is asking (RFC 6749 section 2.3): one method per request, constant time."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from urllib.parse import unquote_plus

from flask import Request

from app.domain.clients import Client
from app.oauth.parameters import Parameters, has_control_characters, malformed
from app.services import client_assertions, client_secrets
from app.services.refusals import Refusal, Refused
from app.services.runtime import Runtime

METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PUBLIC = "none"
_FAILED = "client authentication failed: unknown client, wrong secret, or a disabled client"


@dataclass(frozen=True, slots=True)
class Presented:
    """What the request presents. `secret` is None where it only names a client."""

    client_id: str
    secret: str | None


def authenticate(
    runtime: Runtime,
    request: Request,
    parameters: Parameters,
    *,
    allow_public: bool,
    again: bool = False,
) -> Client:
    """The client, with proof if it is confidential. Raises `Refused`.

    `again` where the same request is done over, whose assertion is used up by itself.
    """
    presented = read_credentials(request, parameters)
    client = None
    if _has_assertion(parameters):
        client = _by_assertion(runtime, request, parameters, again)
    elif presented is not None:
        client = client_secrets.check(runtime, presented.client_id, presented.secret)
    if client is None or (client.is_public and not allow_public):
        raise failed()
    return client


def _has_assertion(parameters: Parameters) -> bool:
    names = ("client_assertion", "client_assertion_type")
    return any(parameters.get(name) is not None for name in names)


def _by_assertion(
    runtime: Runtime, request: Request, parameters: Parameters, again: bool
) -> Client | None:
    """private_key_jwt (RFC 7523 section 2.2). Raises `Refused` where something is beside it."""
    if read_basic(request) is not None or parameters.get("client_secret") is not None:
        raise malformed("two ways of client authentication in one request")
    if parameters.require("client_assertion_type") != ASSERTION_TYPE:
        raise malformed(f"expected as client_assertion_type {ASSERTION_TYPE}")
    assertion = parameters.require("client_assertion")
    return client_assertions.check(runtime, assertion, parameters.get("client_id"), again=again)


def failed() -> Refused:
    return Refused(Refusal.CLIENT_AUTHENTICATION, _FAILED)


def read_credentials(request: Request, parameters: Parameters) -> Presented | None:
    """The one set of credentials in the request. Raises `Refused` where there are two."""
    basic = read_basic(request)
    client_id, secret = parameters.get("client_id"), parameters.get("client_secret")
    if basic is not None:
        if secret is not None:
            raise malformed("two ways of client authentication in one request")
        if client_id is not None and client_id != basic.client_id:
            raise malformed("client_id names another client than the Authorization header")
        return basic
    return None if client_id is None else Presented(client_id, secret)


def read_basic(request: Request) -> Presented | None:
    """HTTP Basic, each part form-decoded after base64 (RFC 6749 section 2.3.1).

    None where there is no Basic header; `Refused` where there is one that cannot be read.
    """
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        client_id, colon, secret = text.partition(":")
        client_id, secret = _form_decoded(client_id), _form_decoded(secret)
    except (binascii.Error, UnicodeDecodeError):
        raise failed() from None
    if not colon or not client_id or not secret:
        raise failed()
    return Presented(client_id, secret)


def _form_decoded(text: str) -> str:
    """Raises UnicodeDecodeError for bytes that are not UTF-8."""
    decoded = unquote_plus(text, errors="strict")
    if has_control_characters(decoded):
        raise failed()
    return decoded
