"""Whatever is sent is read or refused with an explanation: no other error, no half-read value."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.catalogue import parse_action_pattern
from app.domain.conditions import parse_condition
from app.domain.documents import compile_document, compile_stored, read_document
from app.domain.names import MalformedName, Vrn, VrnPattern
from app.domain.policy import PolicyDocument
from app.domain.problems import InvalidDocument, Problem
from app.domain.scopes import InvalidScope, parse_scope
from tests.domain import strategies
from tests.support.policies import CATALOGUE

WORDS = st.sampled_from(
    (
        *("statements", "effect", "actions", "resources", "condition", "allow", "deny"),
        *("bool", "stringLike", "ipAddress", "numberLessThan", "iam:MfaPresent", "iam:SourceIp"),
        *("iam:AuthAge", "*", "vserver:*", "vserver::1:server/x", "10.0.0.0/8"),
    )
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=4)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
# Sound documents with one thing in them replaced by anything.
NEARLY = st.builds(
    lambda row, field, value: {"statements": [{**row, field: value}]},
    strategies.statements(),
    st.sampled_from(("effect", "actions", "resources", "condition", "sid")),
    JSON,
)


def read_json(source: Any) -> PolicyDocument | tuple[Problem, ...]:
    try:
        return compile_document(source, CATALOGUE)
    except InvalidDocument as refusal:
        return refusal.problems


def read_text(text: str) -> PolicyDocument | tuple[Problem, ...]:
    try:
        return read_document(text, CATALOGUE)
    except InvalidDocument as refusal:
        return refusal.problems


@settings(max_examples=400)
@given(JSON | NEARLY)
def test_any_json_is_compiled_or_refused_with_reasons(source: Any) -> None:
    found = read_json(source)

    if isinstance(found, PolicyDocument):
        assert compile_stored(source) == found
        assert read_text(json.dumps(source)) == found
    else:
        assert found
        assert all(problem.message for problem in found)


@given(st.text() | st.text('{}[]",:0123456789eE+-.\\ \n', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert read_text(text)


@given(JSON)
def test_any_json_is_a_condition_or_has_problems_below_its_path(source: Any) -> None:
    problems: list[Problem] = []
    condition = parse_condition(source, "here", problems)

    assert (condition is None) is bool(problems)
    assert all(problem.path.startswith("here") for problem in problems)


@given(st.text(max_size=40) | st.text("ab1:/*-.", max_size=20))
def test_any_text_is_a_name_or_malformed(text: str) -> None:
    try:
        vrn = Vrn.parse(text)
    except MalformedName:
        return
    assert str(vrn) == text
    assert VrnPattern.parse(text).matches(vrn)


@given(
    st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True),
    st.from_regex(r"[0-9]{1,20}", fullmatch=True),
    st.from_regex(r"[a-z][a-z0-9-]{0,63}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9._-]{1,128}", fullmatch=True),
)
def test_a_name_that_is_written_can_be_read(
    product: str, account: str, kind: str, id_: str
) -> None:
    vrn = Vrn(product, account, kind, id_)

    assert Vrn.parse(str(vrn)) == vrn
    assert VrnPattern.parse(str(vrn)).literal_account == account


@given(st.text(max_size=40) | st.text("av:* ", max_size=12))
def test_any_text_is_a_scope_or_refused_in_characters_that_an_error_may_have(text: str) -> None:
    try:
        scope = parse_scope(text)
    except InvalidScope as refusal:
        shown = str(refusal)
        assert all(" " <= letter <= "~" and letter not in '"\\' for letter in shown)
    else:
        assert all(parse_action_pattern(pattern.text) == pattern for pattern in scope.patterns)
        assert len(set(scope.patterns)) == len(scope.patterns)
