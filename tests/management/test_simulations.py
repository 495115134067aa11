"""Simulations over the management API: the answer, the draft, the replay."""

from __future__ import annotations

from typing import Any

from app.services import accounts, policies, service_accounts, trusts
from tests.support.api import ROOT_B, ApiCaller, root, user_that_may, user_with
from tests.support.world import World, allow, deny

SIMULATIONS = "/policies-api/v1/simulations"
BECOME = "iam:ImpersonateServiceAccount"
MFA = {"bool": {"iam:MfaPresent": [True]}}


def question(world: World, **changes: Any) -> dict[str, Any]:
    """May System1 become B's service account?"""
    return {
        "principal": {"type": "iam-user", "id": world.user_id},
        "action": BECOME,
        "resource": world.vrn,
        **changes,
    }


def of_strangers(world: World, **changes: Any) -> dict[str, Any]:
    """May users of A become B's service account?"""
    return question(world, principal={"type": "root-account", "id": "53461"}, **changes)


def ask(caller: ApiCaller, body: dict[str, Any]) -> Any:
    answer = caller.post(SIMULATIONS, body)
    assert answer.status_code == 200, answer.text
    return answer.json


def policy_id(world: World, name: str) -> str:
    found = policies.find(world.runtime, "53461", name)
    assert found is not None
    return found


def codes(answer: Any) -> list[str]:
    return [reason["code"] for reason in answer["reasons"]]


def pointers(answer: Any) -> list[str]:
    assert answer.status_code == 400, answer.text
    return [error["pointer"] for error in answer.json["errors"]]


def test_across_accounts_each_side_is_told_no_or_unknown(world: World) -> None:
    a, b = root(world), root(world, ROOT_B)

    assert ask(a, question(world))["allowed"] == "unknown"
    assert ask(b, of_strangers(world))["allowed"] == "unknown"

    policies.detach(world.runtime, "ImpersonateToRootUserAccountB", "iam-user", world.user_id)
    trusts.remove_trust(world.runtime, world.service_account_id, "53461")

    callers, owners = ask(a, question(world)), ask(b, of_strangers(world))
    assert (callers["allowed"], callers["half"], codes(callers)) == (
        False,
        "caller",
        ["no-statement-allows"],
    )
    assert (owners["allowed"], owners["half"], codes(owners)) == (False, "owner", ["not-trusted"])


def test_the_statement_that_is_missing_can_be_pasted(world: World) -> None:
    policies.detach(world.runtime, "ImpersonateToRootUserAccountB", "iam-user", world.user_id)
    a = root(world)
    missing = ask(a, question(world))["missing"]

    draft = {"attachPolicies": [{"statements": [missing["statement"]]}]}
    assert ask(a, question(world, draft=draft))["allowed"] == "unknown"

    document = {"statements": [missing["statement"]]}
    policies.create(world.runtime, "53461", "Pasted", document)
    policies.attach(world.runtime, "Pasted", "iam-user", world.user_id)
    assert world.impersonate().status_code == 200


def test_the_trust_that_is_missing_can_be_added(world: World) -> None:
    trusts.remove_trust(world.runtime, world.service_account_id, "53461")
    b = root(world, ROOT_B)
    missing = ask(b, of_strangers(world))["missing"]["trustedRelationship"]

    assert missing == {"trustedRootUserId": "53461"}
    assert ask(b, of_strangers(world, draft={"addTrusts": [missing]}))["allowed"] == "unknown"


def test_a_condition_is_explained_by_its_keys(world: World) -> None:
    user = accounts.create_user(world.runtime, "53461", "Careful", "Careful-password")
    policies.create(world.runtime, "53461", "WithMfa", allow(BECOME, world.vrn, condition=MFA))
    policies.attach(world.runtime, "WithMfa", "iam-user", user.id)
    asked = question(world, principal={"type": "iam-user", "id": user.id})
    a = root(world)

    untold = ask(a, asked)
    without = ask(a, {**asked, "context": {"iam:MfaPresent": False}})
    with_it = ask(a, {**asked, "context": {"iam:MfaPresent": True}})

    assert untold["allowed"] is without["allowed"] is False
    assert untold["conditionKeys"] == without["conditionKeys"] == ["iam:MfaPresent"]
    (statement,) = untold["statements"]
    assert (statement["effect"], statement["outcome"]) == ("allow", "rests")
    assert (statement["condition"], without["statements"][0]["condition"]) == ("unknown", False)
    assert "iam:MfaPresent" in untold["missing"]["text"]
    assert "statement" not in untold["missing"]
    assert with_it["allowed"] == "unknown"


