"""Parameters that several grants read the same way."""

from __future__ import annotations

from app.domain.catalogue import ActionPattern
from app.domain.scopes import InvalidScope, RequestedScope, parse_scope
from app.oauth.parameters import Parameters, malformed
from app.services.refusals import Refusal, Refused

_MAX_API_NAME = 255
_MAX_APIS = 20
#: Each pattern is compared with each: more than anybody needs would only cost time.
_MAX_PATTERNS = 100


def read_scope(text: str) -> RequestedScope:
    """A `scope` parameter, of a length that a token can hold. Raises `InvalidScope`."""
    if len(text.split()) > _MAX_PATTERNS:
        raise InvalidScope(f"more than {_MAX_PATTERNS} words in scope")
    return parse_scope(text)


def action_patterns(parameters: Parameters) -> tuple[ActionPattern, ...] | None:
    """The action patterns of `scope`; None where none was sent. Raises `Refused`."""
    text = parameters.get("scope")
    if text is None:
        return None
    try:
        scope = read_scope(text)
    except InvalidScope as error:
        raise Refused(Refusal.MALFORMED_SCOPE, str(error)) from None
    if scope.identity:
        raise Refused(
            Refusal.MALFORMED_SCOPE,
            f"'{scope.identity[0]}' is for sign-in; expected action patterns such as vserver:List*",
        )
    return scope.patterns or None


def api_names(parameters: Parameters) -> tuple[str, ...]:
    """The APIs named by `resource` and `audience` (RFC 8693 section 2.1). Raises `Refused`."""
    names = (*parameters.all("resource"), *parameters.all("audience"))
    if len(names) > _MAX_APIS or any(len(name) > _MAX_API_NAME for name in names):
        raise malformed(
            f"at most {_MAX_APIS} of resource and audience, each of at most {_MAX_API_NAME} "
            "characters"
        )
    return names
