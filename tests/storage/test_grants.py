"""Authorization codes: kept as hashes, and used up by one only (RFC 6749 section 4.1.2)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.storage import grants
from app.storage.database import Database, StoreUnavailable
from app.storage.grants import AuthorizationCode
from tests.support.stores import MACHINE, SESSION

CODE = AuthorizationCode(
    grant_id="grant-1",
    client_id=MACHINE.id,
    session_id=SESSION.id,
    redirect_uri="http://127.0.0.1:49152/callback",
    redirect_uri_sent=True,
    identity_scopes=("openid", "profile"),
    patterns=("vserver:List*",),
    audience=("https://crossroot.example",),
    nonce="a nonce",
    code_challenge="c" * 43,
    expires_at=160,
)
BARE = replace(
    CODE,
    grant_id="grant-2",
    redirect_uri_sent=False,
    identity_scopes=(),
    patterns=None,
    nonce=None,
    code_challenge=None,
)
RIVALS = 16


def add(database: Database, code: AuthorizationCode, digest: str) -> None:
    database.write(lambda connection: grants.add_code(connection, code, digest))


def find(database: Database, digest: str) -> AuthorizationCode | None:
    with database.read() as connection:
        return grants.find_code(connection, digest)


@pytest.mark.parametrize(
    "code", [CODE, BARE, replace(CODE, patterns=())], ids=["full", "bare", "no patterns"]
)
def test_a_code_comes_back_as_it_was(database: Database, code: AuthorizationCode) -> None:
    add(database, code, "digest")

    assert find(database, "digest") == code
    assert find(database, "DIGEST") is None


def test_a_code_is_used_once_and_kept(database: Database) -> None:
    add(database, CODE, "digest")
    add(database, BARE, "other")

    assert database.write(lambda each: grants.use_code(each, "digest", 120))
    assert not database.write(lambda each: grants.use_code(each, "digest", 130))
    assert not database.write(lambda each: grants.use_code(each, "unknown", 130))

    assert find(database, "digest") == replace(CODE, used_at=120)
    assert find(database, "other") == BARE


def test_a_use_that_is_taken_back_did_not_happen(database: Database) -> None:
    add(database, CODE, "digest")

    def use_and_fail(connection: object) -> None:
        assert grants.use_code(connection, "digest", 120)  # type: ignore[arg-type]
        raise LookupError

    with pytest.raises(LookupError):
        database.write(use_and_fail)

    assert database.write(lambda each: grants.use_code(each, "digest", 130))


def test_of_many_who_use_a_code_at_once_one_wins(database: Database) -> None:
    add(database, CODE, "digest")
    together = threading.Barrier(RIVALS)

    def use(number: int) -> bool:
        together.wait()
        return database.write(lambda each: grants.use_code(each, "digest", 100 + number))

    with ThreadPoolExecutor(RIVALS) as threads:
        wins = list(threads.map(use, range(RIVALS)))

    assert wins.count(True) == 1
    assert find(database, "digest") == replace(CODE, used_at=100 + wins.index(True))


@pytest.mark.parametrize(
    ("code", "digest"),
    [
        pytest.param(BARE, "digest", id="digest"),
        pytest.param(CODE, "other", id="grant id"),
        pytest.param(replace(BARE, client_id="nobody"), "other", id="no such client"),
        pytest.param(replace(BARE, session_id="session-9"), "other", id="no such session"),
    ],
)
def test_the_store_itself_keeps_codes_apart(
    database: Database, code: AuthorizationCode, digest: str
) -> None:
    add(database, CODE, "digest")

    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        add(database, code, digest)
