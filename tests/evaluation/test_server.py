"""Authorization API 1.0 over HTTP: its request shapes with our subjects, actions and resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.storage.database import StoreUnavailable
from tests.support.changes import new_client, new_product
from tests.support.evaluation import (
    DB,
    EVALUATION,
    EVALUATIONS,
    WEB,
    ask,
    impersonation,
    machine,
    question,
    subject,
)
from tests.support.world import CLI, World, basic, build_world

STOP, GET, FOREIGN = "vserver:StopServer", "vserver:GetServer", "vserver::53461:server/srv-1"
YES = {"decision": True, "context": {"reason": "allowed"}}
NO = {"decision": False, "context": {"reason": "not-allowed"}}


def several(world: World, *items: Any, **members: Any) -> Any:
    response = ask(world, {**members, "evaluations": list(items)}, at=EVALUATIONS)
    assert response.status_code == 200, response.json
    return response.json


def decisions(answer: Any) -> list[bool]:
    assert list(answer) == ["evaluations"]
    return [each["decision"] for each in answer["evaluations"]]


# Section 6: one evaluation


def test_a_decision(world: World) -> None:
    response = ask(world, question(world))

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json == YES


def test_a_no_is_a_decision_too(world: World) -> None:
    response = ask(world, question(world, resource=FOREIGN))

    assert response.status_code == 200
    assert response.json == NO


def test_members_that_mean_nothing_here_are_ignored(world: World) -> None:
    body = question(
        world,
        subject={**subject(world), "properties": {"department": "Sales"}, "note": 1},
        action={"name": STOP, "properties": {"method": "POST"}},
        resource={"type": "server", "id": WEB, "properties": {"owner": {"id": 7}}},
        context={"time": "2024-10-26T01:22-07:00", "iam:MfaPresent": True},
        more=[],
    )

    assert ask(world, body).json == YES


# Section 7: several evaluations


def test_without_a_list_it_is_one_evaluation(world: World) -> None:
    assert ask(world, question(world), at=EVALUATIONS).json == YES
    assert ask(world, question(world, evaluations=[]), at=EVALUATIONS).json == YES


def test_members_beside_the_list_are_those_of_its_items(world: World) -> None:
    """Section 7.1.1: one subject and context, several actions and resources."""
    answer = several(
        world,
        {"action": {"name": STOP}, "resource": {"type": "server", "id": WEB}},
        {"action": {"name": GET}, "resource": {"type": "server", "id": FOREIGN}},
        {"action": {"name": GET}, "resource": {"type": "server", "id": DB}},
        subject=subject(world),
        context={"iam:SourceIp": "192.0.2.1"},
    )

    assert decisions(answer) == [True, False, True]


def test_an_item_puts_its_own_member_in_the_place_of_the_default(world: World) -> None:
    nobody = {"type": "service-account", "id": "sa-of-nobody"}
    answer = several(world, {}, {"subject": nobody}, **question(world))

    assert decisions(answer) == [True, False]


def test_a_default_is_replaced_whole(world: World) -> None:
    """The item's subject has no properties: those of the default do not get into it."""
    token = machine(world, scope="vserver:List*")
    plain = subject(world)
    answer = several(world, {}, {"subject": plain}, **question(world, token))

    assert decisions(answer) == [False, True]


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        (None, [True, False, True]),
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_the_semantics(world: World, semantic: str | None, expected: list[bool]) -> None:
    """Section 7.1.2.1, by its example: three resources, the second of which is refused."""
    options = {} if semantic is None else {"evaluations_semantic": semantic, "other": 1}
    items = [{"resource": {"type": "server", "id": name}} for name in (WEB, FOREIGN, DB)]

    assert decisions(several(world, *items, options=options, **question(world))) == expected


def test_a_permit_after_denies_ends_there(world: World) -> None:
    items = [{"resource": {"type": "server", "id": name}} for name in (FOREIGN, WEB, DB)]
    options = {"evaluations_semantic": "permit_on_first_permit"}

    assert decisions(several(world, *items, options=options, **question(world))) == [False, True]


