"""The authorization endpoint: a person agrees, a client gets a code (RFC 6749 section 4.1).

Until client and redirect URI are known to belong together, whatever is wrong is shown on a
page; after that it goes back to the client by redirect, once the person has signed in. The
approval is bound to the browser's session and to this very request.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Request, Response

from app.domain.clients import Client, ClientKind
from app.domain.scopes import InvalidScope
from app.oauth import answers, browser
from app.oauth.authlib_adapters import (
    AuthorizationError,
    ProtocolRequest,
    ProtocolServer,
    Unredirectable,
    check_authorization,
)
from app.oauth.endpoints import prompting
from app.oauth.errors import TABLE
from app.oauth.grants.parameters import api_names, read_scope
from app.oauth.parameters import Parameters, parse, read_form
from app.services import authorization, client_secrets, sign_in
from app.services.authorization import AuthorizationRequest
from app.services.refusals import Refused
from app.services.runtime import Runtime, StoreUnavailable
from app.services.sign_in import SignedIn

_MAX_QUERY = 8 * 1024
_MAX_NONCE = 512
_MAX_STATE = 4096
_UNSUPPORTED = {"request": "request_not_supported", "request_uri": "request_uri_not_supported"}


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that may be answered by redirect."""

    client: Client
    asked: AuthorizationRequest
    parameters: Parameters
    query: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A request whose error the client is told by redirect."""

    client: Client | None
    redirect_uri: str
    code: str
    description: str
    silent: bool


def authorize(runtime: Runtime, server: ProtocolServer, request: Request) -> Response:
    """The request as the client's redirect brings it (OpenID Connect Core section 3.1.2.1)."""
    try:
        query = _query_of(runtime, request)
        return _authorize(runtime, server, request, query)
    except (Refused, Unredirectable) as error:
        return answers.error_page(str(error))
    except StoreUnavailable:
        return browser.unavailable()


def decide(runtime: Runtime, server: ProtocolServer, request: Request) -> Response:
    """The person's answer on the approval page."""
    try:
        form = read_form(request, runtime.settings.max_form_fields)
        query = form.get("request") or ""
        cookie = browser.session_cookie(runtime, request) or ""
        token = form.get("csrf_token") or ""
        if not sign_in.csrf_matches(runtime, token, cookie, query):
            return answers.error_page("This form is out of date. Go back to the application.", 403)
        user = browser.signed_in(runtime, request)
        checked = _check(runtime, server, request, query, user)
        if isinstance(checked, Failed):
            return _tell(runtime, checked, user, query)
        if user is None:
            return answers.to_sign_in(query)
        if not authorization.may_sign_in_to(checked.client, user.user):
            return answers.foreign_client_page()
        if form.get("decision") != "approve":
            authorization.record_denial(runtime, checked.client, user, request.remote_addr)
            return answers.error_redirect(
                runtime, checked.asked.redirect_uri, "access_denied", "the person said no", query
            )
        return _grant(runtime, checked, user, request)
    except (Refused, Unredirectable) as error:
        return answers.error_page(str(error))
    except StoreUnavailable:
        return browser.unavailable()


def _query_of(runtime: Runtime, request: Request) -> str:
    """The request's parameters, by GET or by POST (OpenID Connect Core section 3.1.2.1)."""
    if request.method == "POST":
        read_form(request, runtime.settings.max_form_fields)
        return request.get_data(cache=True).decode("ascii")
    return request.query_string.decode("ascii", "replace")


def _authorize(runtime: Runtime, server: ProtocolServer, request: Request, query: str) -> Response:
    user = browser.signed_in(runtime, request)
    checked = _check(runtime, server, request, query, user)
    if isinstance(checked, Failed):
        return _tell(runtime, checked, user, query)
    prompts = prompting.prompts_of(checked.parameters)
    silent = "none" in prompts
    redirect_uri = checked.asked.redirect_uri
    if user is None or prompting.must_sign_in_again(runtime, checked.parameters, user):
        if silent:
            return answers.error_redirect(
                runtime, redirect_uri, "login_required", "nobody is signed in", query
            )
        return answers.to_sign_in(prompting.after_sign_in(query))
    if prompting.hinted(runtime, checked.parameters) not in (None, user.user.id):
        return answers.error_redirect(
            runtime, redirect_uri, "login_required", "somebody else signed in", query
        )
    if not authorization.may_sign_in_to(checked.client, user.user):
        return answers.foreign_client_page()
    if not authorization.needs_approval(checked.client) and "consent" not in prompts:
        return _grant(runtime, checked, user, request)
    if silent:
        return answers.error_redirect(
            runtime, redirect_uri, "consent_required", "the person has to approve", query
        )
    return _approval_page(runtime, checked, user, request)


