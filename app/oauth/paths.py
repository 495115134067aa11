"""Where the endpoints are; clients learn it from discovery."""

from __future__ import annotations

AUTHORIZE = "/oauth2/authorize"
TOKEN = "/oauth2/token"
INTROSPECT = "/oauth2/introspect"
REVOKE = "/oauth2/revoke"
USERINFO = "/oauth2/userinfo"
LOGOUT = "/oauth2/logout"
JWKS = "/oauth2/jwks"
OPENID_CONFIGURATION = "/.well-known/openid-configuration"
SERVER_METADATA = "/.well-known/oauth-authorization-server"
SIGN_IN = "/sign-in"
SIGNED_IN = "/signed-in"
DECISION = f"{AUTHORIZE}/decision"
#: One SDK has two slashes in its path.
SDK_TOKEN_V2 = ("/accounts-api/v2/auth/token", "/accounts-api/v2//auth/token")
SDK_TOKEN_V1 = "/accounts-api/v1/auth/token"
