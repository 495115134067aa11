"""refresh_token: a new access token, and the next refresh token (RFC 6749 section 6)."""

from __future__ import annotations

from app.domain.scopes import InvalidScope, RequestedScope, parse_scope
from app.oauth.authlib_adapters import TokenGrant
from app.services import refresh
from app.services.issuing import Grantable, IssuedToken, issue
from app.services.refresh import RefreshAlreadyUsed
from app.services.refusals import Refusal, Refused


class RefreshTokenGrant(TokenGrant):
    GRANT_TYPE = "refresh_token"

    def validate(self) -> Grantable:
        """Scope may narrow (section 6), and so may resource (RFC 8707 section 2.2)."""
        return refresh.validate(
            self.runtime,
            self.our_client,
            self.parameters.require("refresh_token"),
            self._scope(),
            self.parameters.all("resource"),
            self.request.source_ip,
        )

    def issue(self, grantable: Grantable) -> IssuedToken:
        """Of parallel uses one wins, and then the family ends: two hold the same token."""
        try:
            return issue(self.runtime, grantable)
        except RefreshAlreadyUsed:
            raise refresh.refuse_reused(
                self.runtime, grantable.client, self.parameters.require("refresh_token")
            ) from None

    def _scope(self) -> RequestedScope | None:
        text = self.parameters.get("scope")
        if text is None:
            return None
        try:
            return parse_scope(text)
        except InvalidScope as error:
            raise Refused(Refusal.MALFORMED_SCOPE, str(error)) from None
