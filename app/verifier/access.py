"""Asking the issuer what a token may be used for (OpenID AuthZEN Authorization API 1.0).

The scope of a token has only the rights that hold on every resource of its account, as of the
moment when it was issued. Access evaluation knows the narrower ones, and what was taken back since:
a revoked token, a disabled user, a trust that ended.

How long an answer is used, in seconds, counted from before the question was sent:

* a yes `keep_for` (5), a no `keep_refusals` (1, never longer than a yes). So a right that was
  taken away is used for at most `keep_for` seconds after the issuer has acknowledged that.
* Where the issuer does not answer, nothing is assumed: `AccessUnavailable`. An answer that is
  older than that is never used instead. It is asked again after `RETRY_AFTER` (1) at the earliest.

Each answer is for one token, action, resource and source address. A token whose scope says all
(`VerifiedToken.evaluate` is false) and does not allow the action is refused without asking.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from app.verifier.discovery import (
    DocumentUnusable,
    Fetch,
    HttpFetch,
    Post,
    check_issuer,
    find_evaluation_endpoints,
    read_json_object,
)
from app.verifier.token import VerifiedToken

KEEP_FOR = 5.0
KEEP_REFUSALS = 1.0
LONGEST_KEPT = 60.0
"""More than this can't be asked for: it is how long a revoked token may go on."""

RETRY_AFTER = 1.0
MOST_KEPT = 10_000
"""Answers in memory; the oldest go first."""
MOST_AT_ONCE = 100
"""Evaluations in one request."""
LONGEST_NAME = 256
"""Characters of a VRN; what is longer, or does not print, is the name of nothing."""

_log = logging.getLogger("app.verifier")


class AccessUnavailable(Exception):
    """Nobody can say now whether it is allowed. Try again in `retry_after` seconds."""

    def __init__(self, retry_after: float = RETRY_AFTER) -> None:
        super().__init__("What this token may be used for cannot be asked at the moment.")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Question:
    subject_type: str
    subject: str
    token_id: str
    action: str
    resource: str
    source_ip: str | None

    def body(self) -> dict[str, Any]:
        """The request of section 6.1."""
        return {
            "subject": {
                "type": self.subject_type,
                "id": self.subject,
                "properties": {"jti": self.token_id},
            },
            "action": {"name": self.action},
            "resource": {
                "type": self.resource.rpartition(":")[2].partition("/")[0] or "resource",
                "id": self.resource,
            },
            **({} if self.source_ip is None else {"context": {"iam:SourceIp": self.source_ip}}),
        }


