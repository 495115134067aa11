"""Protecting an API: FastAPI, tokens checked by PyJWT, access evaluation asked with httpx.

Nothing in here is Crossroot's: any authorization server with JWT access tokens (RFC 9068) and an
AuthZEN decision point will do. Started by `python examples/protect_fastapi/api.py`, with ISSUER,
AUDIENCE, CLIENT_ID and CLIENT_SECRET in the environment.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Annotated, Any

import httpx
import jwt
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

ISSUER, AUDIENCE = os.environ["ISSUER"], os.environ["AUDIENCE"]
CREDENTIALS = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
ALGORITHMS = ["ES256", "RS256", "EdDSA"]
CLAIMS = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"]
TYPES = ("at+jwt", "application/at+jwt")

app = FastAPI()
http = httpx.Client(timeout=5)
bearer = HTTPBearer(auto_error=False)

#: Who owns what: by root account and id.
servers = {("60108", "srv-web-1"): "running", ("60108", "srv-db-1"): "running"}


@cache
def signing_keys() -> jwt.PyJWKClient:
    """The issuer's keys, kept for five minutes. What raises is not kept."""
    metadata = read(http.get(f"{ISSUER}/.well-known/openid-configuration"))
    return jwt.PyJWKClient(metadata["jwks_uri"], lifespan=300)


@cache
def evaluation_endpoint() -> str:
    metadata = read(http.get(f"{ISSUER}/.well-known/authzen-configuration"))
    return str(metadata["access_evaluation_endpoint"])


def verified(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> dict[str, Any]:
    """The claims of the request's token (RFC 9068 section 4)."""
    if credentials is None:
        raise HTTPException(401, "Send an access token.", {"WWW-Authenticate": "Bearer"})
    token = credentials.credentials
    try:
        if jwt.get_unverified_header(token).get("typ", "").lower() not in TYPES:
            raise jwt.InvalidTokenError("no access token")
        return jwt.decode(
            token,
            signing_keys().get_signing_key_from_jwt(token).key,
            algorithms=ALGORITHMS,
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=30,
            options={"require": CLAIMS},
        )
    except (jwt.PyJWKClientConnectionError, httpx.HTTPError) as error:
        raise unavailable() from error
    except (jwt.PyJWTError, ValueError) as error:
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise HTTPException(401, "The token is not valid here.", challenge) from error


def authorize(request: Request, claims: dict[str, Any], action: str, resource: str) -> None:
    """Go on only if the issuer says yes: now, for this token, this action and this resource."""
    question = {
        "subject": {
            "type": claims["user_type"],
            "id": claims["sub"],
            "properties": {"jti": claims["jti"]},
        },
        "action": {"name": action},
        "resource": {"type": "server", "id": resource},
    }
    if request.client is not None:
        question["context"] = {"iam:SourceIp": request.client.host}
    try:
        answer = read(http.post(evaluation_endpoint(), json=question, auth=CREDENTIALS))
    except httpx.HTTPError as error:
        raise unavailable() from error  # never a yes
    if answer.get("decision") is not True:
        challenge = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{action}"'}
        raise HTTPException(403, f"The token does not allow {action}.", challenge)


def read(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of a 200 answer. Raises `httpx.HTTPError`."""
    response.raise_for_status()
    try:
        body = response.json()
    except ValueError as error:
        raise httpx.DecodingError("not JSON") from error
    if not isinstance(body, dict):
        raise httpx.DecodingError("not a JSON object")
    return body


def unavailable() -> HTTPException:
    return HTTPException(503, "The authorization server does not answer.", {"Retry-After": "1"})


@app.post("/v1/servers/{server_id}/stop")
def stop(
    server_id: str, request: Request, claims: Annotated[dict[str, Any], Depends(verified)]
) -> dict[str, str]:
    account = claims["account_id"]
    authorize(request, claims, "vserver:StopServer", f"vserver::{account}:server/{server_id}")
    if (account, server_id) not in servers:
        raise HTTPException(404)
    servers[account, server_id] = "stopped"
    by = claims.get("act", {}).get("username", claims["sub"])
    return {"id": server_id, "status": "stopped", "by": by}


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8003")))
