"""The audit log over the management API: what is listed, to whom, in which order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.domain.events import Event, Outcome
from app.services import accounts, events, policies, service_accounts, trusts
from app.storage import audit
from app.storage.audit import AuditEvent
from tests.support.api import ROOT_B, USERS, ApiCaller, root, user_that_may
from tests.support.world import START, World

EVENTS = "/audit-api/v1/events"
BECOME = "service-account:impersonate"
HOUR = 3600


def listed(caller: ApiCaller, **query: Any) -> list[Any]:
    answer = caller.get(EVENTS, **{"pageSize": 100, **query})
    assert answer.status_code == 200, answer.text
    return list(answer.json["data"])


def lines(caller: ApiCaller, **query: Any) -> list[Any]:
    answer = caller.get(EVENTS, format="ndjson", **query)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def add(world: World, **fields: Any) -> None:
    """A row as if it had been written, of A's account unless the test says so."""
    row: dict[str, Any] = {"event": Event.SIGN_IN, "actor_account_id": "53461", **fields}
    world.runtime.database.write(lambda connection: audit.add(connection, AuditEvent(**row)))


def test_who_acted_and_through_whom_is_in_the_logs_of_both_accounts(world: World) -> None:
    world.impersonate(reason="ticket 7", display_name="on-call")

    (callers,), (owners,) = (
        listed(root(world, email), action=BECOME) for email in ("root-a@example.com", ROOT_B)
    )

    assert callers["detail"].pop("parent_token_id")
    assert callers == owners
    assert callers["actor"] == {
        "type": "iam-user",
        "id": world.user_id,
        "name": "System1",
        "accountId": "53461",
    }
    assert callers["actingAs"] == world.service_account_id
    assert callers["ownerAccountId"] == "60108"
    assert callers["decisionId"] == callers["id"]
    assert (callers["displayName"], callers["statedReason"]) == ("on-call", "ticket 7")
    assert callers["detail"] == {
        "audience": ["https://vserver.example"],
        "scope": "vserver:*",
        "evaluate": False,
        "expires_at": START + 3600,
    }


def test_what_the_owner_refused_is_one_counted_line_an_hour(world: World) -> None:
    trusts.remove_trust(world.runtime, world.service_account_id, "53461")
    token = world.user_token()
    for _ in range(3):
        world.impersonate(token)
    policies.detach(world.runtime, "ImpersonateToRootUserAccountB", "iam-user", world.user_id)
    # Whatever the caller's half says.
    world.impersonate(token)
    world.clock.advance(HOUR)
    world.impersonate(world.user_token())
    b = root(world, ROOT_B)

    newest, oldest = listed(b, action=BECOME)

    assert oldest == {
        "id": f"refusals-53461-{START // HOUR}",
        "at": "2027-01-15T08:00:00.000Z",
        "event": BECOME,
        "outcome": "denied",
        "actor": {"accountId": "53461"},
        "count": 4,
    }
    assert (newest["count"], newest["at"]) == (1, "2027-01-15T09:00:00.000Z")
    assert [each["count"] for each in lines(b, action=BECOME)] == [1, 4]
    # The caller's own log has each of them.
    assert len(listed(root(world), action=BECOME, outcome="denied")) == 5


def test_what_the_callers_half_alone_refused_is_listed_without_a_reason(world: World) -> None:
    policies.detach(world.runtime, "ImpersonateToRootUserAccountB", "iam-user", world.user_id)
    world.impersonate()

    (owners,) = listed(root(world, ROOT_B), action=BECOME)

    assert owners["outcome"] == "denied"
    assert "count" not in owners
    assert owners["detail"] == {}
    assert "reason" not in owners
    assert "no-statement" not in json.dumps(owners)


def test_an_own_service_account_that_refuses_is_not_counted_twice(world: World) -> None:
    new = service_accounts.create(world.runtime, "53461", "Own")
    service_accounts.set_enabled(world.runtime, new.account.id, enabled=False)
    world.impersonate(requested_subject=new.account.id)

    (found,) = listed(root(world), action=BECOME)

    assert found["actor"]["name"] == "System1"
    assert found["ownerAccountId"] == "53461"


def test_a_denial_does_not_say_whose_the_service_account_is(world: World) -> None:
    trusts.remove_trust(world.runtime, world.service_account_id, "53461")
    world.impersonate()

    (found,) = listed(root(world), action=BECOME)

    assert "ownerAccountId" not in found
    assert found["resource"] == world.service_account_id