def test_a_deny_is_named(world: World) -> None:
    policies.create(world.runtime, "53461", "NotAbroad", deny(BECOME))
    policies.attach(world.runtime, "NotAbroad", "iam-user", world.user_id)

    answer = ask(root(world), question(world))

    assert codes(answer) == ["denied-by-statement"]
    assert [each["policyName"] for each in answer["statements"]] == [
        "NotAbroad",
        "ImpersonateToRootUserAccountB",
    ]
    assert "'NotAbroad'" in answer["missing"]["text"]


def test_a_policy_can_be_thought_away_and_another_in(world: World) -> None:
    a = root(world)
    held = policy_id(world, "ImpersonateToRootUserAccountB")
    policies.create(world.runtime, "53461", "NotAbroad", deny(BECOME))
    other = policy_id(world, "NotAbroad")

    without = ask(a, question(world, draft={"detachPolicies": [held]}))
    denied = ask(a, question(world, draft={"attachPolicies": [{"policyId": other}]}))

    assert codes(without) == ["no-statement-allows"]
    assert codes(denied) == ["denied-by-statement"]
    assert ask(a, question(world))["allowed"] == "unknown"


def test_inside_an_account_the_answer_is_whole(world: World) -> None:
    new = service_accounts.create(world.runtime, "53461", "Own")
    user = accounts.create_user(world.runtime, "53461", "Insider", "Insider-password")
    asked = {
        "principal": {"type": "iam-user", "id": user.id},
        "action": BECOME,
        "resource": str(new.account.vrn),
    }
    a = root(world)

    no = ask(a, asked)
    policies.create(world.runtime, "53461", "Own", allow(BECOME))
    policies.attach(world.runtime, "Own", "iam-user", user.id)
    yes = ask(a, asked)
    service_accounts.set_enabled(world.runtime, new.account.id, enabled=False)
    disabled = ask(a, asked)
    nothing = ask(a, {**asked, "resource": "iam::53461:service-account/sa-nothing"})

    assert (no["allowed"], no["half"]) == (False, "caller")
    assert yes["allowed"] is True
    assert "half" not in yes
    assert (disabled["half"], codes(disabled)) == ("owner", ["service-account-disabled"])
    assert (nothing["half"], codes(nothing)) == ("owner", ["no-such-service-account"])


def test_any_action_can_be_asked_about(world: World) -> None:
    a = root(world)
    stop = {"action": "vserver:StopServer", "resource": "vserver::53461:server/web"}

    no = ask(a, question(world, **stop))
    draft = {"attachPolicies": [{"statements": [no["missing"]["statement"]]}]}
    yes = ask(a, question(world, **stop, draft=draft))
    abroad = ask(a, question(world, **{**stop, "resource": "vserver::60108:server/web"}))
    everything = ask(
        a,
        question(
            world,
            **{**stop, "resource": "vserver::60108:server/web"},
            draft={"attachPolicies": [allow("*")]},
        ),
    )

    assert (no["allowed"], yes["allowed"]) == (False, True)
    assert abroad["allowed"] is everything["allowed"] is False
    assert "60108" in abroad["missing"]["text"]


def test_machines_root_users_and_disabled_users_are_told_apart(world: World) -> None:
    a, b = root(world), root(world, ROOT_B)
    ((root_id,),) = world.rows("SELECT root_user_id FROM accounts WHERE id = '53461'")
    machine = {"type": "service-account", "id": world.service_account_id}
    servers = {"action": "vserver:ListServers", "resource": "vserver::60108:server/*"}

    as_root = ask(a, question(world, principal={"type": "root-user", "id": root_id}))
    as_machine = ask(b, question(world, principal=machine, **servers))
    itself = ask(b, question(world, principal=machine))
    service_accounts.set_enabled(world.runtime, world.service_account_id, enabled=False)
    disabled_machine = ask(b, question(world, principal=machine, **servers))
    accounts.set_user_enabled(world.runtime, world.user_id, enabled=False)
    disabled = ask(a, question(world))
    listing = {"action": "iam:ListIamUser", "resource": "iam::53461:iam-user/*"}
    idle = ask(a, question(world, **listing))

    assert "not-an-iam-user" in codes(as_root)
    assert as_machine["allowed"] is True
    assert codes(itself) == ["not-an-iam-user", "no-statement-allows"]
    assert codes(disabled_machine) == ["service-account-disabled"]
    assert codes(disabled) == ["user-disabled"]
    assert codes(idle) == ["user-disabled", "no-statement-allows"]