def _check(
    runtime: Runtime,
    server: ProtocolServer,
    request: Request,
    query: str,
    user: SignedIn | None,
) -> Checked | Failed:
    """The request, checked; or what is wrong with it."""
    if len(query) > _MAX_QUERY:
        raise Unredirectable(f"The request is longer than {_MAX_QUERY} characters.")
    parameters = parse(query.encode(), runtime.settings.max_form_fields)
    protocol = ProtocolRequest(runtime, "GET", parameters, request.remote_addr)
    try:
        client, redirect_uri = check_authorization(server, protocol, user)
        asked = _asked(parameters, redirect_uri)
        authorization.require_allowed(runtime, client, asked.scope, asked.resources)
    except AuthorizationError as error:
        told = (error.redirect_uri, error.code, error.description)
    except Refused as refused:
        told = (redirect_uri, TABLE[refused.refusal].code, refused.message)
    else:
        return Checked(client, asked, parameters, query)
    known = client_secrets.find_enabled(runtime, parameters.get("client_id") or "")
    return Failed(known, *told, silent="none" in (parameters.get("prompt") or "").split())


def _tell(runtime: Runtime, failed: Failed, user: SignedIn | None, query: str) -> Response:
    """The error goes to the client, but no link of a stranger's sends a person there.

    Where a tenant registered it, the person signs in first, and the client has to be one that
    serves the account: else a tenant could lead people away by a wrong request (RFC 9700 section
    4.11.2). Clients of the operator's and silent requests are answered at once.
    """
    of_tenant = failed.client is None or failed.client.kind is ClientKind.TENANT
    if user is None and of_tenant and not failed.silent:
        return answers.to_sign_in(query)
    if user is not None and (
        failed.client is None or not authorization.may_sign_in_to(failed.client, user.user)
    ):
        return answers.foreign_client_page()
    return answers.error_redirect(
        runtime, failed.redirect_uri, failed.code, failed.description, query
    )


def _asked(parameters: Parameters, redirect_uri: str) -> AuthorizationRequest:
    """Raises `AuthorizationError` or `Refused`."""

    def wrong(code: str, description: str) -> AuthorizationError:
        return AuthorizationError(redirect_uri, code, description)

    for name, code in _UNSUPPORTED.items():
        if parameters.get(name) is not None:
            raise wrong(code, f"the parameter {name} is not supported")
    if parameters.get("response_mode") not in (None, "query"):
        raise wrong("invalid_request", "only the response_mode query is supported")
    prompts = prompting.prompts_of(parameters)
    if "none" in prompts and len(prompts) > 1:
        raise wrong("invalid_request", "prompt none stands alone")
    max_age = parameters.get("max_age")
    if max_age is not None and not (max_age.isascii() and max_age.isdigit() and len(max_age) < 11):
        raise wrong("invalid_request", "max_age is a number of seconds")
    nonce, state = parameters.get("nonce"), parameters.get("state")
    if len(nonce or "") > _MAX_NONCE or len(state or "") > _MAX_STATE:
        raise wrong("invalid_request", "nonce or state is too long")
    try:
        scope = read_scope(parameters.get("scope") or "")
    except InvalidScope as error:
        raise wrong("invalid_scope", str(error)) from None
    return AuthorizationRequest(
        redirect_uri=redirect_uri,
        redirect_uri_sent=parameters.get("redirect_uri") is not None,
        scope=scope,
        resources=api_names(Parameters({}, {"resource": parameters.all("resource")})),
        nonce=nonce,
        code_challenge=parameters.get("code_challenge"),
    )


def _grant(runtime: Runtime, checked: Checked, user: SignedIn, request: Request) -> Response:
    code = authorization.grant_code(
        runtime, checked.client, user, checked.asked, request.remote_addr
    )
    return answers.answer(runtime, checked.asked.redirect_uri, {"code": code}, checked.query)


def _approval_page(
    runtime: Runtime, checked: Checked, user: SignedIn, request: Request
) -> Response:
    cookie = browser.session_cookie(runtime, request) or ""
    scope = checked.asked.scope
    return browser.page(
        "approve.html",
        form_target=checked.asked.redirect_uri,
        client=checked.client,
        user=user.user,
        identity_scopes=scope.identity,
        patterns=[pattern.text for pattern in scope.patterns],
        is_unlimited=not scope.patterns and checked.client.kind == "shipped",
        redirect_uri=checked.asked.redirect_uri,
        query=checked.query,
        csrf_token=sign_in.csrf_token(runtime, cookie, checked.query),
    )
