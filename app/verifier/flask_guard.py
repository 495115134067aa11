"""The Flask guard: one decorator on a view, and RFC 6750 answers for whoever may not pass.

| what came                          | answer                                               |
|------------------------------------|------------------------------------------------------|
| no bearer token                    | 401, `WWW-Authenticate: Bearer`, no error code       |
| a malformed `Authorization` header | 400, `error="invalid_request"`                       |
| a token that proves nothing        | 401, `error="invalid_token"`                         |
| a right is missing                 | 403, `error="insufficient_scope"`, `scope="…"`       |
| the issuer's keys can't be read    | 503, `Retry-After`                                   |
| access evaluation can't be asked   | 503, `Retry-After`                                   |

Every body is JSON, `{"error": "…", "error_description": "…"}`. The token is read from the
`Authorization` header alone, never from the query string or a form (RFC 6750 section 5.3 and
RFC 9700 section 4.3.2: URLs end up in logs).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from flask import Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from app.verifier.access import AccessClient, AccessUnavailable
from app.verifier.checker import Verifier
from app.verifier.keys import KeysUnavailable
from app.verifier.token import TokenInvalid, VerifiedToken

P = ParamSpec("P")
GuardedView = Callable[Concatenate[VerifiedToken, P], ResponseReturnValue]

_ACTION = re.compile(r"[a-z][a-z0-9-]*:[A-Za-z0-9]+")
_CREDENTIALS = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE | re.ASCII)


class FlaskGuard:
    """Guards views with access tokens.

    Without `access`, a view passes if the token is good and its scope allows the action in the
    token's own root account. With it, the issuer is asked about the view's resource. The view must
    still confine itself to what that account owns.
    """

    def __init__(self, verifier: Verifier, access: AccessClient | None = None) -> None:
        self._verifier = verifier
        self._access = access

    def requires(
        self, action: str, resource: Callable[Concatenate[VerifiedToken, P], str] | None = None
    ) -> Callable[[GuardedView[P]], Callable[P, ResponseReturnValue]]:
        """Let the view be called only by a token that allows `action`, ``vserver:StopServer``.

        `resource` gives the VRN of what the view works on, from what the view itself gets::

            lambda token, server_id: f"vserver::{token.account_id}:server/{server_id}"

        It is called for good tokens only; what it raises is the view's answer. Without it the
        scope is read, and nobody is asked.

        The view gets the `VerifiedToken` as its first argument; other code of the same request
        finds it with `current_token`. Put this below the route decorator.
        Raises `ValueError` for a pattern: a view is one action; and for a `resource` where there
        is nobody to ask.
        """
        if not _ACTION.fullmatch(action):
            raise ValueError(f"{action!r} is no action; expected one such as vserver:StopServer.")
        if resource is not None and self._access is None:
            raise ValueError("A resource is what access evaluation is asked about: pass `access`.")

        def decorate(view: GuardedView[P]) -> Callable[P, ResponseReturnValue]:
            @wraps(view)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
                outcome = self._token()
                if isinstance(outcome, VerifiedToken):
                    name = None if resource is None else resource(outcome, *args, **kwargs)
                    outcome = self._refuse(outcome, action, name) or outcome
                if isinstance(outcome, Response):
                    return outcome
                g.verified_token = outcome
                return view(outcome, *args, **kwargs)

            return guarded

        return decorate

    def _token(self) -> VerifiedToken | Response:
        """The token of the request, or the answer for one that proves nothing."""
        try:
            text = _bearer_token()
            return _no_token() if text is None else self._verifier.verify(text)
        except _MalformedCredentials:
            return _refusal(400, "invalid_request", "The Authorization header is malformed.")
        except TokenInvalid as error:
            return _refusal(401, "invalid_token", error.reason)
        except KeysUnavailable as error:
            return _unavailable(error)

    def _refuse(self, token: VerifiedToken, action: str, resource: str | None) -> Response | None:
        """The answer for a token that may not do this; None for one that may.

        The one place that decides: the issuer where there is a resource, else the scope.
        """
        try:
            if self._permits(token, action, resource):
                return None
        except AccessUnavailable as error:
            return _unavailable(error)
        description = f"The token does not allow {action}."
        return _refusal(403, "insufficient_scope", description, scope=action)

    def _permits(self, token: VerifiedToken, action: str, resource: str | None) -> bool:
        if self._access is None or resource is None:
            return token.allows(action, token.account_id)
        return self._access.allows(token, action, resource, request.remote_addr)


def current_token() -> VerifiedToken:
    """The token of this request. Raises `LookupError` outside a guarded view."""
    token: VerifiedToken | None = g.get("verified_token")
    if token is None:
        raise LookupError("No guard has admitted this request.")
    return token


class _MalformedCredentials(Exception):
    pass


def _bearer_token() -> str | None:
    """The token in the `Authorization` header (RFC 6750 section 2.1), None if there is none.

    A WSGI server joins two headers with a comma, which no token can hold.
    """
    credentials = request.headers.get("Authorization", "").strip(" \t")
    if credentials.split(" ")[0].lower() != "bearer":
        return None
    found = _CREDENTIALS.fullmatch(credentials)
    if found is None:
        raise _MalformedCredentials
    return found[1]


def _no_token() -> Response:
    # RFC 6750 section 3.1: no error code for a request without any token.
    description = "Send an access token in the header: Authorization: Bearer <token>."
    response = _answer(401, "unauthorized", description)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _refusal(status: int, error: str, description: str, **attributes: str) -> Response:
    response = _answer(status, error, description)
    values = {"error": error, "error_description": description, **attributes}
    # Every value is text of this package, without quotes or backslashes.
    response.headers["WWW-Authenticate"] = "Bearer " + ", ".join(
        f'{name}="{value}"' for name, value in values.items()
    )
    return response


def _unavailable(error: KeysUnavailable | AccessUnavailable) -> Response:
    response = _answer(503, "temporarily_unavailable", str(error))
    response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


def _answer(status: int, error: str, description: str) -> Response:
    response = jsonify(error=error, error_description=description)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