def test_another_accounts_users_service_accounts_and_policies_are_not_there(world: World) -> None:
    b = root(world, ROOT_B)
    theirs = policy_id(world, "ImpersonateToRootUserAccountB")
    nobody = {"type": "iam-user", "id": "nobody"}

    assert b.post(SIMULATIONS, question(world)).status_code == 404
    assert b.post(SIMULATIONS, question(world, principal=nobody)).status_code == 404
    machine = {"type": "service-account", "id": world.service_account_id}
    draft = {"attachPolicies": [{"policyId": theirs}]}
    assert pointers(b.post(SIMULATIONS, question(world, principal=machine, draft=draft))) == [
        "/draft/attachPolicies/0/policyId"
    ]


def test_another_accounts_service_account_under_ones_own_name_is_not_there(world: World) -> None:
    """Its trust cannot be felt for through a name that says it were one's own."""
    a = root(world)
    trusts.add_trust(world.runtime, world.service_account_id, "777")
    mine = question(
        world,
        principal={"type": "root-account", "id": "777"},
        resource=world.vrn.replace("60108", "53461"),
    )

    assert codes(ask(a, {**mine, "replay": {"days": 1}})) == ["no-such-service-account"]
    removed = a.post(SIMULATIONS, {**mine, "draft": {"removeTrusts": ["777"]}})
    assert pointers(removed) == ["/draft/removeTrusts/0"]


def test_what_makes_no_sense_is_told_where(world: World) -> None:
    a, b = root(world), root(world, ROOT_B)

    def wrong(caller: ApiCaller, **changes: Any) -> list[str]:
        return pointers(caller.post(SIMULATIONS, question(world, **changes)))

    def strange(**changes: Any) -> list[str]:
        return pointers(b.post(SIMULATIONS, {**of_strangers(world), **changes}))

    assert wrong(a, action="iam:Fly") == ["/action"]
    assert wrong(a, resource="web") == ["/resource"]
    assert wrong(a, resource="vserver::53461:server/web") == ["/resource"]
    assert wrong(a, resource="iam::53461:policy/x") == ["/resource"]
    assert wrong(a, principal={"type": "group", "id": "x"}) == ["/principal/type"]
    assert wrong(a, context={"iam:PrincipalId": "x"}) == ["/context/iam:PrincipalId"]
    assert wrong(a, context={"iam:Weather": "x"}) == ["/context/iam:Weather"]
    assert wrong(a, draft={"detachPolicies": ["x"]}) == ["/draft/detachPolicies/0"]
    assert wrong(a, draft={"attachPolicies": [{}]}) == ["/draft/attachPolicies/0"]
    assert wrong(a, draft={"attachPolicies": [allow("iam:Fly")]}) == [
        "/draft/attachPolicies/0/statements/0/actions/0"
    ]
    assert wrong(a, draft={"removeTrusts": ["60108"]}) == ["/draft"]
    assert strange(principal={"type": "root-account", "id": "60108"}) == ["/principal/id"]
    assert strange(principal={"type": "root-account", "id": "x"}) == ["/principal/id"]
    assert strange(action="iam:GetServiceAccount") == ["/resource"]
    assert strange(resource="iam::53461:service-account/x") == ["/resource"]
    assert strange(draft={"attachPolicies": [allow("*")]}) == ["/draft"]
    assert strange(draft={"removeTrusts": ["7"]}) == ["/draft/removeTrusts/0"]
    trust = {"trustedRootUserId": "7"}
    assert strange(draft={"addTrusts": [trust]}) == ["/draft/addTrusts/0/trustedRootUserId"]
    again = {"trustedRootUserId": "53461"}
    assert strange(draft={"addTrusts": [again]}) == ["/draft/addTrusts/0/trustedRootUserId"]
    assert strange(draft={"addTrusts": [{**again, "condition": {"is": {}}}]}) == [
        "/draft/addTrusts/0/condition/is"
    ]
    assert strange(replay={"days": 31}) == ["/replay/days"]


