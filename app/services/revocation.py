"""Ending tokens before their time (RFC 7009), with everything that came of them."""

from __future__ import annotations

from sqlalchemy import Connection

from app.domain.clients import Client
from app.domain.events import Event
from app.services import audit as audit_service
from app.services import principals
from app.services.refresh import REFRESH_TOKEN
from app.services.refusals import Refusal, Refused
from app.services.runtime import Runtime
from app.storage import audit, refresh_tokens, sessions, tokens
from app.storage.audit import AuditEvent
from app.tokens.checker import TokenRejected

_NOT_YOURS = "the token was issued to another client"


def revoke(runtime: Runtime, client: Client, token: str, source_ip: str | None) -> None:
    """End a token of the client: an access token with what was exchanged from it, a refresh
    token with its whole authorization (RFC 7009 section 2.1).

    A token that is unknown or has ended is none to complain about (section 2.2). Raises
    `Refused` for one that is another client's.
    """
    if not _revoke_refresh_token(runtime, client, token, source_ip):
        _revoke_access_token(runtime, client, token, source_ip)


def _revoke_refresh_token(
    runtime: Runtime, client: Client, token: str, source_ip: str | None
) -> bool:
    """Returns whether it was a refresh token at all."""
    digest = runtime.secrets.hash(token, REFRESH_TOKEN)
    with runtime.database.read() as connection:
        found = refresh_tokens.find(connection, digest)
        if found is None:
            return False
        session = sessions.find_by_id(connection, found.family.session_id)
        user_type = None if session is None else session.user_type
        user_id = None if session is None else session.user_id
    if found.family.client_id != client.id:
        raise Refused(Refusal.GRANT, _NOT_YOURS)
    grant_id, now = found.family.grant_id, runtime.now()

    def write(connection: Connection) -> None:
        was_alive = refresh_tokens.end(connection, grant_id, now)
        runtime.reached("revoke:family-ended")
        ended = tokens.revoke_grant(connection, grant_id, now)
        runtime.reached("revoke:tokens-ended")
        if was_alive or ended:
            _record(
                runtime,
                connection,
                client,
                user_type,
                user_id,
                source_ip,
                grant_id=grant_id,
                tokens_ended=ended,
            )

    runtime.reached("revoke:found")
    runtime.database.write(write)
    runtime.reached("revoke:committed")
    return True


def _revoke_access_token(
    runtime: Runtime, client: Client, token: str, source_ip: str | None
) -> None:
    try:
        claims = runtime.checker.check_access_token(token, runtime.clock())
    except TokenRejected:
        return
    with runtime.database.read() as connection:
        record = tokens.find(connection, claims["jti"])
    if record is None:
        return
    if record.client_id != client.id:
        raise Refused(Refusal.GRANT, _NOT_YOURS)
    now = runtime.now()

    def write(connection: Connection) -> None:
        ended = tokens.revoke(connection, record.id, now)
        runtime.reached("revoke:token-ended")
        if ended:
            _record(
                runtime,
                connection,
                client,
                record.subject_type,
                record.subject_id,
                source_ip,
                token_id=record.id,
                tokens_ended=ended,
            )

    runtime.reached("revoke:found")
    runtime.database.write(write)
    runtime.reached("revoke:committed")


def _record(
    runtime: Runtime,
    connection: Connection,
    client: Client,
    user_type: str | None,
    user_id: str | None,
    source_ip: str | None,
    *,
    token_id: str | None = None,
    **detail: object,
) -> None:
    principal = None
    if user_type is not None and user_id is not None:
        principal = principals.find(connection, user_type, user_id)
    who = (
        audit_service.by_client(client)
        if principal is None
        else audit_service.by_principal(principal)
    )
    audit.add(
        connection,
        AuditEvent(
            id=runtime.new_id(),
            at=runtime.clock(),
            event=Event.TOKEN_REVOKE,
            client_id=client.id,
            token_id=token_id,
            source_ip=source_ip,
            detail=dict(detail),
            **who,
        ),
    )
