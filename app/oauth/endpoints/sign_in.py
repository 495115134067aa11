"""The sign-in page: one form for root and IAM users, one message for every failure."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from flask import Request, Response

from app.domain import redirects
from app.domain.principals import is_email
from app.oauth import browser, paths
from app.oauth.parameters import Parameters, read_form
from app.services import client_secrets, sign_in
from app.services.refusals import Refused
from app.services.runtime import Runtime, StoreUnavailable
from app.services.sign_in import SignInForm

_FAILED = "E-mail, username or password is wrong, or the account is disabled."
_OUT_OF_DATE = "This form is out of date. Please sign in again."


def show(runtime: Runtime, request: Request) -> Response:
    target = _target(request.args.get("continue"))
    try:
        return _page(runtime, request, _hinted(target), target)
    except StoreUnavailable:
        return browser.unavailable()


def _hinted(target: str) -> Parameters:
    """What `login_hint` of the request behind the sign-in fills in."""
    parts = urlsplit(target)
    hint = dict(parse_qsl(parts.query)).get("login_hint", "")
    if parts.path != paths.AUTHORIZE or not is_email(hint):
        return Parameters({}, {})
    return Parameters({"root_email": hint}, {})


def submit(runtime: Runtime, request: Request) -> Response:
    """Sign in and go on to where the person came from; a failure shows the form with 401."""
    try:
        form = read_form(request, runtime.settings.max_form_fields)
    except Refused as refused:
        return browser.page(
            "error.html", 400, title="This form cannot be read", message=refused.message
        )
    try:
        return _submit(runtime, request, form)
    except StoreUnavailable:
        return browser.unavailable()


def _submit(runtime: Runtime, request: Request, form: Parameters) -> Response:
    target = _target(form.get("continue"))
    cookie = browser.form_cookie(runtime, request)
    token = form.get("csrf_token") or ""
    if cookie is None or not sign_in.csrf_matches(runtime, token, cookie, paths.SIGN_IN):
        return _page(runtime, request, form, target, status=403, problem=_OUT_OF_DATE)
    new = sign_in.sign_in(runtime, _credentials(form), request.remote_addr)
    if new is None:
        return _page(runtime, request, form, target, status=401, problem=_FAILED)
    response = browser.go_to(target)
    browser.set_session(runtime, response, new.cookie)
    # A new form cookie as well: nothing that was there before the sign-in stays good.
    browser.set_form_cookie(runtime, response, runtime.new_secret())
    return response


def done(runtime: Runtime, request: Request) -> Response:
    """Where a sign-in ends that came from nowhere in particular."""
    try:
        user = browser.signed_in(runtime, request)
    except StoreUnavailable:
        return browser.unavailable()
    if user is None:
        return browser.go_to(paths.SIGN_IN)
    return browser.page("signed_in.html", user=user.user)


def _credentials(form: Parameters) -> SignInForm:
    return SignInForm(
        kind="root" if form.get("kind") == "root" else "iam",
        root_email=form.get("root_email") or "",
        username=form.get("username") or "",
        password=form.get("password") or "",
    )


def _target(asked: str | None) -> str:
    return asked if asked and browser.is_local_path(asked) else paths.SIGNED_IN


def _page(
    runtime: Runtime,
    request: Request,
    form: Parameters,
    target: str,
    *,
    status: int = 200,
    problem: str | None = None,
) -> Response:
    """The form, with what was typed before, but never the password."""
    cookie = browser.form_cookie(runtime, request) or runtime.new_secret()
    response = browser.page(
        "sign_in.html",
        status,
        form_target=_redirect_behind(runtime, target),
        action=paths.SIGN_IN,
        kind="root" if form.get("kind") == "root" else "iam",
        root_email=form.get("root_email") or "",
        username=form.get("username") or "",
        target=target,
        problem=problem,
        csrf_token=sign_in.csrf_token(runtime, cookie, paths.SIGN_IN),
    )
    browser.set_form_cookie(runtime, response, cookie)
    return response


def _redirect_behind(runtime: Runtime, target: str) -> str | None:
    """The registered redirect URI that an authorization request will end at, if it is one.

    Browsers check the redirects after a form against the page's `form-action`.
    """
    parts = urlsplit(target)
    if parts.path != paths.AUTHORIZE:
        return None
    query = dict(parse_qsl(parts.query))
    client = client_secrets.find_enabled(runtime, query.get("client_id", ""))
    if client is None:
        return None
    uri = query.get("redirect_uri") or (client.redirect_uris[0] if client.redirect_uris else "")
    return uri if redirects.matches(client.redirect_uris, uri) else None
