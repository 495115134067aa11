"""The kit for resource servers: is this access token good for my API, and who is behind it?

A resource server needs two things, the issuer's URL and its own identifier URI::

    from app.verifier import TokenInvalid, Verifier

    verifier = Verifier("https://id.example", audience="https://vserver.example")

    token = verifier.verify(text)            # raises TokenInvalid, KeysUnavailable
    token.subject                            # 'sa-1f…': whose rights are used
    token.actor                              # Actor(username='System1', …): who uses them, or None
    token.allows("vserver:StopServer", account_id="60108")     # True or False

In a Flask application the guard does this for each view, and answers what RFC 6750 asks for::

    from app.verifier.flask_guard import FlaskGuard

    guard = FlaskGuard(verifier)

    @app.post("/v1/servers/<server_id>/stop")
    @guard.requires("vserver:StopServer")
    def stop(token: VerifiedToken, server_id: str) -> ResponseReturnValue:
        ...

What remains for the resource server: to look up only what `token.account_id` owns, and to treat
what another account owns as if it did not exist.

The scope has only the rights that hold on every resource of the account, as of the moment when the
token was issued. `token.evaluate` says that there may be narrower ones (one server, a condition).
The issuer's access evaluation knows those, and what was taken back since; it is asked with the
API's own client, and an answer is used for five seconds at most::

    access = AccessClient("https://id.example", client_id, client_secret)

    access.allows(token, "vserver:StopServer", vrn, source_ip)      # or AccessUnavailable
    access.allowed(token, "vserver:GetServer", vrns)                # those that are, at once

    guard = FlaskGuard(verifier, access)

    @app.post("/v1/servers/<server_id>/stop")
    @guard.requires("vserver:StopServer", resource=vrn_of_server)

A server that never asks is too strict in what it allows, and hears of a revocation when the token
expires. One that asks and gets no answer allows nothing.

The rooms: `checker` (form, signature, algorithm), `token` (the claims and the verified value),
`keys` (the issuer's keys, how long they are trusted and what happens when the issuer is down),
`access` (access evaluation, and how long an answer counts), `discovery` (where all of that is read
from), `flask_guard`. The kit needs joserfc, and Flask for the
guard alone. It imports nothing else of `app`.
"""

from __future__ import annotations

from app.verifier.access import AccessClient, AccessUnavailable
from app.verifier.checker import Verifier
from app.verifier.discovery import Document, DocumentUnusable, Fetch, HttpFetch, Post
from app.verifier.keys import KeysUnavailable
from app.verifier.token import Actor, TokenInvalid, VerifiedToken

__all__ = [
    "AccessClient",
    "AccessUnavailable",
    "Actor",
    "Document",
    "DocumentUnusable",
    "Fetch",
    "HttpFetch",
    "KeysUnavailable",
    "Post",
    "TokenInvalid",
    "VerifiedToken",
    "Verifier",
]
