"""Root accounts and IAM users: what is accepted, and what disabling ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.domain.principals import IamUser, RootAccount, RootUser
from app.services import accounts, subject_tokens
from app.services.administration import Conflict, Invalid, NotFound
from app.services.runtime import Runtime
from app.services.sign_in import SignInForm, session_of, sign_in
from tests.support.observation import grown, newest_event, row_counts
from tests.support.tokens import user_token
from tests.support.world import World

PASSWORD = "a-good-password"


def create_account(runtime: Runtime, account_id: str = "7", email: str = "c@example.com") -> None:
    accounts.create_account(runtime, account_id, email, PASSWORD)


def can_sign_in(runtime: Runtime, form: SignInForm) -> bool:
    return sign_in(runtime, form, None) is not None


# ------------------------------------------------------------------------------ root accounts


def test_a_new_accounts_root_user_can_sign_in(world: World) -> None:
    root = accounts.create_account(world.runtime, "7", "Root-C@Example.com", PASSWORD)

    assert (root.account.id, root.email, root.account.enabled) == ("7", "root-c@example.com", True)
    assert can_sign_in(world.runtime, SignInForm("root", "ROOT-C@example.com", "", PASSWORD))
    assert not can_sign_in(world.runtime, SignInForm("root", "root-c@example.com", "", "other"))


@pytest.mark.parametrize("account_id", ["1", "53462", "9" * 20])
def test_an_account_id_is_digits(runtime: Runtime, account_id: str) -> None:
    create_account(runtime, account_id)


@pytest.mark.parametrize(
    "account_id", ["", "0", "053461", "9" * 21, "12a", "-1", "1.0", " 1", "1\n", "١٢٣", "*"]
)
def test_what_is_no_account_id_is_refused(runtime: Runtime, account_id: str) -> None:
    with pytest.raises(Invalid, match="1 to 20 digits"):
        create_account(runtime, account_id)


@pytest.mark.parametrize(
    "email", ["a@b", "root+tag@example.co.uk", "ü@example.com", "a" * 64 + "@b"]
)
def test_an_e_mail_has_something_on_both_sides(runtime: Runtime, email: str) -> None:
    create_account(runtime, email=email)


@pytest.mark.parametrize(
    "email",
    ["", "root", "@example.com", "root@", "a@b@c", "a b@c", "a@b\n", "a\0@b", "a" * 65 + "@b"],
)
def test_what_is_no_e_mail_is_refused(runtime: Runtime, email: str) -> None:
    with pytest.raises(Invalid, match="e-mail address"):
        create_account(runtime, email=email)


def test_an_account_id_is_given_once(runtime: Runtime) -> None:
    with pytest.raises(Conflict, match="root account 53461 already"):
        create_account(runtime, "53461")


@pytest.mark.parametrize("email", ["root-a@example.com", "ROOT-A@EXAMPLE.COM"])
def test_an_e_mail_belongs_to_one_root_account(runtime: Runtime, email: str) -> None:
    with pytest.raises(Conflict, match=r"root-a@example\.com is the e-mail of another"):
        create_account(runtime, email=email)


def test_a_refused_account_leaves_nothing(world: World) -> None:
    before = row_counts(world)
    for account_id, email in [("53461", "c@example.com"), ("7", "root-a@example.com"), ("x", "y")]:
        with pytest.raises((Conflict, Invalid)):
            create_account(world.runtime, account_id, email)

    assert row_counts(world) == before


def test_a_new_account_is_written_down(world: World) -> None:
    before = row_counts(world)
    create_account(world.runtime)

    event = newest_event(world)
    assert grown(before, row_counts(world)) == {"accounts": 1, "audit_events": 1}
    assert (event.event, event.outcome, event.actor_type) == (
        "account:create",
        "allowed",
        "operator",
    )
    assert (event.owner_account_id, event.resource) == ("7", "account/7")
    assert event.at == world.clock.now


# ---------------------------------------------------------------------------------- passwords


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("12345678", id="8 characters"),
        pytest.param("x" * 1024, id="1,024 bytes"),
        pytest.param("ü" * 512, id="1,024 bytes in 512 characters"),
        pytest.param("pass word with spaces ", id="spaces"),
        pytest.param("пароль密码🔑!", id="any script"),
    ],
)
def test_a_password_that_is_accepted_signs_in(runtime: Runtime, password: str) -> None:
    accounts.create_user(runtime, "53461", "System2", password)

    form = SignInForm("iam", "root-a@example.com", "System2", password)
    assert can_sign_in(runtime, form)
    assert not can_sign_in(
        runtime, SignInForm(form.kind, form.root_email, "System2", password[:-1])
    )


@pytest.mark.parametrize(
    ("password", "why"),
    [
        pytest.param("", "at least 8 characters", id="empty"),
        pytest.param("1234567", "at least 8 characters", id="7 characters"),
        pytest.param("x" * 1025, "longer than 1,024 bytes", id="1,025 bytes"),
        pytest.param("ü" * 512 + "x", "longer than 1,024 bytes", id="1,025 bytes, 513 characters"),
        pytest.param("x" * 1_000_000, "longer than 1,024 bytes", id="a million bytes"),
        pytest.param("pass\0word", "NUL", id="NUL"),
        pytest.param("password\ud800", "not Unicode", id="half a surrogate pair"),
    ],
)
def test_a_password_that_is_refused_says_why_and_is_not_repeated(
    world: World, password: str, why: str
) -> None:
    before = row_counts(world)

    with pytest.raises(Invalid, match=why) as user:
        accounts.create_user(world.runtime, "53461", "System2", password)
    with pytest.raises(Invalid, match=why) as root:
        accounts.create_account(world.runtime, "7", "c@example.com", password)

    assert row_counts(world) == before
    if password:
        assert password not in f"{user.value}{root.value}"


def test_passwords_are_kept_as_salted_hashes_only(world: World) -> None:
    for name in ("System2", "System3"):
        accounts.create_user(world.runtime, "53461", name, PASSWORD)

    hashes = [row[0] for row in world.rows("SELECT password_hash FROM iam_users")]
    assert len(set(hashes)) == 3
    assert all(each.startswith("$argon2id$") for each in hashes)


# ---------------------------------------------------------------------------------- IAM users


@pytest.mark.parametrize("username", ["abcde", "A.b_c-9", "x" * 50])
def test_a_username_has_5_to_50_plain_characters(runtime: Runtime, username: str) -> None:
    user = accounts.create_user(runtime, "53461", username, PASSWORD)

    assert (user.username, user.account.id, user.enabled) == (username, "53461", True)
    assert can_sign_in(runtime, SignInForm("iam", "root-a@example.com", username.upper(), PASSWORD))


@pytest.mark.parametrize(
    "username",
    ["", "abcd", "x" * 51, "with space", "a/bcde", "abcde\n", "ünïcode", "a@bcd", "ab:cd"],
)
def test_what_is_no_username_is_refused(runtime: Runtime, username: str) -> None:
    with pytest.raises(Invalid, match="5 to 50"):
        accounts.create_user(runtime, "53461", username, PASSWORD)


@pytest.mark.parametrize("username", ["System1", "SYSTEM1"])
def test_a_username_is_given_once_in_an_account(runtime: Runtime, username: str) -> None:
    with pytest.raises(Conflict, match="account 53461 has a user"):
        accounts.create_user(runtime, "53461", username, PASSWORD)

    assert accounts.create_user(runtime, "60108", username, PASSWORD).account.id == "60108"


def test_a_user_needs_its_account(runtime: Runtime) -> None:
    with pytest.raises(NotFound, match="no root account 70000"):
        accounts.create_user(runtime, "70000", "System2", PASSWORD)


def test_a_users_e_mail_is_optional(world: World) -> None:
    accounts.create_user(world.runtime, "53461", "System2", PASSWORD, "two@example.com")
    with pytest.raises(Invalid, match="e-mail address, or none"):
        accounts.create_user(world.runtime, "53461", "System3", PASSWORD, "not an e-mail")

    assert world.rows("SELECT username, email FROM iam_users ORDER BY username") == [
        ("System1", None),
        ("System2", "two@example.com"),
    ]


def test_a_new_user_is_written_down(world: World) -> None:
    user = accounts.create_user(world.runtime, "53461", "System2", PASSWORD)

    event = newest_event(world)
    assert (event.event, event.actor_type, event.owner_account_id, event.resource) == (
        "iam-user:create",
        "operator",
        "53461",
        f"iam-user/{user.id}",
    )


# ---------------------------------------------------------------------- disabling and enabling


def sessions_and_tokens(world: World) -> tuple[str, str, list[str]]:
    """A session of A's user and one of B's root user; tokens of, through and beside A."""
    of_a = sign_in(
        world.runtime, SignInForm("iam", "root-a@example.com", "System1", "System1-password"), None
    )
    of_b = sign_in(
        world.runtime, SignInForm("root", "root-b@example.com", "", "root-b-password"), None
    )
    assert of_a is not None
    assert of_b is not None
    own = user_token(world)
    through = world.impersonate(own).json["access_token"]
    narrowed = world.exchange(through, scope="vserver:List*").json["access_token"]
    beside = world.machine_token().json["access_token"]
    return of_a.cookie, of_b.cookie, [own, through, narrowed, beside]


def live(world: World, tokens: list[str]) -> list[bool]:
    with world.runtime.database.read() as connection:
        return [
            subject_tokens.find_live(world.runtime, connection, each) is not None for each in tokens
        ]


def test_disabling_an_account_ends_its_sessions_and_tokens_for_good(world: World) -> None:
    cookie_a, cookie_b, tokens = sessions_and_tokens(world)
    assert live(world, tokens) == [True, True, True, True]

    accounts.disable_account(world.runtime, "53461")

    assert live(world, tokens) == [False, False, False, True]
    assert session_of(world.runtime, cookie_a) is None
    assert session_of(world.runtime, cookie_b) is not None

    accounts.enable_account(world.runtime, "53461")

    assert live(world, tokens) == [False, False, False, True]
    assert session_of(world.runtime, cookie_a) is None
    assert world.impersonate(user_token(world)).status_code == 200


def test_disabling_the_owners_account_ends_what_others_do_in_it(world: World) -> None:
    cookie_a, cookie_b, tokens = sessions_and_tokens(world)

    accounts.disable_account(world.runtime, "60108")
    assert live(world, tokens) == [True, False, False, False]
    assert world.machine_token().status_code == 401
    assert session_of(world.runtime, cookie_a) is not None
    assert session_of(world.runtime, cookie_b) is None

    accounts.enable_account(world.runtime, "60108")
    assert live(world, tokens) == [True, False, False, False]
    assert world.machine_token().status_code == 200


def test_nobody_of_a_disabled_account_signs_in(world: World) -> None:
    forms = [
        SignInForm("root", "root-a@example.com", "", "root-a-password"),
        SignInForm("iam", "root-a@example.com", "System1", "System1-password"),
    ]
    accounts.disable_account(world.runtime, "53461")
    assert [can_sign_in(world.runtime, form) for form in forms] == [False, False]

    accounts.enable_account(world.runtime, "53461")
    assert [can_sign_in(world.runtime, form) for form in forms] == [True, True]


def test_disabling_tells_how_many_tokens_ended(world: World) -> None:
    sessions_and_tokens(world)
    accounts.disable_account(world.runtime, "53461")
    first = newest_event(world)
    accounts.disable_account(world.runtime, "53461")
    second = newest_event(world)
    accounts.enable_account(world.runtime, "53461")
    third = newest_event(world)

    assert (first.event, first.detail) == ("account:disable", '{"tokens_ended": 3}')
    assert (second.event, second.detail) == ("account:disable", '{"tokens_ended": 0}')
    assert (third.event, third.owner_account_id) == ("account:enable", "53461")


@pytest.mark.parametrize("switch", [accounts.disable_account, accounts.enable_account])
def test_an_account_that_is_not_there_cannot_be_switched(world: World, switch: object) -> None:
    before = row_counts(world)
    with pytest.raises(NotFound, match="no root account 70000"):
        switch(world.runtime, "70000")  # type: ignore[operator]

    assert grown(before, row_counts(world)) == {}


# ------------------------------------------------------------------------- lists and passwords


def test_accounts_and_users_are_listed(world: World) -> None:
    create_account(world.runtime)
    accounts.create_user(world.runtime, "53461", "alice", PASSWORD)

    assert [each.account.id for each in accounts.list_accounts(world.runtime)] == [
        "7",
        "53461",
        "60108",
    ]
    assert [each.username for each in accounts.list_users(world.runtime, "53461")] == [
        "alice",
        "System1",
    ]
    assert accounts.list_users(world.runtime, "7") == []
    with pytest.raises(NotFound, match="no root account 70000"):
        accounts.list_users(world.runtime, "70000")


def test_an_account_is_found_with_its_root_user(world: World) -> None:
    accounts.disable_account(world.runtime, "53461")
    found = accounts.find_account(world.runtime, "53461")

    assert found is not None
    assert (found.email, found.account.enabled) == ("root-a@example.com", False)
    assert accounts.find_account(world.runtime, "70000") is None


def user_and_root(world: World) -> tuple[IamUser, RootUser]:
    root = accounts.find_account(world.runtime, "53461")
    assert root is not None
    return accounts.list_users(world.runtime, "53461")[0], root


def test_whether_a_password_is_the_users(world: World) -> None:
    user, root = user_and_root(world)

    assert accounts.password_matches(world.runtime, user, "System1-password")
    assert accounts.password_matches(world.runtime, root, "root-a-password")
    assert not accounts.password_matches(world.runtime, user, "root-a-password")
    assert not accounts.password_matches(world.runtime, root, "System1-password")
    gone = IamUser("user-9", "System9", user.account)
    assert not accounts.password_matches(world.runtime, gone, "System1-password")
    nowhere = RootUser("root-9", RootAccount("70000"), root.email)
    assert not accounts.password_matches(world.runtime, nowhere, "root-a-password")


def test_another_password_ends_what_the_old_one_opened(world: World) -> None:
    cookie_a, cookie_b, tokens = sessions_and_tokens(world)
    user, _ = user_and_root(world)

    accounts.reset_password(world.runtime, user, "another-password")

    assert live(world, tokens) == [False, False, False, True]
    assert session_of(world.runtime, cookie_a) is None
    assert session_of(world.runtime, cookie_b) is not None
    form = SignInForm("iam", "root-a@example.com", "System1", "System1-password")
    assert not can_sign_in(world.runtime, form)
    assert can_sign_in(world.runtime, replace(form, password="another-password"))
    event = world.rows("SELECT * FROM audit_events WHERE event = 'user:password:reset'")[0]
    assert (event.owner_account_id, event.resource) == ("53461", f"iam-user/{user.id}")
    assert event.detail == '{"tokens_ended": 3}'


def test_a_root_users_password_is_its_own(world: World) -> None:
    user, root = user_and_root(world)
    of_user = user_token(world)
    of_root = user_token(world, username=None)

    accounts.reset_password(world.runtime, root, "another-password")

    assert live(world, [of_user, of_root]) == [True, False]
    assert accounts.password_matches(world.runtime, root, "another-password")
    assert accounts.password_matches(world.runtime, user, "System1-password")


def test_a_password_that_is_refused_changes_nothing(world: World) -> None:
    user, _ = user_and_root(world)
    before = row_counts(world)

    with pytest.raises(Invalid, match="at least 8 characters"):
        accounts.reset_password(world.runtime, user, "short")

    assert row_counts(world) == before
    assert accounts.password_matches(world.runtime, user, "System1-password")
