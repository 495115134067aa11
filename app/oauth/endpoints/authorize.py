"""The authorization endpoint: a person agrees, a client gets a code (RFC 6749 section 4.1).

Until client and redirect URI are known to belong together, whatever is wrong is shown on a
page; after that it goes back to the client by redirect. The approval is bound to the browser's
session and to this very request.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from flask import Request, Response

from app.domain.clients import Client
from app.domain.scopes import InvalidScope
from app.oauth import browser, paths
from app.oauth.authlib_adapters import (
    AuthorizationError,
    ProtocolRequest,
    ProtocolServer,
    Unredirectable,
    check_authorization,
)
from app.oauth.endpoints import prompting
from app.oauth.errors import TABLE, describable
from app.oauth.grants.parameters import api_names, read_scope
from app.oauth.parameters import Parameters, parse, read_form
from app.services import authorization, sign_in
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


def authorize(runtime: Runtime, server: ProtocolServer, request: Request) -> Response:
    """The request as the client's redirect brings it (OpenID Connect Core section 3.1.2.1)."""
    try:
        query = _query_of(runtime, request)
        return _authorize(runtime, server, request, query)
    except (Refused, Unredirectable) as error:
        return _error_page(str(error))
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
            return _error_page("This form is out of date. Go back to the application.", 403)
        user = browser.signed_in(runtime, request)
        checked = _check(runtime, server, request, query, user)
        if isinstance(checked, Response):
            return checked
        if user is None:
            return _to_sign_in(query)
        if not authorization.may_sign_in_to(checked.client, user.user):
            return _foreign_client_page()
        if form.get("decision") != "approve":
            authorization.record_denial(runtime, checked.client, user, request.remote_addr)
            return _error_redirect(
                runtime, checked.asked.redirect_uri, "access_denied", "the person said no", query
            )
        return _grant(runtime, checked, user, request)
    except (Refused, Unredirectable) as error:
        return _error_page(str(error))
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
    if isinstance(checked, Response):
        return checked
    prompts = prompting.prompts_of(checked.parameters)
    silent = "none" in prompts
    redirect_uri = checked.asked.redirect_uri
    if user is None or prompting.must_sign_in_again(runtime, checked.parameters, user):
        if silent:
            return _error_redirect(
                runtime, redirect_uri, "login_required", "nobody is signed in", query
            )
        return _to_sign_in(prompting.after_sign_in(query))
    if prompting.hinted(runtime, checked.parameters) not in (None, user.user.id):
        return _error_redirect(
            runtime, redirect_uri, "login_required", "somebody else signed in", query
        )
    if not authorization.may_sign_in_to(checked.client, user.user):
        return _foreign_client_page()
    if not authorization.needs_approval(checked.client) and "consent" not in prompts:
        return _grant(runtime, checked, user, request)
    if silent:
        return _error_redirect(
            runtime, redirect_uri, "consent_required", "the person has to approve", query
        )
    return _approval_page(runtime, checked, user, request)


def _check(
    runtime: Runtime,
    server: ProtocolServer,
    request: Request,
    query: str,
    user: SignedIn | None,
) -> Checked | Response:
    """The request, checked; or the redirect that tells the client what is wrong with it."""
    if len(query) > _MAX_QUERY:
        raise Unredirectable(f"The request is longer than {_MAX_QUERY} characters.")
    parameters = parse(query.encode(), runtime.settings.max_form_fields)
    protocol = ProtocolRequest(runtime, "GET", parameters, request.remote_addr)
    try:
        client, redirect_uri = check_authorization(server, protocol, user)
        asked = _asked(parameters, redirect_uri)
        authorization.audience_of(runtime, asked.resources)
    except AuthorizationError as error:
        return _error_redirect(runtime, error.redirect_uri, error.code, error.description, query)
    except Refused as refused:
        code = TABLE[refused.refusal].code
        return _error_redirect(runtime, redirect_uri, code, refused.message, query)
    return Checked(client, asked, parameters, query)


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


def _to_sign_in(query: str) -> Response:
    target = urlencode({"continue": f"{paths.AUTHORIZE}?{query}"})
    return browser.go_to(f"{paths.SIGN_IN}?{target}")


def _grant(runtime: Runtime, checked: Checked, user: SignedIn, request: Request) -> Response:
    code = authorization.grant_code(
        runtime, checked.client, user, checked.asked, request.remote_addr
    )
    return _answer(runtime, checked.asked.redirect_uri, {"code": code}, checked.query)


def _error_redirect(
    runtime: Runtime, redirect_uri: str, code: str, description: str, query: str
) -> Response:
    """RFC 6749 section 4.1.2.1."""
    answer = {"error": code, "error_description": describable(description)}
    return _answer(runtime, redirect_uri, answer, query)


def _answer(runtime: Runtime, redirect_uri: str, answer: dict[str, str], query: str) -> Response:
    """The answer by redirect, with the client's `state` and our `iss` (RFC 9207 section 2)."""
    state = dict(parse_qsl(query, keep_blank_values=True)).get("state")
    if state:
        answer["state"] = state
    answer["iss"] = runtime.settings.issuer
    # What was registered stays as it is, letter by letter (RFC 6749 section 3.1.2).
    separator = "&" if "?" in redirect_uri else "?"
    return browser.go_to(f"{redirect_uri}{separator}{urlencode(answer)}")


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


def _error_page(message: str, status: int = 400) -> Response:
    return browser.page(
        "error.html", status, title="This request cannot be served", message=message
    )


def _foreign_client_page() -> Response:
    return browser.page(
        "error.html",
        403,
        title="Not for your account",
        message="This application serves the users of another account. Sign in as one of them.",
    )
