"""The order of errors at the token endpoint: none of them may betray the service account.

Each fault of the exchange is put beside each later one, and the earlier has to answer. A fault is
a change of the form; `step` is its place in the order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from app.services import accounts
from tests.support.changes import new_service_account
from tests.support.tokens import user_token
from tests.support.world import ACCESS_TOKEN, CLI, EXCHANGE, World, basic, build_world


@dataclass(frozen=True)
class Fault:
    step: int
    name: str
    error: str
    status: int = 400
    fields: dict[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    content_type: str | None = None
    raw: str = ""


FAULTS = (
    Fault(1, "duplicate", "invalid_request", raw="&display_name=a&display_name=b"),
    Fault(1, "broken-escape", "invalid_request", raw="&note=%zz"),
    Fault(1, "content-type", "invalid_request", content_type="text/plain"),
    Fault(1, "oversized", "invalid_request", raw="&note=" + "a" * 65_536),
    Fault(1, "control-character", "invalid_request", raw="&note=%00"),
    Fault(2, "unknown-client", "invalid_client", 401, {"client_id": "nobody"}),
    Fault(2, "no-client", "invalid_client", 401, left_out=("client_id",)),
    Fault(2, "secret-of-a-public-client", "invalid_client", 401, {"client_secret": "x"}),
    Fault(3, "no-such-grant", "unsupported_grant_type", fields={"grant_type": "password"}),
    Fault(4, "no-subject-token-type", "invalid_request", left_out=("subject_token_type",)),
    Fault(4, "malformed-lifetime", "invalid_request", fields={"requested_expires_in": "soon"}),
    Fault(4, "malformed-policy", "invalid_request", fields={"policy": "{"}),
    Fault(4, "malformed-scope", "invalid_scope", fields={"scope": "not a scope"}),
    Fault(4, "actor-token", "invalid_request", fields={"actor_token": "x"}),
    Fault(5, "bad-subject-token", "invalid_request", fields={"subject_token": "a.b.c"}),
    Fault(5, "token-of-root", "invalid_request", fields={"subject_token": "ROOT"}),
    Fault(6, "unknown-target", "invalid_target", fields={"requested_subject": "sa-none"}),
    Fault(6, "untrusted-target", "invalid_target", fields={"requested_subject": "UNTRUSTED"}),
    Fault(7, "wider-scope", "invalid_scope", fields={"scope": "iam:*"}),
    Fault(7, "unknown-api", "invalid_target", fields={"audience": "nowhere"}),
    Fault(7, "issuer-and-api", "invalid_target", fields={"audience": ["iam", "vserver"]}),
)
PAIRS = [
    (first, second)
    for first, second in combinations(FAULTS, 2)
    if first.step < second.step
    and not set(first.fields) & set(second.fields)
    and not set(first.left_out) & set(second.fields)
    and not set(second.left_out) & set(first.fields)
]


@dataclass(frozen=True)
class Setting:
    world: World
    token: str
    root: str
    untrusted: str


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    folder: Path = tmp_path_factory.mktemp("order")
    world = build_world(folder)
    token, root = user_token(world), user_token(world, username=None)
    accounts.create_account(world.runtime, "70000", "root-c@example.com", "root-c-password")
    other = new_service_account(world, "Other", account_id="70000")
    yield Setting(world, token, root, other.account.id)
    world.close()


def send(setting: Setting, *faults: Fault) -> Any:
    """An exchange with these faults, and otherwise as it should be."""
    form: dict[str, Any] = {
        "grant_type": EXCHANGE,
        "client_id": CLI,
        "subject_token": setting.token,
        "subject_token_type": ACCESS_TOKEN,
        "requested_subject": setting.world.service_account_id,
    }
    content_type, raw = "application/x-www-form-urlencoded", ""
    for fault in reversed(faults):
        form.update(fault.fields)
        raw += fault.raw
        content_type = fault.content_type or content_type
    for fault in faults:
        for name in fault.left_out:
            form.pop(name, None)
    named = {"ROOT": setting.root, "UNTRUSTED": setting.untrusted}
    form = {name: named.get(str(value), value) for name, value in form.items()}
    return setting.world.client.post(
        "/oauth2/token", data=urlencode(form, doseq=True) + raw, content_type=content_type
    )


def test_without_a_fault_it_is_granted(setting: Setting) -> None:
    assert send(setting).status_code == 200


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: f"{each.step}-{each.name}")
def test_a_fault_alone(setting: Setting, fault: Fault) -> None:
    answer = send(setting, fault)

    assert (answer.status_code, answer.json["error"]) == (fault.status, fault.error)
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("decision_id" in answer.json) == (fault.step > 5)
    assert ("WWW-Authenticate" in answer.headers) == (fault.status == 401)


@pytest.mark.parametrize("first", FAULTS[:-3], ids=lambda each: f"{each.step}-{each.name}")
def test_the_earlier_fault_answers(setting: Setting, first: Fault) -> None:
    alone = send(setting, first)

    for earlier, later in PAIRS:
        if earlier is first:
            answer = send(setting, first, later)
            assert (answer.status_code, answer.json["error"]) == (first.status, first.error), later
            if first.step < 6:
                assert answer.data == alone.data, later


def test_the_pairs_are_many() -> None:
    assert len(PAIRS) > 120


def test_a_grant_that_is_not_for_this_client_comes_before_its_parameters(
    setting: Setting,
) -> None:
    world = setting.world

    answer = world.client.post(
        "/oauth2/token",
        data={"grant_type": "client_credentials", "scope": "not a scope", "audience": "nowhere"},
        headers={"Authorization": basic(world.product_client_id, world.product_client_secret)},
    )

    assert (answer.status_code, answer.json["error"]) == (400, "unauthorized_client")
