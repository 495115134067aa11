"""Decisions, explained: to each account its own half, and nothing of the other's."""

from __future__ import annotations

import re
from typing import Any

from app.services import accounts, policies, service_accounts, trusts
from tests.support.api import ROOT_B, ApiCaller, machine, root, user_that_may, user_with
from tests.support.world import World, allow, deny

DECISIONS = "/audit-api/v1/decisions/"
BECOME = "iam:ImpersonateServiceAccount"
POLICY = "ImpersonateToRootUserAccountB"
ALL_OF_B = "iam::60108:service-account/*"
SECRET = {"stringEquals": {"iam:ExternalId": ["deal-7"]}}


def read(caller: ApiCaller, decision_id: str) -> Any:
    answer = caller.get(DECISIONS + decision_id)
    assert answer.status_code == 200, answer.text
    return answer.json


def denied(world: World, token: str | None = None, **fields: Any) -> str:
    """The decision id of an exchange that is refused."""
    answer = world.impersonate(token, **fields)
    assert answer.status_code == 400, answer.text
    return str(answer.json["decision_id"])


def allowed(world: World, token: str | None = None, **fields: Any) -> str:
    """The decision id of an exchange that is granted."""
    answer = world.impersonate(token, **fields)
    assert answer.status_code == 200, answer.text
    ((found,),) = world.rows(
        "SELECT id FROM audit_events WHERE event = 'service-account:impersonate'"
        " AND outcome = 'allowed' ORDER BY rowid DESC LIMIT 1"
    )
    return str(found)


def user(world: World, *documents: dict[str, Any], name: str = "Another") -> str:
    """The token of another user of A with these policies, each of a name of its own."""
    made = accounts.create_user(world.runtime, "53461", name, f"{name}-password")
    for number, document in enumerate(documents):
        policies.create(world.runtime, "53461", f"{name} {number}", document)
        policies.attach(world.runtime, f"{name} {number}", "iam-user", made.id)
    return world.user_token(username=name)


def codes(half: Any) -> list[str]:
    return [reason["code"] for reason in half["reasons"]]


def normal(text: str) -> str:
    """An answer without the ids that differ from one call to the next."""
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>", text)


def test_each_account_reads_its_own_half_of_a_yes(world: World) -> None:
    found = allowed(world)

    callers, owners = read(root(world), found), read(root(world, ROOT_B), found)

    assert "ownerHalf" not in callers
    assert "callerHalf" not in owners
    assert callers["callerHalf"]["allowed"] is owners["ownerHalf"]["allowed"] is True
    assert callers["callerHalf"]["policies"] == [
        {
            "id": callers["callerHalf"]["statements"][0]["policyId"],
            "name": POLICY,
            "version": 1,
            "statements": allow(BECOME, world.vrn)["statements"],
        }
    ]
    trust = owners["ownerHalf"]["trustedRelationship"]
    assert (trust["version"], trust["trustedRootUserId"], trust["condition"]) == (1, "53461", True)
    for each in (callers, owners):
        assert (each["actor"]["name"], each["actor"]["accountId"]) == ("System1", "53461")
        assert (each["actingAs"], each["resource"]) == (world.service_account_id, world.vrn)
        assert (each["action"], each["outcome"]) == (BECOME, "allowed")


def test_a_caller_is_told_what_is_missing(world: World) -> None:
    found = denied(world, user(world), requested_subject=world.vrn)

    half = read(root(world), found)["callerHalf"]

    assert codes(half) == ["no-statement-allows"]
    assert half["missing"]["statement"] == allow(BECOME, world.vrn)["statements"][0]
    assert half["wouldBeDecidedTheSameNow"] is True


def test_an_owner_is_told_what_is_missing(world: World) -> None:
    trusts.remove_trust(world.runtime, world.service_account_id, "53461")
    found = denied(world)

    half = read(root(world, ROOT_B), found)["ownerHalf"]

    assert codes(half) == ["not-trusted"]
    assert half["missing"]["trustedRelationship"] == {"trustedRootUserId": "53461"}
    assert "trustedRelationship" not in half