def test_a_trust_is_simulated_with_what_the_user_would_tell(world: World) -> None:
    b = root(world, ROOT_B)
    condition = {
        "stringEquals": {"iam:PrincipalName": ["System1"]},
        "ipAddress": {"iam:SourceIp": ["192.0.2.0/24"]},
    }
    changed = {"trustedRootUserId": "53461", "condition": condition}
    draft = {"removeTrusts": ["53461"], "addTrusts": [changed]}
    told = {"iam:PrincipalName": "System1", "iam:SourceIp": "::ffff:192.0.2.7"}

    untold = ask(b, of_strangers(world, draft=draft))

    assert untold["conditionKeys"] == ["iam:PrincipalName", "iam:SourceIp"]
    assert untold["trustedRelationship"]["condition"] == "unknown"
    assert ask(b, of_strangers(world, draft=draft, context=told))["allowed"] == "unknown"


def test_the_time_can_be_another(world: World) -> None:
    b = root(world, ROOT_B)
    trusts.remove_trust(world.runtime, world.service_account_id, "53461")
    trusts.add_trust(world.runtime, world.service_account_id, "53461", None, 1_900_000_000)

    later = ask(b, of_strangers(world, context={"iam:CurrentTime": 1_900_000_000}))

    assert codes(later) == ["trust-expired"]
    assert later["trustedRelationship"]["expiresAt"] == "2030-03-17T17:46:40Z"
    assert ask(b, of_strangers(world))["allowed"] == "unknown"


def test_it_takes_the_right_to_simulate_that_principal(world: World) -> None:
    other = user_that_may(world, "iam:Simulate")
    narrow = user_with(world, allow("iam:Simulate", f"iam::53461:iam-user/{world.user_id}"))
    strangers = user_with(
        world, allow("iam:Simulate", "iam::60108:root-account/53461"), account="60108"
    )
    without = user_that_may(world, "iam:GetIamUser")

    assert other.post(SIMULATIONS, question(world)).status_code == 200
    assert narrow.post(SIMULATIONS, question(world)).status_code == 200
    assert strangers.post(SIMULATIONS, of_strangers(world)).status_code == 200
    elsewhere = {"type": "iam-user", "id": "other"}
    assert narrow.post(SIMULATIONS, question(world, principal=elsewhere)).status_code == 403
    assert without.post(SIMULATIONS, question(world, action="iam:Fly")).status_code == 403


def test_a_simulation_is_in_the_log_and_changes_nothing(world: World) -> None:
    a = root(world)
    before = world.rows("SELECT value FROM epoch")

    ask(a, question(world, draft={"attachPolicies": [deny("*")]}))

    (row,) = world.rows("SELECT event, resource, detail FROM audit_events WHERE event = 'api:read'")
    assert row.resource == f"iam::53461:iam-user/{world.user_id}"
    assert "iam:Simulate" in row.detail
    assert world.rows("SELECT value FROM epoch") == before
    assert world.impersonate().status_code == 200


# Replays


def replay(caller: ApiCaller, body: dict[str, Any], days: int = 1) -> Any:
    return ask(caller, {**body, "replay": {"days": days}})["replay"]


def test_the_callers_account_sees_which_of_its_exchanges_a_draft_would_change(
    world: World,
) -> None:
    a = root(world)
    token = world.user_token()
    allowed = [world.impersonate(token) for _ in range(3)]
    denied = world.impersonate(token, requested_subject="sa-unknown")
    held = policy_id(world, "ImpersonateToRootUserAccountB")
    wider = {"attachPolicies": [allow(BECOME, "iam::60108:service-account/*")]}

    unchanged = replay(a, question(world))
    without = replay(a, question(world, draft={"detachPolicies": [held]}))
    more = replay(a, question(world, draft=wider))

    assert unchanged == {
        "considered": 4,
        "same": 4,
        "differently": 0,
        "unknown": 0,
        "isCut": False,
        "examples": [],
    }
    assert (without["differently"], without["same"]) == (3, 1)
    assert {each["wouldBeAllowed"] for each in without["examples"]} == {False}
    (example,) = more["examples"]
    assert example["decisionId"] == denied.json["decision_id"]
    assert (example["wasAllowed"], example["wouldBeAllowed"]) == (False, True)
    ids = world.rows(
        "SELECT id FROM audit_events WHERE event = 'service-account:impersonate'"
        " AND outcome = 'allowed'"
    )
    assert {each["decisionId"] for each in without["examples"]} == {row.id for row in ids}
    assert len(allowed) == len(ids)


