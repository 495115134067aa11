"""Must the person sign in for this request, although somebody is signed in (OpenID Connect Core
section 3.1.2.1: `prompt`, `max_age`, `id_token_hint`)?"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from app.oauth.parameters import Parameters
from app.services.runtime import Runtime
from app.services.sign_in import SignedIn
from app.tokens.checker import TokenRejected

#: Added to a request that goes on after a sign-in, so that nobody is sent in circles.
_AFTER_SIGN_IN = "after_sign_in"
#: Seconds from a sign-in until the request that it was for goes on, whatever `max_age` says.
_SIGN_IN_TAKES = 60


def prompts_of(parameters: Parameters) -> frozenset[str]:
    return frozenset((parameters.get("prompt") or "").split())


def must_sign_in_again(runtime: Runtime, parameters: Parameters, user: SignedIn) -> bool:
    """`prompt=login` or the same in other words, a hint that is not the user's, or a sign-in
    that is older than `max_age`. Whoever has just signed in for the request has done it."""
    if prompts_of(parameters) & {"login", "select_account"}:
        return True
    max_age = None if parameters.get("max_age") is None else int(parameters.require("max_age"))
    if parameters.get(_AFTER_SIGN_IN) is not None:
        max_age = None if max_age is None else max(max_age, _SIGN_IN_TAKES)
    elif max_age == 0 or not _is_hinted(runtime, parameters, user):
        return True
    return max_age is not None and runtime.now() - user.session.auth_time > max_age


def _is_hinted(runtime: Runtime, parameters: Parameters, user: SignedIn) -> bool:
    """Whether an `id_token_hint` is that of the signed-in user; a bad one is nobody's."""
    has_none = parameters.get("id_token_hint") is None
    return has_none or hinted(runtime, parameters) == user.user.id


def hinted(runtime: Runtime, parameters: Parameters) -> str | None:
    """Whom an `id_token_hint` names; None where there is none, or it cannot be read."""
    hint = parameters.get("id_token_hint")
    if hint is None:
        return None
    try:
        return str(runtime.checker.check_id_token_hint(hint, runtime.clock())["sub"])
    except TokenRejected:
        return None


def after_sign_in(query: str) -> str:
    """The request after signing in: what `prompt` asked for has then been done."""
    kept = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == "prompt" and "consent" in value:
            kept.append((name, "consent"))
        elif name not in ("prompt", _AFTER_SIGN_IN):
            kept.append((name, value))
    return urlencode([*kept, (_AFTER_SIGN_IN, "1")])