def test_unknown_and_untrusting_look_the_same_to_the_caller(world: World) -> None:
    """Apart from ids and times, byte for byte."""
    a = root(world)
    token = world.user_token()
    unknown = "sa-00000000-0000-4000-8000-000000000000"
    policies.create(world.runtime, "53461", "All of B", allow(BECOME, ALL_OF_B))
    policies.attach(world.runtime, "All of B", "iam-user", world.user_id)
    policies.detach(world.runtime, POLICY, "iam-user", world.user_id)
    trusts.remove_trust(world.runtime, world.service_account_id, "53461")

    answers = {}
    for name in (world.service_account_id, unknown):
        for asked in (name, f"iam::60108:service-account/{name}"):
            answer = a.get(DECISIONS + denied(world, token, requested_subject=asked))
            answers.setdefault(asked == name, set()).add(normal(answer.text))

    assert {len(each) for each in answers.values()} == {1}


def test_only_the_accounts_concerned_find_it(world: World) -> None:
    accounts.create_account(world.runtime, "777", "root-c@example.com", "root-c-password")
    c = root(world, "root-c@example.com")
    unknown = denied(world, requested_subject="sa-unknown")

    assert c.get(DECISIONS + allowed(world)).status_code == 404
    assert root(world, ROOT_B).get(DECISIONS + unknown).status_code == 404
    assert root(world).get(DECISIONS + "no-such-decision").status_code == 404


def test_what_is_no_decision_is_not_there(world: World) -> None:
    a = root(world)
    for row in world.rows("SELECT id FROM audit_events WHERE event <> 'api:refuse'"):
        assert a.get(DECISIONS + row.id).status_code == 404


def test_it_takes_the_right_to_read_that_decision(world: World) -> None:
    found = allowed(world)
    narrow = user_with(world, allow("iam:GetDecision", f"iam::53461:decision/{found}"))

    assert narrow.get(DECISIONS + found).status_code == 200
    assert narrow.get(DECISIONS + "another").status_code == 403
    assert user_that_may(world, "iam:ListEvents").get(DECISIONS + found).status_code == 403


def test_policies_are_shown_as_they_were_then(world: World) -> None:
    a = root(world)
    found = denied(world, user(world, deny(BECOME)), requested_subject=world.vrn)
    (policy,) = read(a, found)["callerHalf"]["policies"]

    changed = {"statements": allow(BECOME, world.vrn)["statements"]}
    path = f"/policies-api/v1/policies/{policy['id']}"
    assert a.patch(path, changed).status_code == 200
    edited = read(a, found)["callerHalf"]
    assert a.delete(path, cascade="true").status_code == 204
    deleted = read(a, found)["callerHalf"]

    assert policy["statements"] == deny(BECOME)["statements"]
    assert edited["policies"] == deleted["policies"] == [policy]
    assert edited["wouldBeDecidedTheSameNow"] is False
    assert deleted["wouldBeDecidedTheSameNow"] is True


def test_trust_is_shown_as_it_was_then(world: World) -> None:
    trusts.remove_trust(world.runtime, world.service_account_id, "53461")
    mfa = {"bool": {"iam:MfaPresent": [True]}}
    trusts.add_trust(world.runtime, world.service_account_id, "53461", mfa, 1_900_000_000)
    b, found = root(world, ROOT_B), denied(world)
    before = read(b, found)["ownerHalf"]
    path = f"/accounts-api/v1/service-accounts/{world.service_account_id}/trusted-relationships/"
    path += before["trustedRelationship"]["id"]

    assert b.patch(path, {"condition": None, "expiresAt": None}).status_code == 200
    changed = read(b, found)["ownerHalf"]
    assert b.delete(path).status_code == 204
    removed = read(b, found)["ownerHalf"]

    assert codes(before) == ["trust-condition-not-met"]
    assert before["trustedRelationship"] == {
        "id": before["trustedRelationship"]["id"],
        "version": 1,
        "trustedRootUserId": "53461",
        "condition": False,
        "undecidedKeys": ["iam:MfaPresent"],
        "expiresAt": "2030-03-17T17:46:40Z",
        "document": mfa,
    }
    trusted = [each["trustedRelationship"] for each in (before, changed, removed)]
    assert trusted[0] == trusted[1] == trusted[2]
    assert [each["wouldBeDecidedTheSameNow"] for each in (before, changed, removed)] == [
        True,
        False,
        True,
    ]


