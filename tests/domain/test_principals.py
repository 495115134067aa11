"""Who can act, what they are called, and when they may."""

from __future__ import annotations

import pytest

from app.domain import principals
from app.domain.principals import (
    Actor,
    IamUser,
    Principal,
    RootAccount,
    RootUser,
    ServiceAccount,
    is_active,
)

OPEN, CLOSED = RootAccount("53461"), RootAccount("53461", enabled=False)


@pytest.mark.parametrize(
    ("principal", "active"),
    [
        (RootUser("root", OPEN), True),
        (RootUser("root", CLOSED), False),
        (IamUser("user-1", "System1", OPEN), True),
        (IamUser("user-1", "System1", OPEN, enabled=False), False),
        (IamUser("user-1", "System1", CLOSED), False),
        (ServiceAccount("sa-1", "robot", OPEN), True),
        (ServiceAccount("sa-1", "robot", OPEN, enabled=False), False),
        (ServiceAccount("sa-1", "robot", CLOSED), False),
    ],
)
def test_a_principal_is_active_where_it_and_its_account_are_enabled(
    principal: Principal, active: bool
) -> None:
    assert is_active(principal) is active


def test_a_root_user_goes_by_its_address_if_it_has_one() -> None:
    assert RootUser("root", OPEN, "a@example.com").name == "a@example.com"
    assert RootUser("root", OPEN).name == ""


def test_a_token_of_a_service_account_lives_an_hour_and_may_live_15_minutes_to_12_hours() -> None:
    assert ServiceAccount("sa-1", "robot", OPEN).max_token_lifetime == 60 * 60
    assert principals.MIN_TOKEN_LIFETIME == 15 * 60
    assert principals.MAX_TOKEN_LIFETIME == 12 * 60 * 60


def test_the_name_of_a_service_account_as_a_resource() -> None:
    assert str(ServiceAccount("sa-1", "robot", OPEN).vrn) == "iam::53461:service-account/sa-1"


def test_an_actor_is_named_in_the_act_claim() -> None:
    actor = Actor("user-1", "53461", "iam-user", "System1", name="on-call")

    assert actor.claim() == {
        "sub": "user-1",
        "account_id": "53461",
        "user_type": "iam-user",
        "username": "System1",
        "name": "on-call",
    }


def test_an_actor_that_gave_no_name_has_none_in_the_claim() -> None:
    assert "name" not in Actor("user-1", "53461", "iam-user", "System1").claim()


@pytest.mark.parametrize("text", ["1", "53461", "9" * 20])
def test_an_account_id(text: str) -> None:
    assert principals.is_account_id(text)


@pytest.mark.parametrize("text", ["", "0", "053461", "9" * 21, "5346a", "53461\n", "-1", "٥٣"])
def test_no_account_id(text: str) -> None:
    assert not principals.is_account_id(text)


@pytest.mark.parametrize(
    "text",
    ["a@b", "root-a@example.com", "o'neil+x@mail.example", "a" * 64 + "@" + "b" * 189],
)
def test_an_email(text: str) -> None:
    assert principals.is_email(text)


@pytest.mark.parametrize(
    "text",
    ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", "a\0@b", "a" * 65 + "@b", "a@" + "b" * 190],
)
def test_no_email(text: str) -> None:
    assert not principals.is_email(text)


@pytest.mark.parametrize("character", [*map(chr, range(0x21)), *"\x7f\u2003\u202e\u200b@"])
def test_an_email_has_no_space_nor_control_character_nor_second_at(character: str) -> None:
    assert not principals.is_email(f"a{character}a@b")
    assert not principals.is_email(f"a@b{character}b")


@pytest.mark.parametrize("text", ["abcde", "A.b_c-9", "x" * 50])
def test_a_username(text: str) -> None:
    assert principals.is_username(text)


@pytest.mark.parametrize("text", ["", "abcd", "x" * 51, "with space", "name\n", "Jürgen", "a@bcd"])
def test_no_username(text: str) -> None:
    assert not principals.is_username(text)


@pytest.mark.parametrize("text", ["a", "build robot", "A.b_c-9", "x" * 50])
def test_a_name(text: str) -> None:
    assert principals.is_name(text)


@pytest.mark.parametrize("character", "AZaz09._-")
def test_a_name_may_have_letters_digits_and_three_signs_anywhere(character: str) -> None:
    for text in (character, f"{character}x", f"x{character}x", f"x{character}"):
        assert principals.is_name(text)


@pytest.mark.parametrize("text", ["", " ", " a", "a ", "x" * 51, "a\nb", "a\n", "a/b", "<b>"])
def test_no_name(text: str) -> None:
    assert not principals.is_name(text)
