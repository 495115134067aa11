"""A page for people about the API: the description as HTML, with nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import Response, make_response, render_template

#: Deep enough for any body of ours; a schema may hold itself.
_DEEPEST = 4


def page(description: dict[str, Any]) -> Response:
    """The whole reference as one page."""
    calls = [
        {**operation, "method": method.upper(), "path": path}
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    groups: dict[str, list[dict[str, Any]]] = {}
    for call in calls:
        groups.setdefault(call["tags"][0], []).append(_shown(call, description))
    text = render_template(
        "management/reference.html", info=description["info"], groups=groups, calls=len(calls)
    )
    response = make_response(text)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


def _shown(call: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {})
    answers = [
        {
            "status": status,
            "description": answer["description"],
            "members": list(_members(_schema_of(answer), description)),
        }
        for status, answer in call["responses"].items()
    ]
    return {
        **call,
        "members": list(_members(body.get("schema", {}), description)),
        "example": _example(body.get("schema", {}), description),
        "answers": answers,
    }


def _schema_of(answer: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = answer.get("content", {})
    schema: dict[str, Any] = content.get("application/json", {}).get("schema", {})
    return schema


def _resolved(schema: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    """Without references, and without the null of what may be left out."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _resolved(description["components"]["schemas"][name], description)
    options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    if len(options) == 1:
        rest = {name: value for name, value in schema.items() if name != "anyOf"}
        return {**_resolved(options[0], description), **rest}
    return schema


def _members(
    schema: dict[str, Any], description: dict[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[dict[str, Any]]:
    """The members of an object, those inside others after them."""
    whole = _resolved(schema, description)
    for name, given in whole.get("properties", {}).items():
        member = _resolved(given, description)
        yield {
            "name": prefix + name,
            "type": _type_of(member, description),
            "required": name in whole.get("required", ()),
            "description": given.get("description") or member.get("description", ""),
        }
        inner, mark = member, "."
        if member.get("type") == "array":
            inner, mark = _resolved(member.get("items", {}), description), "[]."
        if inner.get("type") == "object" and depth < _DEEPEST:
            yield from _members(inner, description, prefix + name + mark, depth + 1)


def _type_of(schema: dict[str, Any], description: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type_of(_resolved(schema.get('items', {}), description), description)}"
    bounds = [
        f"{word} {schema[name]}"
        for name, word in (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "length ≤"))
        if name in schema
    ]
    return ", ".join((str(schema.get("type", "any")), *bounds))


def _example(schema: dict[str, Any], description: dict[str, Any]) -> str:
    """A body that may be sent, or nothing where the models give no example."""
    whole = _resolved(schema, description)
    found = whole.get("examples", [])
    return json.dumps(found[0], indent=2) if found else ""
