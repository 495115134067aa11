"""What ends a refresh token before its time, and what happens when many use one at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app.services import (
    accounts,
    authorization,
    client_secrets,
    issuing,
    revocation,
    service_accounts,
)
from app.services import refresh as refreshing
from app.services.refusals import Refused
from tests.support.lifecycle import (
    COMMAND_LINE,
    ask,
    change_password,
    code_from,
    elsewhere,
    in_parallel,
    is_active,
    redeem,
    refresh,
    refreshed,
    refused,
    signed_in_browser,
    tokens_of,
)
from tests.support.world import CLI, World, submit

End = Callable[[World, FlaskClient], None]


def user_disabled(world: World, browser: FlaskClient) -> None:
    accounts.set_user_enabled(world.runtime, world.user_id, enabled=False)


def account_disabled(world: World, browser: FlaskClient) -> None:
    accounts.disable_account(world.runtime, "53461")


def signed_out(world: World, browser: FlaskClient) -> None:
    submit(browser, browser.get("/oauth2/logout"))


def password_changed(world: World, browser: FlaskClient) -> None:
    change_password(world, world.user_id, "another-password")


def everything_enabled_again(world: World) -> None:
    accounts.enable_account(world.runtime, "53461")
    accounts.set_user_enabled(world.runtime, world.user_id, enabled=True)


ENDS = pytest.mark.parametrize(
    "end", [user_disabled, account_disabled, signed_out, password_changed]
)


@ENDS
def test_it_ends_with_what_it_rests_on_for_good(world: World, end: End) -> None:
    """CVE-2025-14559, CVE-2023-22492: refresh tokens that lived on for disabled users."""
    browser = signed_in_browser(world)
    body = tokens_of(world, browser=browser)

    end(world, browser)

    refused(refresh(world, body["refresh_token"]))
    everything_enabled_again(world)
    refused(refresh(world, body["refresh_token"]))
    assert not is_active(world, body["access_token"])


@ENDS
def test_so_does_a_code_that_was_not_redeemed_yet(world: World, end: End) -> None:
    browser = signed_in_browser(world)
    code = code_from(ask(browser, COMMAND_LINE, scope="openid"), browser)

    end(world, browser)

    refused(redeem(world, COMMAND_LINE, code))
    everything_enabled_again(world)
    refused(redeem(world, COMMAND_LINE, code))


@pytest.mark.parametrize("owner", [False, True], ids=["service-account", "its-account"])
def test_the_end_of_a_service_account_ends_its_tokens_and_not_the_users(
    world: World, owner: bool
) -> None:
    body = tokens_of(world)
    service_account = world.impersonate(body["access_token"]).json["access_token"]

    if owner:
        accounts.disable_account(world.runtime, "60108")
    else:
        service_accounts.set_enabled(world.runtime, world.service_account_id, enabled=False)

    assert not is_active(world, service_account)
    again = refreshed(refresh(world, body["refresh_token"]))
    refused(world.impersonate(again["access_token"]), "invalid_target")


def test_another_users_end_ends_nothing(world: World) -> None:
    other = accounts.create_user(world.runtime, "53461", "System2", "System2-password")
    body = tokens_of(world)

    accounts.set_user_enabled(world.runtime, other.id, enabled=False)
    accounts.disable_account(world.runtime, "60108")

    assert refresh(world, body["refresh_token"]).status_code == 200


def test_a_root_users_password_change_ends_theirs(world: World) -> None:
    root = tokens_of(world, username=None)
    user = tokens_of(world)
    [row] = world.rows("SELECT root_user_id FROM accounts WHERE id = '53461'")

    change_password(world, row.root_user_id, "another-password")

    refused(refresh(world, root["refresh_token"]))
    assert refresh(world, user["refresh_token"]).status_code == 200


# ----------------------------------------------------------------------------- many at one moment


def test_of_thirty_uses_at_once_at_most_one_succeeds_and_the_family_is_dead(world: World) -> None:
    """CVE-2026-1035, CVE-2026-53517: rotation that parallel requests slip through."""
    first = tokens_of(world)

    answers = in_parallel(30, lambda number: refresh(elsewhere(world), first["refresh_token"]))

    good = [answer.json for answer in answers if answer.status_code == 200]
    assert len(good) <= 1
    for answer in answers:
        if answer.status_code != 200:
            refused(answer)
    for body in (first, *good):
        refused(refresh(world, body["refresh_token"]))
        assert not is_active(world, body["access_token"])
    assert world.rows("SELECT grant_id FROM refresh_families WHERE ended_at IS NULL") == []


def test_of_thirty_redemptions_of_a_code_at_most_one_succeeds_and_all_ends(world: World) -> None:
    browser = signed_in_browser(world)
    code = code_from(ask(browser, COMMAND_LINE, scope="openid"), browser)

    answers = in_parallel(30, lambda number: redeem(elsewhere(world), COMMAND_LINE, code))

    good = [answer.json for answer in answers if answer.status_code == 200]
    assert len(good) <= 1
    for body in good:
        refused(refresh(world, body["refresh_token"]))
        assert not is_active(world, body["access_token"])


def test_thirty_families_at_once_do_not_disturb_each_other(world: World) -> None:
    browser = signed_in_browser(world)
    bodies = [tokens_of(world, browser=browser) for _ in range(30)]

    answers = in_parallel(
        30, lambda number: refresh(elsewhere(world), bodies[number]["refresh_token"])
    )

    assert [answer.status_code for answer in answers] == [200] * 30


# ----------------------------------------------------- what ends between the reading and the commit


def test_a_family_that_ends_while_it_is_refreshed_gives_nothing(world: World) -> None:
    body = tokens_of(world)
    client = client_secrets.check(world.runtime, CLI, None)
    assert client is not None
    grantable = refreshing.validate(world.runtime, client, body["refresh_token"], None, (), None)

    revocation.revoke(world.runtime, client, body["refresh_token"], None)

    with pytest.raises(refreshing.RefreshAlreadyUsed):
        issuing.issue(world.runtime, grantable)


def test_a_sign_out_between_a_refresh_tokens_check_and_its_use_leaves_no_token(
    world: World,
) -> None:
    browser = signed_in_browser(world)
    body = tokens_of(world, browser=browser)
    client = client_secrets.check(world.runtime, CLI, None)
    assert client is not None
    grantable = refreshing.validate(world.runtime, client, body["refresh_token"], None, (), None)

    signed_out(world, browser)

    with pytest.raises(refreshing.RefreshAlreadyUsed):
        issuing.issue(world.runtime, grantable)


def test_a_sign_out_between_a_codes_check_and_its_redemption_leaves_no_token(world: World) -> None:
    browser = signed_in_browser(world)
    code = code_from(ask(browser, COMMAND_LINE, scope="openid"), browser)
    client = client_secrets.check(world.runtime, CLI, None)
    assert client is not None
    found = authorization.find_code(world.runtime, client, code)
    assert found is not None
    grantable = authorization.redeem(world.runtime, client, code, found, (), None)

    signed_out(world, browser)

    with pytest.raises(Refused):
        issuing.issue(world.runtime, grantable)
    assert world.rows("SELECT id FROM tokens") == []
