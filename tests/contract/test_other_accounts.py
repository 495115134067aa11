"""Another account's objects are not there: every call of the API, with every id of theirs.

The calls come from the server's own list, so that a new one cannot be forgotten. Whoever asks may
do everything in its own account; what it asks for belongs to B.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from app.management.operations import Operation
from app.management.server import OPERATIONS
from app.services import policies, service_accounts
from tests.support.api import ROOT_A, ROOT_B, ApiCaller, root, token_of, user_with
from tests.support.world import World, allow, build_world

A, B = "/accounts-api/v1", "/policies-api/v1"
#: In every name and description of B's, and in nothing of A's.
MARK = "bees"
STATEMENTS = [{"effect": "allow", "actions": ["vserver:*"], "resources": ["*"]}]
#: What may change where somebody asks and is refused: the record of it.
_RECORDS = {"audit_events", "failure_counts", "refusal_counts", "sqlite_sequence"}

#: A body that is right for each call that takes one, were the object the caller's own.
BODIES: dict[str, Any] = {
    "updateIamUser": {"enabled": False},
    "resetPassword": {"password": "another-long-password"},
    "updateGroup": {"description": "mine now"},
    "updateServiceAccount": {"enabled": False},
    "addTrustedRelationship": {"trustedRootUserId": "53461"},
    "updateTrustedRelationship": {"expiresAt": "2099-01-01T00:00:00Z"},
    "updatePolicy": {"statements": STATEMENTS},
    "updateOauthClient": {"enabled": False},
}


@dataclass(frozen=True)
class Site:
    """Ids of the same kinds of objects in both accounts, and callers of A."""

    world: World
    foreign: Mapping[str, str]
    own: Mapping[str, str]
    callers: Mapping[str, ApiCaller]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    world = build_world(Path(tmp_path_factory.mktemp("site")))
    foreign = populate(root(world, ROOT_B), MARK)
    own = populate(root(world, ROOT_A), "ants")
    yield Site(world, foreign, own, callers(world, own))
    world.close()


def populate(caller: ApiCaller, mark: str) -> dict[str, str]:
    """One object of each kind, made through the API; its ids by the names of path parameters."""

    def made(path: str, body: Any) -> Any:
        answer = caller.post(path, body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json

    user = made(f"{A}/iam-users", {"username": f"{mark}-user", "password": "a-long-password"})
    group = made(f"{A}/groups", {"name": f"{mark} group", "description": mark})
    policy = made(f"{B}/policies", {"name": f"{mark} policy", "statements": STATEMENTS})
    machine = made(
        f"{A}/service-accounts",
        {
            "name": f"{mark} machine",
            "description": mark,
            "trustedRelationships": [{"trustedRootUserId": "70000"}],
        },
    )
    secrets = caller.get(f"{A}/service-accounts/{machine['id']}/secrets").json["data"]
    trusts = caller.get(f"{A}/service-accounts/{machine['id']}/trusted-relationships").json
    client = made(
        f"{A}/oauth-clients",
        {
            "name": f"{mark} client",
            "redirectUris": [f"https://{mark}.example/callback"],
            "grantTypes": ["authorization_code"],
            "tokenEndpointAuthMethod": "client_secret_basic",
        },
    )
    assert caller.post(f"{A}/groups/{group['id']}/iam-users/{user['id']}").status_code == 204
    refused = ApiCaller(
        caller.world,
        token_of_new_user(caller.world, mark),
    ).get(f"{A}/iam-users")
    return {
        "userId": user["id"],
        "groupId": group["id"],
        "policyId": policy["id"],
        "version": "1",
        "serviceAccountId": machine["id"],
        "secretId": secrets[0]["id"],
        "relationshipId": trusts["data"][0]["id"],
        "clientId": client["clientId"],
        "decisionId": refused.json["decisionId"],
    }


def token_of_new_user(world: World, mark: str) -> str:
    account, email = ("60108", ROOT_B) if mark == MARK else ("53461", ROOT_A)
    name = f"{mark}-nobody"
    user_with(world, account=account, name=name)
    return token_of(world, email, name)


def callers(world: World, own: Mapping[str, str]) -> dict[str, ApiCaller]:
    """Everybody who may do everything in A."""
    made = service_accounts.create(world.runtime, "53461", "ants admin")
    policies.attach(world.runtime, "IAMFullAccess", "service-account", made.account.id)
    machine = world.token_call(
        {"grant_type": "client_credentials", "resource": "iam"},
        auth=(made.client_id, made.client_secret),
    ).json["access_token"]
    administrator = user_with(
        world,
        "IAMFullAccess",
        allow("iam:ImpersonateServiceAccount", str(made.account.vrn)),
    )
    through = world.exchange(
        administrator.token, requested_subject=made.account.id, audience="iam"
    ).json["access_token"]
    return {
        "root user": root(world, ROOT_A),
        "IAMFullAccess": administrator,
        "service account": ApiCaller(world, machine),
        "impersonation": ApiCaller(world, through),
    }


WITH_IDS = [each for each in OPERATIONS if "{" in each.path]
WITHOUT_IDS = [each for each in OPERATIONS if "{" not in each.path]
CALLERS = ("root user", "IAMFullAccess", "service account", "impersonation")


def test_every_call_that_the_server_answers_is_in_the_list(site: Site) -> None:
    served = {
        (method, re.sub(r"<(\w+)>", r"{\1}", str(rule)))
        for rule in site.world.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if re.match(r"/(accounts|policies|audit)-api/(?!v\d//?auth/token|v2)", str(rule))
    }

    assert served == {(each.method, each.path) for each in OPERATIONS}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("operation", WITH_IDS, ids=lambda each: each.name)
def test_what_is_in_another_account_is_not_there(
    site: Site, operation: Operation, caller: str
) -> None:
    names = names_in(operation.path)
    before = everything(site.world)

    for whose in product((site.foreign, site.own), repeat=len(names)):
        if site.foreign not in whose or names == ["version"]:
            continue
        ids = {name: ids[name] for name, ids in zip(names, whose, strict=True)}
        if ids == {name: site.own[name] for name in names}:
            continue  # a version is called the same everywhere
        answer = ask(site.callers[caller], operation, ids)

        assert answer.status_code in (403, 404), (ids, answer.status_code, answer.text)
        assert MARK not in answer.text

    assert everything(site.world) == before


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(
    "operation", [each for each in WITHOUT_IDS if each.method == "GET"], ids=lambda each: each.name
)
def test_no_list_has_anything_of_another_account(
    site: Site, operation: Operation, caller: str
) -> None:
    answer = site.callers[caller].get(operation.path)

    assert answer.status_code == 200
    assert MARK not in answer.text
    assert not any(each in answer.text for each in site.foreign.values() if len(each) > 8)


@pytest.mark.parametrize("caller", CALLERS)
def test_an_id_in_a_body_that_is_another_accounts_is_as_good_as_none(
    site: Site, caller: str
) -> None:
    someone, before = site.callers[caller], everything(site.world)
    nobody = "00000000-0000-4000-8000-000000000000"

    for path, body in bodies_with(site):
        foreign, unknown = (
            someone.post(path, body(policy, user))
            for policy, user in (
                (site.foreign["policyId"], site.foreign["userId"]),
                (nobody, nobody),
            )
        )

        assert foreign.status_code in (400, 403, 404), foreign.text
        assert foreign.status_code == unknown.status_code
        assert without_ids(foreign.text) == without_ids(unknown.text)
    assert everything(site.world) == before


def bodies_with(site: Site) -> list[tuple[str, Callable[[str, str], Any]]]:
    """Calls whose bodies name a policy or a user."""

    def simulation(user: str, **more: Any) -> Any:
        return {
            "principal": {"type": "iam-user", "id": user},
            "action": "vserver:ListServers",
            "resource": "vserver::53461:server/1",
            **more,
        }

    return [
        (f"{A}/service-accounts", lambda policy, _: {"name": "taken", "policyIds": [policy]}),
        (f"{B}/simulations", lambda _, user: simulation(user)),
        (
            f"{B}/simulations",
            lambda policy, _: simulation(
                site.own["userId"], draft={"attachPolicies": [{"policyId": policy}]}
            ),
        ),
        (
            f"{B}/simulations",
            lambda policy, _: simulation(site.own["userId"], draft={"detachPolicies": [policy]}),
        ),
    ]


def without_ids(text: str) -> str:
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>", text)


def names_in(path: str) -> list[str]:
    """What the path's ids are of; a target is whatever the part before it says."""
    kinds = {"iam-users": "userId", "groups": "groupId", "service-accounts": "serviceAccountId"}
    found = re.findall(r"([\w-]+)/\{(\w+)\}", path)
    return [kinds[before] if name == "targetId" else name for before, name in found]


def ask(caller: ApiCaller, operation: Operation, ids: Mapping[str, str]) -> Any:
    """One call, with a body that would be right."""
    parts = iter(ids.values())
    path = re.sub(r"\{\w+\}", lambda _: next(parts), operation.path)
    if operation.takes_body:
        return caller._open(operation.method, path, json=BODIES[operation.name])
    if operation.method == "DELETE":
        return caller.delete(path, **({"cascade": "true"} if operation.query else {}))
    return caller._open(operation.method, path)


def everything(world: World) -> dict[str, list[Any]]:
    """All rows of all tables, but for the records of who asked."""
    names = world.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {
        row.name: sorted(map(repr, world.rows(f"SELECT * FROM {row.name}")))
        for row in names
        if row.name not in _RECORDS
    }
