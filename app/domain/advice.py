"""A no in words, and the smallest change that would make it a yes.

Only what the half that refused rests on is spoken of: its reasons, its statements, its trust.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.impersonation import Reason, TrustEvidence
from app.domain.names import Vrn
from app.domain.policy import IMPERSONATE, Match, PolicyDecision

#: A change that would have handed over more than the caller holds.
BEYOND_OWN = "beyond-own"
#: A call of the management API that the policies or the token of the caller do not cover.
NOT_ALLOWED_HERE = "not-allowed"
#: A service account that asked for another way to become it.
WIDENS_ITSELF = "widens-itself"

_WORDS: dict[str, str] = {
    Reason.NOT_AN_IAM_USER: "only an IAM user can become a service account",
    Reason.USER_DISABLED: "the user is disabled",
    Reason.USER_ACCOUNT_DISABLED: "the user's root account is disabled",
    Reason.TOKEN_NOT_LIVE: "the token or session that spoke for the user was not live",
    Reason.NOT_ALLOWED: "no statement allows it",
    Reason.CONDITION_NOT_MET: "a statement would allow it, but its condition does not hold",
    Reason.DENIED: "a statement denies it",
    Reason.OUTSIDE_TOKEN: "the policies allow it, but the token was issued for less",
    Reason.TOO_MANY_ACCOUNTS: "the policies spell out too many accounts to look for a service "
    "account by its id alone",
    Reason.NO_SUCH_SERVICE_ACCOUNT: "there is no such service account in the account named",
    Reason.SERVICE_ACCOUNT_DISABLED: "the service account is disabled",
    Reason.OWNER_ACCOUNT_DISABLED: "the service account's root account is disabled",
    Reason.NOT_TRUSTED: "the service account has no trusted relationship with the user's account",
    Reason.TRUST_EXPIRED: "the trusted relationship has expired",
    Reason.TRUST_CONDITION_NOT_MET: "the condition of the trusted relationship does not hold",
    NOT_ALLOWED_HERE: "no statement allows it, or the token in use was issued for less",
    BEYOND_OWN: "the change would have handed over more than the caller holds",
    WIDENS_ITSELF: "a service account does not widen its own trust, secrets or keys",
}

#: The reasons that policies give.
_OF_POLICIES = (Reason.NOT_ALLOWED, Reason.CONDITION_NOT_MET, Reason.DENIED, NOT_ALLOWED_HERE)

#: What to do about the reasons that no statement can help.
_REMEDIES: dict[str, str] = {
    Reason.NOT_AN_IAM_USER: "Ask for an IAM user of the account instead.",
    Reason.USER_DISABLED: "Enable the user.",
    Reason.USER_ACCOUNT_DISABLED: "The operator has to enable the root account.",
    Reason.TOKEN_NOT_LIVE: "Sign in again.",
    Reason.OUTSIDE_TOKEN: "Get a token without action patterns and inline policies, or with ones "
    f"that cover {IMPERSONATE}.",
    Reason.TOO_MANY_ACCOUNTS: "Ask for the service account by its full name, "
    "iam::<its root account>:service-account/<its id>.",
    Reason.NO_SUCH_SERVICE_ACCOUNT: "Name a service account that the account has.",
    Reason.SERVICE_ACCOUNT_DISABLED: "Enable the service account.",
    Reason.OWNER_ACCOUNT_DISABLED: "The operator has to enable the root account.",
    Reason.TRUST_EXPIRED: "Give the trusted relationship a later end.",
    BEYOND_OWN: "Let somebody make the change who holds those rights, "
    "or who may do iam:GrantBeyondOwn.",
    WIDENS_ITSELF: "Let a user of the account make the change.",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: may somebody of `account_id` do this?

    `resource` is None where a service account was named by its id alone.
    """

    account_id: str
    action: str
    resource: Vrn | None


@dataclass(frozen=True, slots=True)
class Advice:
    """What is missing. `statement` is ready to paste into a policy of the caller; the service
    account would have to trust `trusted_account_id`."""

    text: str
    statement: dict[str, Any] | None = None
    trusted_account_id: str | None = None


def in_words(reason: str) -> str:
    """A reason as a sentence for the account whose half gave it."""
    return _WORDS[reason]


def advise(
    question: Question,
    reasons: Sequence[str],
    policy: PolicyDecision | None = None,
    trust: TrustEvidence | None = None,
) -> Advice:
    """The smallest change, or changes, after which this half would not refuse any more.

    Conditions are never advised away: the text says which keys would have to hold.
    """
    texts: list[str] = []
    statement = None
    trusted = None
    for reason in reasons:
        if reason in _OF_POLICIES:
            decision = policy or PolicyDecision(False)
            texts.extend(_about_statements(decision))
            if not (decision.allows or decision.withheld):
                statement = _allow(question)
                texts.append(_about_allowing(question))
        elif reason == Reason.NOT_TRUSTED:
            trusted = question.account_id
            texts.append(f"Add a trusted relationship with root account {trusted}.")
        elif reason == Reason.TRUST_CONDITION_NOT_MET:
            texts.append(_about_trust(trust))
        else:
            texts.append(_REMEDIES[reason])
    return Advice(" ".join(texts), statement, trusted)


def _about_statements(decision: PolicyDecision) -> Iterator[str]:
    for match in decision.denies:
        yield f"{_place(match)} denies it{_unless(match)}: take this action or resource out of it."
    if not decision.allows:
        for match in decision.withheld:
            yield f"{_place(match)} allows it once its condition holds: {_keys(match)}."


def _place(match: Match) -> str:
    return f"Statement {match.statement} of policy '{match.policy_name}' (version {match.version})"


def _unless(match: Match) -> str:
    if match.condition is True:
        return ""
    return f", because it is not known that its condition does not hold ({_keys(match)})"


def _keys(match: Match | TrustEvidence) -> str:
    return ", ".join(dict.fromkeys(match.undecided_keys))


def _about_trust(trust: TrustEvidence | None) -> str:
    keys = "" if trust is None else f": {_keys(trust)}"
    return f"The condition of the trusted relationship has to hold{keys}."


def _is_out_of_reach(question: Question, resource: Vrn) -> bool:
    """No policy reaches into another account, but to become one of its service accounts."""
    return resource.account_id != question.account_id and question.action != IMPERSONATE


def _allow(question: Question) -> dict[str, Any] | None:
    """The statement that allows just this; None where none can, or it cannot be spelled out."""
    resource = question.resource
    if resource is None or _is_out_of_reach(question, resource):
        return None
    return {"effect": "allow", "actions": [question.action], "resources": [str(resource)]}


def _about_allowing(question: Question) -> str:
    resource = question.resource
    if resource is None:
        return (
            f"Attach a policy that allows {question.action} and spells out the service account's "
            "full name, iam::<its root account>:service-account/<its id>."
        )
    if _is_out_of_reach(question, resource):
        return (
            f"No policy reaches resources of root account {resource.account_id}: become "
            "a service account of that account, which has its own policies."
        )
    return "Attach a policy with this statement."
