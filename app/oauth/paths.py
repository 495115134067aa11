"""Where the endpoints are; clients learn it from discovery."""

from __future__ import annotations

AUTHORIZE = "/oauth2/authorize"
TOKEN = "/oauth2/token"
INTROSPECT = "/oauth2/introspect"
JWKS = "/oauth2/jwks"
OPENID_CONFIGURATION = "/.well-known/openid-configuration"
SERVER_METADATA = "/.well-known/oauth-authorization-server"
SIGN_IN = "/sign-in"
