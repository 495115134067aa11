"""Refusals: why a request is not granted, in words for the caller.

A `Refused` carries what may be told. What may not (which half said no, whether there is such a
service account) stays in the audit row that `decision_id` leads to.
"""

from __future__ import annotations

from enum import StrEnum

from app.domain.impersonation import Decision
from app.domain.principals import Principal, ServiceAccount


class Refusal(StrEnum):
    """The kinds of refusal; `app.oauth.errors` gives each its RFC error code."""

    MALFORMED_REQUEST = "malformed-request"
    MALFORMED_SCOPE = "malformed-scope"
    CLIENT_AUTHENTICATION = "client-authentication"
    BEARER_TOKEN = "bearer-token"
    UNSUPPORTED_GRANT = "unsupported-grant"
    UNAUTHORIZED_CLIENT = "unauthorized-client"
    SUBJECT_TOKEN = "subject-token"
    GRANT = "grant"
    TARGET = "target"
    UNKNOWN_API = "unknown-api"
    API_WIDENS = "api-widens"
    SCOPE_WIDENS = "scope-widens"
    ACCESS_DENIED = "access-denied"


class Refused(Exception):
    """A request that is not granted. `recorded` where its audit row is already written."""

    def __init__(
        self,
        refusal: Refusal,
        message: str,
        *,
        decision_id: str | None = None,
        recorded: bool = False,
        subject: Principal | None = None,
    ) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message
        self.decision_id = decision_id
        self.recorded = recorded
        #: Whom a valid subject token speaks for, so that the refusal has a name to it.
        self.subject = subject
        #: The yes that was said before something else was refused.
        self.accepted: tuple[ServiceAccount, Decision] | None = None
