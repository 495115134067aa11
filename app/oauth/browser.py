"""What browsers need: cookies, form tokens, and headers that keep a page to itself."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Request, Response, make_response, redirect, render_template

from app.services import sign_in
from app.services.runtime import Runtime
from app.services.sign_in import SignedIn

_SESSION = "crossroot_session"
_FORM = "crossroot_form"
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]+")


def signed_in(runtime: Runtime, request: Request) -> SignedIn | None:
    """Who is signed in through this browser."""
    return sign_in.session_of(runtime, session_cookie(runtime, request))


def session_cookie(runtime: Runtime, request: Request) -> str | None:
    return request.cookies.get(_name(runtime, _SESSION))


def set_session(runtime: Runtime, response: Response, cookie: str) -> None:
    _set(runtime, response, _SESSION, cookie, runtime.settings.session_lifetime)


def clear_session(runtime: Runtime, response: Response) -> None:
    response.delete_cookie(
        _name(runtime, _SESSION), path="/", secure=_is_https(runtime), httponly=True, samesite="Lax"
    )


def form_cookie(runtime: Runtime, request: Request) -> str | None:
    """What ties a form to the browser before anybody is signed in."""
    return request.cookies.get(_name(runtime, _FORM))


def set_form_cookie(runtime: Runtime, response: Response, cookie: str) -> None:
    _set(runtime, response, _FORM, cookie, None)


def _set(runtime: Runtime, response: Response, name: str, value: str, max_age: int | None) -> None:
    response.set_cookie(
        _name(runtime, name),
        value,
        max_age=max_age,
        path="/",
        secure=_is_https(runtime),
        httponly=True,
        samesite="Lax",
    )


def _name(runtime: Runtime, name: str) -> str:
    """`__Host-` keeps other hosts of the domain from setting our cookies (RFC 6265bis)."""
    return f"__Host-{name}" if _is_https(runtime) else name


def _is_https(runtime: Runtime) -> bool:
    return runtime.settings.issuer.startswith("https://")


def go_to(url: str) -> Response:
    """A redirect that a browser follows by GET, and that leaves nothing behind."""
    response = make_response(redirect(url, 303))
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def page(
    template: str, status: int = 200, *, form_target: str | None = None, **values: object
) -> Response:
    """A page that loads nothing from elsewhere and cannot be framed.

    `form_target` is a redirect URI: browsers hold a form's redirects to `form-action` too.
    """
    response = make_response(render_template(f"oauth/{template}", **values), status)
    actions = "'self'" if form_target is None else f"'self' {_source(form_target)}"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"form-action {actions}; frame-ancestors 'none'"
    )
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def unavailable() -> Response:
    """The page for a store that does not answer."""
    response = page(
        "error.html",
        503,
        title="Out of order",
        message="The server cannot reach its store. Nothing was changed; try again in a moment.",
    )
    response.headers["Retry-After"] = "2"
    return response


def _source(uri: str) -> str:
    """A CSP source that matches the URI: its origin, or its scheme where it has no plain host.

    Whoever registered it must not write into the policy: `;` would begin a directive.
    """
    parts = urlsplit(uri)
    if _HOST.fullmatch(parts.netloc):
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def is_local_path(target: str) -> bool:
    """Whether a `continue` target stays on this server: no other host can be smuggled in."""
    return (
        target.startswith("/")
        and not target.startswith("//")
        and "\\" not in target
        and target.isascii()
        and target.isprintable()
    )
