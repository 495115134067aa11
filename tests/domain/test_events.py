"""The audit vocabulary: words that are stored, and so must stay unique and well-formed."""

from __future__ import annotations

import re

from app.domain.events import Event, Outcome

# Subject, and what may happen to it. A log that was written years ago has these words: they may
# become more, never others.
WORDS = """
account: create disable enable
account:settings: update
api: read refuse
authorization: deny
authorization-code: issue reuse
group: create update delete
group:member: add remove
iam-user: create update disable enable delete
oauth-client: create update delete
oauth-client:keys: set
oauth-client:secret: create
policy: create update delete attach detach
product: add
refresh-token: reuse
service-account: impersonate create update disable enable delete
service-account:secret: create delete
service-account:trust: add remove update
session: sign-in sign-out
signing-key: generate promote retire revoke
token: issue narrow refresh refuse revoke
user:password: reset
"""


def test_a_word_that_was_once_written_down_keeps_its_meaning() -> None:
    rows = (line.split(": ") for line in WORDS.strip().splitlines())
    written = {f"{subject}:{verb}" for subject, verbs in rows for verb in verbs.split()}

    assert written - set(Event) == set()


def test_an_event_is_a_subject_and_a_verb() -> None:
    shape = re.compile(r"[a-z-]+(:[a-z-]+){1,2}")

    assert [event for event in Event if not shape.fullmatch(event)] == []


def test_no_two_events_share_a_word() -> None:
    assert len(Event.__members__) == len({event.value for event in Event})


def test_a_decision_is_allowed_or_denied() -> None:
    assert set(Outcome) == {"allowed", "denied"}