def test_the_same_now_is_asked_of_the_own_half_alone(world: World) -> None:
    a, b = root(world), root(world, ROOT_B)
    found = allowed(world)

    trusts.remove_trust(world.runtime, world.service_account_id, "53461")

    assert read(a, found)["callerHalf"]["wouldBeDecidedTheSameNow"] is True
    assert read(b, found)["ownerHalf"]["wouldBeDecidedTheSameNow"] is False

    accounts.set_user_enabled(world.runtime, world.user_id, enabled=False)
    trusts.add_trust(world.runtime, world.service_account_id, "53461")

    assert read(a, found)["callerHalf"]["wouldBeDecidedTheSameNow"] is False
    assert read(b, found)["ownerHalf"]["wouldBeDecidedTheSameNow"] is True


def test_the_same_now_is_asked_at_the_time_of_now(world: World) -> None:
    trusts.remove_trust(world.runtime, world.service_account_id, "53461")
    end = int(world.clock.now) + 600
    trusts.add_trust(world.runtime, world.service_account_id, "53461", None, end)
    found = allowed(world)
    same = []
    for _ in range(2):
        half = read(root(world, ROOT_B), found)["ownerHalf"]
        same.append(half["wouldBeDecidedTheSameNow"])
        world.clock.advance(600)

    assert same == [True, False]


def test_what_hangs_on_what_is_never_kept_is_unknown(world: World) -> None:
    token = user(world, allow(BECOME, world.vrn, condition=SECRET), name="Dealer")
    yes = allowed(world, token, external_id="deal-7")
    no = denied(world, token, external_id="deal-8")
    a = root(world)

    # What was right then is right now; what was wrong may have been something else as well.
    assert read(a, yes)["callerHalf"]["wouldBeDecidedTheSameNow"] is True
    assert read(a, no)["callerHalf"]["wouldBeDecidedTheSameNow"] == "unknown"
    assert "deal-8" not in a.get(DECISIONS + no).text


def test_a_deleted_user_would_be_refused(world: World) -> None:
    token = user(world, allow(BECOME, world.vrn), name="Leaver")
    found = allowed(world, token)
    a = root(world)
    (leaver,) = a.get("/accounts-api/v1/iam-users", name="Leaver").json["data"]
    assert a.delete(f"/accounts-api/v1/iam-users/{leaver['id']}", cascade="true").status_code == 204

    assert read(a, found)["callerHalf"]["wouldBeDecidedTheSameNow"] is False


def test_limits_of_the_token_count_again(world: World) -> None:
    found = denied(world, world.user_token(scope="openid vserver:*"))

    half = read(root(world), found)["callerHalf"]

    assert codes(half) == ["outside-the-token"]
    assert "token" in half["missing"]["text"]
    assert half["wouldBeDecidedTheSameNow"] is True


def test_an_exchange_that_asked_for_too_much_afterwards_has_both_halves(world: World) -> None:
    """The service account was granted; the scope was refused, and no token names its sign-in."""
    answer = world.impersonate(scope="iam:CreatePolicy")
    found = answer.json["decision_id"]
    mfa = {"bool": {"iam:MfaPresent": [True]}}
    a = root(world)

    before = read(a, found)
    policies.create(world.runtime, "53461", "MfaHere", deny(BECOME, condition=mfa))
    policies.attach(world.runtime, "MfaHere", "iam-user", world.user_id)

    assert answer.json["error"] == "invalid_scope"
    assert (before["outcome"], before["callerHalf"]["allowed"]) == ("denied", True)
    assert before["callerHalf"]["wouldBeDecidedTheSameNow"] == "unknown"
    assert read(root(world, ROOT_B), found)["ownerHalf"]["wouldBeDecidedTheSameNow"] is True
    policies.detach(world.runtime, POLICY, "iam-user", world.user_id)
    assert read(a, found)["callerHalf"]["wouldBeDecidedTheSameNow"] is False


def test_inside_an_account_both_halves_are_there(world: World) -> None:
    new = service_accounts.create(world.runtime, "53461", "Own")
    found = denied(world, requested_subject=new.account.id)

    decision = read(root(world), found)

    assert codes(decision["callerHalf"]) == ["no-statement-allows"]
    assert decision["ownerHalf"]["allowed"] is True
    assert decision["ownerHalf"]["wouldBeDecidedTheSameNow"] is True


