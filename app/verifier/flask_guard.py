"""The Flask guard: one decorator on a view, and RFC 6750 answers for whoever may not pass.

| what came                          | answer                                               |
|------------------------------------|------------------------------------------------------|
| no bearer token                    | 401, `WWW-Authenticate: Bearer`, no error code       |
| a malformed `Authorization` header | 400, `error="invalid_request"`                       |
| a token that proves nothing        | 401, `error="invalid_token"`                         |
| a right is missing                 | 403, `error="insufficient_scope"`, `scope="…"`       |
| the issuer's keys can't be read    | 503, `Retry-After`                                   |

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

from app.verifier.checker import Verifier
from app.verifier.keys import KeysUnavailable
from app.verifier.token import TokenInvalid, VerifiedToken

P = ParamSpec("P")
GuardedView = Callable[Concatenate[VerifiedToken, P], ResponseReturnValue]

_ACTION = re.compile(r"[a-z][a-z0-9-]*:[A-Za-z0-9]+")
_CREDENTIALS = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE | re.ASCII)


class FlaskGuard:
    """Guards views with access tokens.

    A view passes if the token is good and its scope allows the action in the token's own root
    account. The view must still confine itself to what that account owns.
    """

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def requires(self, action: str) -> Callable[[GuardedView[P]], Callable[P, ResponseReturnValue]]:
        """Let the view be called only by a token that allows `action`, ``vserver:StopServer``.

        The view gets the `VerifiedToken` as its first argument; other code of the same request
        finds it with `current_token`. Put this below the route decorator.
        Raises `ValueError` for a pattern: a view is one action.
        """
        if not _ACTION.fullmatch(action):
            raise ValueError(f"{action!r} is no action; expected one such as vserver:StopServer.")

        def decorate(view: GuardedView[P]) -> Callable[P, ResponseReturnValue]:
            @wraps(view)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
                outcome = self._admit(action)
                if isinstance(outcome, Response):
                    return outcome
                g.verified_token = outcome
                return view(outcome, *args, **kwargs)

            return guarded

        return decorate

    def _admit(self, action: str) -> VerifiedToken | Response:
        """The token that may pass, or the answer for the one that may not."""
        try:
            text = _bearer_token()
            if text is None:
                return _no_token()
            token = self._verifier.verify(text)
        except _MalformedCredentials:
            return _refusal(400, "invalid_request", "The Authorization header is malformed.")
        except TokenInvalid as error:
            return _refusal(401, "invalid_token", error.reason)
        except KeysUnavailable as error:
            return _unavailable(error)
        if not self._permits(token, action):
            description = f"The token does not allow {action}."
            return _refusal(403, "insufficient_scope", description, scope=action)
        return token

    def _permits(self, token: VerifiedToken, action: str) -> bool:
        """Whether the token may do this: the one place that decides.

        It reads the scope. A client of access evaluation belongs here, to be asked where the
        scope does not allow the action and the token says `evaluate`.
        """
        return token.allows(action, token.account_id)


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


def _unavailable(error: KeysUnavailable) -> Response:
    response = _answer(503, "temporarily_unavailable", str(error))
    response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    return response


def _answer(status: int, error: str, description: str) -> Response:
    response = jsonify(error=error, error_description=description)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
