"""Many threads in one process, as the server runs: no answer lost, no right used too late."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from werkzeug.test import TestResponse

from app.services import administration, policies, service_accounts, sign_in
from tests.support.observation import grown, row_counts
from tests.support.tokens import code_for, user_token
from tests.support.world import (
    ACCESS_TOKEN,
    CALLBACK,
    CLI,
    EXCHANGE,
    VERIFIER,
    World,
    basic,
    claims_of,
)

THREADS = 16
CALLS = 20
MACHINE = {"grant_type": "client_credentials"}


def post(world: World, form: dict[str, str], auth: tuple[str, str] | None = None) -> TestResponse:
    """A token request on a connection of its own."""
    headers = {} if auth is None else {"Authorization": basic(*auth)}
    return world.app.test_client().post("/oauth2/token", data=form, headers=headers)


def exchange_form(token: str, **fields: str) -> dict[str, str]:
    return {
        "grant_type": EXCHANGE,
        "client_id": CLI,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN,
        **fields,
    }


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work(0)` … `work(count - 1)` in as many threads, all from the same moment."""
    start = threading.Barrier(count)

    def run(number: int) -> Any:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


@contextmanager
def meanwhile(work: Callable[[], Any]) -> Iterator[None]:
    """Run `work` again and again in a thread of its own."""
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            work()

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run)
        try:
            yield
        finally:
            done.set()
            running.result()


def test_every_answer_has_its_row_and_every_token_its_record(world: World) -> None:
    token = user_token(world)
    auth = (world.client_id, world.client_secret)
    become = exchange_form(token, requested_subject=world.service_account_id)
    requests: list[Callable[[], TestResponse]] = [
        lambda: post(world, MACHINE, auth),
        lambda: post(world, {**MACHINE, "scope": "vserver:List*"}, auth),
        lambda: post(world, become),
        lambda: post(world, exchange_form(token, scope="iam:ImpersonateServiceAccount")),
        lambda: post(world, exchange_form(token, requested_subject="sa-unknown")),
        lambda: post(world, {**MACHINE, "scope": "iam:*"}, auth),
        lambda: post(world, MACHINE, (world.client_id, "wrong")),
    ]
    before = row_counts(world)

    def work(number: int) -> list[TestResponse]:
        return [requests[(number + call) % len(requests)]() for call in range(CALLS)]

    answers = [answer for some in together(THREADS, work) for answer in some]

    counts = Counter((each.status_code, each.json.get("error")) for each in answers)
    assert set(counts) == {
        (200, None),
        (400, "invalid_target"),
        (400, "invalid_scope"),
        (401, "invalid_client"),
    }
    assert len(answers) == THREADS * CALLS
    rows = grown(before, row_counts(world))
    # Who cannot be named is counted; everybody else has a row for each answer.
    assert rows["audit_events"] == THREADS * CALLS - counts[401, "invalid_client"]
    assert rows["tokens"] == counts[200, None]
    tokens = {
        claims_of(each.json["access_token"])["jti"] for each in answers if "scope" in each.json
    }
    recorded = {row.id for row in world.rows("SELECT id FROM tokens")}
    assert tokens <= recorded
    decisions = {each.json["decision_id"] for each in answers if "decision_id" in each.json}
    denied = "SELECT id FROM audit_events WHERE event = 'service-account:impersonate'"
    assert decisions == {row.id for row in world.rows(f"{denied} AND outcome = 'denied'")}
    assert len(decisions) == counts[400, "invalid_target"]
    counted = {tuple(row) for row in world.rows("SELECT kind, count FROM failure_counts")}
    assert counted == {("token:client-authentication", counts[401, "invalid_client"])}
    assert world.rows("SELECT sum(count) FROM refusal_counts") == [(counts[400, "invalid_target"],)]


def test_no_token_is_issued_on_trust_that_was_taken_back_before(world: World) -> None:
    """Rows are numbered as they are committed: between "trust removed" and "trust added" there
    is no impersonation that was allowed, and between "added" and "removed" none that was not.
    """
    become = exchange_form(user_token(world), requested_subject=world.service_account_id)

    def change_trust() -> None:
        service_accounts.remove_trust(world.runtime, world.service_account_id, "53461")
        service_accounts.add_trust(world.runtime, world.service_account_id, "53461")

    with meanwhile(change_trust):
        answers = together(8, lambda _: [post(world, become) for _ in range(10)])

    statuses = {each.status_code for some in answers for each in some}
    assert statuses <= {200, 400, 503}
    trusted = True
    for row in world.rows("SELECT event, outcome FROM audit_events ORDER BY rowid"):
        if row.event == "service-account:trust:remove":
            trusted = False
        elif row.event == "service-account:trust:add":
            trusted = True
        elif row.event == "service-account:impersonate" and row.outcome == "allowed":
            assert trusted
    written = Counter(row[0] for row in world.rows("SELECT event FROM audit_events"))
    assert written["service-account:trust:remove"] > 1
    assert written["service-account:impersonate"] > 1


def test_tokens_go_on_while_administrators_write(world: World) -> None:
    auth = (world.client_id, world.client_secret)
    readers = {
        "statements": [{"effect": "allow", "actions": ["vserver:List*"], "resources": ["*"]}]
    }
    numbers = iter(range(10_000))

    def administer() -> None:
        name = f"policy-{next(numbers)}"
        policies.create(world.runtime, "60108", name, readers)
        policies.attach(world.runtime, name, "service-account", world.service_account_id)
        policies.detach(world.runtime, name, "service-account", world.service_account_id)

    with meanwhile(administer):
        answers = together(8, lambda _: [post(world, MACHINE, auth) for _ in range(10)])

    statuses = Counter(each.status_code for some in answers for each in some)
    assert set(statuses) <= {200, 503}
    assert statuses[200] == row_counts(world)["tokens"] > 0


def test_of_many_who_redeem_one_code_none_keeps_a_token(world: World) -> None:
    """One wins; the others show that the code was stolen, so the winner's token ends too."""
    code = code_for(world)
    form = {
        "grant_type": "authorization_code",
        "client_id": CLI,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }

    answers = together(8, lambda _: post(world, form))

    assert Counter(each.status_code for each in answers) == {200: 1, 400: 7}
    errors = {each.json["error"] for each in answers if each.status_code == 400}
    assert errors == {"invalid_grant"}
    assert [row[0] is not None for row in world.rows("SELECT revoked_at FROM tokens")] == [True]


def test_signing_out_while_tokens_are_made_leaves_none(world: World) -> None:
    token = user_token(world)
    session_id = world.rows("SELECT session_id FROM tokens")[0][0]
    with world.runtime.database.read() as connection:
        session = sign_in.sessions.find_by_id(connection, session_id)
        signed_in = sign_in.signed_in(world.runtime, connection, session)
    assert signed_in is not None
    become = exchange_form(token, requested_subject=world.service_account_id)

    def work(number: int) -> int:
        if number == 0:
            sign_in.sign_out(world.runtime, signed_in)
            return 0
        return [post(world, become).status_code for _ in range(5)].count(200)

    issued = sum(together(8, work))

    assert row_counts(world)["tokens"] == issued + 1
    assert world.rows("SELECT id FROM tokens WHERE revoked_at IS NULL") == []


def test_every_administrative_write_counts_the_epoch_up(world: World) -> None:
    def current() -> int:
        return int(world.rows("SELECT value FROM epoch")[0][0])

    before = current()
    together(8, lambda _: [administration.change(world.runtime, lambda c: None) for _ in range(10)])

    assert current() == before + 80
