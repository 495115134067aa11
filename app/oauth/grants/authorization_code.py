"""authorization_code: redeeming what a person agreed to (RFC 6749 section 4.1.3)."""

from __future__ import annotations

from app.oauth.authlib_adapters import CodeGrant
from app.services import authorization
from app.services.authorization import CodeAlreadyUsed
from app.services.issuing import Grantable, IssuedToken, issue


class AuthorizationCodeGrant(CodeGrant):
    def validate(self) -> Grantable:
        """Code, client, redirect URI and PKCE verifier; then what was agreed to."""
        request = self.request
        found = self.redeemable()
        client = request.client
        if client is None:
            raise RuntimeError("a grant was asked before its client was authenticated")
        return authorization.redeem(
            request.runtime,
            client.client,
            request.parameters.require("code"),
            found,
            request.parameters.all("resource"),
            request.source_ip,
        )

    def issue(self, grantable: Grantable) -> IssuedToken:
        """Of parallel redemptions one wins; the others end what it got (section 4.1.2)."""
        request = self.request
        try:
            return issue(request.runtime, grantable)
        except CodeAlreadyUsed:
            raise authorization.refuse_reused(
                request.runtime, grantable.client, request.parameters.require("code")
            ) from None