def test_the_owners_account_sees_whom_a_removed_trust_would_shut_out(world: World) -> None:
    b = root(world, ROOT_B)
    token = world.user_token()
    world.impersonate(token)

    found = replay(b, of_strangers(world, draft={"removeTrusts": ["53461"]}))
    elsewhere = replay(
        b, {**of_strangers(world), "principal": {"type": "root-account", "id": "777"}}
    )

    assert (found["considered"], found["differently"]) == (1, 1)
    assert elsewhere["considered"] == 0


def test_a_replay_asks_with_the_circumstances_of_then(world: World) -> None:
    a = root(world)
    token = world.user_token()
    world.clock.advance(30)
    world.impersonate(token)
    world.clock.advance(60)
    world.impersonate(token, reason="ticket 7")
    held = policy_id(world, "ImpersonateToRootUserAccountB")

    def with_condition(condition: dict[str, Any]) -> tuple[int, int, int]:
        statement = allow(BECOME, world.vrn, condition=condition)
        draft = {"detachPolicies": [held], "attachPolicies": [statement]}
        found = replay(a, question(world, draft=draft))
        return found["same"], found["differently"], found["unknown"]

    assert with_condition({"numberLessThan": {"iam:AuthAge": [60]}}) == (1, 1, 0)
    assert with_condition({"stringEquals": {"iam:Reason": ["ticket 7"]}}) == (1, 1, 0)
    assert with_condition({"ipAddress": {"iam:SourceIp": ["127.0.0.1"]}}) == (2, 0, 0)
    assert with_condition({"bool": {"iam:MfaPresent": [True]}}) == (0, 2, 0)
    assert with_condition({"numberLessThan": {"iam:CurrentTime": [world.clock.now - 30]}}) == (
        1,
        1,
        0,
    )
    # Never written down, so that it cannot be told.
    assert with_condition({"stringEquals": {"iam:ExternalId": ["deal-7"]}}) == (0, 0, 2)


def test_an_external_id_that_was_right_then_is_right_in_a_replay(world: World) -> None:
    trusts.remove_trust(world.runtime, world.service_account_id, "53461")
    secret = {"stringEquals": {"iam:ExternalId": ["deal-7"]}}
    trusts.add_trust(world.runtime, world.service_account_id, "53461", secret)
    token = world.user_token()
    assert world.impersonate(token, external_id="deal-7").status_code == 200
    assert world.impersonate(token, external_id="deal-8").status_code == 400

    found = replay(root(world, ROOT_B), of_strangers(world))

    assert (found["same"], found["differently"], found["unknown"]) == (1, 0, 1)


def test_exchanges_inside_the_account_are_asked_about_both_halves(world: World) -> None:
    new = service_accounts.create(world.runtime, "53461", "Own")
    policies.attach(world.runtime, "vServerFullAccess", "service-account", new.account.id)
    policies.create(world.runtime, "53461", "Own", allow(BECOME))
    policies.attach(world.runtime, "Own", "iam-user", world.user_id)
    own = {"requested_subject": new.account.id}
    assert world.impersonate(**own).status_code == 200
    assert world.impersonate(requested_subject="iam::53461:service-account/no").status_code == 400
    a = root(world)
    secret = {"stringEquals": {"iam:ExternalId": ["deal-7"]}}
    draft = {
        "detachPolicies": [policy_id(world, "Own")],
        "attachPolicies": [allow(BECOME, condition=secret)],
    }

    same = replay(a, question(world))
    doubtful = replay(a, question(world, draft=draft))
    service_accounts.set_enabled(world.runtime, new.account.id, enabled=False)
    disabled = replay(a, question(world))

    assert (same["same"], same["differently"]) == (2, 0)
    assert (doubtful["same"], doubtful["unknown"]) == (1, 1)
    assert (disabled["same"], disabled["differently"]) == (1, 1)


def test_only_the_days_asked_for_are_looked_at(world: World) -> None:
    world.impersonate()
    world.clock.advance(2 * 86_400)
    a = root(world)

    assert replay(a, question(world), days=1)["considered"] == 0
    assert replay(a, question(world), days=3)["considered"] == 1
