"""Whom a change of a group or a policy concerns: one of each kind, nobody left out."""

from __future__ import annotations

from sqlalchemy import Connection

from app.services import accounts, holders, policies, service_accounts
from app.storage import groups
from app.storage.groups import GroupDetails
from tests.support.world import World, allow


def add_group(world: World, name: str, *members: str) -> str:
    group = GroupDetails(name, "53461", name, "", 1)

    def write(connection: Connection) -> None:
        groups.add(connection, group)
        for member in members:
            groups.add_member(connection, name, member)

    world.runtime.database.write(write)
    return name


def users(world: World, count: int) -> list[str]:
    return [
        accounts.create_user(world.runtime, "53461", f"Member{number}", "a-long-password").id
        for number in range(count)
    ]


def of_group(world: World, group: str) -> list[str]:
    with world.runtime.database.read() as connection:
        return [holder.id for holder in holders.of_group(connection, group)]


def of_policy(world: World, policy: str) -> list[str]:
    with world.runtime.database.read() as connection:
        return [holder.id for holder in holders.of_policy(connection, policy)]


def new_policy(world: World, name: str) -> str:
    return policies.create(world.runtime, "53461", name, allow("vserver:ListServers"))


def test_of_members_that_are_alike_one_is_named(world: World) -> None:
    members = users(world, 5)
    group = add_group(world, "Readers", *members)
    policies.attach(world.runtime, new_policy(world, "Listing"), "group", group)

    assert len(of_group(world, group)) == 1


def test_members_with_other_policies_are_named_each(world: World) -> None:
    """The same policy by another way is another kind: the one loses it where the other does not."""
    plain, own, by_group, alike = users(world, 4)
    group = add_group(world, "Readers", plain, own, by_group, alike)
    other = add_group(world, "Listers", by_group)
    policy = new_policy(world, "Listing")
    policies.attach(world.runtime, policy, "group", group)
    policies.attach(world.runtime, policy, "iam-user", own)
    policies.attach(world.runtime, policy, "group", other)

    found = of_group(world, group)

    assert len(found) == 3
    assert {own, by_group} < set(found)
    assert len({plain, alike} & set(found)) == 1


def test_a_policy_concerns_whoever_it_reaches(world: World) -> None:
    member, direct, _ = users(world, 3)
    machines = [
        service_accounts.create(world.runtime, "53461", name).account.id for name in ("M1", "M2")
    ]
    policy = new_policy(world, "Listing")
    policies.attach(world.runtime, policy, "group", add_group(world, "Readers", member))
    policies.attach(world.runtime, policy, "iam-user", direct)
    for machine in machines:
        policies.attach(world.runtime, policy, "service-account", machine)
    assert len(of_policy(world, policy)) == 3

    policies.attach(world.runtime, "vServerFullAccess", "service-account", machines[0])

    assert set(of_policy(world, policy)) == {member, direct, *machines}


def test_what_reaches_nobody_concerns_nobody(world: World) -> None:
    users(world, 1)
    add_group(world, "Readers")

    assert of_group(world, "Readers") == []
    assert of_policy(world, new_policy(world, "Listing")) == []
