"""In front of Flask: the token endpoint, which needs nothing of it but its request and response.

Flask's contexts, sessions, routing and signals cost as much as a third of a token. What a POST to
the token endpoint comes to is a function of the request alone (`endpoints.token`), so it is called
without them; everything else, other methods at the same path included, goes on to Flask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Request, Response
from werkzeug.exceptions import HTTPException

from app.oauth import errors, paths

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


class TokenFront:
    """A WSGI application that answers token requests, and hands all others to `behind`."""

    def __init__(
        self,
        behind: WSGIApplication,
        answer: Callable[[Request], Response],
        max_body_bytes: int,
    ) -> None:
        self._behind = behind
        self._answer = answer
        self._max_body_bytes = max_body_bytes

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != paths.TOKEN or environ["REQUEST_METHOD"] != "POST":
            return self._behind(environ, start_response)
        request = Request(environ)
        request.max_content_length = self._max_body_bytes
        try:
            response = self._answer(request)
        except HTTPException as error:
            response = errors.http_error_response(error)
        except Exception as error:  # noqa: BLE001 - the caller gets a clean answer, the log the rest
            response = errors.unexpected_response(error, request)
        return errors.finished(response)(environ, start_response)