# Calls of the management API


def refused(caller: ApiCaller, path: str = "/accounts-api/v1/iam-users") -> str:
    answer = caller.get(path)
    assert answer.status_code == 403, answer.text
    return str(answer.json["decisionId"])


def test_a_refused_call_is_explained(world: World) -> None:
    caller = user_with(world, deny("iam:List*"))
    found = refused(caller)
    a = root(world)

    decision = read(a, found)
    half = decision["callerHalf"]

    assert (decision["event"], decision["action"]) == ("api:refuse", "iam:ListIamUser")
    assert codes(half) == ["not-allowed"]
    assert half["statements"][0]["effect"] == "deny"
    assert half["policies"][0]["statements"] == deny("iam:List*")["statements"]
    assert "denies it" in half["missing"]["text"]
    assert half["wouldBeDecidedTheSameNow"] is True
    assert root(world, ROOT_B).get(DECISIONS + found).status_code == 404


def test_a_refused_call_would_be_allowed_once_a_policy_says_so(world: World) -> None:
    caller = user_that_may(world, "iam:GetIamUser")
    found = refused(caller)
    a = root(world)
    half = read(a, found)["callerHalf"]
    (mine,) = a.get("/accounts-api/v1/iam-users", name="user-").json["data"]

    document = {"statements": [half["missing"]["statement"]]}
    policies.create(world.runtime, "53461", "Pasted", document)
    policies.attach(world.runtime, "Pasted", "iam-user", mine["id"])

    assert read(a, found)["callerHalf"]["wouldBeDecidedTheSameNow"] is False
    assert caller.get("/accounts-api/v1/iam-users").status_code == 200


def test_what_a_service_account_was_refused_is_for_its_account(world: World) -> None:
    """Whoever acted through it learns that it was refused, not which policies it has."""
    acting = ApiCaller(world, str(world.impersonate(resource="iam").json["access_token"]))
    through = refused(acting)
    itself = refused(machine(world))
    a, b = root(world), root(world, ROOT_B)

    assert codes(read(b, through)["ownerHalf"]) == ["not-allowed"]
    assert "callerHalf" not in read(b, through)
    callers = read(a, through)
    assert "callerHalf" not in callers
    assert "ownerHalf" not in callers
    assert codes(read(b, itself)["callerHalf"]) == ["not-allowed"]
    policies.attach(world.runtime, "IAMReadOnlyAccess", "service-account", world.service_account_id)
    assert read(b, through)["ownerHalf"]["wouldBeDecidedTheSameNow"] is False
    assert read(b, itself)["callerHalf"]["wouldBeDecidedTheSameNow"] is False


def test_handing_over_too_much_is_explained(world: World) -> None:
    caller = user_that_may(world, "iam:ResetPassword")
    answer = caller.post(
        f"/accounts-api/v1/iam-users/{world.user_id}/reset-password",
        {"password": "another-long-password"},
    )

    half = read(root(world), answer.json["decisionId"])["callerHalf"]

    assert codes(half) == ["beyond-own"]
    assert "iam:GrantBeyondOwn" in half["missing"]["text"]
    # What the change would have given is not kept.
    assert half["wouldBeDecidedTheSameNow"] == "unknown"


def test_whoever_was_refused_and_is_gone_would_be_refused(world: World) -> None:
    found = refused(user_that_may(world, "iam:GetIamUser"))
    a = root(world)
    (mine,) = a.get("/accounts-api/v1/iam-users", name="user-").json["data"]
    assert a.delete(f"/accounts-api/v1/iam-users/{mine['id']}", cascade="true").status_code == 204

    assert read(a, found)["callerHalf"]["wouldBeDecidedTheSameNow"] is True


def test_reading_a_decision_is_in_the_log(world: World) -> None:
    found = allowed(world)

    read(root(world), found)

    (row,) = world.rows("SELECT resource, detail FROM audit_events WHERE event = 'api:read'")
    assert row.resource == f"iam::53461:decision/{found}"
    assert "iam:GetDecision" in row.detail
