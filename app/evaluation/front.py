"""In front of Flask: evaluations, for which resource servers wait at each of their own requests.

What a POST comes to is a function of the request alone (`server.answer`), so it is called without
Flask's contexts, routing and signals, which cost as much as the decision. Everything else, other
methods at the same paths included, goes on to Flask.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Request

from app.evaluation import server
from app.services.evaluation import AccessEvaluation

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


class EvaluationFront:
    """A WSGI application that answers evaluations, and hands all else to `behind`."""

    def __init__(
        self, behind: WSGIApplication, evaluation: AccessEvaluation, max_body_bytes: int
    ) -> None:
        self._behind = behind
        self._evaluation = evaluation
        self._max_body_bytes = max_body_bytes

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in server.READERS or environ["REQUEST_METHOD"] != "POST":
            return self._behind(environ, start_response)
        request = Request(environ)
        request.max_content_length = self._max_body_bytes
        try:
            response = server.answer(self._evaluation, request)
        except Exception as error:  # noqa: BLE001 - the caller gets a clean answer, the log the rest
            response = server.unexpected(error, request)
        return response(environ, start_response)
