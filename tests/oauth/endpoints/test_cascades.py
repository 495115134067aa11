"""What ends together: nothing outlives what it was derived from, and nothing comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.services import accounts, service_accounts
from tests.support.lifecycle import (
    COMMAND_LINE,
    ask,
    change_password,
    code_from,
    is_active,
    redeem,
    refresh,
    refused,
    revoke,
    signed_in_browser,
    tokens_of,
)
from tests.support.world import World, submit


@dataclass
class Tree:
    """A sign-in, an authorization, and four tokens that came of it, one from the other."""

    browser: FlaskClient
    code: str
    first_refresh_token: str
    refresh_token: str
    user: str
    refreshed: str
    narrowed: str
    service_account: str
    narrower: str

    @property
    def users_own(self) -> tuple[str, ...]:
        return (self.user, self.refreshed, self.narrowed)

    @property
    def acted_through(self) -> tuple[str, ...]:
        return (self.service_account, self.narrower)


def grow(world: World, browser: FlaskClient | None = None) -> Tree:
    browser = browser or signed_in_browser(world)
    code = code_from(ask(browser, COMMAND_LINE, scope="openid"), browser)
    first = redeem(world, COMMAND_LINE, code).json
    second = refresh(world, first["refresh_token"]).json
    narrowed = token_of(world.exchange(second["access_token"]))
    service_account = token_of(world.impersonate(narrowed))
    return Tree(
        browser=browser,
        code=code,
        first_refresh_token=first["refresh_token"],
        refresh_token=second["refresh_token"],
        user=first["access_token"],
        refreshed=second["access_token"],
        narrowed=narrowed,
        service_account=service_account,
        narrower=token_of(world.exchange(service_account, scope="vserver:List*")),
    )


def token_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.json
    return str(answer.json["access_token"])


def is_dead(world: World, token: str) -> bool:
    """Inactive to everybody, and good for no exchange."""
    product = world.introspect(token)["active"]
    exchanges = (world.exchange(token), world.impersonate(token))
    return not (
        is_active(world, token) or product or any(each.status_code == 200 for each in exchanges)
    )


def code_reused(world: World, tree: Tree) -> None:
    refused(redeem(world, COMMAND_LINE, tree.code))


def refresh_token_reused(world: World, tree: Tree) -> None:
    refused(refresh(world, tree.first_refresh_token))


def refresh_token_revoked(world: World, tree: Tree) -> None:
    assert revoke(world, tree.refresh_token).status_code == 200


def signed_out(world: World, tree: Tree) -> None:
    submit(tree.browser, tree.browser.get("/oauth2/logout"))


def password_changed(world: World, tree: Tree) -> None:
    change_password(world, world.user_id, "System1-password")


def user_disabled(world: World, tree: Tree) -> None:
    accounts.set_user_enabled(world.runtime, world.user_id, enabled=False)


def account_disabled(world: World, tree: Tree) -> None:
    accounts.disable_account(world.runtime, "53461")


def owner_disabled(world: World, tree: Tree) -> None:
    accounts.disable_account(world.runtime, "60108")


def service_account_disabled(world: World, tree: Tree) -> None:
    service_accounts.set_enabled(world.runtime, world.service_account_id, enabled=False)


def enable_everything(world: World) -> None:
    for account in ("53461", "60108"):
        accounts.enable_account(world.runtime, account)
    accounts.set_user_enabled(world.runtime, world.user_id, enabled=True)
    service_accounts.set_enabled(world.runtime, world.service_account_id, enabled=True)


Cause = Callable[[World, Tree], None]
OF_THE_AUTHORIZATION = (code_reused, refresh_token_reused, refresh_token_revoked)
OF_THE_USER = (signed_out, password_changed, user_disabled, account_disabled)
OF_THE_SERVICE_ACCOUNT = (service_account_disabled, owner_disabled)


def causes(*which: Cause) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cause", which, ids=lambda cause: cause.__name__)


@causes(*OF_THE_AUTHORIZATION, *OF_THE_USER)
def test_everything_that_was_derived_ends(world: World, cause: Cause) -> None:
    tree = grow(world)

    cause(world, tree)

    assert [is_dead(world, token) for token in (*tree.users_own, *tree.acted_through)] == [True] * 5
    refused(refresh(world, tree.refresh_token))


@causes(*OF_THE_SERVICE_ACCOUNT)
def test_what_acts_through_the_service_account_ends_and_the_user_goes_on(
    world: World, cause: Cause
) -> None:
    tree = grow(world)

    cause(world, tree)

    assert all(is_dead(world, token) for token in tree.acted_through)
    assert all(is_active(world, token) for token in tree.users_own)
    assert refresh(world, tree.refresh_token).status_code == 200


@causes(*OF_THE_AUTHORIZATION, *OF_THE_USER, *OF_THE_SERVICE_ACCOUNT)
def test_enabling_again_resurrects_nothing(world: World, cause: Cause) -> None:
    tree = grow(world)
    machine = token_of(world.machine_token())
    cause(world, tree)

    enable_everything(world)

    assert all(is_dead(world, token) for token in tree.acted_through)
    if cause in OF_THE_SERVICE_ACCOUNT:
        assert not is_active(world, machine)
        assert token_of(world.machine_token())
        assert token_of(world.impersonate(tree.refreshed))
        return
    assert all(is_dead(world, token) for token in tree.users_own)
    refused(refresh(world, tree.refresh_token))
    refused(redeem(world, COMMAND_LINE, tree.code))
    if cause in OF_THE_USER:
        page = tree.browser.get("/signed-in")
        assert page.status_code == 303, "the old cookie is worth nothing either"
    assert tokens_of(world)["access_token"]


@causes(*OF_THE_AUTHORIZATION)
def test_another_authorization_of_the_same_sign_in_goes_on(world: World, cause: Cause) -> None:
    tree = grow(world)
    other = grow(world, tree.browser)

    cause(world, tree)

    assert all(is_active(world, token) for token in (*other.users_own, *other.acted_through))
    assert refresh(world, other.refresh_token).status_code == 200


def test_a_sign_out_ends_its_own_sign_in_alone(world: World) -> None:
    here, elsewhere = grow(world), grow(world)

    signed_out(world, here)

    assert all(is_active(world, each) for each in (*elsewhere.users_own, *elsewhere.acted_through))
    assert refresh(world, elsewhere.refresh_token).status_code == 200


@causes(password_changed, user_disabled)
def test_all_sign_ins_of_the_user_end(world: World, cause: Cause) -> None:
    here, elsewhere = grow(world), grow(world)

    cause(world, here)

    assert all(is_dead(world, each) for each in (*elsewhere.users_own, *elsewhere.acted_through))


def test_an_account_that_is_disabled_ends_what_others_opened_into_it(world: World) -> None:
    tree = grow(world)
    machine = token_of(world.machine_token())

    owner_disabled(world, tree)

    assert all(is_dead(world, token) for token in (*tree.acted_through, machine))
    refused(world.machine_token(), "invalid_client", 401)
    refused(world.impersonate(tree.refreshed), "invalid_target")


def test_what_ends_is_written_down(world: World) -> None:
    tree = grow(world)
    for cause in (code_reused, signed_out, service_account_disabled, user_disabled):
        cause(world, tree)

    rows = world.rows("SELECT event, outcome FROM audit_events WHERE event NOT LIKE 'token:%'")

    assert [tuple(row) for row in rows[-4:]] == [
        ("authorization-code:reuse", "denied"),
        ("session:sign-out", "allowed"),
        ("service-account:disable", "allowed"),
        ("iam-user:disable", "allowed"),
    ]


def test_a_code_that_comes_again_and_again_is_written_down_once(world: World) -> None:
    tree = grow(world)
    for _ in range(5):
        code_reused(world, tree)

    rows = world.rows("SELECT * FROM audit_events WHERE event = 'authorization-code:reuse'")

    assert [(row.actor_id, row.outcome) for row in rows] == [(world.user_id, "denied")]