def test_what_was_done_through_a_service_account_is_told_in_full_to_its_account(
    world: World,
) -> None:
    policies.attach(world.runtime, "IAMFullAccess", "service-account", world.service_account_id)
    acting = ApiCaller(world, str(world.impersonate(resource="iam").json["access_token"]))
    user = accounts.create_user(world.runtime, "60108", "Target", "Target-password")
    assert acting.delete(f"{USERS}/{user.id}").status_code == 204

    (callers,), (owners,) = (
        listed(root(world, email), action="iam-user:delete")
        for email in ("root-a@example.com", ROOT_B)
    )

    assert owners["detail"] == {
        "action": "iam:DeleteIamUser",
        "username": "Target",
        "policies": [],
        "groups": [],
    }
    assert callers["detail"] == {"action": "iam:DeleteIamUser"}
    for each in (callers, owners):
        assert each["actor"]["name"] == "System1"
        assert each["actingAs"] == world.service_account_id


def test_every_kind_of_event_keeps_the_other_sides_details_from_an_account() -> None:
    for kind in Event:
        row = AuditEvent(
            id="x",
            at=1.0,
            event=kind,
            actor_account_id="1",
            owner_account_id="2",
            detail={"action": "a", "parent_token_id": "mine", "changed": ["theirs"], "new": 1},
        )

        assert events.detail_for(row, "1") == {"action": "a", "parent_token_id": "mine"}
        assert events.detail_for(row, "2") == {"action": "a", "changed": ["theirs"], "new": 1}


def test_another_accounts_events_are_not_listed(world: World) -> None:
    accounts.create_account(world.runtime, "777", "root-c@example.com", "root-c-password")
    world.impersonate()
    add(world, id="of-nobody", at=START, actor_account_id=None)

    found = listed(root(world, "root-c@example.com"))

    assert {each["actor"].get("accountId", "777") for each in found} == {"777"}
    assert "of-nobody" not in {each["id"] for each in found}


