"""Policy documents: what is read, and every refusal with the path of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.documents import (
    MAX_DOCUMENT_BYTES,
    compile_document,
    compile_stored,
    parse_json_object,
    read_document,
)
from app.domain.policy import Effect, PolicyDocument
from app.domain.problems import InvalidDocument, Problem
from tests.support.policies import CATALOGUE

GOOD: dict[str, Any] = {
    "effect": "allow",
    "actions": ["vserver:StopServer"],
    "resources": ["vserver::60108:server/web-1"],
}


def read(text: str) -> PolicyDocument:
    return read_document(text, CATALOGUE)


def compile_(source: Any) -> PolicyDocument:
    return compile_document(source, CATALOGUE)


def problems_of(reader: Callable[[Any], object], source: Any) -> list[str]:
    with pytest.raises(InvalidDocument) as caught:
        reader(source)
    return [str(problem) for problem in caught.value.problems]


def problems(*statements: Any) -> list[str]:
    return problems_of(compile_, {"statements": list(statements)})


def of_size(size: int, **dumps: Any) -> str:
    """A good document whose JSON text has exactly `size` bytes of UTF-8."""

    def text(names: list[str]) -> str:
        condition = {"stringEquals": {"iam:PrincipalName": names}}
        return json.dumps({"statements": [{**GOOD, "condition": condition}]}, **dumps)

    names = ["x"] * 500
    names.append("x" * (size - len(text([*names, ""]).encode())))
    return text(names)


# --- Reading


def test_a_document_is_compiled() -> None:
    document = read(
        '{"statements": [{"effect": "deny", "actions": ["*", "iam:Get*"], "resources": ["*"],'
        ' "condition": {"bool": {"iam:MfaPresent": [true]}}},'
        ' {"effect": "allow", "actions": ["vserver:*"], "resources": ["vserver::60108:*/*"]}]}'
    )

    first, second = document.statements
    assert (first.effect, second.effect) == (Effect.DENY, Effect.ALLOW)
    assert [action.text for action in first.actions] == ["*", "iam:Get*"]
    assert [resource.text for resource in second.resources] == ["vserver::60108:*/*"]
    assert first.condition is not None
    assert first.condition.outcome({"iam:MfaPresent": True}) is True
    assert second.condition is None


def test_fifty_statements_are_read_and_fifty_one_refused() -> None:
    assert len(compile_({"statements": [GOOD] * 50}).statements) == 50
    assert problems(*[GOOD] * 51) == ["statements: more than 50 statements"]
    # What is wrong with each of them does not make the answer longer.
    assert problems(*[7] * 51) == ["statements: more than 50 statements"]


# --- JSON


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nothing",
        '{"statements": [}',
        '{"statements": 01}',
        "{'statements': []}",
        "\ufeff{}",
    ],
)
def test_text_that_is_no_json_is_refused_with_its_line(text: str) -> None:
    assert problems_of(read, text) == ["not valid JSON at line 1"]


def test_the_line_of_a_slip_is_told() -> None:
    assert problems_of(read, '{\n"statements":\n,}') == ["not valid JSON at line 3"]


@pytest.mark.parametrize("text", ["[]", "null", "1", '"statements"', "NaN"])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    assert problems_of(read, text) == ["expected a JSON object"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"statements": [], "statements": []}', "statements"),
        ('{"statements": [{"effect": "deny", "effect": "allow"}]}', "effect"),
        (r'{"statements": [{"effect": "deny", "\u0065ffect": "allow"}]}', "effect"),
    ],
)
def test_a_member_named_twice_is_refused(text: str, name: str) -> None:
    assert problems_of(read, text) == [f"the member '{name}' appears twice in one object"]


@pytest.mark.parametrize("text", ["[" * 8000, '{"statements":' * 1000, '{"a":' * 1000])
def test_deep_nesting_is_refused(text: str) -> None:
    (problem,) = problems_of(read, text)

    assert problem == "nested too deeply" or problem.startswith("not valid JSON")


def test_nesting_too_deep_for_any_reader_is_refused() -> None:
    depth = 200_000

    assert problems_of(parse_json_object, "[" * depth + "]" * depth) == ["nested too deeply"]


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    text = '{"statements": [' + "9" * 5000 + "]}"

    assert problems_of(read, text) == ["not valid JSON"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused_wherever_it_stands(number: str) -> None:
    condition = {"numberLessThan": {"iam:AuthAge": ["NUMBER"]}}
    in_a_condition = json.dumps({"statements": [{**GOOD, "condition": condition}]})
    as_an_effect = json.dumps({"statements": [{**GOOD, "effect": "NUMBER"}]})

    assert problems_of(read, in_a_condition.replace('"NUMBER"', number)) == [
        "statements[0].condition.numberLessThan.iam:AuthAge[0]: expected a number"
    ]
    assert problems_of(read, as_an_effect.replace('"NUMBER"', number)) == [
        'statements[0].effect: expected "allow" or "deny"'
    ]


# --- Size


@pytest.mark.parametrize(
    "form",
    [{}, {"separators": (",", ":")}, {"indent": 2}],
    ids=["usual", "without spaces", "indented"],
)
def test_16_kib_of_text_are_read_and_a_byte_more_is_refused(form: dict[str, Any]) -> None:
    text = of_size(MAX_DOCUMENT_BYTES, **form)
    assert len(text.encode()) == 16_384

    assert read(text).statements
    assert problems_of(read, of_size(MAX_DOCUMENT_BYTES + 1, **form)) == ["larger than 16384 bytes"]


def test_numbers_that_grow_when_rewritten_count_as_they_were_written() -> None:
    numbers = ",".join(["1e15"] * 3000)
    text = (
        '{"statements":[{"effect":"allow","actions":["*"],"resources":["*"],'
        '"condition":{"numberLessThan":{"iam:AuthAge":[' + numbers + "]}}}]}"
    )

    assert len(text) < MAX_DOCUMENT_BYTES
    assert read(text).statements


def test_bytes_of_utf_8_are_counted_and_not_characters() -> None:
    def named(name: str) -> dict[str, Any]:
        condition = {"stringEquals": {"iam:PrincipalName": [name]}}
        return {"statements": [{**GOOD, "condition": condition}]}

    fits, too_large = named("é" * 8000), named("é" * 8180)
    text = json.dumps(too_large, ensure_ascii=False)

    assert len(text) < MAX_DOCUMENT_BYTES < len(text.encode())
    assert problems_of(read, text) == ["larger than 16384 bytes"]
    assert problems_of(compile_, too_large) == ["larger than 16384 bytes"]
    assert compile_(fits) == read(json.dumps(fits, ensure_ascii=False))


def test_half_a_pair_of_utf_16_is_measured_like_any_character() -> None:
    def named(name: str) -> dict[str, Any]:
        return {**GOOD, "condition": {"stringEquals": {"iam:PrincipalName": [name]}}}

    assert compile_({"statements": [named("\ud800")]}).statements
    assert problems(named("\ud800" * 5500)) == ["larger than 16384 bytes"]


def test_a_parsed_document_is_measured_without_spaces() -> None:
    compact = {"separators": (",", ":")}

    assert compile_(json.loads(of_size(MAX_DOCUMENT_BYTES, **compact))).statements
    assert problems_of(compile_, json.loads(of_size(MAX_DOCUMENT_BYTES + 1, **compact))) == [
        "larger than 16384 bytes"
    ]


def test_an_answer_to_a_large_document_is_not_larger_still() -> None:
    """Each slip costs a line of explanation, so size is looked at first."""
    source = {"statements": [{"condition": {f"o{number}": 1 for number in range(100_000)}}]}

    assert problems_of(compile_, source) == ["larger than 16384 bytes"]


def test_a_parsed_document_that_is_nested_too_deeply_is_refused() -> None:
    source: Any = []
    for _ in range(200_000):
        source = [source]

    assert problems_of(compile_, {"statements": source}) == ["nested too deeply"]


# --- Fields


@pytest.mark.parametrize("source", [None, [], "statements", 1, [GOOD]])
def test_a_document_is_an_object(source: Any) -> None:
    assert problems_of(compile_, source) == ["expected an object with the field statements"]


@pytest.mark.parametrize("rows", [None, [], {}, "x", GOOD])
def test_a_document_has_at_least_one_statement(rows: Any) -> None:
    expected = ["statements: expected a list with at least one statement"]

    assert problems_of(compile_, {"statements": rows}) == expected
    assert problems_of(compile_, {}) == expected


def test_an_unknown_field_of_the_document_is_refused() -> None:
    assert problems_of(compile_, {"version": 1, "statements": [GOOD]}) == [
        "version: unknown field; expected statements"
    ]


@pytest.mark.parametrize("name", ["conditions", "Effect", "notActions", "sid", "principal", ""])
def test_an_unknown_field_of_a_statement_is_refused(name: str) -> None:
    assert problems(GOOD, {**GOOD, name: "x"}) == [
        f"statements[1].{name}: unknown field; expected actions, condition, effect, resources"
    ]


@pytest.mark.parametrize("row", [None, [], "allow", 1])
def test_a_statement_is_an_object(row: Any) -> None:
    assert problems(row) == ["statements[0]: expected an object"]


@pytest.mark.parametrize("effect", [None, "", "Allow", "DENY", "permit", True, ["allow"], {}])
def test_an_effect_is_allow_or_deny(effect: Any) -> None:
    expected = ['statements[0].effect: expected "allow" or "deny"']

    assert problems({**GOOD, "effect": effect}) == expected
    assert problems({"actions": ["*"], "resources": ["*"]}) == expected


@pytest.mark.parametrize("field", ["actions", "resources"])
@pytest.mark.parametrize("values", [None, [], "*", {}, {"0": "*"}, True])
def test_actions_and_resources_are_lists_that_are_not_empty(field: str, values: Any) -> None:
    expected = [f"statements[0].{field}: expected a list with at least one entry"]
    without = {name: value for name, value in GOOD.items() if name != field}

    assert problems({**GOOD, field: values}) == expected
    assert problems(without) == expected


@pytest.mark.parametrize("field", ["actions", "resources"])
@pytest.mark.parametrize("value", [None, 1, True, ["*"], {}])
def test_actions_and_resources_are_text(field: str, value: Any) -> None:
    assert problems({**GOOD, field: ["*", value]}) == [f"statements[0].{field}[1]: expected text"]


@pytest.mark.parametrize("text", ["", "StopServer", "*:*", "vserver:", "vserver:Stop Server"])
def test_text_that_is_no_action_is_refused(text: str) -> None:
    assert problems({**GOOD, "actions": ["*", text]}) == [
        f'statements[0].actions[1]: {text!r} is no action; expected "*" or "product:Action"'
    ]


def test_an_action_of_an_unknown_product_is_refused() -> None:
    assert problems({**GOOD, "actions": ["vstorage:*"]}) == [
        "statements[0].actions[0]: unknown product 'vstorage'"
    ]


@pytest.mark.parametrize("text", ["vserver:Reboot", "vserver:Create*", "vserver:stop*"])
def test_an_action_pattern_that_matches_no_known_action_is_refused(text: str) -> None:
    assert problems({**GOOD, "actions": [text]}) == [
        f"statements[0].actions[0]: {text!r} matches no action of vserver"
    ]


@pytest.mark.parametrize("text", ["", "**", "web-1", "vserver:60108:server/web-1", "arn:aws:s3"])
def test_a_malformed_vrn_is_refused(text: str) -> None:
    assert problems({**GOOD, "resources": ["*", text]}) == [
        f"statements[0].resources[1]: {text!r} is not a resource name; "
        "expected <product>::<rootAccountId>:<type>/<id>"
    ]


def test_a_vrn_that_is_too_long_is_refused_without_repeating_it() -> None:
    assert problems({**GOOD, "resources": ["vserver::60108:server/" + "x" * 300]}) == [
        "statements[0].resources[0]: longer than 256 characters; "
        "expected <product>::<rootAccountId>:<type>/<id>"
    ]


@pytest.mark.parametrize("product", ["vstorage", "vs", "i*x"])
def test_a_resource_of_an_unknown_product_is_refused(product: str) -> None:
    assert problems({**GOOD, "resources": [f"{product}::60108:server/web-1"]}) == [
        f"statements[0].resources[0]: unknown product {product!r}"
    ]


def test_a_product_pattern_that_matches_a_known_product_is_read() -> None:
    document = compile_({"statements": [{**GOOD, "resources": ["v*::*:*/*", "*::1:a/b"]}]})

    assert len(document.statements[0].resources) == 2


def test_a_fault_in_a_condition_has_its_whole_path() -> None:
    assert problems(GOOD, {**GOOD, "condition": {"bool": {"iam:MfaPresent": [True, "yes"]}}}) == [
        "statements[1].condition.bool.iam:MfaPresent[1]: expected true or false"
    ]


@pytest.mark.parametrize("condition", [None, {}, []])
def test_a_condition_that_is_there_but_empty_is_refused(condition: Any) -> None:
    """Who wrote it meant to restrict: to read it as "no condition" would widen."""
    assert problems({**GOOD, "condition": condition}) == [
        "statements[0].condition: expected an object of operators, or no condition at all"
    ]


def test_every_fault_of_a_document_is_found_at_once() -> None:
    found = problems(
        {"effect": "maybe", "actions": [], "resources": ["x", "*"]},
        GOOD,
        7,
        {**GOOD, "sid": 1, "actions": ["iam:Fly"], "condition": {"bool": {}}},
    )

    assert [problem.partition(": ")[0] for problem in found] == [
        "statements[0].effect",
        "statements[0].actions",
        "statements[0].resources[0]",
        "statements[2]",
        "statements[3].sid",
        "statements[3].actions[0]",
        "statements[3].condition.bool",
    ]


def test_an_exception_reads_as_all_its_problems() -> None:
    error = InvalidDocument([Problem("", "not valid JSON"), Problem("a.b", "expected text")])

    assert str(error) == "not valid JSON; a.b: expected text"


# --- Documents that were checked before


def test_a_stored_document_outlives_a_change_of_the_catalogue() -> None:
    source = {
        "statements": [
            {"effect": "deny", "actions": ["gone:Do"], "resources": ["gone::1:thing/t"]},
            {**GOOD, "actions": ["vserver:NoLongerKnown", "vserver:StopServer"]},
        ]
    }

    stored = compile_stored(source)

    assert [statement.effect for statement in stored.statements] == [Effect.DENY, Effect.ALLOW]
    assert stored.statements[1].speaks_of("vserver:StopServer")
    assert problems_of(compile_, source)


def test_a_stored_document_that_is_malformed_is_refused_and_not_guessed_at() -> None:
    assert problems_of(compile_stored, {"statements": [{**GOOD, "effect": "dney"}]}) == [
        'statements[0].effect: expected "allow" or "deny"'
    ]
    assert problems_of(compile_stored, {"statements": [{**GOOD, "resources": ["nowhere"]}]}) == [
        "statements[0].resources[0]: 'nowhere' is not a resource name; "
        "expected <product>::<rootAccountId>:<type>/<id>"
    ]
