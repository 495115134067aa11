"""Reading policy documents: JSON in, compiled statements out, or every fault with its path."""

from __future__ import annotations

import json
from typing import Any

from app.domain.catalogue import ActionPattern, Catalogue, parse_action_pattern
from app.domain.conditions import Condition, parse_condition
from app.domain.names import MalformedName, VrnPattern
from app.domain.policy import Effect, PolicyDocument, Statement
from app.domain.problems import InvalidDocument, Problem

MAX_DOCUMENT_BYTES = 16 * 1024
MAX_STATEMENTS = 50

_DOCUMENT_FIELDS = {"statements"}
_STATEMENT_FIELDS = {"effect", "actions", "resources", "condition"}


def read_document(text: str, catalogue: Catalogue) -> PolicyDocument:
    """Read the JSON text of a policy document. Raises `InvalidDocument`."""
    _check_size(text)
    return _compiled(parse_json_object(text), catalogue)


def compile_document(source: Any, catalogue: Catalogue) -> PolicyDocument:
    """Compile a document that is already parsed JSON. Raises `InvalidDocument`.

    Its size is that of its JSON without spaces; it is looked at first, so that a large document
    gets no larger answer.
    """
    try:
        _check_size(json.dumps(source, ensure_ascii=False, separators=(",", ":")))
    except RecursionError:
        raise InvalidDocument([Problem("", "nested too deeply")]) from None
    return _compiled(source, catalogue)


def compile_stored(source: Any) -> PolicyDocument:
    """Compile a document that was checked when it was written. Raises `InvalidDocument`.

    The catalogue may have changed since: an action that left it matches nothing any more, and
    the rest of the document stays in force.
    """
    return _compiled(source, None)


def parse_json_object(text: str) -> dict[str, Any]:
    """Parse JSON strictly: one object, no member named twice. Raises `InvalidDocument`."""
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates)
    except InvalidDocument:
        raise
    except RecursionError:
        raise InvalidDocument([Problem("", "nested too deeply")]) from None
    except ValueError as error:
        # A decode error names its place; anything else (a number of 5,000 digits) does not.
        where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidDocument([Problem("", f"not valid JSON{where}")]) from None
    if not isinstance(value, dict):
        raise InvalidDocument([Problem("", "expected a JSON object")])
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers may pick different members of the same name: neither may be trusted."""
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            problem = Problem("", f"the member {name!r} appears twice in one object")
            raise InvalidDocument([problem])
        members[name] = value
    return members


def _check_size(text: str) -> None:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_DOCUMENT_BYTES:
        raise InvalidDocument([Problem("", f"larger than {MAX_DOCUMENT_BYTES} bytes")])


def _compiled(source: Any, catalogue: Catalogue | None) -> PolicyDocument:
    problems: list[Problem] = []
    statements = _statements(source, catalogue, problems)
    if problems:
        raise InvalidDocument(problems)
    return PolicyDocument(tuple(statements))


def _statements(
    source: Any, catalogue: Catalogue | None, problems: list[Problem]
) -> list[Statement]:
    if not isinstance(source, dict):
        problems.append(Problem("", "expected an object with the field statements"))
        return []
    _unknown_fields(source, _DOCUMENT_FIELDS, "", problems)
    rows = source.get("statements")
    if not isinstance(rows, list) or not rows:
        problems.append(Problem("statements", "expected a list with at least one statement"))
        return []
    if len(rows) > MAX_STATEMENTS:
        problems.append(Problem("statements", f"more than {MAX_STATEMENTS} statements"))
        return []
    found = (
        _statement(row, f"statements[{index}]", catalogue, problems)
        for index, row in enumerate(rows)
    )
    return [statement for statement in found if statement is not None]


def _statement(
    row: Any, path: str, catalogue: Catalogue | None, problems: list[Problem]
) -> Statement | None:
    if not isinstance(row, dict):
        problems.append(Problem(path, "expected an object"))
        return None
    before = len(problems)
    _unknown_fields(row, _STATEMENT_FIELDS, f"{path}.", problems)
    effect = row.get("effect")
    if effect not in ("allow", "deny"):
        problems.append(Problem(f"{path}.effect", 'expected "allow" or "deny"'))
    actions = [
        _action(text, where, catalogue, problems)
        for where, text in _texts(row, "actions", path, problems)
    ]
    resources = [
        _resource(text, where, catalogue, problems)
        for where, text in _texts(row, "resources", path, problems)
    ]
    condition: Condition | None = None
    if "condition" in row:
        condition = parse_condition(row["condition"], f"{path}.condition", problems)
    if len(problems) > before:
        return None
    return Statement(
        Effect(str(effect)),
        tuple(action for action in actions if action is not None),
        tuple(resource for resource in resources if resource is not None),
        condition,
    )


def _unknown_fields(
    row: dict[str, Any], known: set[str], prefix: str, problems: list[Problem]
) -> None:
    problems.extend(
        Problem(f"{prefix}{name}", f"unknown field; expected {', '.join(sorted(known))}")
        for name in row
        if name not in known
    )


def _texts(
    row: dict[str, Any], name: str, path: str, problems: list[Problem]
) -> list[tuple[str, str]]:
    """The strings of a list field, each with its path."""
    values = row.get(name)
    if not isinstance(values, list) or not values:
        problems.append(Problem(f"{path}.{name}", "expected a list with at least one entry"))
        return []
    texts = []
    for index, value in enumerate(values):
        where = f"{path}.{name}[{index}]"
        if isinstance(value, str):
            texts.append((where, value))
        else:
            problems.append(Problem(where, "expected text"))
    return texts


def _action(
    text: str, path: str, catalogue: Catalogue | None, problems: list[Problem]
) -> ActionPattern | None:
    pattern = parse_action_pattern(text)
    if pattern is None:
        problems.append(Problem(path, f'{text!r} is no action; expected "*" or "product:Action"'))
    elif catalogue is None:
        return pattern
    elif pattern.product is not None and pattern.product not in catalogue.products:
        problems.append(Problem(path, f"unknown product {pattern.product!r}"))
    elif not catalogue.matches_some_action(pattern):
        problems.append(Problem(path, f"{text!r} matches no action of {pattern.product}"))
    else:
        return pattern
    return None


def _resource(
    text: str, path: str, catalogue: Catalogue | None, problems: list[Problem]
) -> VrnPattern | None:
    try:
        pattern = VrnPattern.parse(text)
    except MalformedName as error:
        problems.append(Problem(path, str(error)))
        return None
    if (
        catalogue is not None
        and pattern.parts is not None
        and not any(pattern.parts[0].matches(product) for product in catalogue.products)
    ):
        problems.append(Problem(path, f"unknown product {pattern.parts[0].text!r}"))
        return None
    return pattern
