"""Who a user's token speaks for, as far as its scopes open it."""

from __future__ import annotations

from typing import Any

from app.domain.principals import IamUser, RootUser
from app.services import subject_tokens
from app.services.authorization import identity_claims
from app.services.runtime import Runtime


class NotALiveToken(RuntimeError):
    """Forged, ended, for another audience, or no user's."""


class NoIdentityScope(RuntimeError):
    """The token was issued without `openid`."""


def claims_for(runtime: Runtime, token: str) -> dict[str, Any]:
    """The claims of OpenID Connect Core section 5.3.2; `sub` is always there.

    Raises `NotALiveToken` or `NoIdentityScope`.
    """
    with runtime.database.read() as connection:
        live = subject_tokens.find_live(runtime, connection, token)
    if live is None or runtime.settings.issuer not in live.record.audience:
        raise NotALiveToken
    if not isinstance(live.principal, RootUser | IamUser):
        raise NotALiveToken
    scopes = tuple((live.record.scope or "").split(" "))
    if "openid" not in scopes:
        raise NoIdentityScope
    return {"sub": live.principal.id, **identity_claims(live.principal, scopes)}
