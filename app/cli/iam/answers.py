"""`crossroot iam simulate`, `explain`, `events` and `whoami`: why, what if, and who did what."""

from __future__ import annotations

import json
from typing import Any, TextIO

import click

from app.cli.documents import read_json
from app.cli.iam.api import ACCOUNTS, AUDIT, POLICIES, Api, api_options, segment
from app.cli.iam.policies import principal_of
from app.cli.iam.resources import as_lines, as_table
from app.cli.output import json_option, say

_EVENTS = (
    ("AT", "at"),
    ("EVENT", "event"),
    ("OUTCOME", "outcome"),
    ("WHO", "who"),
    ("THROUGH", "actingAs"),
    ("RESOURCE", "resource"),
)


@click.command("whoami")
@json_option
@api_options
def whoami(api: Api, as_json: bool) -> None:
    """Who the token speaks for."""
    found = api.get(f"{ACCOUNTS}/auth/userinfo")
    say(as_json, found, *as_lines(found))


@click.command("simulate")
@click.argument("action")
@click.argument("resource")
@click.option("--user", help="Whether this user may; by username or id.")
@click.option("--service-account", help="Whether this service account may; by name or id.")
@click.option(
    "--draft",
    type=click.File(encoding="utf-8"),
    help="A JSON file with changes to suppose: attachPolicies, detachPolicies, removeTrusts, …",
)
@click.option(
    "--replay-days", type=click.IntRange(1, 30), help="What the draft would have changed since."
)
@json_option
@api_options
def simulate(
    api: Api,
    action: str,
    resource: str,
    user: str | None,
    service_account: str | None,
    draft: TextIO | None,
    replay_days: int | None,
    as_json: bool,
) -> None:
    """What would be decided about ACTION on RESOURCE (a VRN), and why."""
    body: dict[str, Any] = {
        "principal": principal_of(api, user, service_account),
        "action": action,
        "resource": resource,
    }
    if draft is not None:
        body["draft"] = read_json(draft)
    if replay_days is not None:
        body["replay"] = {"days": replay_days}
    found = api.post(f"{POLICIES}/simulations", body)
    say(as_json, found, *_simulation_lines(found))


def _simulation_lines(found: dict[str, Any]) -> list[str]:
    answer = {True: "yes", False: "no", "unknown": "as far as your account goes, yes"}
    lines = [f"Allowed: {answer[found['allowed']]}", *_grounds(found)]
    if found.get("replay"):
        lines.append(f"Replay: {json.dumps(found['replay'])}")
    return lines


def _grounds(half: dict[str, Any]) -> list[str]:
    """Reasons, the statements that had a say, and what is missing."""
    lines = [f"  because {reason['text']} ({reason['code']})" for reason in half.get("reasons", ())]
    for each in half.get("statements", ()):
        lines.append(
            f"  {each['effect']} by statement {each['statement']} of {each['policyName']} "
            f"(version {each['version']}): {each['outcome']}"
        )
        if each.get("undecidedKeys"):
            lines.append(f"    not known: {', '.join(each['undecidedKeys'])}")
    missing = half.get("missing") or {}
    if missing.get("text"):
        lines.append(f"Missing: {missing['text']}")
    for member in ("statement", "trustedRelationship"):
        if missing.get(member):
            lines.append(json.dumps(missing[member], indent=2))
    return lines


@click.command("explain")
@click.argument("decision_id")
@json_option
@api_options
def explain(api: Api, decision_id: str, as_json: bool) -> None:
    """Why a request was decided as it was, as far as your account may know."""
    found = api.get(f"{AUDIT}/decisions/{segment(decision_id)}")
    say(as_json, found, *_decision_lines(found))


_HALVES = (("callerHalf", "Your half, of who asked"), ("ownerHalf", "Your half, of the owner"))
_NOW = {True: "the same", False: "otherwise", "unknown": "nobody can tell"}


def _decision_lines(found: dict[str, Any]) -> list[str]:
    actor = found.get("actor") or {}
    who = " ".join(str(actor.get(member, "-")) for member in ("type", "name"))
    lines = [
        f"{found['outcome'].capitalize()} at {found['at']}: {found.get('action', found['event'])}",
        f"  on {found.get('resource', '-')}",
        f"  by {who} of {actor.get('accountId', '-')}",
    ]
    shown = [(title, found[member]) for member, title in _HALVES if member in found]
    for title, half in shown:
        lines += [f"{title}: {'yes' if half['allowed'] else 'no'}", *_grounds(half)]
        lines.append(f"  Decided now: {_NOW[half['wouldBeDecidedTheSameNow']]}")
    if found["outcome"] == "denied" and all(half["allowed"] for _, half in shown):
        lines.append("The other account's half said no: hand it this id.")
    return lines


@click.command("events")
@click.option("--since", "from_", help="From this time on: 2027-01-31T12:00:00Z.")
@click.option("--until", "to", help="Up to this time.")
@click.option("--actor", help="Only what this user or service account did; its id.")
@click.option("--event", help="Only this event, such as service-account:impersonate.")
@click.option("--outcome", type=click.Choice(["allowed", "denied"]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 100), default=50, show_default=True)
@json_option
@api_options
def events(
    api: Api,
    from_: str | None,
    to: str | None,
    actor: str | None,
    event: str | None,
    outcome: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Who did what through whom, newest first."""
    query = {"from": from_, "to": to, "actor": actor, "action": event, "outcome": outcome}
    found = api.get(f"{AUDIT}/events", pageSize=limit, **query)
    rows = [{**each, "who": (each.get("actor") or {}).get("name")} for each in found["data"]]
    say(as_json, found, as_table(_EVENTS, rows))
