"""The audit vocabulary: words that are stored, and so must stay unique and well-formed."""

from __future__ import annotations

import re

from app.domain.events import Event, Outcome


def test_an_event_is_a_subject_and_a_verb() -> None:
    shape = re.compile(r"[a-z-]+(:[a-z-]+){1,2}")

    assert [event for event in Event if not shape.fullmatch(event)] == []


def test_no_two_events_share_a_word() -> None:
    assert len(Event.__members__) == len({event.value for event in Event})


def test_a_decision_is_allowed_or_denied() -> None:
    assert set(Outcome) == {"allowed", "denied"}
