"""Signing in: a browser proves who sits before it, once, and gets a session.

Every cause of failure takes the same path and the same work (one look-up, one password hash),
and gives the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from app.domain.events import Event
from app.domain.principals import IamUser, RootUser, is_active
from app.services import account_settings, principals, throttling
from app.services import audit as audit_service
from app.services.runtime import Runtime
from app.services.throttling import Attempt
from app.storage import accounts, audit, refresh_tokens, sessions, tokens
from app.storage.accounts import Credentials
from app.storage.audit import AuditEvent
from app.storage.sessions import SignInSession

_SESSION = "session"
_CSRF = "csrf"
#: What RFC 8176 calls a password.
_PASSWORD = ("pwd",)


@dataclass(frozen=True, slots=True)
class SignInForm:
    """The sign-in form: `username` counts only where an IAM user signs in."""

    kind: str
    root_email: str
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session and the user behind it."""

    session: SignInSession
    user: RootUser | IamUser


@dataclass(frozen=True, slots=True)
class NewSession:
    """`cookie` is the session's secret: it goes to the browser and is not kept."""

    signed_in: SignedIn
    cookie: str


def sign_in(runtime: Runtime, form: SignInForm, source_ip: str | None) -> NewSession | None:
    """Check the credentials. None means no, for whatever cause; the failure is counted."""
    attempt = throttling.begin(runtime, _canonical_name(form), source_ip)
    with runtime.database.read() as connection:
        found = _find(connection, form)
    matches = runtime.passwords.verify(
        form.password, None if found is None else found.password_hash
    )
    if found is not None and matches and is_active(found.user) and attempt.admitted:
        new = _start(runtime, form, found, source_ip, attempt)
        if new is not None:
            return new
    audit_service.count_failure(runtime, f"sign-in:{_kind(form)}")
    return None


def _find(connection: Connection, form: SignInForm) -> Credentials | None:
    if form.kind == "root":
        return accounts.find_root_by_email(connection, form.root_email)
    return accounts.find_user_by_name(connection, form.root_email, form.username)


def _canonical_name(form: SignInForm) -> str:
    """One user, one name, however it is spelled: attempts are counted under it."""
    email = accounts.canonical_email(form.root_email)
    return email if form.kind == "root" else f"{email}\0{form.username.lower()}"


def _kind(form: SignInForm) -> str:
    return "root" if form.kind == "root" else "iam"


def _start(
    runtime: Runtime,
    form: SignInForm,
    found: Credentials,
    source_ip: str | None,
    attempt: Attempt,
) -> NewSession | None:
    user, now = found.user, runtime.now()
    with runtime.database.read() as connection:
        timeout = account_settings.session_timeout_of(runtime, connection, user.account.id)
    cookie = runtime.new_secret()
    session = SignInSession(
        id=runtime.new_id(),
        user_type=user.type.value,
        user_id=user.id,
        account_id=user.account.id,
        auth_time=now,
        expires_at=now + timeout,
        amr=_PASSWORD,
    )
    event = AuditEvent(
        id=runtime.new_id(),
        at=runtime.clock(),
        event=Event.SIGN_IN,
        source_ip=source_ip,
        detail={"session_id": session.id},
        **audit_service.by_principal(user),
    )

    def write(connection: Connection) -> bool:
        # Checking a password takes a while: whoever was disabled meanwhile, or got another
        # password, must not begin a session that nothing would end.
        if _find(connection, form) != found:
            return False
        throttling.succeeded(runtime, connection, attempt)
        sessions.add(connection, session, runtime.secrets.hash(cookie, _SESSION))
        audit.add(connection, event)
        return True

    return NewSession(SignedIn(session, user), cookie) if runtime.database.write(write) else None


def session_of(runtime: Runtime, cookie: str | None) -> SignedIn | None:
    """The live session behind a cookie, its user still enabled; else None."""
    if not cookie:
        return None
    with runtime.database.read() as connection:
        session = sessions.find(connection, runtime.secrets.hash(cookie, _SESSION))
        return signed_in(runtime, connection, session)


def user_of(connection: Connection, session: SignInSession | None) -> RootUser | IamUser | None:
    """The user of a session, if enabled."""
    if session is None:
        return None
    user = principals.find(connection, session.user_type, session.user_id)
    return user if isinstance(user, RootUser | IamUser) and is_active(user) else None


def signed_in(
    runtime: Runtime, connection: Connection, session: SignInSession | None
) -> SignedIn | None:
    """The session with its user, if it goes on and the user is enabled."""
    if session is None or session.ended_at is not None:
        return None
    if session.expires_at <= runtime.clock():
        return None
    user = user_of(connection, session)
    if user is None:
        return None
    # A timeout that the account has shortened since holds for who is signed in already.
    timeout = account_settings.session_timeout_of(runtime, connection, user.account.id)
    if session.auth_time + timeout <= runtime.clock():
        return None
    return SignedIn(session, user)


def sign_out(runtime: Runtime, signed_in_as: SignedIn) -> None:
    """End the session and everything that came of it."""
    session, now = signed_in_as.session, runtime.now()
    event = AuditEvent(
        id=runtime.new_id(),
        at=runtime.clock(),
        event=Event.SIGN_OUT,
        detail={"session_id": session.id},
        **audit_service.by_principal(signed_in_as.user),
    )

    def write(connection: Connection) -> None:
        if sessions.end(connection, session.id, now):
            refresh_tokens.end_session(connection, session.id, now)
            tokens.revoke_session(connection, session.id, now)
            audit.add(connection, event)

    runtime.database.write(write)


def csrf_token(runtime: Runtime, *binding: str) -> str:
    """A form token that only the browser with this cookie can send, for this form alone."""
    return runtime.secrets.hash("\0".join(binding), _CSRF)


def csrf_matches(runtime: Runtime, token: str, *binding: str) -> bool:
    return runtime.secrets.matches("\0".join(binding), token, _CSRF)