def test_what_is_wrong_with_one_item_is_told_in_its_place(world: World) -> None:
    """Section 7.2.1: an error of one evaluation is a no, and the others are answered."""
    answer = several(world, {}, {"action": {}}, "no object", {}, **question(world))

    assert decisions(answer) == [True, False, False, True]
    assert answer["evaluations"][1]["context"] == {
        "reason": "malformed-request",
        "error": {"status": 400, "message": "expected text as evaluations[1].action.name"},
    }
    assert answer["evaluations"][2]["context"]["error"]["message"] == (
        "expected an object as evaluations[2]"
    )


def test_what_cannot_be_read_is_a_deny(world: World) -> None:
    options = {"evaluations_semantic": "deny_on_first_deny"}
    answer = several(world, {"action": 7}, {}, options=options, **question(world))

    assert decisions(answer) == [False]


def test_the_number_of_evaluations_is_bounded(world: World) -> None:
    body = question(world, evaluations=[{}] * 100)
    assert decisions(ask(world, body, at=EVALUATIONS).json) == [True] * 100

    response = ask(world, {**body, "evaluations": [{}] * 101}, at=EVALUATIONS)

    assert response.status_code == 400
    assert response.json == {
        "error": "invalid_request",
        "error_description": "expected at most 100 evaluations in one request",
    }


# Section 9: metadata


def test_the_metadata(world: World) -> None:
    response = world.client.get("/.well-known/authzen-configuration")

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "public, max-age=300"
    assert response.json == {
        "policy_decision_point": "http://127.0.0.1:8000",
        "access_evaluation_endpoint": "http://127.0.0.1:8000/access/v1/evaluation",
        "access_evaluations_endpoint": "http://127.0.0.1:8000/access/v1/evaluations",
    }


def test_the_metadata_of_an_issuer_with_a_path(tmp_path: Path) -> None:
    world = build_world(tmp_path, issuer="http://127.0.0.1:8000/tenant1")

    response = world.client.get("/.well-known/authzen-configuration/tenant1")

    assert response.json is not None
    assert response.json["policy_decision_point"] == "http://127.0.0.1:8000/tenant1"
    world.close()


# Section 10: transport


