"""Sign-in sessions: how they begin, how long they last, and what ends with them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.services import accounts, sign_in, subject_tokens
from app.services.sign_in import NewSession, SignInForm
from tests.support.changes import disable_user
from tests.support.interruptions import before_next_write
from tests.support.observation import (
    bytes_on_disk,
    grown,
    newest_event,
    row_counts,
    statements,
)
from tests.support.tokens import user_token
from tests.support.world import START, World

IAM = SignInForm("iam", "root-a@example.com", "System1", "System1-password")
ROOT = SignInForm("root", "root-a@example.com", "", "root-a-password")
LIFETIME = 28_800


def start(world: World, form: SignInForm = IAM) -> NewSession:
    new = sign_in.sign_in(world.runtime, form, "192.0.2.7")
    assert new is not None
    return new


def cookies_alive(world: World, *cookies: str) -> list[bool]:
    return [sign_in.session_of(world.runtime, each) is not None for each in cookies]


def live(world: World, token: str) -> bool:
    with world.runtime.database.read() as connection:
        return subject_tokens.find_live(world.runtime, connection, token) is not None


# ---------------------------------------------------------------------------------- beginning


@pytest.mark.parametrize(
    ("form", "kind", "name"),
    [
        pytest.param(IAM, "iam-user", "System1", id="IAM user"),
        pytest.param(ROOT, "root-user", "root-a@example.com", id="root user"),
        pytest.param(
            SignInForm("iam", "ROOT-A@example.com", "SYSTEM1", "System1-password"),
            "iam-user",
            "System1",
            id="other letters",
        ),
        pytest.param(
            SignInForm("root", "root-a@example.com", "System1", "root-a-password"),
            "root-user",
            "root-a@example.com",
            id="a username beside a root sign-in",
        ),
    ],
)
def test_the_right_password_opens_a_session(
    world: World, form: SignInForm, kind: str, name: str
) -> None:
    new = start(world, form)

    session, user = new.signed_in.session, new.signed_in.user
    assert (user.type.value, user.name, user.account.id) == (kind, name, "53461")
    assert (session.user_type, session.user_id, session.account_id) == (kind, user.id, "53461")
    assert (session.auth_time, session.expires_at) == (START, START + LIFETIME)
    assert session.amr == ("pwd",)
    assert sign_in.session_of(world.runtime, new.cookie) == new.signed_in
    assert user.type == kind


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(SignInForm("iam", IAM.root_email, "System1", "wrong-password"), id="password"),
        pytest.param(SignInForm("iam", IAM.root_email, "System1", "SYSTEM1-PASSWORD"), id="case"),
        pytest.param(SignInForm("iam", IAM.root_email, "System1", ""), id="no password"),
        pytest.param(SignInForm("iam", IAM.root_email, "System1", "x" * 2000), id="long password"),
        pytest.param(SignInForm("iam", IAM.root_email, "System9", IAM.password), id="username"),
        pytest.param(
            SignInForm("iam", "root-b@example.com", "System1", IAM.password), id="account"
        ),
        pytest.param(SignInForm("iam", "nobody@example.com", "System1", IAM.password), id="e-mail"),
        pytest.param(SignInForm("iam", IAM.root_email, "", ROOT.password), id="root as IAM"),
        pytest.param(SignInForm("root", ROOT.root_email, "", IAM.password), id="IAM as root"),
        pytest.param(SignInForm("root", "", "", ""), id="nothing"),
        pytest.param(SignInForm("iam", IAM.root_email, "System1' OR '1'='1", "x"), id="SQL"),
    ],
)
def test_anything_else_opens_none_and_is_counted(world: World, form: SignInForm) -> None:
    before = row_counts(world)

    assert sign_in.sign_in(world.runtime, form, None) is None
    assert sign_in.sign_in(world.runtime, form, None) is None

    assert grown(before, row_counts(world)) == {"failure_counts": 1}
    assert world.rows("SELECT kind, count FROM failure_counts") == [(f"sign-in:{form.kind}", 2)]


def test_a_kind_that_nobody_knows_cannot_fill_the_counts(world: World) -> None:
    for number in range(3):
        sign_in.sign_in(world.runtime, SignInForm(f"kind-{number}", "x@y", "z", "p"), None)

    assert world.rows("SELECT kind, count FROM failure_counts") == [("sign-in:iam", 3)]


def test_all_failures_ask_the_store_the_same(world: World) -> None:
    def asked(form: SignInForm) -> list[str]:
        with statements(world) as seen:
            assert sign_in.sign_in(world.runtime, form, None) is None
        return seen

    wrong = asked(SignInForm("iam", IAM.root_email, "System1", "wrong-password"))
    unknown = asked(SignInForm("iam", "nobody@example.com", "System1", "wrong-password"))
    disable_user(world)
    disabled = asked(IAM)

    assert wrong == unknown == disabled


def test_who_is_disabled_does_not_sign_in(world: World) -> None:
    disable_user(world)
    assert sign_in.sign_in(world.runtime, IAM, None) is None
    assert sign_in.sign_in(world.runtime, ROOT, None) is not None

    accounts.disable_account(world.runtime, "53461")
    assert sign_in.sign_in(world.runtime, ROOT, None) is None


@pytest.mark.parametrize("what", ["account disabled", "user disabled", "password changed"])
def test_who_is_shut_out_while_the_password_is_checked_gets_no_session(
    world: World, what: str
) -> None:
    def shut_out() -> None:
        if what == "account disabled":
            accounts.disable_account(world.runtime, "53461")
        elif what == "user disabled":
            disable_user(world)
        else:
            user = start(world).signed_in.user
            accounts.reset_password(world.runtime, user, "another-password")

    before_next_write(world, shut_out)

    assert sign_in.sign_in(world.runtime, IAM, None) is None
    assert world.rows("SELECT id FROM sign_in_sessions WHERE ended_at IS NULL") == []
    assert world.rows("SELECT kind, count FROM failure_counts") == [("sign-in:iam", 1)]

    # Nothing that began then comes back to life.
    if what == "account disabled":
        accounts.enable_account(world.runtime, "53461")
    assert world.rows("SELECT id FROM sign_in_sessions WHERE ended_at IS NULL") == []


def test_a_sign_in_is_written_down(world: World) -> None:
    before = row_counts(world)
    new = start(world)

    event = newest_event(world)
    assert grown(before, row_counts(world)) == {"sign_in_sessions": 1, "audit_events": 1}
    assert (event.event, event.outcome, event.source_ip) == (
        "session:sign-in",
        "allowed",
        "192.0.2.7",
    )
    assert (event.actor_type, event.actor_id, event.actor_name, event.actor_account_id) == (
        "iam-user",
        world.user_id,
        "System1",
        "53461",
    )
    assert new.signed_in.session.id in event.detail


def test_the_cookie_is_random_and_not_kept(world: World, tmp_path: Path) -> None:
    cookies = {start(world).cookie for _ in range(5)}
    written = bytes_on_disk(tmp_path)

    assert len(cookies) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", each) for each in cookies)
    assert [each for each in cookies if each.encode() in written] == []
    assert IAM.password.encode() not in written


# ------------------------------------------------------------------------------------ lasting


def test_a_session_lasts_as_long_as_the_operator_says(world: World) -> None:
    cookie = start(world).cookie

    world.clock.advance(LIFETIME - 0.5)
    assert cookies_alive(world, cookie) == [True]
    world.clock.advance(0.5)
    assert cookies_alive(world, cookie) == [False]


@pytest.mark.parametrize("cookie", [None, "", "A" * 43, "not a cookie", "\ud800"])
def test_any_other_cookie_is_nobody(world: World, cookie: str | None) -> None:
    start(world)

    assert sign_in.session_of(world.runtime, cookie) is None


def test_neither_the_sessions_id_nor_its_digest_is_a_cookie(world: World) -> None:
    new = start(world)
    digest = world.rows("SELECT digest FROM sign_in_sessions")[0][0]

    assert cookies_alive(world, new.signed_in.session.id, digest, new.cookie) == [
        False,
        False,
        True,
    ]


def test_a_session_is_nobody_while_its_user_is_disabled(world: World) -> None:
    cookie = start(world).cookie
    disable_user(world)

    assert cookies_alive(world, cookie) == [False]


# ------------------------------------------------------------------------------------- ending


def test_signing_out_ends_the_session_and_all_that_came_of_it(world: World) -> None:
    kept = user_token(world)
    token = user_token(world)
    session_id = world.rows("SELECT session_id FROM tokens ORDER BY rowid DESC LIMIT 1")[0][0]
    through = world.impersonate(token).json["access_token"]
    narrowed = world.exchange(through, scope="vserver:List*").json["access_token"]
    family = (token, through, narrowed)
    assert [live(world, each) for each in family] == [True, True, True]

    with world.runtime.database.read() as connection:
        session = sign_in.sessions.find_by_id(connection, session_id)
        signed_in = sign_in.signed_in(world.runtime, connection, session)
    assert signed_in is not None
    sign_in.sign_out(world.runtime, signed_in)

    assert [live(world, each) for each in family] == [False, False, False]
    assert live(world, kept)
    assert world.impersonate(kept).status_code == 200
    assert world.impersonate(token).json["error"] == "invalid_request"


def test_signing_out_of_one_browser_leaves_the_others(world: World) -> None:
    first, second, root = start(world), start(world), start(world, ROOT)

    sign_in.sign_out(world.runtime, first.signed_in)

    assert cookies_alive(world, first.cookie, second.cookie, root.cookie) == [False, True, True]


def test_signing_out_twice_is_written_down_once(world: World) -> None:
    new = start(world)
    before = row_counts(world)

    sign_in.sign_out(world.runtime, new.signed_in)
    event = newest_event(world)
    sign_in.sign_out(world.runtime, new.signed_in)

    assert grown(before, row_counts(world)) == {"audit_events": 1}
    assert (event.event, event.actor_id) == ("session:sign-out", world.user_id)


# -------------------------------------------------------------------------------- form tokens


def test_a_form_token_is_good_for_its_browser_and_form_alone(world: World) -> None:
    token = sign_in.csrf_token(world.runtime, "cookie", "/sign-in")

    assert sign_in.csrf_matches(world.runtime, token, "cookie", "/sign-in")
    for binding in (
        ("other", "/sign-in"),
        ("cookie", "/other"),
        ("cookie",),
        ("/sign-in", "cookie"),
    ):
        assert not sign_in.csrf_matches(world.runtime, token, *binding)
    for other in ("", token[:-1], token.upper(), "\ud800"):
        assert not sign_in.csrf_matches(world.runtime, other, "cookie", "/sign-in")
