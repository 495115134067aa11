"""Sign-in sessions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.storage import sessions
from app.storage.database import Database, StoreUnavailable
from app.storage.sessions import SignInSession
from tests.support.impersonation import A, B
from tests.support.stores import SESSION

OTHERS = SignInSession("session-2", "root-user", "root-b", B.id, 200, 800)
SECOND = replace(SESSION, id="session-3", user_id="user-2", amr=("pwd", "otp", "mfa"))


@pytest.fixture
def store(database: Database) -> Database:
    database.write(lambda each: sessions.add(each, OTHERS, "digest-of-session-2"))
    database.write(lambda each: sessions.add(each, SECOND, "digest-of-session-3"))
    return database


def test_a_session_is_found_by_id_and_by_the_digest_of_its_cookie(store: Database) -> None:
    with store.read() as connection:
        for session in (SESSION, OTHERS, SECOND):
            assert sessions.find(connection, f"digest-of-{session.id}") == session
            assert sessions.find_by_id(connection, session.id) == session
        assert sessions.find(connection, SESSION.id) is None
        assert sessions.find_by_id(connection, "session-9") is None


def test_a_session_ends_once(store: Database) -> None:
    assert store.write(lambda each: sessions.end(each, SESSION.id, 300))
    assert not store.write(lambda each: sessions.end(each, SESSION.id, 400))
    assert not store.write(lambda each: sessions.end(each, "session-9", 400))

    with store.read() as connection:
        assert sessions.find_by_id(connection, SESSION.id) == replace(SESSION, ended_at=300)
        assert sessions.find_by_id(connection, SECOND.id) == SECOND


def test_the_sessions_of_an_account_end_together(store: Database) -> None:
    store.write(lambda each: sessions.end(each, SECOND.id, 300))

    assert store.write(lambda each: sessions.end_account(each, A.id, 400)) == 1
    assert store.write(lambda each: sessions.end_account(each, A.id, 500)) == 0

    with store.read() as connection:
        assert sessions.find_by_id(connection, SESSION.id) == replace(SESSION, ended_at=400)
        assert sessions.find_by_id(connection, SECOND.id) == replace(SECOND, ended_at=300)
        assert sessions.find_by_id(connection, OTHERS.id) == OTHERS


@pytest.mark.parametrize(
    ("session", "digest"),
    [
        pytest.param(SESSION, "another-digest", id="id"),
        pytest.param(replace(SESSION, id="session-9"), "digest-of-session-1", id="digest"),
        pytest.param(replace(SESSION, id="session-9", account_id="7"), "d", id="no such account"),
    ],
)
def test_the_store_itself_keeps_sessions_apart(
    store: Database, session: SignInSession, digest: str
) -> None:
    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        store.write(lambda each: sessions.add(each, session, digest))


def test_the_sessions_of_one_user_end_together(store: Database) -> None:
    third = replace(SESSION, id="session-4")
    store.write(lambda each: sessions.add(each, third, "digest-of-session-4"))

    assert store.write(lambda each: sessions.end_user(each, SESSION.user_id, 400)) == 2
    assert store.write(lambda each: sessions.end_user(each, SESSION.user_id, 500)) == 0

    with store.read() as connection:
        assert sessions.find_by_id(connection, SESSION.id) == replace(SESSION, ended_at=400)
        assert sessions.find_by_id(connection, third.id) == replace(third, ended_at=400)
        assert sessions.find_by_id(connection, SECOND.id) == SECOND
        assert sessions.find_by_id(connection, OTHERS.id) == OTHERS