@pytest.mark.parametrize("at", [EVALUATION, EVALUATIONS])
def test_the_request_id_comes_back(world: World, at: str) -> None:
    sent = {"X-Request-ID": "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"}
    unknown = {**sent, "Authorization": "Basic eDp5"}

    for headers, status in ((sent, 200), (unknown, 401)):
        response = ask(world, question(world), at=at, headers=headers)
        assert response.status_code == status
        assert response.headers["X-Request-ID"] == sent["X-Request-ID"]
    assert ask(world, {}, at=at, headers=sent).headers["X-Request-ID"] == sent["X-Request-ID"]
    assert "X-Request-ID" not in ask(world, question(world), at=at).headers
    assert "X-Request-ID" not in ask(world, {}, at=at, headers={"X-Request-ID": "x" * 257}).headers


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"subject": None}, "expected an object as subject"),
        ({"subject": "sa-1"}, "expected an object as subject"),
        ({"subject": {"id": "sa-1"}}, "expected text as subject.type"),
        ({"subject": {"type": "service-account"}}, "expected text as subject.id"),
        ({"subject": {"type": "service-account", "id": ""}}, "expected text as subject.id"),
        ({"subject": {"type": "service-account", "id": 7}}, "expected text as subject.id"),
        (
            {"subject": {"type": "service-account", "id": "sa\0"}},
            "expected at most 256 characters, all printable, as subject.id",
        ),
        (
            {"subject": {"type": "service-account", "id": "\ud800"}},
            "expected at most 256 characters, all printable, as subject.id",
        ),
        (
            {"subject": {"type": "service-account", "id": "sa", "properties": []}},
            "expected an object as subject.properties",
        ),
        (
            {"subject": {"type": "service-account", "id": "sa", "properties": {"jti": None}}},
            "expected text as subject.properties.jti",
        ),
        ({"action": None}, "expected an object as action"),
        ({"action": {"name": ["a"]}}, "expected text as action.name"),
        ({"resource": None}, "expected an object as resource"),
        ({"resource": {"id": WEB}}, "expected text as resource.type"),
        ({"resource": {"type": "server"}}, "expected text as resource.id"),
        (
            {"resource": {"type": "server", "id": "x" * 257}},
            "expected at most 256 characters, all printable, as resource.id",
        ),
        ({"context": []}, "expected an object as context"),
        ({"context": {"iam:SourceIp": 7}}, "expected text as context.iam:SourceIp"),
        (
            {"context": {"iam:SourceIp": "localhost"}},
            "expected an IP address as context.iam:SourceIp",
        ),
    ],
)
def test_a_malformed_question(world: World, changes: dict[str, Any], description: str) -> None:
    response = ask(world, question(world, **changes))

    assert response.status_code == 400
    assert response.json == {"error": "invalid_request", "error_description": description}


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({"evaluations": {}}, "expected a list as evaluations"),
        ({"options": []}, "expected an object as options"),
        (
            {"evaluations": [{}], "options": {"evaluations_semantic": "deny"}},
            "expected as options.evaluations_semantic one of execute_all, deny_on_first_deny, "
            "permit_on_first_permit",
        ),
        (
            {"evaluations": [{}], "options": {"evaluations_semantic": ["execute_all"]}},
            "expected as options.evaluations_semantic one of execute_all, deny_on_first_deny, "
            "permit_on_first_permit",
        ),
    ],
)
def test_a_malformed_request_for_several(
    world: World, changes: dict[str, Any], description: str
) -> None:
    response = ask(world, {**question(world), **changes}, at=EVALUATIONS)

    assert response.status_code == 400
    assert response.json == {"error": "invalid_request", "error_description": description}


@pytest.mark.parametrize("at", [EVALUATION, EVALUATIONS])
@pytest.mark.parametrize(
    ("body", "content_type", "description"),
    [
        (b"{}", "text/plain", "expected the content type application/json"),
        (b"", "application/json", "the body cannot be read: not valid JSON at line 1"),
        (b"[]", "application/json", "the body cannot be read: expected a JSON object"),
        (b"\xff", "application/json", "the body is not UTF-8"),
        (b"[" * 9000, "application/json", "the body cannot be read: nested too deeply"),
        (
            b'{"subject": {}, "subject": {}}',
            "application/json",
            "the body cannot be read: the member 'subject' appears twice in one object",
        ),
    ],
)
def test_a_body_that_cannot_be_read(
    world: World, at: str, body: bytes, content_type: str, description: str
) -> None:
    authorization = basic(world.product_client_id, world.product_client_secret)
    response = world.client.post(
        at, data=body, content_type=content_type, headers={"Authorization": authorization}
    )

    assert response.status_code == 400
    assert response.json == {"error": "invalid_request", "error_description": description}


def test_a_body_that_is_too_long(world: World) -> None:
    response = ask(world, question(world, more="x" * world.runtime.settings.max_body_bytes))

    assert response.status_code == 413


