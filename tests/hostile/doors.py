"""Every door of the server that takes a token, and what a clean refusal looks like there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes

from werkzeug.test import TestResponse

from tests.support.world import ACCESS_TOKEN, CLI, EXCHANGE, World

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FORM = "application/x-www-form-urlencoded"
_BASIC_CHALLENGE = 'Basic realm="crossroot", charset="UTF-8"'
_BEARER_CHALLENGE = 'Bearer realm="crossroot"'


@dataclass(frozen=True)
class Door:
    """`present` brings a token; `was_accepted` reads the answer; `complaints` wants it clean."""

    name: str
    present: Callable[[World, str, bytes], TestResponse]
    was_accepted: Callable[[TestResponse], bool]
    complaints: Callable[[TestResponse], list[str]]


def _post(world: World, path: str, headers: dict[str, str], **fields: str | bytes) -> TestResponse:
    """A form with the bytes as they are."""
    body = "&".join(
        f"{name}={quote_from_bytes(value.encode() if isinstance(value, str) else value, safe='')}"
        for name, value in fields.items()
    )
    environ = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return world.client.post(path, data=body, content_type=_FORM, environ_overrides=environ)


def _bearer(token: bytes) -> dict[str, str]:
    # Set behind the test client's back: it would not send what a careless proxy might.
    return {"authorization": "Bearer " + token.decode("latin-1")}


def _exchange(world: World, token: bytes, **fields: str) -> TestResponse:
    return _post(
        world,
        "/oauth2/token",
        {},
        grant_type=EXCHANGE,
        client_id=CLI,
        subject_token=token,
        subject_token_type=ACCESS_TOKEN,
        **fields,
    )


def _impersonate(world: World, _live: str, token: bytes) -> TestResponse:
    return _exchange(world, token, requested_subject=world.service_account_id)


def _narrow(world: World, _live: str, token: bytes) -> TestResponse:
    return _exchange(world, token, scope="iam:ImpersonateServiceAccount")


def _assert(world: World, _live: str, token: bytes) -> TestResponse:
    return _post(
        world,
        "/oauth2/token",
        {},
        grant_type="client_credentials",
        client_assertion_type=ASSERTION_TYPE,
        client_assertion=token,
    )


def _userinfo(world: World, _live: str, token: bytes) -> TestResponse:
    environ = {f"HTTP_{name.upper()}": value for name, value in _bearer(token).items()}
    return world.client.get("/oauth2/userinfo", environ_overrides=environ)


def _ask_with(world: World, live: str, token: bytes) -> TestResponse:
    return _post(world, "/oauth2/introspect", _bearer(token), token=live)


def _ask_about(world: World, live: str, token: bytes) -> TestResponse:
    return _post(world, "/oauth2/introspect", _bearer(live.encode()), token=token)


def _revoke(world: World, _live: str, token: bytes) -> TestResponse:
    return _post(world, "/oauth2/revoke", {}, client_id=CLI, token=token)


def _got_token(answer: TestResponse) -> bool:
    return answer.status_code == 200 or "access_token" in answer.text


def _is_active(answer: TestResponse) -> bool:
    return answer.status_code == 200 and answer.get_json(silent=True) != {"active": False}


def _was_answered(answer: TestResponse) -> bool:
    return answer.status_code == 200


def _unseen(_answer: TestResponse) -> bool:
    """Revocation says yes to everything; what it did is in the store."""
    return False


def _oauth_error(*allowed: tuple[int, str]) -> Callable[[TestResponse], list[str]]:
    """An error of RFC 6749 section 5.2, one of those."""

    def complaints(answer: TestResponse) -> list[str]:
        body = answer.get_json(silent=True)
        found = _unclean(answer, body)
        if not isinstance(body, dict) or (answer.status_code, body.get("error")) not in allowed:
            found.append(f"{answer.status_code} {answer.text[:200]}")
        elif set(body) != {"error", "error_description"}:
            found.append(f"members {sorted(body)}")
        challenge = answer.headers.get("WWW-Authenticate")
        if (answer.status_code == 401) != (challenge is not None):
            found.append(f"{answer.status_code} with the challenge {challenge}")
        if challenge is not None and challenge != _BASIC_CHALLENGE:
            found.append(f"the challenge {challenge}")
        return found

    return complaints


def _bearer_error(answer: TestResponse) -> list[str]:
    """RFC 6750 section 3.1; no error code where no token came at all."""
    body = answer.get_json(silent=True)
    found = _unclean(answer, body)
    challenge = answer.headers.get("WWW-Authenticate", "")
    error = body.get("error") if isinstance(body, dict) else body
    if answer.status_code != 401 or error not in (None, "invalid_token"):
        found.append(f"{answer.status_code} {answer.text[:200]}")
    if error is None and challenge != _BEARER_CHALLENGE:
        found.append(f"the challenge {challenge}")
    if error is not None and not challenge.startswith(f'{_BEARER_CHALLENGE}, error="{error}"'):
        found.append(f"the challenge {challenge}")
    return found


def _answer_of(*bodies: dict[str, Any]) -> Callable[[TestResponse], list[str]]:
    """One of these, with 200; or the refusal of a request that cannot be read."""

    def complaints(answer: TestResponse) -> list[str]:
        body = answer.get_json(silent=True)
        if answer.status_code == 400:
            return _oauth_error((400, "invalid_request"))(answer)
        found = _unclean(answer, body)
        if answer.status_code != 200 or body not in bodies:
            found.append(f"{answer.status_code} {answer.text[:200]}")
        return found

    return complaints


def _unclean(answer: TestResponse, body: Any) -> list[str]:
    found = []
    if answer.content_type != "application/json" or not isinstance(body, dict):
        found.append(f"{answer.content_type}: {answer.text[:200]}")
    if answer.headers.get("Cache-Control") != "no-store":
        found.append("may be cached")
    if not answer.text.isascii() or not answer.text.replace("\n", "").isprintable():
        found.append("characters that RFC 6749 section 5.2 does not allow")
    if "Traceback" in answer.text or 'File "' in answer.text:
        found.append("a stack trace")
    return found


_FOR_SUBJECT = _oauth_error((400, "invalid_request"))
_FOR_CLIENT = _oauth_error((401, "invalid_client"), (400, "invalid_request"))

ASSERTION_DOOR = Door("client_assertion", _assert, _got_token, _FOR_CLIENT)
DOORS = (
    Door("subject_token to become someone", _impersonate, _got_token, _FOR_SUBJECT),
    Door("subject_token to narrow", _narrow, _got_token, _FOR_SUBJECT),
    Door("bearer at userinfo", _userinfo, _was_answered, _bearer_error),
    Door("bearer at introspection", _ask_with, _was_answered, _bearer_error),
    Door("token at introspection", _ask_about, _is_active, _answer_of({"active": False})),
    Door("token at revocation", _revoke, _unseen, _answer_of({})),
    ASSERTION_DOOR,
)
