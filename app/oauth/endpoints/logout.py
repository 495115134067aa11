"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0).

A hint that is the signed-in user's ends the session at once; without one the person is asked,
so that no other site can sign people out. Where to go afterwards is only ever a URI that the
client has registered for that, to the letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Request, Response

from app.domain.clients import Client
from app.oauth import browser, paths
from app.oauth.parameters import Parameters, parse, read_form
from app.services import client_secrets, sign_in
from app.services.refusals import Refused
from app.services.runtime import Runtime, StoreUnavailable
from app.services.sign_in import SignedIn
from app.tokens.checker import TokenRejected

_FORM = "logout"


@dataclass(frozen=True, slots=True)
class _Asked:
    """`subject` is whom the hint names; `after` where the client wants the person to go."""

    subject: str | None
    after: str | None


def logout(runtime: Runtime, request: Request) -> Response:
    try:
        parameters = _parameters(runtime, request)
        asked = _read(runtime, parameters)
        user = browser.signed_in(runtime, request)
        if user is None:
            return _done(runtime, asked)
        if asked.subject == user.user.id or _confirmed(runtime, request, parameters):
            sign_in.sign_out(runtime, user)
            return _done(runtime, asked)
        return _ask(runtime, request, parameters, user, asked.after)
    except Refused as refused:
        return browser.page(
            "error.html", 400, title="This request cannot be served", message=refused.message
        )
    except StoreUnavailable:
        return browser.unavailable()


def _parameters(runtime: Runtime, request: Request) -> Parameters:
    limit = runtime.settings.max_form_fields
    return (
        read_form(request, limit)
        if request.method == "POST"
        else parse(request.query_string, limit)
    )


def _read(runtime: Runtime, parameters: Parameters) -> _Asked:
    """The request, as far as it can be believed: a bad hint is as good as none."""
    hint, client_id = parameters.get("id_token_hint"), parameters.get("client_id")
    subject = None
    if hint is not None:
        try:
            claims = runtime.checker.check_id_token_hint(hint, runtime.clock(), client_id)
            subject, client_id = claims["sub"], client_id or claims["aud"][0]
        except TokenRejected:
            client_id = None
    client = None if client_id is None else client_secrets.find_enabled(runtime, client_id)
    return _Asked(subject, _after(client, parameters))


def _after(client: Client | None, parameters: Parameters) -> str | None:
    uri = parameters.get("post_logout_redirect_uri")
    if client is None or uri is None or uri not in client.post_logout_redirect_uris:
        return None
    state = parameters.get("state")
    if state is None:
        return uri
    # What was registered stays as it is, letter by letter.
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'state': state})}"


def _confirmed(runtime: Runtime, request: Request, parameters: Parameters) -> bool:
    cookie = browser.session_cookie(runtime, request) or ""
    token = parameters.get("csrf_token") or ""
    return request.method == "POST" and sign_in.csrf_matches(runtime, token, cookie, _FORM)


def _ask(
    runtime: Runtime,
    request: Request,
    parameters: Parameters,
    user: SignedIn,
    after: str | None,
) -> Response:
    cookie = browser.session_cookie(runtime, request) or ""
    kept = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
    fields = {name: parameters.get(name) for name in kept}
    return browser.page(
        "logout.html",
        form_target=after,
        action=paths.LOGOUT,
        user=user.user,
        fields={name: value for name, value in fields.items() if value},
        csrf_token=sign_in.csrf_token(runtime, cookie, _FORM),
    )


def _done(runtime: Runtime, asked: _Asked) -> Response:
    response = (
        browser.page("signed_out.html") if asked.after is None else browser.go_to(asked.after)
    )
    browser.clear_session(runtime, response)
    return response