class AccessClient:
    """Asks for one API, as that API's own OAuth client.

    `issuer` is the issuer's URL; `client_id` and `client_secret` are those that the operator got
    when the product was registered. Where to ask is read from the issuer's metadata at the first
    question, and again after one that failed.

    `fetch` and `post` read a URL and send JSON to one; the default ones use the standard library
    (`HttpFetch`). `clock` gives seconds that only go forward.

    Safe to share between threads; make one for each process and keep it. Raises `ValueError` for
    an issuer that is no URL, empty credentials, or times that are negative or too long.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str,
        *,
        keep_for: float = KEEP_FOR,
        keep_refusals: float = KEEP_REFUSALS,
        fetch: Fetch | None = None,
        post: Post | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not (client_id and client_secret):
            raise ValueError("Expected the id and the secret of this API's client.")
        if not (0 <= keep_for <= LONGEST_KEPT and keep_refusals >= 0):
            raise ValueError(f"An answer may be kept for 0 to {LONGEST_KEPT:g} seconds.")
        self._issuer = check_issuer(issuer)
        http = HttpFetch(issuer)
        self._fetch, self._post = fetch or http, post or http.post
        self._keep = {True: keep_for, False: min(keep_refusals, keep_for)}
        self._clock = clock
        # Each part form-encoded before base64 (RFC 6749 section 2.3.1).
        pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}".encode()
        self._headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        self._lock = threading.Lock()
        self._kept: dict[_Question, tuple[bool, float]] = {}
        self._endpoints: tuple[str, str] | None = None
        self._failed_at: float | None = None

    def allows(
        self, token: VerifiedToken, action: str, resource: str, source_ip: str | None = None
    ) -> bool:
        """Whether the token may be used for `action` on the resource with that VRN.

        `source_ip` is where the request came from, for conditions that speak of it. Raises
        `AccessUnavailable`; nothing may be done then.
        """
        return bool(self.allowed(token, action, (resource,), source_ip))

    def allowed(
        self,
        token: VerifiedToken,
        action: str,
        resources: Iterable[str],
        source_ip: str | None = None,
    ) -> list[str]:
        """Those of the resources on which the token may be used for `action`, in their order.

        One request for a hundred of them. Raises `AccessUnavailable`.
        """
        names = [each for each in resources if len(each) <= LONGEST_NAME and each.isprintable()]
        if not token.evaluate and not token.allows(action, token.account_id):
            return []
        address = _address(source_ip)
        questions = [
            _Question(token.user_type, token.subject, token.token_id, action, name, address)
            for name in names
        ]
        known = {each: self._known(each) for each in questions}
        missing = [each for each, answer in known.items() if answer is None]
        for start in range(0, len(missing), MOST_AT_ONCE):
            part = missing[start : start + MOST_AT_ONCE]
            known.update(zip(part, self._ask(part), strict=True))
        return [each.resource for each in questions if known[each]]

    def _known(self, question: _Question) -> bool | None:
        """The answer that is kept, if it still counts."""
        with self._lock:
            found = self._kept.get(question)
        if found is None:
            return None
        decision, asked_at = found
        return decision if 0 <= self._clock() - asked_at < self._keep[decision] else None

    def _ask(self, questions: list[_Question]) -> list[bool]:
        # Whatever is taken away from here on, this answer may not know.
        asked_at = self._clock()
        if self._failed_at is not None and 0 <= asked_at - self._failed_at < RETRY_AFTER:
            # It may take seconds to find out once more, and a thread for each request.
            raise AccessUnavailable
        try:
            decisions = self._decisions(questions)
        except OSError as error:
            self._endpoints, self._failed_at = None, self._clock()
            _log.warning("Access evaluation at %s failed: %s", self._issuer, error)
            raise AccessUnavailable from error
        self._failed_at = None
        with self._lock:
            for question, decision in zip(questions, decisions, strict=True):
                self._kept.pop(question, None)
                self._kept[question] = (decision, asked_at)
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]
        return decisions

    def _decisions(self, questions: list[_Question]) -> list[bool]:
        """Raises `DocumentUnusable` for an answer that is none, and the `OSError` of `post`."""
        endpoints = self._endpoints
        if endpoints is None:
            endpoints = self._endpoints = find_evaluation_endpoints(self._issuer, self._fetch)
        one, several = endpoints
        if len(questions) == 1:
            return [_decision(self._send(one, questions[0].body()), one)]
        answer = self._send(several, {"evaluations": [each.body() for each in questions]})
        found = answer.get("evaluations")
        if not isinstance(found, list) or len(found) != len(questions):
            raise DocumentUnusable(f"{several} did not answer each question")
        return [_decision(each, several) for each in found]

    def _send(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        return read_json_object(self._post(url, json.dumps(body).encode(), self._headers), url)


def _decision(answer: Any, url: str) -> bool:
    """Only the word for yes is a yes (section 5.5)."""
    decision = answer.get("decision") if isinstance(answer, dict) else None
    if not isinstance(decision, bool):
        raise DocumentUnusable(f"{url} answered without a decision")
    return decision


def _address(text: str | None) -> str | None:
    """The address, if it is one: a socket of this host has none."""
    try:
        return None if text is None else str(ipaddress.ip_address(text))
    except ValueError:
        return None
