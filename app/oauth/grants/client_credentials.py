"""client_credentials: a service account gets its own token (RFC 6749 section 4.4)."""

from __future__ import annotations

from app.oauth.authlib_adapters import TokenGrant
from app.oauth.grants.parameters import action_patterns, api_names
from app.services import machine_tokens
from app.services.issuing import Grantable


class ClientCredentialsGrant(TokenGrant):
    GRANT_TYPE = "client_credentials"

    def validate(self) -> Grantable:
        """Section 4.4.2: scope may narrow; RFC 8707: resource names the APIs."""
        return machine_tokens.validate(
            self.runtime,
            self.our_client,
            action_patterns(self.parameters),
            api_names(self.parameters),
            self.request.source_ip,
        )