@pytest.mark.parametrize("at", [EVALUATION, EVALUATIONS])
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer abc",
        "Basic",
        "Basic !",
        "Basic eDp5",  # x:y
        "Basic eA==",  # x
        "Basic Onk=",  # :y
        "Basic /zp5",  # no text
        "Basic JTAwOnk=",  # %00:y
        "Basic JWZmOnk=",  # %ff:y
    ],
)
def test_nobody_that_we_know(world: World, at: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    response = world.client.post(at, json=question(world), headers=headers)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="crossroot", charset="UTF-8"'
    assert response.json == {
        "error": "invalid_client",
        "error_description": "authenticate as a product's client, by Basic",
    }


def test_a_wrong_secret(world: World) -> None:
    assert ask(world, question(world), auth=(world.product_client_id, "wrong")).status_code == 401
    assert ask(world, question(world), auth=(CLI, "a-public-client")).status_code == 401


def test_who_is_asking_is_settled_before_what(world: World) -> None:
    response = ask(world, {}, auth=("nobody", "secret"))

    assert response.status_code == 401


def test_the_credentials_are_form_decoded(world: World) -> None:
    encoded = "".join(f"%{ord(letter):02x}" for letter in world.product_client_secret)

    assert ask(world, question(world), auth=(world.product_client_id, encoded)).json == YES


def test_only_resource_servers_may_ask(world: World) -> None:
    tenant = new_client(world, "web-app")

    for credentials in (tenant, (world.client_id, world.client_secret)):
        response = ask(world, question(world), auth=credentials)
        assert response.status_code == 403
        assert response.json == {
            "error": "unauthorized_client",
            "error_description": "only a product's client may ask here",
        }


def test_a_resource_server_asks_about_its_own_product_only(world: World) -> None:
    other = new_product(world, "vdisk")
    credentials = (other.client_id, str(other.client_secret))
    disk = "vdisk::60108:thing/d-1"

    for action, resource, reason in (
        (STOP, WEB, "other-product"),
        (STOP, disk, "other-product"),
        ("vdisk:ReadThing", WEB, "other-product"),
        ("vdisk:ReadThing", disk, "not-allowed"),
    ):
        asked = question(world, action=action, resource=resource)
        response = ask(world, asked, auth=credentials)
        assert response.json == {"decision": False, "context": {"reason": reason}}


def test_a_token_of_another_audience_says_nothing(world: World) -> None:
    other = new_product(world, "vdisk")
    token = impersonation(world)
    answers = [
        ask(
            world,
            question(world, token, action="vdisk:ReadThing", resource="vdisk::60108:thing/d-1")
            | {"subject": asked},
            auth=(other.client_id, str(other.client_secret)),
        ).json
        for asked in (
            subject(world, token),
            {**subject(world), "properties": {"jti": "never-issued"}},
        )
    ]

    assert answers[0] == answers[1]
    assert answers[0] == {"decision": False, "context": {"reason": "token-not-valid"}}


@pytest.mark.parametrize(
    ("action", "resource", "reason"),
    [
        ("vserver:FlyServer", WEB, "unknown-action"),
        ("vserver:*", WEB, "unknown-action"),
        ("*", WEB, "other-product"),
        ("StopServer", WEB, "other-product"),
        (STOP, "*", "malformed-resource"),
        (STOP, "srv-web-1", "malformed-resource"),
        (STOP, "vserver::60108:server/", "malformed-resource"),
        (STOP, "iam::60108:service-account/sa-1", "other-product"),
    ],
)
def test_what_no_policy_could_allow(world: World, action: str, resource: str, reason: str) -> None:
    response = ask(world, question(world, action=action, resource=resource))

    assert response.json == {"decision": False, "context": {"reason": reason}}


def test_a_kind_of_subject_that_is_not_ours(world: World) -> None:
    asked = question(world, subject={"type": "user", "id": world.user_id})

    assert ask(world, asked).json == {
        "decision": False,
        "context": {"reason": "unknown-subject-type"},
    }


def test_a_store_that_does_not_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise StoreUnavailable("broken")

    monkeypatch.setattr(world.runtime.database, "glance", fail)
    response = ask(world, question(world))

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert response.json is not None
    assert response.json["error"] == "temporarily_unavailable"


def test_other_methods(world: World) -> None:
    assert world.client.get(EVALUATION).status_code == 405
    assert world.client.put(EVALUATIONS).status_code == 405


def test_a_fault_shows_nothing_of_itself(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(world.runtime.database, "glance", fail)
    response = ask(world, question(world))

    assert response.status_code == 500
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.json == {
        "error": "server_error",
        "error_description": "unexpected error; it has been logged",
    }
    assert caplog.messages == [f"unexpected error at {EVALUATION}"]