def test_the_newest_come_first_and_pages_do_not_overlap(world: World) -> None:
    for number in range(7):
        add(world, id=f"x{number}", at=START - 100 - number // 2, actor_id="pager")
    a = root(world)

    pages = [
        a.get(EVENTS, actor="pager", pageSize=3, pageNumber=number).json for number in range(4)
    ]

    assert [[each["id"] for each in page["data"]] for page in pages] == [
        ["x1", "x0", "x3"],
        ["x2", "x5", "x4"],
        ["x6"],
        [],
    ]
    assert {(page["totalItems"], page["totalPages"]) for page in pages} == {(7, 3)}


def test_events_are_found_by_time_actor_action_resource_and_outcome(world: World) -> None:
    a = root(world)
    add(world, id="old", at=START - 60.5, actor_id="u-1", actor_name="Anna", resource="iam::1:a/x")
    add(
        world,
        id="new",
        at=START - 30.0,
        actor_id="u-2",
        event=Event.API_REFUSE,
        outcome=Outcome.DENIED,
        resource="iam::1:a/y_z",
        detail={"action": "iam:GetGroup"},
    )

    def found(**query: Any) -> list[str]:
        ids = [each["id"] for each in listed(a, **query)]
        return [each for each in ids if each in ("old", "new")]

    assert found() == ["new", "old"]
    assert found(**{"from": "2027-01-15T07:59:00Z"}) == ["new"]
    assert found(**{"from": "2027-01-15T07:58:59.5Z"}) == ["new", "old"]
    assert found(to="2027-01-15T07:59:30Z") == ["old"]
    assert found(to="2027-01-15T08:59:30.001+01:00") == ["new", "old"]
    assert found(actor="u-1") == found(actor="Anna") == ["old"]
    assert found(action="iam:GetGroup") == found(action="api:refuse") == ["new"]
    assert found(resource="iam::1:a/*") == ["new", "old"]
    assert found(resource="iam::1:a/x") == ["old"]
    assert found(resource="iam::1:a/_*") == found(resource="%*") == []
    assert found(outcome="denied") == ["new"]
    assert found(outcome="allowed", actor="u-2") == []


def test_counted_lines_are_found_by_time_action_and_outcome(world: World) -> None:
    world.clock.advance(HOUR / 2)
    b = root(world, ROOT_B)
    world.runtime.database.write(
        lambda connection: audit.count_refusal(connection, "60108", "53461", START)
    )

    def counts(**query: Any) -> int:
        return sum("count" in each for each in listed(b, **query))

    assert counts() == counts(action=BECOME) == counts(outcome="denied") == 1
    assert counts(**{"from": "2027-01-15T08:59:59Z"}) == 1
    assert counts(**{"from": "2027-01-15T09:00:00Z"}) == 0
    assert counts(to="2027-01-15T08:00:00Z") == 0
    assert counts(to="2027-01-15T08:00:01Z") == 1
    assert counts(action="api:read") == counts(outcome="allowed") == 0
    assert counts(actor="System1") == counts(resource="*") == 0


def test_an_export_has_everything_that_is_found_a_line_each(world: World) -> None:
    world.impersonate()
    a = root(world)
    to = "2027-01-15T08:00:00.001Z"
    everything = listed(a, to=to)

    answer = a.get(EVENTS, format="ndjson", to=to, pageSize=1)

    assert answer.content_type == "application/x-ndjson"
    assert "Next-Cursor" not in answer.headers
    exported = [json.loads(line) for line in answer.text.splitlines()]
    # The reading itself was written down meanwhile.
    assert [each for each in exported if each["event"] != "api:read"] == everything
    assert answer.text.endswith("}\n")
    assert [each["id"] for each in lines(a, actor="System1", action=BECOME)] == [
        each["id"] for each in listed(a, action=BECOME)
    ]


def test_an_export_can_be_asked_for_by_its_media_type(world: World) -> None:
    a = root(world)

    def type_for(accept: str, **query: str) -> str:
        client = world.app.test_client()
        headers = {"Authorization": f"Bearer {a.token}", "Accept": accept}
        return str(client.get(EVENTS, headers=headers, query_string=query).content_type)

    assert type_for("application/x-ndjson") == "application/x-ndjson"
    assert type_for("application/x-ndjson, application/json;q=0.5") == "application/x-ndjson"
    assert type_for("*/*") == type_for("application/json") == "application/json"
    assert type_for("text/html") == "application/json"
    assert type_for("application/x-ndjson", format="json") == "application/json"


def test_a_long_export_goes_on_where_it_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        add(world, id=f"x{number:02}", at=START - 1000 - number // 3, actor_id="many")
    monkeypatch.setattr(events, "MOST_EXPORTED", 10)
    monkeypatch.setattr(events, "_BATCH", 4)
    a = root(world)
    found: list[str] = []
    cursor: dict[str, str] = {}

    for _ in range(3):
        answer = a.get(EVENTS, format="ndjson", actor="many", **cursor)
        found.extend(json.loads(line)["id"] for line in answer.text.splitlines())
        cursor = {"cursor": answer.headers.get("Next-Cursor", "")}

    assert cursor == {"cursor": ""}
    assert len(found) == len(set(found)) == 25
    assert found[:4] == ["x02", "x01", "x00", "x05"]


def test_counted_lines_are_exported_in_their_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in range(3):
        for foreign in ("53461", "777"):
            world.runtime.database.write(
                lambda connection, foreign=foreign, at=START - hour * HOUR: audit.count_refusal(  # type: ignore[misc]
                    connection, "60108", foreign, at
                )
            )
    monkeypatch.setattr(events, "_BATCH", 1)

    found = lines(root(world, ROOT_B), action=BECOME)

    first = START // HOUR
    assert [each["id"] for each in found] == [
        f"refusals-{foreign}-{first - hour}" for hour in range(3) for foreign in ("777", "53461")
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"from": "yesterday"},
        {"from": "1800000000"},
        {"to": "2027-02-30T00:00:00Z"},
        {"outcome": "maybe"},
        {"pageSize": "101"},
        {"format": "csv"},
        {"actor": "a\x00b"},
        {"colour": "red"},
        {"format": "ndjson", "cursor": "????"},
        {"format": "ndjson", "cursor": "AAAA"},
        {"format": "ndjson", "cursor": "W05hTiwieCJd"},  # [NaN,"x"]
        {"format": "ndjson", "cursor": "WzEsIlx1ZDgwMCJd"},  # half of a surrogate pair
        {"format": "ndjson", "cursor": "WzEsMiwzXQ"},
    ],
)
def test_a_query_that_cannot_be_read_is_refused(world: World, query: dict[str, str]) -> None:
    assert root(world).get(EVENTS, **query).status_code == 400


def test_it_takes_the_right_to_list_events(world: World) -> None:
    assert user_that_may(world, "iam:ListEvents").get(EVENTS).status_code == 200
    refused = user_that_may(world, "iam:GetDecision").get(EVENTS, format="ndjson")
    assert refused.status_code == 403
    assert refused.json["decisionId"]


def test_exporting_is_in_the_log(world: World) -> None:
    lines(root(world))

    (row,) = world.rows("SELECT resource, detail FROM audit_events WHERE event = 'api:read'")
    assert row.resource == "iam::53461:event/*"
    assert "iam:ListEvents" in row.detail


def test_what_a_token_was_refused_for_is_in_both_logs(world: World) -> None:
    answer = world.impersonate(scope="iam:CreatePolicy")

    (callers,), (owners,) = (
        listed(root(world, email), action="token:refuse")
        for email in ("root-a@example.com", ROOT_B)
    )

    assert callers["id"] == owners["id"] == answer.json["decision_id"]
    assert callers["reason"] == owners["reason"]
    assert "ownerAccountId" not in callers
    assert owners["ownerAccountId"] == "60108"


def test_the_refusals_of_an_api_call_can_be_looked_up(world: World) -> None:
    caller = user_that_may(world, "iam:GetIamUser")
    answer = caller.get(USERS)

    (found,) = listed(root(world), outcome="denied", action="iam:ListIamUser")

    assert found["decisionId"] == answer.json["decisionId"]
