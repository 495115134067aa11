"""Protecting an API: Flask, and the verifier that comes with Crossroot.

Started by `python examples/protect_flask/api.py`, with ISSUER, AUDIENCE, CLIENT_ID and
CLIENT_SECRET in the environment: the authorization server, and this API's identifier and client
there.
"""

from __future__ import annotations

import os

from flask import Flask
from flask.typing import ResponseReturnValue

from app.verifier import AccessClient, VerifiedToken, Verifier
from app.verifier.flask_guard import FlaskGuard

issuer = os.environ["ISSUER"]
guard = FlaskGuard(
    Verifier(issuer, audience=os.environ["AUDIENCE"]),
    AccessClient(issuer, os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]),
)
app = Flask(__name__)

#: Who owns what: by root account and id.
servers = {("60108", "srv-web-1"): "running", ("60108", "srv-db-1"): "running"}


def server(token: VerifiedToken, server_id: str) -> str:
    """The name of a server of the token's account, there or not."""
    return f"vserver::{token.account_id}:server/{server_id}"


@app.post("/v1/servers/<server_id>/stop")
@guard.requires("vserver:StopServer", resource=server)
def stop(token: VerifiedToken, server_id: str) -> ResponseReturnValue:
    if (token.account_id, server_id) not in servers:
        return {"error": "not_found"}, 404
    servers[token.account_id, server_id] = "stopped"
    by = token.actor.username if token.actor else token.subject
    return {"id": server_id, "status": "stopped", "by": by}


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8002")))
