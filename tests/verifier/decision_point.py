"""A policy decision point for tests: what it is asked, and what it answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.verifier.local_issuer import URL

CLIENT_ID, CLIENT_SECRET = "vserver-client", "a-secret"
ONE, SEVERAL = "/access/v1/evaluation", "/access/v1/evaluations"
CONFIGURATION = "/.well-known/authzen-configuration"


def everything(_question: Mapping[str, Any]) -> bool:
    return True


@dataclass
class DecisionPoint:
    """`decide` answers one evaluation; `requests` has each request that came, by its path."""

    url: str = URL
    decide: Callable[[Mapping[str, Any]], bool] = everything
    down: bool = False
    fetched: int = 0
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def metadata(self) -> dict[str, Any]:
        return {
            "policy_decision_point": self.url,
            "access_evaluation_endpoint": self.url + ONE,
            "access_evaluations_endpoint": self.url + SEVERAL,
        }

    def fetch(self, url: str) -> bytes:
        if self.down:
            raise ConnectionRefusedError("connection refused")
        assert url == self.url + CONFIGURATION
        self.fetched += 1
        return json.dumps(self.metadata()).encode()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        if self.down:
            raise ConnectionRefusedError("connection refused")
        path = url.removeprefix(self.url)
        return json.dumps(self.answer(path, body, headers["Authorization"])).encode()

    def answer(self, path: str, body: bytes, authorization: str) -> dict[str, Any]:
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        assert authorization == f"Basic {expected}"
        asked = json.loads(body)
        self.requests.append((path, asked))
        if path == ONE:
            return {"decision": self.decide(asked)}
        assert path == SEVERAL
        return {"evaluations": [{"decision": self.decide(each)} for each in asked["evaluations"]]}
