"""Issued tokens: a family ends from any of its members down, and nobody else's does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.domain.catalogue import ActionPattern
from app.domain.documents import compile_stored
from app.domain.limits import TokenLimits
from app.domain.principals import Actor
from app.storage import tokens
from app.storage.database import Database, StoreUnavailable
from app.storage.tokens import TokenRecord
from tests.support.impersonation import SERVICE_ACCOUNT, SYSTEM1, A, B
from tests.support.policies import allow
from tests.support.stores import token

GENERATIONS = 20
READ_ONLY = {"statements": [allow("vserver:List*")]}
ACTOR = Actor(SYSTEM1.id, A.id, "iam-user", "System1", "on-call")
FULL = TokenRecord(
    id="full",
    client_id="crossroot-cli",
    subject_type="service-account",
    subject_id=SERVICE_ACCOUNT.id,
    account_id=B.id,
    audience=("https://vserver.example", "https://vstorage.example"),
    issued_at=4_102_444_800,
    expires_at=4_102_448_400,
    scope="vserver:List*",
    evaluate=True,
    patterns=("vserver:List*", "vserver:Get*"),
    inline_policies=(READ_ONLY, READ_ONLY),
    actor=ACTOR,
    decision_id="decision",
    parent_id="parent",
    grant_id="grant",
    session_id="session",
    auth_time=4_102_444_000,
    amr=("pwd", "otp"),
)


def add(database: Database, *records: TokenRecord) -> None:
    def write(connection: object) -> None:
        for record in records:
            tokens.add(connection, record)  # type: ignore[arg-type]

    database.write(write)


def add_line(database: Database, name: str, **changes: object) -> list[str]:
    """Twenty tokens, each exchanged from the one before. Returns their ids, the eldest first."""
    ids = [f"{name}-{number}" for number in range(GENERATIONS)]
    parents = [None, *ids]
    add(database, *(token(each, parent_id=parents[n], **changes) for n, each in enumerate(ids)))
    return ids


def ended(database: Database) -> set[str]:
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM tokens WHERE revoked_at IS NOT NULL")
        return {str(row.id) for row in rows}


# ----------------------------------------------------------------------------------- one token


@pytest.mark.parametrize(
    "record",
    [
        FULL,
        token("bare"),
        token("nothing", patterns=(), audience=()),
        replace(FULL, actor=replace(ACTOR, name=None)),
    ],
    ids=["full", "bare", "empty", "no display name"],
)
def test_a_record_comes_back_as_it_was(database: Database, record: TokenRecord) -> None:
    add(database, record)

    with database.read() as connection:
        assert tokens.find(connection, record.id) == record
        assert tokens.find(connection, "unknown") is None


def test_an_id_is_used_once(database: Database) -> None:
    add(database, FULL)

    with pytest.raises(StoreUnavailable, match="IntegrityError"):
        add(database, token(FULL.id))


def test_the_limits_of_a_token_are_those_it_was_issued_under() -> None:
    compiled = compile_stored(READ_ONLY)

    assert FULL.limits == TokenLimits(
        (ActionPattern("vserver:List*"), ActionPattern("vserver:Get*")), (compiled, compiled)
    )
    assert token("bare").limits == TokenLimits(None, ())
    assert token("nothing", patterns=()).limits == TokenLimits((), ())


def test_a_token_is_revoked_once(database: Database) -> None:
    add(database, FULL)

    assert database.write(lambda each: tokens.revoke(each, FULL.id, 500)) == 1
    assert database.write(lambda each: tokens.revoke(each, FULL.id, 600)) == 0
    assert database.write(lambda each: tokens.revoke(each, "unknown", 600)) == 0

    with database.read() as connection:
        assert tokens.find(connection, FULL.id) == replace(FULL, revoked_at=500)


def test_an_unknown_token_counts_as_revoked(database: Database) -> None:
    add(database, FULL, token("other"))
    database.write(lambda each: tokens.revoke(each, FULL.id, 500))

    with database.read() as connection:
        assert tokens.is_revoked(connection, FULL.id)
        assert tokens.is_revoked(connection, "unknown")
        assert not tokens.is_revoked(connection, "other")


# ------------------------------------------------------------------------------------ families


@pytest.mark.parametrize("generation", [0, 1, 7, GENERATIONS - 1])
def test_revoking_a_token_ends_it_and_all_that_was_exchanged_from_it(
    database: Database, generation: int
) -> None:
    line = add_line(database, "line")
    other = add_line(database, "other")
    add(database, token("sibling", parent_id=line[generation - 1] if generation else None))

    count = database.write(lambda each: tokens.revoke(each, line[generation], 500))

    assert count == GENERATIONS - generation
    assert ended(database) == set(line[generation:])
    assert ended(database).isdisjoint({*other, "sibling"})


def test_every_branch_of_a_family_ends(database: Database) -> None:
    add(database, token("root"))
    add(database, *(token(f"child-{n}", parent_id="root") for n in range(5)))
    add(database, *(token(f"grandchild-{n}", parent_id=f"child-{n % 2}") for n in range(6)))

    assert database.write(lambda each: tokens.revoke(each, "child-1", 500)) == 4
    assert ended(database) == {"child-1", "grandchild-1", "grandchild-3", "grandchild-5"}

    # What is below a token that ended before still ends with the whole.
    assert database.write(lambda each: tokens.revoke(each, "root", 600)) == 8


def test_a_family_ends_below_a_member_that_ended_alone(database: Database) -> None:
    line = add_line(database, "line")
    database.write(lambda each: tokens.revoke(each, line[-1], 400))

    assert database.write(lambda each: tokens.revoke(each, line[0], 500)) == GENERATIONS - 1
    with database.read() as connection:
        last = tokens.find(connection, line[-1])
    assert last is not None
    assert last.revoked_at == 400


def test_a_family_that_goes_in_a_circle_ends(database: Database) -> None:
    # It cannot come about; if it ever did, nobody may hang on it.
    add(database, token("a", parent_id="b"), token("b", parent_id="a"))

    assert database.write(lambda each: tokens.revoke(each, "a", 500)) == 2


def test_an_authorization_ends_with_all_that_came_of_it(database: Database) -> None:
    add(database, token("first", grant_id="grant-1"), token("second", grant_id="grant-1"))
    # Only the first of a line has to know the authorization.
    add(database, *(token(f"of-first-{n}", parent_id="first") for n in range(3)))
    add(database, token("below", parent_id="of-first-1"))
    add(database, token("other", grant_id="grant-2"), token("none"))

    assert database.write(lambda each: tokens.revoke_grant(each, "grant-1", 500)) == 6
    assert ended(database) == {"first", "second", "of-first-0", "of-first-1", "of-first-2", "below"}
    assert database.write(lambda each: tokens.revoke_grant(each, "grant-9", 500)) == 0


def test_a_sign_in_ends_with_all_that_came_of_it(database: Database) -> None:
    line = add_line(database, "line")
    add(database, token("root", session_id="session-1", grant_id="grant-1"))
    add(database, token("other", session_id="session-2", grant_id="grant-2"))
    add(database, token("child", parent_id="root", session_id="session-1"))
    add(database, token("grandchild", parent_id="child"))

    assert database.write(lambda each: tokens.revoke_session(each, "session-1", 500)) == 3
    assert ended(database) == {"root", "child", "grandchild"}
    assert ended(database).isdisjoint({*line, "other"})


def test_a_deep_line_ends_with_its_sign_in(database: Database) -> None:
    line = add_line(database, "line")
    add(database, token("first", session_id="session-1"))
    add(database, token("second", parent_id="first"))
    deep = add_line(database, "deep", session_id="session-1")

    assert (
        database.write(lambda each: tokens.revoke_session(each, "session-1", 500))
        == GENERATIONS + 2
    )
    assert ended(database) == {"first", "second", *deep}
    assert ended(database).isdisjoint(line)


def test_an_account_ends_with_its_own_tokens_and_those_that_it_acts_through(
    database: Database,
) -> None:
    user = {"subject_type": "iam-user", "subject_id": SYSTEM1.id, "account_id": A.id}
    add(database, token("of-user", **user), token("narrowed", parent_id="of-user", **user))
    through = add_line(database, "through", actor=ACTOR)
    add(database, token("own"))
    add(database, token("through-c", actor=replace(ACTOR, subject="user-c", account_id="70000")))

    assert database.write(lambda each: tokens.revoke_account(each, A.id, 500)) == GENERATIONS + 2
    assert ended(database) == {"of-user", "narrowed", *through}

    # The other end of the same tokens: what is left of B's.
    assert database.write(lambda each: tokens.revoke_account(each, B.id, 600)) == 2
    assert ended(database) == {"of-user", "narrowed", *through, "own", "through-c"}


def test_a_user_ends_with_its_own_tokens_and_those_that_it_acts_through(
    database: Database,
) -> None:
    user = {"subject_type": "iam-user", "account_id": A.id}
    colleague = replace(ACTOR, subject="user-2", username="System2")
    add(database, token("mine", subject_id=SYSTEM1.id, **user))
    add(database, token("colleagues", subject_id="user-2", **user))
    through = add_line(database, "through", actor=ACTOR)
    others = add_line(database, "others", actor=colleague)

    count = database.write(lambda each: tokens.revoke_principal(each, A.id, SYSTEM1.id, 500))

    assert count == GENERATIONS + 1
    assert ended(database) == {"mine", *through}
    assert ended(database).isdisjoint({"colleagues", *others})


def test_a_service_account_ends_whoever_acts_through_it(database: Database) -> None:
    add(database, token("own"), token("through", actor=ACTOR))
    add(database, token("another", subject_id="sa-2"))
    add(database, token("users", subject_type="iam-user", subject_id=SYSTEM1.id, account_id=A.id))

    count = database.write(
        lambda each: tokens.revoke_principal(each, B.id, SERVICE_ACCOUNT.id, 500)
    )

    assert count == 2
    assert ended(database) == {"own", "through"}


def test_tokens_that_are_revoked_while_others_are_issued(database: Database) -> None:
    """Issuing looks whether the parent lives, in the transaction that records the child."""
    add(database, token("root"))
    rivals = 8
    together = threading.Barrier(rivals)

    def issue(number: int) -> bool:
        together.wait()

        def write(connection: object) -> bool:
            if tokens.is_revoked(connection, "root"):  # type: ignore[arg-type]
                return False
            tokens.add(connection, token(f"child-{number}", parent_id="root"))  # type: ignore[arg-type]
            return True

        if number == rivals // 2:
            database.write(lambda each: tokens.revoke(each, "root", 500))
            return False
        return database.write(write)

    with ThreadPoolExecutor(rivals) as threads:
        issued = [n for n, done in enumerate(threads.map(issue, range(rivals))) if done]

    assert ended(database) == {"root", *(f"child-{number}" for number in issued)}
