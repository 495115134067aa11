"""How the authorization endpoint answers: by a redirect to the client, or by a page."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from flask import Response

from app.oauth import browser, paths
from app.oauth.errors import describable
from app.services.runtime import Runtime


def to_sign_in(query: str) -> Response:
    target = urlencode({"continue": f"{paths.AUTHORIZE}?{query}"})
    return browser.go_to(f"{paths.SIGN_IN}?{target}")


def error_redirect(
    runtime: Runtime, redirect_uri: str, code: str, description: str, query: str
) -> Response:
    """RFC 6749 section 4.1.2.1."""
    parameters = {"error": code, "error_description": describable(description)}
    return answer(runtime, redirect_uri, parameters, query)


def answer(runtime: Runtime, redirect_uri: str, parameters: dict[str, str], query: str) -> Response:
    """The answer by redirect, with the client's `state` and our `iss` (RFC 9207 section 2)."""
    state = dict(parse_qsl(query, keep_blank_values=True)).get("state")
    if state:
        parameters["state"] = state
    parameters["iss"] = runtime.settings.issuer
    # What was registered stays as it is, letter by letter (RFC 6749 section 3.1.2).
    separator = "&" if "?" in redirect_uri else "?"
    return browser.go_to(f"{redirect_uri}{separator}{urlencode(parameters)}")


def error_page(message: str, status: int = 400) -> Response:
    return browser.page(
        "error.html", status, title="This request cannot be served", message=message
    )


def foreign_client_page() -> Response:
    return browser.page(
        "error.html",
        403,
        title="Not for your account",
        message="This application serves the users of another account. Sign in as one of them.",
    )
