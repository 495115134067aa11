"""Reading access evaluation requests (Authorization API 1.0, sections 5 to 7).

A member that the specification or this server does not know is ignored, as it asks for; one that
is known and has no usable value is refused, for an evaluation without it would be another one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.domain.conditions import SOURCE_IP
from app.domain.documents import parse_json_object
from app.domain.problems import InvalidDocument
from app.services.evaluation import Question

#: Evaluations in one request.
MOST_EVALUATIONS = 100

_MOST_CHARACTERS = 256
_ENTITIES = ("subject", "action", "resource", "context")


class Malformed(ValueError):
    """A request, or one evaluation of several, that cannot be read; the message says where."""


class Semantic(StrEnum):
    """When a request for several evaluations ends (section 7.1.2.1)."""

    EXECUTE_ALL = "execute_all"
    DENY_ON_FIRST_DENY = "deny_on_first_deny"
    PERMIT_ON_FIRST_PERMIT = "permit_on_first_permit"

    def ends_with(self, decision: bool) -> bool:
        """Whether nothing is evaluated after that decision."""
        if self is Semantic.EXECUTE_ALL:
            return False
        return decision is (self is Semantic.PERMIT_ON_FIRST_PERMIT)


@dataclass(frozen=True, slots=True)
class Batch:
    """Several evaluations, each a question or what is wrong with it."""

    items: tuple[Question | Malformed, ...]
    semantic: Semantic


def read_json(body: bytes) -> dict[str, Any]:
    """The object in a body, no member named twice. Raises `Malformed`."""
    try:
        return parse_json_object(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8") from None
    except InvalidDocument as error:
        raise Malformed(f"the body cannot be read: {error}") from None


def read_question(source: Mapping[str, Any], at: str = "") -> Question:
    """One access evaluation (section 6.1). Raises `Malformed`; `at` is where it stands."""
    subject = _object(source, "subject", at)
    action = _object(source, "action", at)
    resource = _object(source, "resource", at)
    context = _object(source, "context", at) if "context" in source else {}
    properties = _object(subject, "properties", f"{at}subject.") if "properties" in subject else {}
    _text(resource, "type", f"{at}resource.")  # required; which it is, the name says
    return Question(
        subject_type=_text(subject, "type", f"{at}subject."),
        subject_id=_text(subject, "id", f"{at}subject."),
        action=_text(action, "name", f"{at}action."),
        resource=_text(resource, "id", f"{at}resource."),
        token_id=(
            _text(properties, "jti", f"{at}subject.properties.") if "jti" in properties else None
        ),
        source_ip=_address(context, f"{at}context.") if SOURCE_IP in context else None,
    )


def read_batch(source: Mapping[str, Any]) -> Question | Batch:
    """Several access evaluations (section 7.1); one, where there is no list or an empty one.

    Members beside the list are what its items are read with where they have none of their own.
    Raises `Malformed` where the request as a whole cannot be read.
    """
    items = source.get("evaluations", [])
    if not isinstance(items, list):
        raise Malformed("expected a list as evaluations")
    if len(items) > MOST_EVALUATIONS:
        raise Malformed(f"expected at most {MOST_EVALUATIONS} evaluations in one request")
    semantic = _semantic(source)
    if not items:
        return read_question(source)
    defaults = {name: source[name] for name in _ENTITIES if name in source}
    found: list[Question | Malformed] = []
    for number, item in enumerate(items):
        try:
            if not isinstance(item, dict):
                raise Malformed(f"expected an object as evaluations[{number}]")
            found.append(read_question({**defaults, **item}, f"evaluations[{number}]."))
        except Malformed as error:
            found.append(error)
    return Batch(tuple(found), semantic)


def _semantic(source: Mapping[str, Any]) -> Semantic:
    options = _object(source, "options", "") if "options" in source else {}
    name = options.get("evaluations_semantic", Semantic.EXECUTE_ALL)
    if name not in tuple(Semantic):
        raise Malformed(f"expected as options.evaluations_semantic one of {', '.join(Semantic)}")
    return Semantic(name)


def _object(source: Mapping[str, Any], name: str, at: str) -> dict[str, Any]:
    value = source.get(name)
    if not isinstance(value, dict):
        raise Malformed(f"expected an object as {at}{name}")
    return value


def _text(source: Mapping[str, Any], name: str, at: str) -> str:
    value = source.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(f"expected text as {at}{name}")
    if len(value) > _MOST_CHARACTERS or not value.isprintable():
        raise Malformed(
            f"expected at most {_MOST_CHARACTERS} characters, all printable, as {at}{name}"
        )
    return value


def _address(source: Mapping[str, Any], at: str) -> str:
    text = _text(source, SOURCE_IP, at)
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise Malformed(f"expected an IP address as {at}{SOURCE_IP}") from None
    return text
