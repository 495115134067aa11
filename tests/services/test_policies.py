"""Policies: documents checked as a whole, and attached within one account."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from app.services import policies, principals
from app.services.administration import Conflict, Invalid, NotFound
from app.services.runtime import Runtime
from tests.support.changes import new_service_account, new_user
from tests.support.observation import grown, newest_event, row_counts
from tests.support.world import World, allow

GOOD = allow("vserver:ListServers")
MANAGED = ("vServerFullAccess", "vServerReadOnlyAccess", "IAMFullAccess", "IAMReadOnlyAccess")


def names_of(world: World, kind: str, principal_id: str) -> list[str]:
    with world.runtime.database.read() as connection:
        principal = principals.find(connection, kind, principal_id)
        assert principal is not None
        return [each.name for each in principals.policies_of(connection, principal)]


# ------------------------------------------------------------------------------------ writing


def test_a_policy_is_found_by_name_and_id(runtime: Runtime) -> None:
    policy_id = policies.create(runtime, "53461", "Readers", GOOD, "may read")

    assert policies.find(runtime, "53461", "Readers") == policy_id
    assert policies.find(runtime, "53461", "READERS") == policy_id
    assert policies.find(runtime, "53461", policy_id) == policy_id
    assert policies.find(runtime, "53461", "Writers") is None


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param({}, "statements: expected a list", id="nothing"),
        pytest.param({"statements": []}, "statements: expected a list", id="no statements"),
        pytest.param(
            {"statements": GOOD["statements"] * 51}, "more than 50 statements", id="51 statements"
        ),
        pytest.param({**GOOD, "Version": "1"}, "Version: unknown field", id="field"),
        pytest.param(
            allow("vserver:ListServers", effect="permit"), "statements[0].effect", id="effect"
        ),
        pytest.param(
            allow("vserver:FlyServers"),
            "statements[0].actions[0]: 'vserver:FlyServers'",
            id="action",
        ),
        pytest.param(
            allow("vdisk:List*"), "statements[0].actions[0]: unknown product", id="product"
        ),
        pytest.param(
            allow("List*"), "statements[0].actions[0]: 'List*' is no action", id="pattern"
        ),
        pytest.param(
            allow("vserver:*", "vserver:53461:server/1"), "statements[0].resources[0]", id="VRN"
        ),
        pytest.param(
            {"statements": [GOOD["statements"][0], {**GOOD["statements"][0], "actions": []}]},
            "statements[1].actions: expected a list",
            id="second statement",
        ),
        pytest.param(
            allow("vserver:*", condition={"stringEquals": {"iam:Odd": ["x"]}}),
            "statements[0].condition",
            id="condition",
        ),
        pytest.param(
            allow("vserver:*", "vserver::1:server/" + "x" * 17_000), "larger than 16384", id="size"
        ),
    ],
)
def test_a_document_is_refused_with_the_path_of_what_is_wrong(
    world: World, document: dict[str, Any], problem: str
) -> None:
    before = row_counts(world)
    with pytest.raises(Invalid, match=re.escape(problem)):
        policies.create(world.runtime, "53461", "Bad", document)

    assert row_counts(world) == before


def test_all_that_is_wrong_is_told_at_once(runtime: Runtime) -> None:
    document = allow("vserver:FlyServers", "somewhere", effect="permit")

    with pytest.raises(Invalid) as refused:
        policies.create(runtime, "53461", "Bad", document)
    for path in ("statements[0].effect", "statements[0].actions[0]", "statements[0].resources[0]"):
        assert path in str(refused.value)


@pytest.mark.parametrize("name", ["", " x", "x" * 51, "a/b", "ü"])
def test_what_is_no_name_is_refused(runtime: Runtime, name: str) -> None:
    with pytest.raises(Invalid, match="1 to 50"):
        policies.create(runtime, "53461", name, GOOD)


def test_a_description_is_bounded(runtime: Runtime) -> None:
    policies.create(runtime, "53461", "First", GOOD, "x" * 256)
    for description in ("x" * 257, "two\nlines"):
        with pytest.raises(Invalid, match="at most 256 characters, all on one line"):
            policies.create(runtime, "53461", "Second", GOOD, description)


def test_a_name_is_given_once_and_managed_ones_are_taken(runtime: Runtime) -> None:
    policies.create(runtime, "53461", "Readers", GOOD)

    for name in ("Readers", "readers", *MANAGED, "managed-iam-full-access"):
        with pytest.raises(Conflict, match=f"a policy {name} already"):
            policies.create(runtime, "53461", name, GOOD)
    assert policies.create(runtime, "60108", "Readers", GOOD)


def test_a_policy_needs_its_account(world: World) -> None:
    before = row_counts(world)
    with pytest.raises(NotFound, match="no root account 70000"):
        policies.create(world.runtime, "70000", "Readers", GOOD)

    assert row_counts(world) == before


def test_a_new_policy_is_written_down(world: World) -> None:
    policy_id = policies.create(world.runtime, "53461", "Readers", GOOD, "may read")

    event = newest_event(world)
    assert (event.event, event.actor_type, event.owner_account_id, event.resource) == (
        "policy:create",
        "operator",
        "53461",
        f"policy/{policy_id}",
    )
    assert world.rows("SELECT description FROM policies WHERE id = :id", id=policy_id) == [
        ("may read",)
    ]


# ---------------------------------------------------------------------------------- attaching


def test_attaching_gives_rights_and_detaching_takes_them(world: World) -> None:
    new = new_service_account(world, "Readers")
    policies.create(world.runtime, "60108", "Readers", GOOD)
    call = {"grant_type": "client_credentials"}
    auth = (new.client_id, new.client_secret)
    assert "scope" not in world.token_call(call, auth=auth).json

    assert policies.attach(world.runtime, "Readers", "service-account", new.account.id)
    assert world.token_call(call, auth=auth).json["scope"] == "vserver:ListServers"

    assert policies.detach(world.runtime, "Readers", "service-account", new.account.id)
    assert "scope" not in world.token_call(call, auth=auth).json


def test_attaching_twice_is_attaching_once(world: World) -> None:
    policies.create(world.runtime, "53461", "Readers", GOOD)
    before = row_counts(world)

    assert policies.attach(world.runtime, "Readers", "iam-user", world.user_id)
    assert not policies.attach(world.runtime, "readers", "iam-user", world.user_id)
    assert names_of(world, "iam-user", world.user_id).count("Readers") == 1
    assert policies.detach(world.runtime, "Readers", "iam-user", world.user_id)
    assert not policies.detach(world.runtime, "Readers", "iam-user", world.user_id)

    # Only what changed something is written down.
    assert grown(before, row_counts(world)) == {"audit_events": 2}


def test_attaching_is_written_down_for_the_principals_account(world: World) -> None:
    policies.attach(world.runtime, "IAMReadOnlyAccess", "iam-user", world.user_id)
    attached = newest_event(world)
    policies.detach(world.runtime, "IAMReadOnlyAccess", "iam-user", world.user_id)
    detached = newest_event(world)

    for event, what in ((attached, "attach"), (detached, "detach")):
        assert event.event == f"policy:{what}"
        assert event.owner_account_id == "53461"
        assert event.resource == "policy/managed-iam-read-only-access"
        assert json.loads(event.detail) == {
            "principal_type": "iam-user",
            "principal_id": world.user_id,
            "changed": True,
        }


@pytest.mark.parametrize("name", MANAGED)
def test_managed_policies_are_there_for_every_account(world: World, name: str) -> None:
    for account_id in ("53461", "60108"):
        user_id = new_user(world, account_id, "System2")
        assert policies.find(world.runtime, account_id, name) is not None
        assert policies.attach(world.runtime, name, "iam-user", user_id)
        assert names_of(world, "iam-user", user_id) == [name]


@pytest.mark.parametrize("kind", ["iam-user", "service-account"])
def test_a_policy_of_one_account_is_never_attached_in_another(world: World, kind: str) -> None:
    theirs = policies.create(world.runtime, "53461", "TheirReaders", GOOD)
    if kind == "iam-user":
        principal = new_user(world, "60108", "System2")
    else:
        principal = world.service_account_id
    before, had = row_counts(world), names_of(world, kind, principal)

    for name in ("TheirReaders", "theirreaders", theirs):
        for do in (policies.attach, policies.detach):
            with pytest.raises(NotFound, match=f"account 60108 has no policy {name}"):
                do(world.runtime, name, kind, principal)
        assert policies.find(world.runtime, "60108", name) is None

    assert grown(before, row_counts(world)) == {}
    assert names_of(world, kind, principal) == had


def test_of_two_policies_of_one_name_the_principals_accounts_is_taken(world: World) -> None:
    policies.create(world.runtime, "53461", "Shared", allow("vserver:ListServers"))
    theirs = policies.create(world.runtime, "60108", "Shared", allow("vserver:ListVolumes"))

    policies.attach(world.runtime, "Shared", "service-account", world.service_account_id)

    attached = world.rows(
        "SELECT policy_id FROM policy_attachments WHERE principal_id = :id AND policy_id NOT LIKE"
        " 'managed%'",
        id=world.service_account_id,
    )
    assert attached == [(theirs,)]


@pytest.mark.parametrize("do", [policies.attach, policies.detach])
@pytest.mark.parametrize("kind", ["iam-user", "service-account"])
def test_a_principal_has_to_be_there(world: World, do: Any, kind: str) -> None:
    for principal in ("nobody", world.service_account_id if kind == "iam-user" else world.user_id):
        with pytest.raises(NotFound, match=f"there is no {kind} {principal}"):
            do(world.runtime, "IAMFullAccess", kind, principal)


@pytest.mark.parametrize("do", [policies.attach, policies.detach])
@pytest.mark.parametrize("kind", ["root-user", "robot", ""])
def test_only_users_and_service_accounts_have_policies(world: World, do: Any, kind: str) -> None:
    root = world.rows("SELECT root_user_id FROM accounts WHERE id = '53461'")[0][0]

    with pytest.raises(Invalid, match="an iam-user or a service-account"):
        do(world.runtime, "IAMFullAccess", kind, root)
    assert world.rows("SELECT * FROM policy_attachments WHERE principal_id = :id", id=root) == []


def test_what_an_account_may_attach_is_listed(world: World) -> None:
    policies.create(world.runtime, "60108", "Readers", GOOD)

    def names(account_id: str) -> list[str]:
        return [each.name for each in policies.list_usable(world.runtime, account_id)]

    managed = sorted(MANAGED, key=str.lower)
    assert names("60108") == [*managed, "Readers"]
    assert names("53461") == [*managed, "ImpersonateToRootUserAccountB"]
    with pytest.raises(NotFound, match="no root account 70000"):
        names("70000")
